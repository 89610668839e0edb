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

    Args:
        prepare: what the flow needs of a frame (gray, small, ...); called once per frame.
    """

    def __init__(self, prepare: Callable[[Image], Prepared]) -> None:
        self._prepare = prepare
        self._is_cut = CutDetector()
        self._last: Prepared | None = None

    def reset(self) -> None:
        """Forget the frame before: a new video begins."""
        self._is_cut.reset()
        self._last = None

    def __call__(self, images: Sequence[Image]) -> list[tuple[Prepared, Prepared] | None]:
        """One pair or None per image. Raises ValueError for an image that is not (H, W, 3) uint8."""
        pairs: list[tuple[Prepared, Prepared] | None] = []
        for image in images:
            _check(image)
            cut, prepared = self._is_cut(image), self._prepare(image)
            pairs.append(None if cut or self._last is None else (self._last, prepared))
            self._last = prepared
        return pairs


def _check(image: Image) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape or image.dtype != np.uint8:
        raise ValueError(f"flow needs images (H, W, 3) of uint8, got {image.shape} of {image.dtype}")
