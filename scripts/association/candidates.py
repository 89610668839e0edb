"""Other ways to associate, tried against the paper's. None won (docs/association.md): the product has none.

Each is a FlowTracker with one thing changed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from posetrack.boxes import box_areas, iou
from posetrack.types import Detections, Poses
from trackers.base import Motion
from trackers.flow_tracker import FlowTracker
from trackers.memory import Ints, Memory


@dataclass
class TwoStage(FlowTracker):
    """ByteTrack's order: well-scored poses choose their identities first, the others among what is left."""

    strong: float = 0.5

    def _match(self, poses: Poses, time: float) -> Ints:
        ids = np.zeros(len(poses), np.int64)
        strong = poses.scores >= self.strong
        everything = self._memory
        ids[strong] = super()._match(poses[strong], time)
        self._memory = everything[~np.isin(everything.ids, ids[strong])]
        ids[~strong] = super()._match(poses[~strong], time)
        self._memory = everything
        return ids


@dataclass
class Blend(FlowTracker):
    """Similarity: OKS, and the overlap of the joints' extents, weighted."""

    boxes: float = 0.5

    def _compare(self, poses: Poses, memory: Memory) -> NDArray[np.floating]:
        least = self.settings.threshold
        self.settings = replace(self.settings, threshold=0.0)
        pose = super()._compare(poses, memory)
        self.settings = replace(self.settings, threshold=least)
        old = _extents(memory.carried, memory.usable(self.settings.match_joint_score))
        new = _extents(poses.keypoints, self._scored(poses))
        return (1 - self.boxes) * pose + self.boxes * iou(old, new)


@dataclass
class Weighted(FlowTracker):
    """OKS in which each joint counts by its scores: their product to the given power."""

    power: float = 1.0
    looseness: float = 1.0  # factor to the sigmas

    def _compare(self, poses: Poses, memory: Memory) -> NDArray[np.floating]:
        s = self.settings
        valid = memory.usable(s.match_joint_score)[:, None] & self._scored(poses)[None]
        weight = (memory.scores[:, None] * poses.keypoint_scores[None]) ** self.power * valid
        squared = ((memory.carried[:, None] - poses.keypoints[None]) ** 2).sum(-1)
        area = (memory.areas[:, None] + box_areas(poses.boxes)[None]) / 2 + 1e-6
        spread = 8 * (poses.skeleton.sigmas * self.looseness) ** 2
        close = np.exp(-squared / (spread * area[..., None]))
        similarity: NDArray[np.floating] = (close * weight).sum(-1) / np.maximum(weight.sum(-1), 1e-9)
        return similarity


@dataclass
class Faded(FlowTracker):
    """Older poses count for less: similarity times `keep` for every frame of age."""

    keep: float = 0.95

    def _compare(self, poses: Poses, memory: Memory) -> NDArray[np.floating]:
        age = (self._frame - 1 - memory.frame)[:, None]
        return super()._compare(poses, memory) * self.keep**age


@dataclass
class Rigid(FlowTracker):
    """Joints that flow loses move with the rest of the person, people whom it loses as they last moved."""

    def propagate(self, motion: Motion) -> Detections:
        if not motion.cut and len(self._memory):
            motion = _Filled(motion, self)
        return super().propagate(motion)


@dataclass
class _Filled:
    """A motion in which every person has one: the median of the joints followed, or the last one known."""

    motion: Motion
    tracker: Rigid
    cut: bool = False
    resumed: bool = False

    def move(self, points: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        moved, visible = self.motion.move(points)
        M = len(points) // self.tracker._memory.carried.shape[1] if len(points) else 0
        if M == 0:
            return moved, visible
        memory = self.tracker._memory[:M]
        step, seen = (moved - points).reshape(M, -1, 2), visible.reshape(M, -1)
        used = seen & (memory.scores >= max(self.tracker.settings.match_joint_score, 0.1))
        known = used.sum(1) >= 3
        masked = np.where(used[..., None], step, np.nan)
        shift = np.zeros((M, 2), np.float32)
        if known.any():
            shift[known] = np.nanmedian(masked[known], axis=1)
        velocity = self.tracker.__dict__.setdefault("_velocity", {})
        for row in np.flatnonzero(~known):
            shift[row] = velocity.get(int(memory.ids[row]), (0, 0))
        for row in np.flatnonzero(known)[::-1]:
            velocity[int(memory.ids[row])] = shift[row]
        filled = np.where(seen[..., None], step, shift[:, None])
        return (points + filled.reshape(-1, 2)).astype(np.float32), visible


@dataclass
class Patient(FlowTracker):
    """Boxes from flow also for people who were seen well some frames ago, but not in the frame before."""

    patience: int = 3  # frames

    def propagate(self, motion: Motion) -> Detections:
        super().propagate(motion)
        s, memory = self.settings, self._memory
        if not len(memory):
            return Detections.empty()
        used = memory.usable(s.match_joint_score)
        mean = (memory.scores * used).sum(1) / np.maximum(used.sum(1), 1)
        rows = np.flatnonzero((self._frame - memory.frame <= self.patience) & (mean >= s.propagate_score))
        newest = np.zeros(len(memory), bool)
        newest[rows[np.unique(memory.ids[rows], return_index=True)[1]]] = True
        return self._expected(memory[newest]) if newest.any() else Detections.empty()


def _extents(points: NDArray[np.floating], valid: NDArray[np.bool_]) -> NDArray[np.floating]:
    shown = valid[..., None]
    low, high = np.where(shown, points, np.inf).min(1), np.where(shown, points, -np.inf).max(1)
    boxes = np.concatenate([low, high], axis=1)
    return np.where(np.isfinite(boxes), boxes, 0)
