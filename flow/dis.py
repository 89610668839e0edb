"""Dense flow on a CPU by inverse search (DIS, Kroeger et al., ECCV 2016, as in OpenCV).

One field serves any number of points, so with many people it is cheaper than Lucas-Kanade; it is smoother, so
it loses more fast limbs.

>>> flow = DisFlow("fast")
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from flow.base import Image, Motion
from flow.field import DenseMotion, Field
from flow.pairs import Pairs
from flow.scale import WorkingScale, check_scale
from flow.still import Cut, resume

PRESETS = {
    "ultrafast": cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
    "fast": cv2.DISOPTICAL_FLOW_PRESET_FAST,
    "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
}
SMALLEST = 16  # pixels: OpenCV refuses pictures with a shorter side


class DisFlow:
    """OpenCV's DIS fields.

    Args:
        preset: ultrafast, fast or medium (about 1 : 2 : 10 in time).
        scale: working size / picture size; None brings the long side to at most 640 pixels.
        check: compute the field back as well (twice the time), so that occluded points are not visible.

    Raises:
        ValueError: unknown preset, or a scale that is not above 0 and at most 1.
    """

    def __init__(self, preset: str = "fast", *, scale: float | None = None, check: bool = False) -> None:
        if preset not in PRESETS:
            raise ValueError(f'unknown DIS preset "{preset}"; choose one of {", ".join(PRESETS)}')
        self._dis = cv2.DISOpticalFlow.create(PRESETS[preset])
        self._scale = check_scale(scale)
        self._check = check
        self._pairs = Pairs(self._prepare)

    def reset(self) -> None:
        """Forget the frame before: a new video begins."""
        self._pairs.reset()

    def __call__(self, images: Sequence[Image]) -> list[Motion]:
        """One motion per image: `DenseMotion`, or `Cut`."""
        pairs = self._pairs(images)
        motions = [Cut() if pair is None else self._motion(*pair) for pair in pairs]
        return resume(motions, self._pairs.resumed)

    def _prepare(self, image: Image) -> _Frame:
        scale = WorkingScale.of(image.shape[1], image.shape[0], self._scale)
        gray = scale.shrink(np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8))
        below, right = (max(0, SMALLEST - side) for side in gray.shape)
        return _Frame(np.pad(gray, ((0, below), (0, right)), mode="edge"), scale)

    def _motion(self, before: _Frame, after: _Frame) -> Motion:
        field = self._field(before.gray, after.gray, after.scale)
        back = self._field(after.gray, before.gray, after.scale) if self._check else None
        return DenseMotion(field, after.scale, back)

    def _field(self, a: NDArray[np.uint8], b: NDArray[np.uint8], scale: WorkingScale) -> Field:
        w, h = scale.working
        field = self._dis.calc(a, b, None)  # type: ignore[call-overload]  # no first guess
        return np.ascontiguousarray(field[:h, :w], np.float32)


class _Frame(NamedTuple):
    gray: NDArray[np.uint8]  # (h, w), at least 16 on each side
    scale: WorkingScale
