"""What the rest of the system knows of optical flow: a `Flow` gives one `Motion` per frame.

>>> source = flow.create("lucas_kanade")
>>> motions = source([first_frame, second_frame])
>>> points, visible = motions[1].move(joints_of_the_first_frame)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]  # (H, W, 3) RGB
Points = NDArray[np.float32]  # (M, 2) x, y in pixels; (0, 0) is the centre of the first pixel


class Motion(Protocol):
    """How the picture moved from the frame before to this one."""

    @property
    def cut(self) -> bool:
        """The two frames do not show the same scene (or there is no frame before): nothing can be carried."""
        ...

    @property
    def resumed(self) -> bool:
        """The scene of before the last cut is back: this is the motion from its last frame to this one."""
        ...

    def move(self, points: Points) -> tuple[Points, NDArray[np.bool_]]:
        """Carry points of the frame before into this frame.

        Args:
            points: (M, 2) pixels of the picture; M may be 0, and points may lie outside the picture.

        Returns:
            points (M, 2) float32, and visible (M,): False where the flow lost the point, where it is or was
            outside the picture, and everywhere at a cut. A point that is not visible still gets the best
            guess of its place that the method has (at a cut: the place where it was), so that occluded
            joints can be carried. A point that is not finite stays so.
        """
        ...


class Flow(Protocol):
    """A source of motions. Remembers the last frame of the call before, so a video may come in pieces."""

    def reset(self) -> None:
        """Forget the frame before: a new video begins."""
        ...

    def __call__(self, images: Sequence[Image]) -> list[Motion]:
        """One motion per image, from the image before it; the first one after reset() is a cut.

        Raises:
            ValueError: an image is not (H, W, 3) uint8.
        """
        ...
