"""Pictures with boxes, and what scenes are made of them by: cut, scaled, drawn over one another, mirrored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from posetrack.datasets.boxes import Floats, Image, Picture, soften

MIN_HEIGHT = 9.0  # pixels in the scene; smaller people are neither wanted nor punished
MIN_VISIBLE = 0.3  # share of a box that must remain inside its tile; less is neither wanted nor punished


@dataclass(frozen=True, eq=False)
class BoxedImage:
    """A training picture, or a part of one."""

    image: Image  # (H, W, 3) RGB
    boxes: Floats  # (N, 4) xyxy pixels, inside the picture
    soft: Floats  # (N,) target scores, 0 = ignore: nothing is learned from cells inside


def cropped(
    picture: Picture, x0: int, y0: int, x1: int, y1: int, scale: float, size: tuple[int, int] | None = None
) -> BoxedImage:
    """The part of a picture, scaled (to `size` exactly when given). People mostly outside become 'ignore'."""
    part = picture.image[y0:y1, x0:x1]
    w, h = size or (max(2, round((x1 - x0) * scale)), max(2, round((y1 - y0) * scale)))
    method = cv2.INTER_AREA if w < 0.8 * (x1 - x0) else cv2.INTER_LINEAR
    image = np.asarray(cv2.resize(part, (w, h), interpolation=method), np.uint8)
    factor = np.array([w / (x1 - x0), h / (y1 - y0)] * 2, np.float32)
    boxes = (picture.boxes - np.array([x0, y0, x0, y0], np.float32)) * factor
    boxes, soft = clipped(boxes, soften(picture.scores), w, h)
    return BoxedImage(image, boxes, soft)


def clipped(boxes: Floats, soft: Floats, width: int, height: int) -> tuple[Floats, Floats]:
    """Boxes cut to width × height; those mostly outside or tiny become 'ignore', empty ones go."""
    inside = np.clip(boxes, 0, [width, height, width, height]).astype(np.float32)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    left = (inside[:, 2:] - inside[:, :2]).prod(1)
    soft = np.where((left < MIN_VISIBLE * area) | (inside[:, 3] - inside[:, 1] < MIN_HEIGHT), 0, soft)
    keep = left > 1
    return inside[keep], soft[keep].astype(np.float32)


def compose(
    canvas: Image, layers: Sequence[tuple[BoxedImage, int, int]], soft_edge: bool = False
) -> BoxedImage:
    """Tiles drawn over one another at (x, y). People hidden by more than 60 % become 'ignore', by 90 % go."""
    height, width = canvas.shape[:2]
    boxes, soft = np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
    for tile, x, y in layers:
        h, w = tile.image.shape[:2]
        x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + w, width), min(y + h, height)
        if x1 <= x0 or y1 <= y0:
            continue
        part = tile.image[y0 - y : y1 - y, x0 - x : x1 - x]
        if soft_edge and (w, h) != (width, height):
            alpha = edge_ramp(w, h)[y0 - y : y1 - y, x0 - x : x1 - x, None]  # (h, w, 1)
            part = (part * alpha + canvas[y0:y1, x0:x1] * (1 - alpha)).astype(np.uint8)
        canvas[y0:y1, x0:x1] = part
        if len(boxes):
            hidden = covered(boxes, (x0, y0, x1, y1))
            soft = np.where(hidden > 0.6, 0, soft).astype(np.float32)
            boxes, soft = boxes[hidden < 0.9], soft[hidden < 0.9]
        new, new_soft = clipped(tile.boxes + np.array([x, y, x, y], np.float32), tile.soft, width, height)
        boxes, soft = np.concatenate([boxes, new]), np.concatenate([soft, new_soft])
    return BoxedImage(canvas, boxes, soft)


def covered(boxes: Floats, by: tuple[int, int, int, int]) -> Floats:
    """(N,) share of each box that lies under a rectangle."""
    low, high = np.maximum(boxes[:, :2], by[:2]), np.minimum(boxes[:, 2:], by[2:])
    area: Floats = np.clip(high - low, 0, None).prod(1) / np.maximum(
        (boxes[:, 2:] - boxes[:, :2]).prod(1), 1e-6
    )
    return area


def edge_ramp(width: int, height: int) -> Floats:
    """(height, width) from 0 at the border to 1 over an eighth of the smaller side: no edge to learn from."""
    reach = max(1.0, min(width, height) / 8)
    x = np.minimum(np.arange(width) + 0.5, width - np.arange(width) - 0.5) / reach
    y = np.minimum(np.arange(height) + 0.5, height - np.arange(height) - 0.5) / reach
    ramp: Floats = np.minimum(np.minimum.outer(y, x), 1).astype(np.float32)
    return ramp


def mirrored(scene: BoxedImage) -> BoxedImage:
    """Left and right exchanged."""
    width = scene.image.shape[1]
    boxes = np.stack(
        [width - scene.boxes[:, 2], scene.boxes[:, 1], width - scene.boxes[:, 0], scene.boxes[:, 3]], 1
    )
    return BoxedImage(np.ascontiguousarray(scene.image[:, ::-1]), boxes, scene.soft)
