"""Who is shown, on videos written as the ids of each frame."""

from __future__ import annotations

import pytest

from posetrack.types import Frame, Tracks
from tests.trackers.worlds import frame, people
from trackers.confirmation import confirmed

Ids = list[list[int]]


def pairs(video: Ids) -> list[tuple[Frame, Tracks]]:
    return [
        (
            frame(t),
            Tracks(people(*[(100 * i, 100) for i in ids]), ids, [False] * len(ids), t, t / 10, (640, 360)),
        )
        for t, ids in enumerate(video)
    ]


@pytest.mark.parametrize(
    ("name", "video", "waiting", "live"),
    [
        ("somebody stays", [[1], [1], [1], [1]], [[1], [1], [1], [1]], [[], [], [1], [1]]),
        ("a blink", [[1], [1], [1, 2], [1], [1]], [[1]] * 5, [[], [], [1], [1], [1]]),
        (
            "seen three times, not in a row",
            [[1], [], [1], [1], []],
            [[], [], [1], [1], []],
            [[], [], [], [1], []],
        ),
        ("came at the end", [[1], [1], [1, 2], [1, 2]], [[1], [1], [1, 2], [1, 2]], [[], [], [1], [1]]),
        ("went before the end", [[1], [1], [1, 2], [1], [1]], [[1]] * 5, [[], [], [1], [1], [1]]),
        ("one picture", [[1, 2]], [[1, 2]], [[]]),
        ("nobody", [[], []], [[], []], [[], []]),
    ],
)
def test_who_is_shown(name: str, video: Ids, waiting: Ids, live: Ids) -> None:
    shown = [t.ids.tolist() for _, t in confirmed(pairs(video), 3)]
    assert shown == waiting
    assert [t.ids.tolist() for _, t in confirmed(pairs(video), 3, wait=False)] == live
    assert [t.ids.tolist() for _, t in confirmed(pairs(video), 1)] == video


def test_frames_stay_with_their_tracks() -> None:
    given = pairs([[1], [1], [2], [1], [1]])
    assert [(f.index, t.index) for f, t in confirmed(given, 3)] == [(t, t) for t in range(5)]
