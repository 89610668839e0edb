"""FlowTrack: identities by OKS between new poses and remembered ones that optical flow carried forward.

Source: Simple Baselines for Human Pose Estimation and Tracking (ECCV 2018), section 3, which HRNet
(CVPR 2019), section 4.3, uses unchanged. Every part has a switch, for the ablation of the former's Table 5.

M remembered people, N new ones, K keypoints.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from posetrack.types import Detections, Floats, Frame, Poses, Tracks
from trackers.base import Motion
from trackers.matching import MATCHERS
from trackers.similarity import box_areas, iou, nms, oks, suppress

Similarity = Literal["iou", "oks", "flow_oks"]


@dataclass(frozen=True)
class FlowTrackerSettings:
    """The defaults are the paper's where it gives a value; it is silent on those marked with a star."""

    # Boxes from flow
    propagate: bool = True  # look for everybody of the frame before where flow took their joints
    expansion: float = 0.15  # of the carried joints' extent, shared by both sides
    nms_iou: float = 0.5  # * boxes that overlap more are one person
    propagate_score: float = 0.0  # * only poses with at least this mean joint score are carried as boxes
    propagate_seconds: float = float("inf")  # * how long flow may stand in for the detector

    # Similarity and matching
    similarity: Similarity = "flow_oks"
    memory_frames: int = 8  # * L_Q: how many frames back a person can be found again
    memory_seconds: float = float("inf")  # * the same as a time: holds at every frame rate
    every_pose: bool = True  # compare with all remembered poses of a person, not only with the newest
    threshold: float = 0.3  # * least similarity of a match
    matching: Literal["greedy", "hungarian"] = "greedy"

    # What counts
    box_score: float = 0.0  # people below it are dropped (the paper drops boxes under 0.5 before)
    joint_score: float = 0.0  # joints below it take no part in similarity and carried boxes
    birth_score: float = 0.0  # * an unmatched person starts a track from this score on
    duplicate_oks: float = 1.0  # * of two new poses more alike than this, the weaker one is dropped


@dataclass(frozen=True)
class _Memory:
    """People as they were in one frame, and where flow has taken them since."""

    poses: Poses  # as they were seen
    ids: NDArray[np.int64]  # (M,)
    carried: Floats  # (M, K, 2) in the newest frame
    visible: NDArray[np.bool_]  # (M, K) flow did not lose the joint
    detected: NDArray[np.float64]  # (M,) time when the detector last saw the person
    time: float

    def __getitem__(self, index: NDArray[np.bool_]) -> _Memory:
        return _Memory(
            self.poses[index], self.ids[index], self.carried[index], self.visible[index],
            self.detected[index], self.time,
        )  # fmt: skip


@dataclass
class FlowTracker:
    """Two calls per frame: `propagate(motion)`, then `update(frame, poses, propagated)`."""

    settings: FlowTrackerSettings = field(default_factory=FlowTrackerSettings)

    def __post_init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._queue: list[_Memory] = []  # Q of the paper, newest first
        self._next_id = 1

    # ---- before the poses of the frame are known

    def propagate(self, motion: Motion) -> Detections:
        if motion.cut:
            self._queue = []
        if self.settings.similarity == "flow_oks":
            self._queue = [_move(memory, motion) for memory in self._queue]
        elif self.settings.propagate:  # only boxes are wanted: the newest frame is enough
            self._queue[:1] = [_move(memory, motion) for memory in self._queue[:1]]
        if not self._queue or not self.settings.propagate:
            return Detections.empty()
        return self._expected(self._queue[0])

    def _expected(self, last: _Memory) -> Detections:
        """Boxes round the carried joints of the frame before, enlarged. Score: mean of the joint scores."""
        s = self.settings
        used = self._usable(last)
        count = used.sum(1)
        mean = (last.poses.keypoint_scores * used).sum(1) / np.maximum(count, 1)
        fresh = last.time - last.detected <= s.propagate_seconds
        carry = (count >= 2) & (mean >= s.propagate_score) & fresh
        if not carry.any():
            return Detections.empty()
        points, used = last.carried[carry], used[carry, :, None]
        low = np.where(used, points, np.inf).min(1)  # (M, 2)
        high = np.where(used, points, -np.inf).max(1)
        margin = (high - low) * s.expansion / 2
        return Detections(np.concatenate([low - margin, high + margin], axis=1), mean[carry])

    def _usable(self, memory: _Memory) -> NDArray[np.bool_]:
        """(M, K) joints to go by: those that flow followed; of a person mostly lost, its guesses too."""
        scored = _scored(memory.poses, self.settings.joint_score)
        followed = scored & memory.visible
        enough = followed.sum(1) >= np.maximum(scored.sum(1) / 2, 2)
        return np.where(enough[:, None], followed, scored)

    def unify(self, seen: Detections, expected: Detections) -> tuple[NDArray[np.intp], Detections]:
        """A detected box always wins over an expected one: it comes from this frame's own evidence."""
        limit = self.settings.nms_iou
        kept = np.sort(nms(seen.boxes, seen.scores, limit))
        covered = iou(expected.boxes, seen.boxes[kept]).max(1, initial=0) > limit
        missed = expected[~covered]
        return kept, missed[nms(missed.boxes, missed.scores, limit)]

    # ---- when they are

    def update(self, frame: Frame, poses: Poses, propagated: NDArray[np.bool_]) -> Tracks:
        keep = self._distinct(poses)
        poses, propagated = poses[keep], propagated[keep]
        ids = self._match(poses, frame.time)
        new = (ids == 0) & (poses.scores >= self.settings.birth_score)
        ids[new] = self._next_id + np.arange(new.sum())
        self._next_id += int(new.sum())
        known = ids > 0
        poses, ids, propagated = poses[known], ids[known], propagated[known]
        self._remember(poses, ids, propagated, frame.time)
        return Tracks(poses, ids, propagated, frame.index, frame.time, frame.size)

    def _distinct(self, poses: Poses) -> NDArray[np.intp]:
        """Rows that are people and no repetitions of better ones, in order."""
        s = self.settings
        rows = np.flatnonzero((poses.scores >= s.box_score) & _scored(poses, s.joint_score).any(1))
        if s.duplicate_oks < 1:
            candidates = poses[rows]
            valid = _scored(candidates, s.joint_score)
            alike = _oks(candidates, candidates.keypoints, valid, candidates, valid)
            rows = np.sort(rows[suppress(alike, candidates.scores, s.duplicate_oks)])
        return rows

    def _match(self, poses: Poses, time: float) -> NDArray[np.int64]:
        """(N,) the identity of each pose, 0 for an unknown one."""
        ids = np.zeros(len(poses), np.int64)
        remembered = [m for m in self._queue if len(m.ids) and time - m.time <= self.settings.memory_seconds]
        if not remembered or not len(poses):
            return ids
        similarity = np.concatenate([self._compare(poses, m) for m in remembered], axis=1)
        everyone, owner = np.unique(np.concatenate([m.ids for m in remembered]), return_inverse=True)
        # A person is as similar as the most similar of the remembered poses: the greedy choice over all
        # instances in Q that the paper makes, said once per identity.
        best = np.zeros((len(poses), len(everyone)))
        np.maximum.at(best.T, owner, similarity.T)
        rows, columns = MATCHERS[self.settings.matching](best, self.settings.threshold)
        ids[rows] = everyone[columns]
        return ids

    def _compare(self, poses: Poses, memory: _Memory) -> NDArray[np.floating]:
        """(N, M) similarity of new poses and those of one remembered frame."""
        s = self.settings
        if s.similarity == "iou":
            return iou(poses.boxes, memory.poses.boxes)
        valid = _scored(poses, s.joint_score)
        if s.similarity == "oks":
            return _oks(
                memory.poses, memory.poses.keypoints, _scored(memory.poses, s.joint_score), poses, valid
            ).T
        return _oks(memory.poses, memory.carried, self._usable(memory), poses, valid).T

    def _remember(
        self, poses: Poses, ids: NDArray[np.int64], propagated: NDArray[np.bool_], time: float
    ) -> None:
        """Put this frame at the head of the queue; drop what is too old or replaced."""
        s = self.settings
        last = self._queue[0] if self._queue else None
        detected = np.full(len(ids), time)
        if last is not None:
            before = dict(zip(last.ids.tolist(), last.detected.tolist(), strict=True))
            carried_on = [
                before.get(i, time) if p else time for i, p in zip(ids.tolist(), propagated, strict=True)
            ]
            detected = np.array(carried_on, np.float64)
        visible = np.ones(poses.keypoint_scores.shape, bool)
        head = _Memory(poses, ids, poses.keypoints, visible, detected, time)
        rest = [m for m in self._queue[: s.memory_frames - 1] if time - m.time <= s.memory_seconds]
        if not s.every_pose:
            rest = [m[~np.isin(m.ids, ids)] for m in rest]
        self._queue = [head, *rest]


def _move(memory: _Memory, motion: Motion) -> _Memory:
    M, K, _ = memory.carried.shape
    points, visible = motion.move(memory.carried.reshape(M * K, 2))
    return replace(memory, carried=points.reshape(M, K, 2), visible=memory.visible & visible.reshape(M, K))


def _scored(poses: Poses, least: float) -> NDArray[np.bool_]:
    """(N, K) joints that have a position and at least this score."""
    return (poses.keypoint_scores > 0) & (poses.keypoint_scores >= least)


def _oks(
    a: Poses, points: Floats, valid_a: NDArray[np.bool_], b: Poses, valid_b: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """(A, B) OKS of poses a, with their joints at `points`, and poses b. Area: that of the person's box."""
    return oks(
        points, b.keypoints, valid_a, valid_b, box_areas(a.boxes), box_areas(b.boxes), a.skeleton.sigmas
    )
