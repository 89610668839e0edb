"""The main path, whole: frames in, tracked poses out. Knows protocols; presets.py puts the parts in.

The method is the paper's (HRNet, CVPR 2019, section 4.3): a detector on every frame, HRNet on every box,
flow that carries the joints of the frame before forward, box NMS over detected and carried boxes, OKS
between new and carried poses, greedy matching.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from flow.base import Flow
from posetrack.skeletons import Skeleton
from posetrack.types import Detections, Frame, Poses, Tracks
from trackers.base import Tracker


class Detector(Protocol):
    def __call__(self, frames: Sequence[Frame]) -> list[Detections]:
        """The people of each frame."""
        ...


class Estimator(Protocol):
    skeleton: Skeleton

    def __call__(self, frames: Sequence[Frame], detections: Sequence[Detections]) -> list[Poses]:
        """One pose per detection, in its order."""
        ...

    def one(self, frame: Frame, detections: Detections) -> Poses: ...


@dataclass
class PoseTracker:
    """Tracks the people of one video after the other."""

    detector: Detector
    estimator: Estimator
    flow: Flow
    tracker: Tracker
    within_frame: bool = False  # joints beyond the frame come out as unseen; the tracker still knows them
    clock: StageClock = field(default_factory=lambda: StageClock())

    @property
    def skeleton(self) -> Skeleton:
        return self.estimator.skeleton

    def track(self, frames: Iterable[Frame], batch_size: int = 1) -> Iterator[Tracks]:
        """One `Tracks` per frame, the same for every batch size.

        Flow boxes depend on the poses of the frame before, so read literally the paper runs frame by frame.
        But box NMS needs only boxes and scores: people whom the detector found are posed for a whole batch
        ahead, and only flow boxes that survive NMS need a second, small look.
        """
        stage = self.clock.stage
        self.tracker.reset()
        self.flow.reset()
        for batch in batched(frames, batch_size):
            with stage("flow"):
                motions = self.flow([frame.image for frame in batch])
            with stage("detector"):
                detections = self.detector(batch)
            with stage("pose"):
                poses = self.estimator(batch, detections)
            for frame, motion, seen, found in zip(batch, motions, detections, poses, strict=True):
                with stage("flow"):
                    expected = self.tracker.propagate(motion)  # last known joints, carried to this frame
                with stage("tracker"):
                    kept, missed = self.tracker.unify(seen, expected)  # box NMS over both kinds
                with stage("pose"):
                    again = self.estimator.one(frame, missed)  # where the detector missed somebody
                with stage("tracker"):
                    propagated = np.arange(len(kept) + len(missed)) >= len(kept)
                    tracks = self.tracker.update(frame, found[kept] + again, propagated)
                self.clock.frames += 1
                yield unseen_beyond(tracks) if self.within_frame else tracks


def unseen_beyond(tracks: Tracks) -> Tracks:
    """Joints beyond the frame, where nothing can be seen, with score 0 and at (0, 0)."""
    poses = tracks.poses
    inside = within_frame(poses.keypoints, tracks.size)
    hidden = replace(
        poses,
        keypoints=np.where(inside[..., None], poses.keypoints, 0),
        keypoint_scores=poses.keypoint_scores * inside,
    )
    return replace(tracks, poses=hidden)


def within_frame(points: NDArray[np.floating], size: tuple[int, int]) -> NDArray[np.bool_]:
    """(...) which of the points (..., 2) lie on a pixel of a frame of `size` (width, height)."""
    x, y = points[..., 0], points[..., 1]
    return (x > -0.5) & (x < size[0] - 0.5) & (y > -0.5) & (y < size[1] - 0.5)


def batched(frames: Iterable[Frame], size: int) -> Iterator[list[Frame]]:
    """Lists of `size` frames; the last may be shorter."""
    source = iter(frames)
    while batch := list(islice(source, size)):
        yield batch


@dataclass
class StageClock:
    """Seconds spent in each stage, for `posetrack bench` and the summary of a run."""

    frames: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start

    def milliseconds(self) -> dict[str, float]:
        """Mean milliseconds per frame and stage."""
        return {name: 1000 * s / max(self.frames, 1) for name, s in self.seconds.items()}
