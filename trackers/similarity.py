"""How much alike two boxes or two poses are: IoU, and the object keypoint similarity (OKS) of COCO."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def box_areas(boxes: NDArray[np.floating]) -> NDArray[np.floating]:
    """(N,) from (N, 4) x1, y1, x2, y2; 0 for turned-over boxes."""
    sides: NDArray[np.floating] = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None)
    return sides[:, 0] * sides[:, 1]


def iou(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.floating]:
    """Intersection over union of all pairs of boxes.

    Args:
        a: (N, 4) x1, y1, x2, y2.
        b: (M, 4).

    Returns:
        (N, M) in 0..1; 0 where both boxes are empty.
    """
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    sides = np.clip(high - low, 0, None)  # (N, M, 2)
    shared = sides[..., 0] * sides[..., 1]
    union = box_areas(a)[:, None] + box_areas(b)[None, :] - shared
    ratio: NDArray[np.floating] = shared / np.maximum(union, 1e-9)
    return ratio


def oks(
    points_a: NDArray[np.floating],
    points_b: NDArray[np.floating],
    valid_a: NDArray[np.bool_],
    valid_b: NDArray[np.bool_],
    areas_a: NDArray[np.floating],
    areas_b: NDArray[np.floating],
    sigmas: NDArray[np.floating],
) -> NDArray[np.float64]:
    """Object keypoint similarity of all pairs of poses, as COCO's with the mean of the two areas.

    exp(-d^2 / (2 area (2 sigma)^2)), averaged over the joints that both poses have.

    Args:
        points_a: (N, K, 2) pixels.
        points_b: (M, K, 2).
        valid_a: (N, K) joints that count.
        valid_b: (M, K).
        areas_a: (N,) pixels squared.
        areas_b: (M,).
        sigmas: (K,).

    Returns:
        (N, M) in 0..1; 0 where two poses share no joint.
    """
    squared = ((points_a[:, None] - points_b[None, :]) ** 2).sum(-1)  # (N, M, K)
    area = (areas_a[:, None] + areas_b[None, :]) / 2 + np.spacing(1)
    similarity = np.exp(-squared / (2 * area[..., None] * (2 * sigmas) ** 2))
    shared = valid_a[:, None] & valid_b[None, :]
    mean: NDArray[np.float64] = (similarity * shared).sum(-1) / np.maximum(shared.sum(-1), 1)
    return mean


def nms(boxes: NDArray[np.floating], scores: NDArray[np.floating], threshold: float) -> NDArray[np.intp]:
    """Greedy non-maximum suppression.

    Returns:
        Rows to keep, best first: each has an IoU of at most `threshold` with every better one kept.
    """
    overlaps = iou(boxes, boxes)
    return suppress(overlaps, scores, threshold)


def suppress(
    similarity: NDArray[np.floating], scores: NDArray[np.floating], threshold: float
) -> NDArray[np.intp]:
    """Rows to keep, best first, such that no two kept ones are more alike than `threshold`.

    Args:
        similarity: (N, N).
        scores: (N,); of equal ones the first wins.
    """
    kept: list[int] = []
    for row in np.argsort(-scores, kind="stable"):
        if not kept or similarity[row, kept].max() <= threshold:
            kept.append(int(row))
    return np.array(kept, np.intp)
