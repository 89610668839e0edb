"""Reliability and fits on a handful of cases."""

import numpy as np
import pytest

from posetrack.benchmarks.calibrate import fit, reliability
from posetrack.errors import PoseTrackError


def test_bins_and_error():
    scores = [0.1, 0.3, 0.6, 0.8, 1.0]  # two bins: (0.1, 0.3) and (0.6, 0.8, 1.0)
    table = reliability(scores, [0, 1, 1, 1, 0], bins=2)
    np.testing.assert_allclose(table.score, [0.2, 0.8])
    np.testing.assert_allclose(table.right, [0.5, 2 / 3])
    np.testing.assert_allclose(table.weight, [0.4, 0.6])
    assert table.ece == pytest.approx(0.4 * 0.3 + 0.6 * (0.8 - 2 / 3))


def test_weights_and_empty_bins():
    table = reliability([0.2, 0.2], [0, 1], weights=[3, 1], bins=2)
    assert table.right[0] == 0.25
    assert table.weight.tolist() == [1, 0]
    assert np.isnan(table.right[1])
    assert table.ece == pytest.approx(0.05)


def cases(table):
    """(score, cases, right ones) to lists of scores and of right or wrong."""
    scores = np.concatenate([np.full(n, score) for score, n, _ in table])
    right = np.concatenate([np.arange(n) < k for _, n, k in table])
    return scores, right


@pytest.mark.parametrize(
    ("table", "slope", "shift"),
    [
        ([(0.2, 50, 10), (0.75, 40, 30)], 1, 0),  # honest already
        ([(0.5, 40, 30), (0.75, 100, 90)], 1, np.log(3)),  # odds thrice as good as said
        ([(0.9, 40, 30), (0.1, 40, 10)], 0.5, 0),  # too sure of itself both ways
    ],
)
def test_fit_finds_the_odds(table, slope, shift):
    found = fit(*cases(table))
    assert found.slope == pytest.approx(slope, abs=1e-4)
    assert found.shift == pytest.approx(shift, abs=1e-4)


def test_fitted_scores_are_honest_on_what_they_were_fitted_to():
    scores, right = cases([(0.2, 100, 40), (0.5, 100, 80), (0.8, 100, 95)])
    honest = fit(scores, right)(scores.astype(np.float32))
    assert reliability(scores, right).ece > 0.2
    assert reliability(honest, right).ece < 0.03


def test_scores_that_rank_the_wrong_way_round_are_refused():
    with pytest.raises(PoseTrackError, match="slope must be positive"):
        fit(*cases([(0.2, 20, 15), (0.8, 20, 5)]))
