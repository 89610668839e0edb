from __future__ import annotations

import numpy as np
import pytest

from posetrack.benchmarks.detector import validate
from posetrack.evaluation.boxes import owners
from posetrack.types import Detections

NONE = np.zeros((0, 4), np.float32)
A, B, FAR = [0, 0, 10, 10], [20, 0, 30, 10], [50, 50, 60, 60]


def boxes(*rows: list[int]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


def test_two_pictures_by_hand() -> None:
    result = validate(
        [
            (Detections([A, FAR], [0.9, 0.8]), boxes(A, B), NONE),  # right, wrong; B is missed
            (Detections([B], [0.7]), boxes(B), NONE),  # right
        ]
    )
    assert (result.wanted, result.pictures) == (3, 2)
    # precision 1 at recall 1/3, then 2/3 at recall 2/3, nothing beyond
    assert result.ap50 == pytest.approx((1 + 2 / 3) / 3)
    assert result.at(0.75) == pytest.approx((1 / 3, 0.5))
    assert result.at(0.0) == pytest.approx((2 / 3, 0.5))
    assert result.at(0.95) == (0.0, 0.0)


def test_a_second_box_on_the_same_person_is_wrong() -> None:
    assert owners(boxes(A, A, B), boxes(A, B)).tolist() == [0, -1, 1]


def test_a_wrong_box_on_a_doubtful_one_does_not_count() -> None:
    result = validate([(Detections([A, FAR], [0.9, 0.8]), boxes(A), boxes(FAR))])
    assert (result.ap50, result.at(0.0)) == (1.0, (1.0, 0.0))


def test_nobody_wanted_nobody_found() -> None:
    result = validate([(Detections.empty(), NONE, NONE), (Detections([A], [0.6]), NONE, NONE)])
    assert np.isnan(result.ap50)
    assert result.at(0.5) == (0.0, 0.5)
