"""The working scale: flow is computed on a smaller copy of the picture, points stay in pixels of the picture.

Pixel centres are kept: x in the picture is (x + 0.5) * s - 0.5 in the copy, as in cv2.resize.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from flow.base import Points

LONG_SIDE = 640  # pixels of the copy where no scale is asked for: 720p is halved


@dataclass(frozen=True)
class WorkingScale:
    """Between a picture and its copy. Width and height are rounded, so x and y have a factor each."""

    picture: tuple[int, int]  # width, height
    working: tuple[int, int]  # width, height

    @classmethod
    def of(cls, width: int, height: int, scale: float | None) -> WorkingScale:
        """scale: working size / picture size, above 0 and at most 1; None: the long side is at most 640."""
        factor = min(1.0, LONG_SIDE / max(width, height)) if scale is None else scale
        return cls((width, height), (max(1, round(width * factor)), max(1, round(height * factor))))

    @property
    def factor(self) -> NDArray[np.float32]:
        """(2,): working pixels per pixel of the picture, in x and y."""
        return np.divide(self.working, self.picture, dtype=np.float32)

    def shrink(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The working copy of an image (H, W) or (H, W, 3)."""
        if self.working == self.picture:
            return image
        return np.asarray(cv2.resize(image, self.working, interpolation=cv2.INTER_AREA), np.uint8)

    def to_working(self, points: Points) -> Points:
        return (points + np.float32(0.5)) * self.factor - np.float32(0.5)

    def to_picture(self, points: Points) -> Points:
        return (points + np.float32(0.5)) / self.factor - np.float32(0.5)

    def inside(self, points: Points) -> NDArray[np.bool_]:
        """(M,): the point of the picture lies on one of its pixels."""
        within: NDArray[np.bool_] = (points >= -0.5) & (points <= np.subtract(self.picture, 0.5))
        return np.asarray(within.all(axis=1), np.bool_)


def check_scale(scale: float | None) -> float | None:
    """Raises ValueError for a working scale that is not above 0 and at most 1."""
    if scale is not None and not 0 < scale <= 1:
        raise ValueError(f"the working scale of flow is {scale}; give a number above 0 and at most 1")
    return scale
