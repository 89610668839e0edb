"""One video out of pieces that were tracked apart: who is who is read from the frames that two pieces share.

Not what one run over the whole video gives: whoever is out of sight during a whole overlap comes back as
somebody else, and a tracker that begins anew takes some frames to find everybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from posetrack.boxes import box_areas
from posetrack.types import Poses, Tracks
from trackers.matching import hungarian
from trackers.similarity import oks

SAME_POSE = 0.5  # OKS from which two poses of a frame are one person's


def stitch(pieces: Iterable[Sequence[Tracks]]) -> Iterator[Tracks]:
    """All frames once, with identities that go through all pieces; two pieces are held at a time.

    An overlap comes from the earlier piece. Identities of the first piece keep their numbers, people whom
    nobody before knows get the next free ones.

    Args:
        pieces: frames of each in order; each ends after the next one begins. A piece may be empty.

    Raises:
        ValueError: two pieces have no frame in common, or not the same frames where they overlap.
    """
    before: Sequence[Tracks] = []  # what was given of the time of the piece before
    used = 0  # the highest identity so far
    for piece in pieces:
        if not piece:
            continue
        shared = _shared(before, piece) if before else 0
        known, rest = before[len(before) - shared :], piece[shared:]
        names = same_people(known, piece[:shared]) if before else {i: i for i in _people(piece).tolist()}
        used = max([used, *names.values()])
        for identity in (i for tracks in rest for i in tracks.ids.tolist()):
            if identity not in names:
                names[identity] = used = used + 1
        renamed = (np.array([names[i] for i in t.ids.tolist()], np.int64) for t in rest)
        given = [replace(tracks, ids=ids) for tracks, ids in zip(rest, renamed, strict=True)]
        yield from given
        before = [*known, *given]


def same_people(before: Sequence[Tracks], after: Sequence[Tracks]) -> dict[int, int]:
    """Identities of `after` and who they are in `before`, both of the same frames.

    One to one, for the largest sum of OKS over all frames (Hungarian). Two identities are one person only if
    their poses agree in at least half of the frames that have both: people who cross do so for a moment.
    """
    old, new = _people(before), _people(after)
    total = np.zeros((len(old), len(new)))
    agreed, together = np.zeros_like(total), np.zeros_like(total)
    for ours, theirs in zip(before, after, strict=True):
        rows, columns = np.searchsorted(old, ours.ids), np.searchsorted(new, theirs.ids)
        alike = _oks(ours.poses, theirs.poses)
        place = np.ix_(rows, columns)
        total[place] += np.where(alike >= SAME_POSE, alike, 0)
        agreed[place] += alike >= SAME_POSE
        together[place] += 1
    pairs = hungarian(np.where(2 * agreed >= together, total, 0), 0)
    return {int(new[column]): int(old[row]) for row, column in zip(*pairs, strict=True)}


def _shared(before: Sequence[Tracks], after: Sequence[Tracks]) -> int:
    """How many frames the end of one piece and the beginning of the next have in common."""
    count = sum(tracks.time >= after[0].time for tracks in before)
    times = [[tracks.time for tracks in part] for part in (before[len(before) - count :], after[:count])]
    if not count or times[0] != times[1]:
        raise ValueError(f"the pieces before and after {after[0].time:g} s do not have the same frames there")
    return count


def _people(tracks: Sequence[Tracks]) -> NDArray[np.int64]:
    """Every identity once, in order."""
    return np.unique(np.concatenate([np.zeros(0, np.int64), *(t.ids for t in tracks)]))


def _oks(a: Poses, b: Poses) -> NDArray[np.floating]:
    seen_a, seen_b = a.keypoint_scores > 0, b.keypoint_scores > 0
    areas = box_areas(a.boxes), box_areas(b.boxes)
    return oks(a.keypoints, b.keypoints, seen_a, seen_b, *areas, a.skeleton.sigmas)
