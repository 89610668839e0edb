"""Numbers as files should hold them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def decimals(values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """float32 values, flat, as the shortest decimals that read back the same: 0.1, not 0.10000000149."""
    return values.astype(np.float32).ravel().astype(np.str_).astype(np.float64)


def placed(points: NDArray[np.floating[Any]], scores: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """(N, K) which of the joints (N, K, 2) with scores (N, K) have a position that can be written."""
    there: NDArray[np.bool_] = (scores > 0) & np.isfinite(scores) & np.isfinite(points).all(axis=2)
    return there


def sized_boxes(boxes: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """(N, 4) x, y, width, height from corners, without the noise of float32 differences."""
    result = decimals(boxes).reshape(-1, 4)
    result[:, 2:] -= result[:, :2]
    return result.round(6)
