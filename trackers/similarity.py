"""How much alike two poses are: the object keypoint similarity (OKS) of COCO. Boxes: posetrack/boxes.py."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


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
    scale = (-1 / (8 * sigmas**2)).astype(points_a.dtype)  # (K,)
    if least <= 0 or N * M * K < _WORTH_PRUNING:
        shared = valid_a[:, None] & valid_b[None, :]  # (N, M, K)
        area = (areas_a[:, None] + areas_b[None, :]) / 2  # (N, M)
        return _mean_closeness(points_a[:, None] - points_b[None, :], shared, area, scale)
    # No joint of a pair is closer than the two extents are: most pairs of a crowd end here.
    reach = np.log(least * 0.999) / scale.max() / 2  # of the squared gap, times the sum of the areas
    gap = _gaps(points_a, valid_a, points_b, valid_b)
    near = np.flatnonzero(gap <= reach * (areas_a[:, None] + areas_b[None, :]))
    rows, columns = np.divmod(near, M)
    shared = valid_a[rows] & valid_b[columns]  # (P, K) for P pairs
    area = (areas_a[rows] + areas_b[columns]) / 2
    similarity = np.zeros((N, M), points_a.dtype)
    similarity.ravel()[near] = _mean_closeness(points_a[rows] - points_b[columns], shared, area, scale)
    return similarity


_WORTH_PRUNING = 20_000  # joint pairs; below, looking at all of them is cheaper
_NO_AREA = 1e-12  # in place of 0, so that a person without extent is like nobody but the same again


def _mean_closeness(
    apart: NDArray[np.floating],
    shared: NDArray[np.bool_],
    area: NDArray[np.floating],
    scale: NDArray[np.floating],
) -> NDArray[np.floating]:
    """(...) OKS from differences (..., K, 2), the joints that count (..., K), and areas (...)."""
    squared = apart[..., 0] ** 2 + apart[..., 1] ** 2
    closeness = np.exp(squared * (scale / np.maximum(area, _NO_AREA)[..., None])) * shared
    mean: NDArray[np.floating] = closeness.sum(-1) / np.maximum(shared.sum(-1), 1)
    return mean


def _gaps(
    points_a: NDArray[np.floating],
    valid_a: NDArray[np.bool_],
    points_b: NDArray[np.floating],
    valid_b: NDArray[np.bool_],
) -> NDArray[np.floating]:
    """(N, M) squared distance between the extents of the valid joints; inf where there are none."""
    squared: NDArray[np.floating] = np.zeros((len(points_a), len(points_b)), points_a.dtype)
    for axis in (0, 1):  # one at a time: arrays that end in an axis of 2 are slow
        low_a, high_a = _extent(points_a[..., axis], valid_a)
        low_b, high_b = _extent(points_b[..., axis], valid_b)
        apart = np.maximum(low_a[:, None] - high_b, low_b - high_a[:, None])
        squared += np.square(np.maximum(apart, 0, out=apart), out=apart)
    return squared


def _extent(
    values: NDArray[np.floating], valid: NDArray[np.bool_]
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """(N,) least and greatest of the valid values of (N, K); inf and -inf without any."""
    infinity = values.dtype.type(np.inf)
    return np.where(valid, values, infinity).min(1), np.where(valid, values, -infinity).max(1)
