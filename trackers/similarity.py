"""How much alike two boxes or two poses are: IoU, and the object keypoint similarity (OKS) of COCO."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def box_areas(boxes: NDArray[np.floating]) -> NDArray[np.floating]:
    """(N,) from (N, 4) x1, y1, x2, y2; 0 for turned-over boxes."""
    sides: NDArray[np.floating] = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
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
    sides = np.maximum(high - low, 0)  # (N, M, 2)
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
    least: float = 0.0,
) -> NDArray[np.floating]:
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
        least: pairs too far apart to reach it may be given 0 unseen; those that reach it are exact.

    Returns:
        (N, M) in 0..1; 0 where two poses share no joint.
    """
    N, K, _ = points_a.shape
    M = len(points_b)
    if N * M == 0:
        return np.zeros((N, M), points_a.dtype)
    area = (areas_a[:, None] + areas_b[None, :]) / 2 + np.spacing(1)  # (N, M)
    scale = (-1 / (8 * sigmas**2)).astype(points_a.dtype)  # (K,)
    if least <= 0 or N * M * K < _WORTH_PRUNING:
        shared = valid_a[:, None] & valid_b[None, :]  # (N, M, K)
        return _mean_closeness(points_a[:, None] - points_b[None, :], shared, area, scale)
    # No joint of a pair is closer than the two extents are: most pairs of a crowd end here.
    gap = _gaps(points_a, valid_a, points_b, valid_b)
    rows, columns = np.nonzero(np.exp(gap * scale.max() / area) >= least * 0.999)
    similarity = np.zeros((N, M), points_a.dtype)
    shared = valid_a[rows] & valid_b[columns]  # (P, K) for P pairs
    apart = points_a[rows] - points_b[columns]
    similarity[rows, columns] = _mean_closeness(apart, shared, area[rows, columns], scale)
    return similarity


_WORTH_PRUNING = 20_000  # joint pairs; below, looking at all of them is cheaper


def _mean_closeness(
    apart: NDArray[np.floating],
    shared: NDArray[np.bool_],
    area: NDArray[np.floating],
    scale: NDArray[np.floating],
) -> NDArray[np.floating]:
    """(...) OKS from differences (..., K, 2), the joints that count (..., K), and areas (...)."""
    squared = apart[..., 0] ** 2 + apart[..., 1] ** 2
    closeness = np.exp(squared * scale / area[..., None]) * shared
    mean: NDArray[np.floating] = closeness.sum(-1) / np.maximum(shared.sum(-1), 1)
    return mean


def _gaps(
    points_a: NDArray[np.floating],
    valid_a: NDArray[np.bool_],
    points_b: NDArray[np.floating],
    valid_b: NDArray[np.bool_],
) -> NDArray[np.floating]:
    """(N, M) squared distance between the extents of the valid joints; inf where there are none."""
    low_a, high_a = _extent(points_a, valid_a)
    low_b, high_b = _extent(points_b, valid_b)
    apart = np.maximum(low_a[:, None] - high_b[None], low_b[None] - high_a[:, None])
    squared: NDArray[np.floating] = (np.maximum(apart, 0) ** 2).sum(-1)
    return squared


def _extent(
    points: NDArray[np.floating], valid: NDArray[np.bool_]
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """(N, 2) least and greatest x, y of the valid joints; inf and -inf without any."""
    valid = valid[..., None]
    return np.where(valid, points, np.inf).min(1), np.where(valid, points, -np.inf).max(1)


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
