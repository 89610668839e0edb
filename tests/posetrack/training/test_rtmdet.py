from __future__ import annotations

import numpy as np
import pytest

from posetrack.training.tasks.rtmdet import _of_four_corners


def test_a_cell_has_the_mean_odds_of_its_corners_and_the_box_of_the_surest() -> None:
    odds = np.array([[[0, 4], [2, 6]]], np.float32)  # points at the upper left corners of 2 x 2 cells
    boxes = np.arange(16, dtype=np.float32).reshape(1, 2, 2, 4)
    mean, best = _of_four_corners(odds, boxes)
    # Beyond the last row and column the last one counts again.
    assert mean[0].tolist() == [[pytest.approx(3), pytest.approx(5)], [pytest.approx(4), pytest.approx(6)]]
    assert (best[0] == boxes[0, 1, 1]).all()  # the surest corner is everybody's
