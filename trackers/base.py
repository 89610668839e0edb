"""What the pipeline asks of a tracker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from posetrack.types import Detections, Frame, Poses, Tracks

Estimate = Callable[[Detections], Poses]  # one pose per box of the frame at hand


class Motion(Protocol):
    """How the picture moved since the frame before; `flow.base` has the same protocol and implements it."""

    @property
    def cut(self) -> bool: ...

    @property
    def resumed(self) -> bool: ...

    def move(self, points: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]: ...


class Tracker(Protocol):
    """One call per frame."""

    def reset(self) -> None:
        """A new video: forget everybody, count ids from 1 again."""
        ...

    def update(
        self, frame: Frame, motion: Motion, detections: Detections, poses: Poses, estimate: Estimate
    ) -> Tracks:
        """Everybody in the frame, with identities.

        Args:
            frame: the picture.
            motion: from the frame before to this one.
            detections: boxes of the detector.
            poses: theirs, row by row. They were estimated ahead, for a whole batch of frames.
            estimate: a second look at this frame, for people whom the detector missed.
        """
        ...
