"""IoU, OKS and NMS against numbers worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from posetrack.boxes import iou, nms, suppress
from trackers.similarity import oks

A = np.array([[0, 0, 10, 10]], float)


@pytest.mark.parametrize(
    ("name", "box", "value"),
    [
        ("the same", [0, 0, 10, 10], 1),
        ("half of it beside", [5, 0, 15, 10], 50 / 150),
        ("touching", [10, 0, 20, 10], 0),
        ("inside, a quarter", [0, 0, 5, 5], 0.25),
        ("empty", [3, 3, 3, 3], 0),
        ("turned over", [10, 10, 0, 0], 0),
    ],
)
def test_iou(name: str, box: list[float], value: float) -> None:
    assert iou(A, np.array([box], float))[0, 0] == pytest.approx(value)


def test_oks_by_hand() -> None:
    # sigma 0.1, area 100: one joint off by d gives exp(-d^2 / (2 * 100 * 0.04)) = exp(-d^2 / 8)
    a = np.zeros((1, 2, 2))
    b = np.array([[[2.0, 0], [0, 0]]])
    both = np.ones((1, 2), bool)
    sigmas, area = np.full(2, 0.1), np.array([100.0])
    assert oks(a, b, both, both, area, area, sigmas)[0, 0] == pytest.approx((math.exp(-0.5) + 1) / 2)
    first = np.array([[True, False]])
    assert oks(a, b, first, both, area, area, sigmas)[0, 0] == pytest.approx(math.exp(-0.5))
    assert oks(a, b, first, ~first, area, area, sigmas)[0, 0] == 0  # no joint in common
    # areas 100 and 300: their mean 200
    other = oks(a, b, first, both, area, 3 * area, sigmas)[0, 0]
    assert other == pytest.approx(math.exp(-4 / (2 * 200 * 0.04)))


def test_oks_of_nobody() -> None:
    none = np.zeros((0, 4, 2))
    one = np.zeros((1, 4, 2))
    result = oks(none, one, np.ones((0, 4), bool), np.ones((1, 4), bool), np.ones(0), np.ones(1), np.ones(4))
    assert result.shape == (0, 1)


@pytest.mark.parametrize("least", [0.05, 0.3, 0.9])
def test_oks_of_a_crowd_skips_only_pairs_below_the_least(least: float) -> None:
    # 60 x 50 pairs of 10 joints: enough for the short cut. Joints without score lie far off.
    rng = np.random.default_rng(3)
    a, b = (rng.uniform(0, 300, (n, 1, 2)) + rng.uniform(0, 60, (n, 10, 2)) for n in (60, 50))
    b[:40] = a[:40] + rng.normal(0, 1, (40, 10, 2)) * np.linspace(0, 4, 40)[:, None, None]
    valid_a, valid_b = rng.random((60, 10)) > 0.3, rng.random((50, 10)) > 0.3
    valid_a[7] = False
    a[~valid_a] = 9000
    areas = rng.uniform(500, 3000, 60), rng.uniform(500, 3000, 50)
    sigmas = np.linspace(0.03, 0.1, 10)
    whole = oks(a, b, valid_a, valid_b, *areas, sigmas)
    pruned = oks(a, b, valid_a, valid_b, *areas, sigmas, least=least)
    assert (whole >= least).sum() >= 10
    np.testing.assert_allclose(pruned[whole >= least], whole[whole >= least], rtol=1e-12)
    assert (pruned <= whole + 1e-12).all()
    assert (pruned == 0).sum() > (whole == 0).sum() + 1000  # and it does skip


def test_nms_keeps_the_better_of_two() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [30, 0, 40, 10]], float)  # IoU of the first two 9/11
    assert nms(boxes, np.array([0.5, 0.9, 0.7]), 0.5).tolist() == [1, 2]
    assert nms(boxes, np.array([0.5, 0.9, 0.7]), 0.9).tolist() == [1, 2, 0]
    assert nms(boxes, np.array([0.5, 0.5, 0.5]), 0.5).tolist() == [0, 2]  # of equals the first


@settings(max_examples=50, deadline=None)
@given(arrays(float, (6, 6), elements=st.floats(0, 1)), arrays(float, 6, elements=st.floats(0, 1)))
def test_suppressed_rows_are_alike_to_a_better_one(similarity: np.ndarray, scores: np.ndarray) -> None:
    similarity = (similarity + similarity.T) / 2
    kept = suppress(similarity, scores, 0.5)
    for i, row in enumerate(kept):
        assert not any(similarity[row, better] > 0.5 for better in kept[:i])
    for row in set(range(6)) - set(kept.tolist()):
        assert any(similarity[row, k] > 0.5 and scores[k] >= scores[row] for k in kept)
