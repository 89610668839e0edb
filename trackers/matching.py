"""One-to-one matching of a similarity matrix: the paper's greedy choice, or the Hungarian optimum."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Pairs = tuple[NDArray[np.intp], NDArray[np.intp]]  # rows and columns, one entry each per pair


def greedy(similarity: NDArray[np.floating], threshold: float) -> Pairs:
    """The most similar pair first, then the best of what is left, down to `threshold` (inclusive, above 0).

    Args:
        similarity: (N, M).
    """
    rows: list[int] = []
    columns: list[int] = []
    candidates = np.flatnonzero((similarity >= threshold) & (similarity > 0))
    order = np.argsort(-similarity.ravel()[candidates], kind="stable")
    pairs = zip(*(part.tolist() for part in np.divmod(candidates[order], similarity.shape[1])), strict=True)
    free_rows, free_columns = [True] * similarity.shape[0], [True] * similarity.shape[1]
    for row, column in pairs:
        if free_rows[row] and free_columns[column]:
            free_rows[row] = free_columns[column] = False
            rows.append(row)
            columns.append(column)
    return np.array(rows, np.intp), np.array(columns, np.intp)


def hungarian(similarity: NDArray[np.floating], threshold: float) -> Pairs:
    """The pairs, all at `threshold` or above, with the largest sum of similarities.

    Args:
        similarity: (N, M).
    """
    from scipy.optimize import linear_sum_assignment

    allowed = (similarity >= threshold) & (similarity > 0)
    rows, columns = linear_sum_assignment(np.where(allowed, similarity, 0), maximize=True)
    real = allowed[rows, columns]
    return rows[real], columns[real]


MATCHERS: dict[str, Callable[[NDArray[np.floating], float], Pairs]] = {
    "greedy": greedy,
    "hungarian": hungarian,
}
