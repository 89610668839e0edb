"""Who was here of late, and what they wore, so that people who were out of sight get their identity again.

The paper has nothing of the kind: its tracker goes by places alone. Switched on by `reid_threshold` of
FlowTrackerSettings. Colours were tried as a rank among rivals, too, and did as much harm as good
(docs/association.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from posetrack.boxes import iou
from trackers.appearance import COLOURS, PARTS, Floats, Looks, alike
from trackers.matching import greedy

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

SHARE = 0.15  # of the newest look in what is remembered
CROWDED = 0.3  # IoU with another person from which a look may show that one's clothes
STRIDE = 1.5  # of their own heights that a person who is out of sight may move in a second,
START = 0.5  # and heights that they may be off at once
GROWTH = 2.0  # times a person may be as tall, or as small, as before


@dataclass(frozen=True, eq=False)
class Member:
    """One identity."""

    colours: Floats  # (P, C)
    known: Bools  # (P,)
    box: Floats  # (4,) where they were last
    time: float  # of that, seconds


@dataclass
class Gallery:
    """Everybody seen of late."""

    seconds: float  # after which nobody is taken up again
    members: dict[int, Member] = field(default_factory=dict)

    def clear(self) -> None:
        self.members.clear()

    def likeness(self, ids: Ints, looks: Looks) -> Floats:
        """(M, N) of looks (N) with those of identities (M); NaN where nothing can be compared."""
        return alike(self._looks(ids.tolist()), looks)

    def returned(
        self,
        looks: Looks,
        boxes: NDArray[np.floating],
        wanted: Bools,
        present: Ints,
        time: float,
        threshold: float,
    ) -> Ints:
        """(N,) identities of people who were out of sight, 0 for those who look like none of them.

        Args:
            looks, boxes: of all N people of the frame.
            wanted: (N,) people without identity.
            present: identities that the frame has already.
            threshold: likeness from which it is the same person.
        """
        ids = np.zeros(len(looks), np.int64)
        rows = np.flatnonzero(wanted)
        taken = set(present.tolist())
        lost = [i for i, m in self.members.items() if i not in taken and time - m.time <= self.seconds]
        if not lost or not len(rows):
            return ids
        likeness = np.nan_to_num(self.likeness(np.array(lost), looks[rows]))
        members = [self.members[i] for i in lost]
        likeness = likeness * _in_reach(members, boxes[rows], time)
        for member, row in zip(*greedy(likeness, threshold), strict=True):
            ids[rows[row]] = lost[member]
        return ids

    def remember(self, looks: Looks, boxes: NDArray[np.floating], ids: Ints, time: float) -> None:
        """Take in a frame: new people as they are, others a little, unless somebody stands before them."""
        overlap = iou(boxes, boxes)
        np.fill_diagonal(overlap, 0)
        crowded = (overlap.max(axis=1, initial=0) > CROWDED).tolist()
        for row, identity in enumerate(ids.tolist()):
            colours, known = looks.colours[row], looks.known[row]
            before = self.members.get(identity)
            if before is not None:
                colours, known = _blend(before, colours, known, crowded[row])
            self.members[identity] = Member(colours, known, boxes[row].astype(np.float32), time)
        self.members = {i: m for i, m in self.members.items() if time - m.time <= self.seconds}

    def _looks(self, ids: list[int]) -> Looks:
        """Those of identities; of one that is not here, nothing is known."""
        colours, known = np.zeros((len(ids), PARTS, COLOURS), np.float32), np.zeros((len(ids), PARTS), bool)
        for row, member in enumerate(map(self.members.get, ids)):
            if member is not None:
                colours[row], known[row] = member.colours, member.known
        return Looks(colours, known)


def _blend(before: Member, colours: Floats, known: Bools, crowded: bool) -> tuple[Floats, Bools]:
    """What to remember after a look: new parts as they are, others a little changed if nobody is near."""
    kept = before.colours.copy()
    fresh = known & ~before.known
    kept[fresh] = colours[fresh]
    if not crowded:
        again = known & before.known
        mixed = (1 - SHARE) * kept[again] + SHARE * colours[again]
        kept[again] = mixed / np.linalg.norm(mixed, axis=1, keepdims=True)
    return kept, known | before.known


def _in_reach(members: list[Member], boxes: NDArray[np.floating], time: float) -> Bools:
    """(M, N) whether a member can have come to the place of a person meanwhile."""
    before = np.stack([m.box for m in members])
    away = time - np.array([m.time for m in members])  # (M,)
    middle = [(b[:, :2] + b[:, 2:]) / 2 for b in (before, boxes)]
    tall = [np.maximum(b[:, 3] - b[:, 1], 1e-3) for b in (before, boxes)]
    distance = np.linalg.norm(middle[0][:, None] - middle[1][None], axis=2)
    reach = (START + STRIDE * away)[:, None] * np.maximum(tall[0][:, None], tall[1][None])
    growth = tall[1][None] / tall[0][:, None]
    near: Bools = (distance <= reach) & (growth <= GROWTH) & (growth >= 1 / GROWTH)
    return near
