"""Pieces of tiny worlds: who is who after they are joined, worked out by hand."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from posetrack.types import Tracks
from tests.trackers.worlds import people
from trackers.stitching import stitch

# A piece is {time: {identity: x}}: the hips of stick people, 20 x 60 pixels, at y = 100.
Piece = dict[int, dict[int, float]]


@dataclass(frozen=True)
class Case:
    name: str
    pieces: list[Piece]
    expected: Piece


A, B, C = 100.0, 300.0, 900.0  # places

CASES = [
    Case("one piece stays as it is", [{0: {7: A}, 1: {7: A, 9: B}}], {0: {7: A}, 1: {7: A, 9: B}}),
    Case(
        "numbers of the second piece are translated",
        [{0: {1: A, 2: B}, 1: {1: A, 2: B}}, {1: {1: B, 2: A}, 2: {1: B, 2: A}}],
        {0: {1: A, 2: B}, 1: {1: A, 2: B}, 2: {2: B, 1: A}},
    ),
    Case(
        "somebody leaves within the overlap; who comes after it is somebody else",
        [{0: {1: A, 2: B}, 1: {1: A, 2: B}, 2: {1: A}}, {1: {1: A, 2: B}, 2: {1: A}, 3: {1: A, 3: B}}],
        {0: {1: A, 2: B}, 1: {1: A, 2: B}, 2: {1: A}, 3: {1: A, 3: B}},
    ),
    Case(
        # At time 2 both stand on one spot, where either could be either; before and after they do not.
        "two cross",
        [{0: {1: 50, 2: 170}, 1: {1: 80, 2: 140}, 2: {1: 110, 2: 110}, 3: {1: 140, 2: 80}},
         {1: {5: 140, 6: 80}, 2: {5: 110, 6: 110}, 3: {5: 80, 6: 140}, 4: {5: 50, 6: 170}}],
        {0: {1: 50, 2: 170}, 1: {1: 80, 2: 140}, 2: {1: 110, 2: 110}, 3: {1: 140, 2: 80}, 4: {2: 50, 1: 170}},
    ),
    Case(
        # 1 meets 8 in one of three common frames: that does not make them one.
        "who meets somebody for a moment does not become them",
        [{0: {1: 60}, 1: {1: 60}, 2: {1: 100}, 3: {1: 140}},
         {1: {8: 140}, 2: {8: 100}, 3: {8: 60}, 4: {8: 20}}],
        {0: {1: 60}, 1: {1: 60}, 2: {1: 100}, 3: {1: 140}, 4: {2: 20}},
    ),
    Case("nobody in the overlap", [{0: {1: A}, 1: {}}, {1: {}, 2: {1: A}}], {0: {1: A}, 1: {}, 2: {2: A}}),
    Case("nobody at all", [{0: {}, 1: {}}, {1: {}, 2: {}}], {0: {}, 1: {}, 2: {}}),
    Case(
        # 3 is not in the earlier piece, which gives the overlap: it appears after it.
        "more people in one piece than in the other",
        [{0: {4: A}, 1: {4: A}}, {1: {1: C, 2: A, 3: B}, 2: {1: C, 2: A, 3: B}}],
        {0: {4: A}, 1: {4: A}, 2: {5: C, 4: A, 6: B}},
    ),
    Case(
        "fewer people in the second piece",
        [{0: {1: A, 2: B, 3: C}, 1: {1: A, 2: B, 3: C}}, {1: {1: B}, 2: {1: B}}],
        {0: {1: A, 2: B, 3: C}, 1: {1: A, 2: B, 3: C}, 2: {2: B}},
    ),
    Case(
        "one identity spans three pieces, others come and go",
        [{0: {3: A}, 1: {3: A}}, {1: {1: A}, 2: {1: A, 2: C}, 3: {1: A}}, {3: {1: A}, 4: {1: A, 2: C}}],
        {0: {3: A}, 1: {3: A}, 2: {3: A, 4: C}, 3: {3: A}, 4: {3: A, 5: C}},
    ),
    Case(
        # The tracker of the first piece confuses them in the last of four frames; most frames decide.
        "a switch within the overlap",
        [{0: {1: A, 2: B}, 1: {1: A, 2: B}, 2: {1: A, 2: B}, 3: {2: A, 1: B}},
         {1: {1: A, 2: B}, 2: {1: A, 2: B}, 3: {1: A, 2: B}, 4: {1: A, 2: B}}],
        {0: {1: A, 2: B}, 1: {1: A, 2: B}, 2: {1: A, 2: B}, 3: {2: A, 1: B}, 4: {1: A, 2: B}},
    ),
    Case("a piece without a frame", [{0: {1: A}, 1: {1: A}}, {}], {0: {1: A}, 1: {1: A}}),
    Case(
        "overlaps that overlap",
        [{0: {1: A}, 1: {1: A}, 2: {1: A}}, {1: {2: A}, 2: {2: A}, 3: {2: A}},
         {2: {9: A}, 3: {9: A}, 4: {9: A}}],
        {t: {1: A} for t in range(5)},
    ),
]  # fmt: skip


def tracked(piece: Piece) -> list[Tracks]:
    return [
        Tracks(people(*((x, 100) for x in who.values())), list(who), [False] * len(who), n, time, (1000, 200))
        for n, (time, who) in enumerate(piece.items())
    ]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_who_is_who(case: Case) -> None:
    frames = list(stitch([tracked(piece) for piece in case.pieces]))
    hips = [t.poses.keypoints[:, 2, 0].tolist() for t in frames]
    joined = {t.time: dict(zip(t.ids.tolist(), x, strict=True)) for t, x in zip(frames, hips, strict=True)}
    assert joined == case.expected


@pytest.mark.parametrize("second", [{2: {1: A}}, {0: {1: A}, 2: {1: A}}], ids=["apart", "another frame"])
def test_pieces_that_do_not_fit_are_refused(second: Piece) -> None:
    with pytest.raises(ValueError, match="do not have the same frames there"):
        list(stitch([tracked({0: {1: A}, 1: {1: A}}), tracked(second)]))


def test_only_joints_that_both_saw_count() -> None:
    """One piece saw joints 0 to 2, the other 1 to 3; those without a position all lie at (0, 0)."""
    before, after = tracked({0: {1: A}}), tracked({0: {4: A}, 1: {4: A}})
    before = [replace(t, poses=t.poses.hide(np.arange(4)[None] == 3)) for t in before]
    after = [replace(t, poses=t.poses.hide(np.arange(4)[None] == 0)) for t in after]
    assert [t.ids.tolist() for t in stitch([before, after])] == [[1], [1]]
