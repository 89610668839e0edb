"""The main path, whole: frames in, tracked poses out. Knows protocols; presets.py puts the parts in.

The method is the paper's (HRNet, CVPR 2019, section 4.3): a detector on every frame, HRNet on every box,
flow that carries the joints of the frame before forward, box NMS over detected and carried boxes, OKS
between new and carried poses, greedy matching.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from flow.base import Flow
from posetrack.errors import PoseTrackError
from posetrack.skeletons import Skeleton
from posetrack.types import Detections, Frame, Poses, Tracks
from trackers.base import Motion, Tracker
from trackers.confirmation import confirmed

Pictures = Iterable[Frame | NDArray[np.uint8]]

ARRAY_RATE = 25.0  # frames per second that arrays without a clock are given


class Detector(Protocol):
    def __call__(self, frames: Sequence[Frame]) -> list[Detections]:
        """The people of each frame, whose result does not depend on the frames beside it.

        Boxes lie inside their frame, best score first, scores in 0..1. Frames may differ in size.
        """
        ...


class Estimator(Protocol):
    skeleton: Skeleton

    def __call__(self, frames: Sequence[Frame], detections: Sequence[Detections]) -> list[Poses]:
        """One pose per detection, in its order, whoever else is in the batch."""
        ...

    def estimate_frame(self, frame: Frame, detections: Detections) -> Poses:
        """The same for one frame."""
        ...


@dataclass
class PoseTracker:
    """Tracks the people of one video after the other. What it was built from travels with it."""

    detector: Detector
    estimator: Estimator
    flow: Flow
    tracker: Tracker
    hide_outside_frame: bool = False  # joints there come out as unseen; the tracker still knows them
    confirm_frames: int = 1  # identities seen in fewer frames are left out
    min_joint_score: float = 0.0  # joints below it are neither drawn nor exported
    preset: str = "custom"
    models: Mapping[str, str] = field(default_factory=dict)  # role to name, for the header of tracks.jsonl
    clock: StageClock = field(default_factory=lambda: StageClock())
    turns: Turns = field(default_factory=lambda: Turns(), init=False, repr=False)

    @property
    def skeleton(self) -> Skeleton:
        return self.estimator.skeleton

    def track(self, frames: Pictures, batch_size: int = 1) -> Iterator[Tracks]:
        """One `Tracks` per frame, the same for every batch size; frames may be arrays (H, W, 3) RGB."""
        return (tracks for _, tracks in self.follow(frames, batch_size))

    def follow(
        self, frames: Pictures, batch_size: int = 1, *, live: bool = False
    ) -> Iterator[tuple[Frame, Tracks]]:
        """Every frame with its tracks, without identities that last less than `confirm_frames`.

        They come `confirm_frames` - 1 frames late, but with `live` at once; see trackers/confirmation.py.
        """
        return confirmed(self._follow(frames, batch_size), self.confirm_frames, wait=not live)

    def _follow(self, frames: Pictures, batch_size: int) -> Iterator[tuple[Frame, Tracks]]:
        """The paper's loop.

        Flow boxes depend on the poses of the frame before, so read literally the paper runs frame by frame.
        But box NMS needs only boxes and scores: people whom the detector found are posed for a whole batch
        ahead, and only flow boxes that survive NMS need a second, small look.
        """
        stage, run = self.clock.stage, object()
        with self.turns.begin(run):
            self.tracker.reset()
            self.flow.reset()
        for batch in batched(as_frames(frames), batch_size):
            with self.turns.of(run):
                with stage("flow"):
                    motions = self.flow([frame.image for frame in batch])
                with stage("detector"):
                    detections = self.detector(batch)
                with stage("pose"):
                    poses = self.estimator(batch, detections)
            for frame, motion, seen, found in zip(batch, motions, detections, poses, strict=True):
                second_look = partial(self._estimate, frame)  # where the detector missed somebody
                with self.turns.of(run), stage("tracker"):
                    tracks = self.tracker.update(frame, _Timed(motion, stage), seen, found, second_look)
                self.clock.frames += 1
                yield frame, hide_outside_frame(tracks) if self.hide_outside_frame else tracks

    def _estimate(self, frame: Frame, detections: Detections) -> Poses:
        with self.clock.stage("pose"):
            return self.estimator.estimate_frame(frame, detections)


def as_frames(pictures: Pictures) -> Iterator[Frame]:
    """Arrays (H, W, 3) RGB as frames 0, 1, ... of 25 a second; frames stay as they are."""
    for index, picture in enumerate(pictures):
        if isinstance(picture, Frame):
            yield picture
        elif picture.ndim == 3 and picture.shape[2] == 3 and picture.dtype == np.uint8:
            yield Frame(picture, index, index / ARRAY_RATE)
        else:
            raise ValueError(
                f"picture {index} is an array {picture.shape} of {picture.dtype}: give (H, W, 3) uint8 RGB"
            )


def hide_outside_frame(tracks: Tracks) -> Tracks:
    """Joints outside the frame, where nothing can be seen, with score 0 and at (0, 0)."""
    return replace(tracks, poses=tracks.poses.hide(~within_frame(tracks.poses.keypoints, tracks.size)))


def within_frame(points: NDArray[np.floating], size: tuple[int, int]) -> NDArray[np.bool_]:
    """(...) which of the points (..., 2) lie on a pixel of a frame of `size` (width, height)."""
    x, y = points[..., 0], points[..., 1]
    return (x > -0.5) & (x < size[0] - 0.5) & (y > -0.5) & (y < size[1] - 0.5)


def batched(frames: Iterable[Frame], size: int) -> Iterator[list[Frame]]:
    """Lists of `size` frames; the last may be shorter."""
    source = iter(frames)
    while batch := list(islice(source, size)):
        yield batch


class Turns:
    """Which video a tracker is at: it knows one at a time, whatever threads ask it."""

    def __init__(self) -> None:
        self._lock, self._run = threading.Lock(), object()

    def __reduce__(self) -> tuple[type[Turns], tuple[()]]:
        return Turns, ()  # a copy of a tracker is at no video yet, and a lock cannot be copied

    @contextmanager
    def begin(self, run: object) -> Iterator[None]:
        with self._lock:
            self._run = run
            yield

    @contextmanager
    def of(self, run: object) -> Iterator[None]:
        """Raises PoseTrackError where another video was begun meanwhile."""
        with self._lock:
            if self._run is not run:
                raise PoseTrackError(
                    "this tracker has begun another video, and knows one at a time: load one for each thread"
                )
            yield


@dataclass
class StageClock:
    """Seconds spent in each stage, for `posetrack bench` and the summary of a run.

    A stage inside another one stops the outer one's clock.
    """

    frames: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    _open: list[str] = field(default_factory=list)
    _since: float = 0.0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self._charge()
        self._open.append(name)
        try:
            yield
        finally:
            self._charge()
            self._open.pop()

    def _charge(self) -> None:
        """The time since the last change goes to the innermost open stage."""
        now = time.perf_counter()
        if self._open:
            self.seconds[self._open[-1]] = self.seconds.get(self._open[-1], 0.0) + now - self._since
        self._since = now

    def milliseconds(self) -> dict[str, float]:
        """Mean milliseconds per frame and stage."""
        return {name: 1000 * s / max(self.frames, 1) for name, s in self.seconds.items()}


@dataclass(frozen=True)
class _Timed:
    """A motion whose work counts as flow's, wherever it is asked."""

    motion: Motion
    stage: Callable[[str], AbstractContextManager[None]]

    @property
    def cut(self) -> bool:
        return self.motion.cut

    @property
    def resumed(self) -> bool:
        return self.motion.resumed

    def move(self, points: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        with self.stage("flow"):
            return self.motion.move(points)
