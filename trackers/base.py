"""What the pipeline asks of a tracker."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from posetrack.types import Detections, Frame, Poses, Tracks


class Motion(Protocol):
    """How the picture moved since the frame before; `flow.base` has the same protocol and implements it."""

    @property
    def cut(self) -> bool: ...

    def move(self, points: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]: ...


class Tracker(Protocol):
    """Per frame: `propagate` first, then `update`."""

    def reset(self) -> None:
        """A new video: forget everybody, count ids from 1 again."""
        ...

    def propagate(self, motion: Motion) -> Detections:
        """Carry what is remembered into the coming frame.

        Returns:
            The boxes in which the people of the frame before are expected (none, if not wanted).
        """
        ...

    def unify(self, seen: Detections, expected: Detections) -> tuple[NDArray[np.intp], Detections]:
        """Box NMS over detected and expected boxes.

        Returns:
            Rows of `seen` to keep, in order, and those of `expected` that nothing detected covers.
        """
        ...

    def update(self, frame: Frame, poses: Poses, propagated: NDArray[np.bool_]) -> Tracks:
        """Give every pose its identity.

        Args:
            frame: the picture in which the poses are.
            poses: all of the frame, from detected and expected boxes.
            propagated: (N,) True where the box was an expected one.
        """
        ...
