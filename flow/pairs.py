"""From frames to pairs of neighbouring frames, cuts left out: what every `Flow` begins with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import numpy as np

from flow.base import Image
from flow.cuts import CutDetector

Prepared = TypeVar("Prepared")


class Pairs(Generic[Prepared]):
    """Gives (frame before, this frame) for every image, or None at a cut. Remembers the last frame.

    Where a cut is taken back, because the scene before it returns, the frame before is that scene's last.

    Args:
        prepare: what the flow needs of a frame (gray, small, ...); called once per frame.
    """

    def __init__(self, prepare: Callable[[Image], Prepared]) -> None:
        self._prepare = prepare
        self._change = CutDetector()
        self._last: Prepared | None = None
        self._before_cut: Prepared | None = None
        self.resumed: list[bool] = []  # of the last call, one per image

    def reset(self) -> None:
        """Forget the frame before: a new video begins."""
        self._change.reset()
        self._last = self._before_cut = None

    def __call__(self, images: Sequence[Image]) -> list[tuple[Prepared, Prepared] | None]:
        """One pair or None per image. Raises ValueError for an image that is not (H, W, 3) uint8."""
        pairs: list[tuple[Prepared, Prepared] | None] = []
        self.resumed = []
        for image in images:
            _check(image)
            change, prepared = self._change(image), self._prepare(image)
            before = {"none": self._last, "cut": None, "return": self._before_cut}[change]
            pairs.append(None if before is None else (before, prepared))
            self.resumed.append(change == "return")
            if change == "cut" and self._change.since_cut == 0:
                self._before_cut = self._last
            self._last = prepared
        return pairs


def _check(image: Image) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape or image.dtype != np.uint8:
        raise ValueError(f"flow needs images (H, W, 3) of uint8, got {image.shape} of {image.dtype}")
