"""FlowTrack: identities by OKS between new poses and remembered ones that optical flow carried forward.

Source: Simple Baselines for Human Pose Estimation and Tracking (ECCV 2018), section 3, which HRNet
(CVPR 2019), section 4.3, uses unchanged. Every part has a switch, for the ablation of the former's Table 5.

M remembered poses, N new ones, K keypoints.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from posetrack.boxes import box_areas, iou, nms, suppress
from posetrack.types import Detections, Frame, Poses, Tracks
from trackers.appearance import Looks, looks_of
from trackers.base import Estimate, Motion
from trackers.gallery import Gallery
from trackers.matching import MATCHERS
from trackers.memory import Bools, Ints, Memory
from trackers.similarity import oks

Similarity = Literal["iou", "oks", "flow_oks"]


@dataclass(frozen=True)
class FlowTrackerSettings:
    """The defaults are the paper's where it gives a value; it is silent on those marked with a star.

    Their values were chosen on real motion (docs/association.md). The paper to the letter, without any
    threshold that it does not name, is the value in brackets.
    """

    # Boxes from flow
    propagate: bool = True  # look for everybody of the frame before where flow took their joints
    expansion: float = 0.15  # of the carried joints' extent, shared by both sides
    nms_iou: float = 0.6  # * boxes that overlap more are one person
    nms_order: Literal["detected_first", "score"] = "detected_first"  # ["score"] which of them stays
    propagate_score: float = 0.5  # * [0] only poses with at least this mean joint score are carried as boxes
    propagate_seconds: float = float("inf")  # * how long flow may stand in for the detector

    # Similarity and matching
    similarity: Similarity = "flow_oks"
    memory_frames: int = 8  # * L_Q: how many frames back a person can be found again
    memory_seconds: float = float("inf")  # * the same as a time: holds at every frame rate
    direct_flow: bool = False  # [True] to each remembered frame anew, not frame by frame; needs `between`
    match_all_poses: bool = True  # compare with all remembered poses of a person, not only with the newest
    threshold: float = 0.15  # * [0] least similarity of a match
    twin_prior: float = 1.0  # [1] of an unseen person where somebody seen a frame ago stands, against them
    matching: Literal["greedy", "hungarian"] = "greedy"

    # Colours of clothes (trackers/gallery.py); the paper has nothing of the kind
    reid_threshold: float | None = None  # [None] from which a new person is one who was lost; None: never
    reid_seconds: float = 3.0  # how long a person may be lost

    # What counts
    box_score: float = 0.0  # people below it are dropped (the paper drops boxes under 0.5 before)
    match_joint_score: float = 0.4  # [0] joints below it take no part in similarity and carried boxes
    birth_score: float = 0.3  # * [0] an unmatched person starts a track from this score on
    duplicate_oks: float = 0.7  # * [1] of two new poses more alike than this, the weaker one is dropped


# What the paper says and nothing else. Its box NMS needs a limit, which every public code sets to 0.5.
PAPER_LETTER = FlowTrackerSettings(
    nms_iou=0.5,
    nms_order="score",
    propagate_score=0.0,
    direct_flow=True,
    threshold=0.0,
    match_joint_score=0.0,
    birth_score=0.0,
    duplicate_oks=1.0,
)

Between = Callable[[NDArray[np.uint8], NDArray[np.uint8]], Motion]  # from one picture to a later one

TWIN_OKS = 0.7  # from which two remembered poses are on one body
GLITCH_FRAMES = 5  # for which the people of before a cut are kept, as flow.cuts.RETURN_FRAMES


@dataclass(frozen=True)
class _Suspended:
    """What was known when the scene was cut away."""

    memory: Memory
    gallery: Gallery
    frame: int  # the first of the other scene


@dataclass
class FlowTracker:
    """One call per frame: `update`, which carries, merges boxes, looks again and assigns identities."""

    settings: FlowTrackerSettings = field(default_factory=FlowTrackerSettings)
    between: Between | None = None  # flow from a remembered picture to the newest, for `direct_flow`

    def __post_init__(self) -> None:
        if self.settings.direct_flow and self.between is None:
            raise ValueError("direct_flow: give `between`, the flow from one picture to another")
        self.reset()

    def reset(self) -> None:
        self._memory = Memory.empty()  # Q of the paper
        self._gallery = Gallery(self.settings.reid_seconds)
        self._suspended: _Suspended | None = None
        self._pictures: dict[int, NDArray[np.uint8]] = {}  # of remembered frames, for direct flow
        self._frame = 0  # of the next update
        self._next_id = 1

    def update(
        self, frame: Frame, motion: Motion, detections: Detections, poses: Poses, estimate: Estimate
    ) -> Tracks:
        expected = self.propagate(motion)
        if self.settings.direct_flow:
            self._carry_directly(frame)
        kept, missed = self.merge_boxes(detections, expected)
        everybody = poses[kept] + estimate(missed) if len(missed) else poses[kept]
        return self.assign(frame, everybody, propagated=np.arange(len(everybody)) >= len(kept))

    # ---- its steps

    def propagate(self, motion: Motion) -> Detections:
        """Carry what is remembered into the coming frame: boxes where the people of the last are expected."""
        if motion.cut:
            self._suspend()
        elif motion.resumed:
            self._resume()
        last = self._memory[: np.count_nonzero(self._memory.frame == self._frame - 1)]
        if self.settings.similarity == "flow_oks":
            self._memory = self._memory.moved(motion)
            last = self._memory[: len(last)]
        elif self.settings.propagate:  # only boxes are wanted: the newest frame is enough
            last = last.moved(motion)
        return self._expected(last) if self.settings.propagate and len(last) else Detections.empty()

    def _carry_directly(self, frame: Frame) -> None:
        """Joints of older frames where one flow takes them, instead of a chain; a cut forgets all."""
        memory, between = self._memory, self.between
        if between is not None and self.settings.similarity == "flow_oks":
            carried, followed = memory.carried.copy(), memory.followed.copy()
            for number in set(memory.frame.tolist()) & self._pictures.keys() - {self._frame - 1}:
                rows = memory.frame == number
                motion = between(self._pictures[number], frame.image)
                points, visible = motion.move(memory.seen[rows].reshape(-1, 2))
                carried[rows] = points.reshape(-1, *carried.shape[1:])
                followed[rows] = visible.reshape(-1, followed.shape[1])
            self._memory = replace(memory, carried=carried, followed=followed)
        oldest = self._frame - self.settings.memory_frames
        kept = {n: image for n, image in self._pictures.items() if n > oldest and len(memory)}
        self._pictures = kept | {self._frame: frame.image}

    def _suspend(self) -> None:
        """A cut: nobody is remembered. But for some frames it may turn out to have been a glitch."""
        kept = self._suspended
        if kept is None or not len(kept.memory) or self._frame - kept.frame > GLITCH_FRAMES:
            self._suspended = _Suspended(self._memory, self._gallery, self._frame)
        self._memory, self._gallery = Memory.empty(), Gallery(self.settings.reid_seconds)

    def _resume(self) -> None:
        """The scene of before the cut goes on, as if the frames between had not been."""
        if self._suspended is not None:
            missed = self._frame - self._suspended.frame
            memory = self._suspended.memory
            self._memory = replace(memory, frame=memory.frame + missed)
            self._gallery, self._suspended = self._suspended.gallery, None

    def _expected(self, last: Memory) -> Detections:
        """Boxes round the carried joints of the frame before, enlarged. Score: mean of the joint scores."""
        s = self.settings
        used = last.usable(s.match_joint_score)
        count = used.sum(1)
        mean = (last.scores * used).sum(1) / np.maximum(count, 1)
        fresh = last.time - last.detected <= s.propagate_seconds
        carry = (count >= 2) & (mean >= s.propagate_score) & fresh
        if not carry.any():
            return Detections.empty()
        points, used = last.carried[carry], used[carry, :, None]
        low = np.where(used, points, np.inf).min(1)  # (M, 2)
        high = np.where(used, points, -np.inf).max(1)
        margin = (high - low) * s.expansion / 2
        return Detections(np.concatenate([low - margin, high + margin], axis=1), mean[carry])

    def merge_boxes(self, seen: Detections, expected: Detections) -> tuple[NDArray[np.intp], Detections]:
        """Box NMS over both kinds. A detected box always wins: it comes from this frame's own evidence.

        In the order of scores ("score") a carried box may win, too: the paper makes no difference.

        Returns:
            Rows of `seen` to keep, in order, and those of `expected` that are to be looked at.
        """
        limit = self.settings.nms_iou
        if self.settings.nms_order == "score":
            both = Detections.concatenate([seen, expected])
            rows = np.sort(nms(both.boxes, both.scores, limit))
            return rows[rows < len(seen)], expected[rows[rows >= len(seen)] - len(seen)]
        kept = np.sort(nms(seen.boxes, seen.scores, limit))
        if not len(expected):
            return kept, expected
        covered = iou(expected.boxes, seen.boxes[kept]).max(1, initial=0) > limit
        missed = expected[~covered]
        return kept, missed[nms(missed.boxes, missed.scores, limit)]

    def assign(self, frame: Frame, poses: Poses, propagated: NDArray[np.bool_]) -> Tracks:
        """Give all poses of the frame their identities; (N,) `propagated`: the box was an expected one."""
        keep = self._distinct(poses)
        if len(keep) < len(poses):
            poses, propagated = poses[keep], propagated[keep]
        looks = self._looks(frame, poses)
        ids = self._match(poses, frame.time)
        new = (ids == 0) & (poses.scores >= self.settings.birth_score)
        if looks is not None and self.settings.reid_threshold is not None:
            threshold = self.settings.reid_threshold
            ids += self._gallery.returned(looks, poses.boxes, new, ids, frame.time, threshold)
            new &= ids == 0
        ids[new] = self._next_id + np.arange(new.sum())
        self._next_id += int(new.sum())
        known = ids > 0
        if not known.all():
            poses, ids, propagated = poses[known], ids[known], propagated[known]
        self._remember(poses, ids, propagated, frame.time)
        if looks is not None:
            self._gallery.remember(looks[known], poses.boxes, ids, frame.time)
        return Tracks(poses, ids, propagated, frame.index, frame.time, frame.size)

    def _distinct(self, poses: Poses) -> NDArray[np.intp]:
        """Rows that are people and no repetitions of better ones, in order."""
        s = self.settings
        rows = np.flatnonzero((poses.scores >= s.box_score) & self._scored(poses).any(1))
        if s.duplicate_oks < 1 and len(rows) > 1:
            candidates = poses[rows] if len(rows) < len(poses) else poses
            valid, areas = self._scored(candidates), box_areas(candidates.boxes)
            points = candidates.keypoints
            sigmas = poses.skeleton.sigmas
            alike = oks(points, points, valid, valid, areas, areas, sigmas, least=s.duplicate_oks)
            rows = np.sort(rows[suppress(alike, candidates.scores, s.duplicate_oks)])
        return rows

    def _looks(self, frame: Frame, poses: Poses) -> Looks | None:
        """Of the new poses; None if colours are not asked for."""
        s = self.settings
        return None if s.reid_threshold is None else looks_of(frame.image, poses, s.match_joint_score)

    def _match(self, poses: Poses, time: float) -> Ints:
        """(N,) the identity of each pose, 0 for an unknown one."""
        ids = np.zeros(len(poses), np.int64)
        memory = self._memory
        recent = time - memory.time <= self.settings.memory_seconds
        memory = memory if recent.all() else memory[recent]
        if not len(memory) or not len(poses):
            return ids
        similarity = self._compare(poses, memory)
        if self.settings.twin_prior < 1:
            # Rivals are ranked by similarity x prior; what is similar enough is asked of similarity alone.
            similarity[similarity < self.settings.threshold] = 0
            similarity[self._twins(memory, poses)] *= self.settings.twin_prior
        people = memory.ids
        if self.settings.match_all_poses:
            # A person is as similar as the most similar of the remembered poses: the greedy choice over all
            # instances in Q that the paper makes, said once per identity.
            order = np.argsort(memory.ids, kind="stable")
            people, first = np.unique(memory.ids[order], return_index=True)
            similarity = np.maximum.reduceat(similarity[order], first, axis=0)
        least = self.settings.threshold * self.settings.twin_prior
        columns, rows = MATCHERS[self.settings.matching](similarity, least)
        ids[rows] = people[columns]
        return ids

    def _twins(self, memory: Memory, poses: Poses) -> Bools:
        """(M,) who was not seen a frame ago, and is remembered on a body where somebody was: who comes and
        goes between two boxes on one body, or stands hidden behind another.
        """
        s = self.settings
        seen = memory.frame == self._frame - 1
        twins = np.zeros(len(memory), np.bool_)
        if seen.any() and not seen.all():
            points, valid = memory.carried, memory.usable(s.match_joint_score)
            alike = oks(
                points[~seen], points[seen], valid[~seen], valid[seen],
                memory.areas[~seen], memory.areas[seen], poses.skeleton.sigmas,
            )  # fmt: skip
            twins[~seen] = alike.max(axis=1) >= TWIN_OKS
        return twins

    def _compare(self, poses: Poses, memory: Memory) -> NDArray[np.floating]:
        """(M, N) similarity of remembered poses and new ones; 0 also stands for less than the threshold."""
        s = self.settings
        if s.similarity == "iou":
            return iou(memory.boxes, poses.boxes)
        if s.similarity == "oks":
            points, valid = memory.seen, (memory.scores > 0) & (memory.scores >= s.match_joint_score)
        else:
            points, valid = memory.carried, memory.usable(s.match_joint_score)
        return oks(
            points, poses.keypoints, valid, self._scored(poses), memory.areas, box_areas(poses.boxes),
            poses.skeleton.sigmas, least=s.threshold,
        )  # fmt: skip

    def _scored(self, poses: Poses) -> Bools:
        """(N, K) joints that have a position and a sufficient score."""
        return (poses.keypoint_scores > 0) & (poses.keypoint_scores >= self.settings.match_joint_score)

    def _remember(self, poses: Poses, ids: Ints, propagated: Bools, time: float) -> None:
        """Put this frame at the head of the memory; drop what is too old or replaced."""
        s, memory = self.settings, self._memory
        detected = np.full(len(ids), time)
        if propagated.any():  # unseen by the detector since the frame before, or longer
            last = memory.frame == self._frame - 1
            before = dict(zip(memory.ids[last].tolist(), memory.detected[last].tolist(), strict=True))
            for row in np.flatnonzero(propagated):
                detected[row] = before.get(int(ids[row]), time)
        keep = (self._frame - memory.frame < s.memory_frames) & (time - memory.time <= s.memory_seconds)
        if not s.match_all_poses:
            keep &= ~(memory.ids[:, None] == ids).any(1)  # replaced
        self._memory = Memory.of(poses, ids, self._frame, time, detected) + memory[keep]
        self._frame += 1
