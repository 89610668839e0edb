"""What a FlowTracker remembers: poses of earlier frames, one row each, and where flow has taken them since.

M remembered poses (a person may have several), K keypoints. One flat table rather than a queue of frames:
flow moves all its points in one call, and similarity is computed in one.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from posetrack.boxes import box_areas
from posetrack.types import Floats, Poses
from trackers.base import Motion

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Seconds = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Memory:
    """Newest frame first; inside a frame in the order of its poses."""

    ids: Ints  # (M,)
    frame: Ints  # (M,) in which the pose was seen, counted by the tracker
    time: Seconds  # (M,) of that frame
    detected: Seconds  # (M,) when the detector last saw the person
    seen: Floats  # (M, K, 2) joints as they were seen
    scores: Floats  # (M, K)
    boxes: Floats  # (M, 4) as they were seen
    areas: Floats  # (M,) of the boxes, pixels squared
    carried: Floats  # (M, K, 2) joints in the newest frame
    followed: Bools  # (M, K) flow did not lose the joint

    @staticmethod
    def empty() -> Memory:
        none, points, joints = np.zeros(0), np.zeros((0, 0, 2), np.float32), np.zeros((0, 0), np.float32)
        whole = np.zeros(0, np.int64)
        boxes = np.zeros((0, 4), np.float32)
        return Memory(whole, whole, none, none, points, joints, boxes, boxes[:, 0], points, joints > 0)

    @staticmethod
    def of(poses: Poses, ids: Ints, frame: int, time: float, detected: Seconds) -> Memory:
        """The people of one frame."""
        M = len(ids)
        return Memory(
            ids, np.full(M, frame), np.full(M, time), detected,
            poses.keypoints, poses.keypoint_scores, poses.boxes, box_areas(poses.boxes),
            poses.keypoints, np.ones(poses.keypoint_scores.shape, np.bool_),
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, rows: Bools | slice) -> Memory:
        return Memory(*(getattr(self, name)[rows] for name in _FIELDS))

    def __add__(self, older: Memory) -> Memory:
        """Both, this one's rows first."""
        if not len(self) or not len(older):
            return self if len(self) else older
        return Memory(*(np.concatenate([getattr(self, n), getattr(older, n)]) for n in _FIELDS))

    def moved(self, motion: Motion) -> Memory:
        """Every joint where flow takes it, from the newest frame to the one after it."""
        M, K, _ = self.carried.shape
        points, visible = motion.move(self.carried.reshape(M * K, 2))
        return replace(self, carried=points.reshape(M, K, 2), followed=self.followed & visible.reshape(M, K))

    def usable(self, joint_score: float) -> Bools:
        """(M, K) joints to go by: those that flow followed; of a person mostly lost, its guesses too."""
        scored = (self.scores > 0) & (self.scores >= joint_score)
        followed = scored & self.followed
        enough = followed.sum(1) >= np.maximum(scored.sum(1) / 2, 2)
        return np.where(enough[:, None], followed, scored)


_FIELDS = tuple(field.name for field in fields(Memory))
