"""OKS-NMS on pictures small enough to work out by hand, and against the official loops written out."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from posetrack.evaluation.oks_nms import oks_nms, soft_oks_nms
from posetrack.skeletons import COCO17

SIGMA = np.array([0.5])  # (2 sigma)^2 = 1, so that OKS = exp(-d^2 / (2 area))
ALIKE = float(np.exp(-0.25))  # 0.7788: one pixel apart, areas 2


@dataclass(frozen=True)
class Case:
    name: str
    x: list[float]  # of people with a single joint at (x, 0)
    scores: list[float]
    kept: list[int]
    areas: float | list[float] = 2.0
    threshold: float = 0.7


CASES = [
    Case("nobody", [], [], []),
    Case("one person", [5], [0.1], [0]),
    Case("the same pose twice: the better one stays", [0, 0], [0.4, 0.9], [1]),
    Case("two people far apart, best first", [0, 50], [0.4, 0.9], [1, 0]),
    Case("one pixel apart is 0.7788, more than 0.7", [0, 1], [0.9, 0.8], [0]),
    Case("an OKS of exactly the threshold stays", [0, 1], [0.9, 0.8], [0, 1], threshold=ALIKE),
    Case("and one just above it goes", [0, 1], [0.9, 0.8], [0], threshold=np.nextafter(ALIKE, 0)),
    Case("larger people are more alike: exp(-4 / 20) = 0.82", [0, 2], [0.9, 0.8], [0], areas=10),
    Case("smaller ones less: exp(-4 / 4) = 0.37", [0, 2], [0.9, 0.8], [0, 1], areas=2),
    Case("the mean of both areas counts: exp(-4 / 11) = 0.695", [0, 2], [0.9, 0.8], [0, 1], areas=[1, 10]),
    Case("which is above 0.69", [0, 2], [0.9, 0.8], [0], areas=[1, 10], threshold=0.69),
    Case("a chain from its end: the suppressed one suppresses nobody", [0, 1, 2], [0.9, 0.8, 0.7], [0, 2]),
    Case("a chain from its middle: both ends go", [0, 1, 2], [0.8, 0.9, 0.7], [1]),
    Case("of equal scores the first wins", [0, 0.1], [0.5, 0.5], [0]),
    Case("threshold 1 keeps everybody, best first", [0, 0], [0.4, 0.9], [1, 0], threshold=1.0),
]


def people(x: list[float], areas: float | list[float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    points = np.array([[[value, 0.0]] for value in x]).reshape(-1, 1, 2)
    return points, np.broadcast_to(np.array(areas, float), len(x))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_who_is_kept(case: Case) -> None:
    points, areas = people(case.x, case.areas)
    assert oks_nms(points, areas, np.array(case.scores), SIGMA, case.threshold).tolist() == case.kept


def test_joints_that_only_one_pose_has_do_not_count() -> None:
    """The official in_vis_thre takes the second pose's joints alone: the first case would be (1 + 0) / 2."""
    points = np.array([[[0.0, 0], [0, 0]], [[0, 0], [100, 0]]])
    sigmas, areas, scores = np.array([0.5, 0.5]), np.array([2.0, 2.0]), np.array([0.9, 0.8])
    first_lacks_one = np.array([[True, False], [True, True]])
    assert oks_nms(points, areas, scores, sigmas).tolist() == [0, 1]  # (1 + 0) / 2
    assert oks_nms(points, areas, scores, sigmas, valid=first_lacks_one).tolist() == [0]  # 1
    nothing_shared = np.array([[True, False], [False, True]])
    assert oks_nms(points, areas, scores, sigmas, valid=nothing_shared).tolist() == [0, 1]  # OKS 0


def test_soft_suppression_orders_anew_and_takes_at_most_twenty() -> None:
    # 0.8 falls to 0.8 exp(-1 / 0.9) = 0.26 beside its twin, below the 0.5 of the one far away.
    points, areas = people([0, 0, 50], 2.0)
    scores = np.array([0.9, 0.8, 0.5])
    assert soft_oks_nms(points, areas, scores, SIGMA).tolist() == [0, 2, 1]
    assert soft_oks_nms(points, areas, scores, SIGMA, most=2).tolist() == [0, 2]
    crowd, areas = people([20.0 * n for n in range(25)], 2.0)
    kept = soft_oks_nms(crowd, areas, np.linspace(0.1, 0.9, 25), SIGMA)
    assert kept.tolist() == list(range(24, 4, -1))
    assert len(soft_oks_nms(*people([], 2.0), np.array([]), SIGMA)) == 0


def official(
    points: NDArray[np.float64], areas: NDArray[np.float64], scores: NDArray[np.float64], threshold: float
) -> list[int]:
    """As the HRNet code does it, pose by pose."""
    order = list(np.argsort(-scores, kind="stable"))
    kept = []
    while order:
        best = order.pop(0)
        kept.append(int(best))
        left = []
        for other in order:
            d2 = ((points[best] - points[other]) ** 2).sum(axis=1)
            e = d2 / (2 * COCO17.sigmas) ** 2 / ((areas[best] + areas[other]) / 2 + np.spacing(1)) / 2
            if np.exp(-e).sum() / len(e) <= threshold:
                left.append(other)
        order = left
    return kept


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(0, 12), threshold=st.sampled_from([0.3, 0.6, 0.9]))
def test_equals_the_official_loops(seed: int, count: int, threshold: float) -> None:
    rng = np.random.default_rng(seed)
    body = rng.uniform(0, 200, (1, 17, 2))
    points = body + rng.normal(0, rng.choice([2, 10, 40]), (count, 17, 2))
    areas, scores = rng.uniform(1e3, 1e5, count), rng.random(count)
    found = oks_nms(points, areas, scores, COCO17.sigmas, threshold)
    assert found.tolist() == official(points, areas, scores, threshold)
