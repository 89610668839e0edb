"""How honest scores are, and the map that makes them honest; see posetrack/runtime/calibration.py.

N cases, each with a score in 0..1 and either right or wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posetrack.runtime.calibration import CEILING, Calibration

FLOOR = 1e-4  # scores below count as this: their log odds would outweigh everything
STEPS = 50  # of Newton's method, which needs about six


@dataclass(frozen=True)
class Reliability:
    """B bins of equal width in score; NaN where a bin is empty."""

    score: NDArray[np.float64]  # (B,) mean
    right: NDArray[np.float64]  # (B,) share of right cases, or their mean worth
    weight: NDArray[np.float64]  # (B,) share of all cases; sums to 1

    @property
    def ece(self) -> float:
        """Expected calibration error (Guo et al., ICML 2017): mean |score - share of right|."""
        filled = self.weight > 0
        return float((self.weight * np.abs(self.score - self.right))[filled].sum())


def reliability(scores: ArrayLike, right: ArrayLike, weights: ArrayLike = 1.0, bins: int = 10) -> Reliability:
    """Compare scores (N,) with what they promise.

    Args:
        right: (N,) 0 or 1, or a share in between.
        weights: of every case.
    """
    score, worth = np.asarray(scores, np.float64), np.asarray(right, np.float64)
    weight = np.broadcast_to(np.asarray(weights, np.float64), score.shape)
    bin_of = np.clip((score * bins).astype(int), 0, bins - 1)
    total, sum_of_scores, sum_of_worth = (
        np.bincount(bin_of, weight * values, bins) for values in (np.ones_like(score), score, worth)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        return Reliability(sum_of_scores / total, sum_of_worth / total, total / total.sum())


def fit(scores: ArrayLike, right: ArrayLike, weights: ArrayLike = 1.0) -> Calibration:
    """The calibration of greatest likelihood, by Newton's method; a trace of ridge keeps it finite.

    Raises:
        PoseTrackError: higher scores are right less often.
    """
    score = np.clip(np.asarray(scores, np.float64), FLOOR, CEILING)
    odds = np.stack([np.log(score / (1 - score)), np.ones_like(score)], axis=1)  # (N, 2)
    worth = np.asarray(right, np.float64)
    weight = np.broadcast_to(np.asarray(weights, np.float64), score.shape)
    before = np.array([1.0, 0.0])  # the identity
    ridge = 1e-6 * weight.sum()
    x = before.copy()
    for _ in range(STEPS):
        share = 1 / (1 + np.exp(-odds @ x))
        gradient = odds.T @ (weight * (share - worth)) + ridge * (x - before)
        curvature = (odds.T * (weight * share * (1 - share))) @ odds + ridge * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        x = x - step * min(1.0, 2 / max(float(np.abs(step).max()), 1e-12))
        if np.abs(step).max() < 1e-9:
            break
    return Calibration(float(x[0]), float(x[1]))
