"""The anti-aliased shapes that overlays are made of, and how one person's are coloured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from posetrack.drawing.colours import Colour, colour_of
from posetrack.limits import PIXELS

Image = NDArray[np.uint8]  # (H, W, 3) RGB
Points = NDArray[np.float32]  # (M, 2) x, y in pixels
Outline = NDArray[np.int32]  # (P, 2) corners of a convex shape, in 1/16 pixel

_FRACTION = 4  # bits: cv2 takes coordinates in 1/16 pixel
_HALF_CIRCLE = np.linspace(-np.pi / 2, np.pi / 2, 7, dtype=np.float32)
_CIRCLE = np.linspace(0, 2 * np.pi, 12, endpoint=False, dtype=np.float32)


@dataclass(frozen=True)
class Style:
    """Colours and line width of one person."""

    base: Colour
    left: Colour  # lighter
    right: Colour  # darker
    edge: Colour  # nearly black
    width: float  # of a limb, pixels

    @staticmethod
    def of(identity: int, box: NDArray[np.floating], longest: float) -> Style:
        """Lines as wide as suits a person of this box in a picture whose longer side is `longest` pixels."""
        x1, y1, x2, y2 = box.tolist()
        return Style(*_shades(identity), min(max(max(x2 - x1, y2 - y1) / 80, 1.3), longest / 100))

    @property
    def rim(self) -> float:
        """How far the dark edge stands out, in pixels."""
        return max(0.8, 0.28 * self.width)

    def side(self, name: str) -> Colour:
        return self.left if name == "left" else self.right if name == "right" else self.base


@lru_cache(maxsize=4096)
def _shades(identity: int) -> tuple[Colour, Colour, Colour, Colour]:
    """Base, left, right, edge."""
    base = colour_of(identity)
    return base, _mix(base, 255, 0.5), _mix(base, 0, 0.35), _mix(base, 0, 0.8)


def _mix(colour: Colour, towards: int, share: float) -> Colour:
    red, green, blue = (round(c + (towards - c) * share) for c in colour)
    return red, green, blue


def capsules(
    points: Points, edges: Sequence[tuple[int, int]], width: float | NDArray[np.float32]
) -> NDArray[np.int32]:
    """(E, 14, 2) outlines of lines with round ends between pairs of points; one width, or (E,) of them."""
    if not edges:
        return np.zeros((0, 2 * len(_HALF_CIRCLE), 2), np.int32)
    ends = points[np.array(edges)]  # (E, 2, 2)
    along = ends[:, 1] - ends[:, 0]
    around = _around(np.arctan2(along[:, 1], along[:, 0])[:, None] + _HALF_CIRCLE)  # (E, 7, 2)
    half = around * (0.5 * np.asarray(width, np.float32).reshape(-1, 1, 1))
    return _fixed(np.concatenate([ends[:, 1:] + half, ends[:, :1] - half], axis=1))


def discs(centres: Points, radii: NDArray[np.float32]) -> NDArray[np.int32]:
    """(M, 12, 2) outlines of round dots."""
    return _fixed(centres[:, None] + radii[:, None, None] * _around(_CIRCLE))


def fill(canvas: Image, shapes: Sequence[tuple[Outline, Colour]], alpha: float = 1.0) -> None:
    """Paint convex shapes over each other, and the whole of them over the canvas with the given opacity."""
    if alpha >= 1:
        for outline, colour in shapes:
            cv2.fillConvexPoly(canvas, outline, colour, cv2.LINE_AA, _FRACTION)
        return
    region, corner = _region(canvas, [outline for outline, _ in shapes])
    if region.size:
        layer = region.copy()
        for outline, colour in shapes:
            cv2.fillConvexPoly(layer, outline - corner, colour, cv2.LINE_AA, _FRACTION)
        cv2.addWeighted(layer, alpha, region, 1 - alpha, 0, dst=region)


def fade(canvas: Image, outlines: Sequence[Outline], opacities: Sequence[float], colour: Colour) -> None:
    """Paint overlapping shapes of one colour; where they overlap, the opacity of the last one counts."""
    region, corner = _region(canvas, outlines)
    if region.size:
        opacity = np.zeros(region.shape[:2], np.uint8)
        for outline, alpha in zip(outlines, opacities, strict=True):
            cv2.fillConvexPoly(opacity, outline - corner, (round(255 * alpha),), cv2.LINE_AA, _FRACTION)
        weight = opacity.astype(np.float32) / 255
        region[:] = cv2.blendLinear(np.full_like(region, colour), region, weight, 1 - weight)


def _region(canvas: Image, outlines: Sequence[Outline]) -> tuple[Image, NDArray[np.int32]]:
    """The part of the canvas around some shapes, as a view, and its corner in 1/16 pixel."""
    x, y, width, height = (n >> _FRACTION for n in cv2.boundingRect(np.concatenate(outlines)))
    left, top = max(x - 3, 0), max(y - 3, 0)
    region = canvas[top : max(y + height + 4, 0), left : max(x + width + 4, 0)]
    return region, np.array([left, top], np.int32) << _FRACTION


def _around(angles: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1)


def _fixed(points: NDArray[np.floating]) -> NDArray[np.int32]:
    inside = np.clip(points, -PIXELS, PIXELS)  # what lies farther out would not fit into 32 bits
    return cast("NDArray[np.int32]", np.rint(inside * (1 << _FRACTION)).astype(np.int32))
