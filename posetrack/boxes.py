"""Boxes (N, 4) x1, y1, x2, y2: overlap, non-maximum suppression, clipping, once for all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posetrack.types import Detections

Boxes = NDArray[np.floating]


def box_areas(boxes: Boxes) -> NDArray[np.floating]:
    """(N,) areas; 0 for turned-over boxes."""
    sides: NDArray[np.floating] = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    return sides[:, 0] * sides[:, 1]


def iou(a: Boxes, b: Boxes) -> NDArray[np.floating]:
    """(N, M) intersection over union of boxes a (N, 4) and b (M, 4); 0 where both are empty."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    sides = np.maximum(high - low, 0)  # (N, M, 2)
    shared = sides[..., 0] * sides[..., 1]
    union = box_areas(a)[:, None] + box_areas(b)[None, :] - shared
    ratio: NDArray[np.floating] = shared / np.maximum(union, 1e-9)
    return ratio


def nms(boxes: Boxes, scores: NDArray[np.floating], threshold: float) -> NDArray[np.intp]:
    """Greedy non-maximum suppression.

    Returns:
        Rows to keep, best first: each has an IoU of at most `threshold` with every better one kept.
    """
    return suppress(iou(boxes, boxes), scores, threshold)


def suppress(
    similarity: NDArray[np.floating], scores: NDArray[np.floating], threshold: float
) -> NDArray[np.intp]:
    """Rows to keep, best first, such that no two kept ones are more alike than `threshold`.

    Args:
        similarity: (N, N), of boxes or of poses.
        scores: (N,); of equal ones the first wins.
    """
    order = np.argsort(-scores, kind="stable")
    alike = similarity > threshold
    np.fill_diagonal(alike, False)
    if not alike.any():
        return order
    kept: list[int] = []
    free = np.ones(len(scores), bool)
    for row in order:
        if free[row]:
            kept.append(int(row))
            free &= ~alike[:, row]
    return np.array(kept, np.intp)


def clip_and_sort(boxes: Boxes, scores: NDArray[np.floating], size: tuple[int, int]) -> Detections:
    """Boxes clipped to a frame of (width, height), those left without area dropped, best score first.

    Equal scores keep their order.
    """
    width, height = size
    clipped = np.clip(boxes, 0, np.array([width, height, width, height])).astype(np.float32)
    order = np.argsort(-scores, kind="stable")
    order = order[(clipped[order, 2:] > clipped[order, :2]).all(1)]
    return Detections(clipped[order], scores[order])
