"""Counting right classes."""

import numpy as np
import pytest

from posetrack.evaluation.imagenet import Counts

SEVEN = np.array([0.1, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2])  # class 1 is first, class 0 last


@pytest.mark.parametrize(
    ("scores", "label", "top1", "top5"),
    [
        (SEVEN, 1, 100, 100),
        (SEVEN, 2, 0, 100),
        (SEVEN, 5, 0, 100),  # fifth
        (SEVEN, 6, 0, 0),  # sixth
        (np.zeros(7), 0, 0, 0),  # a constant knows nothing
        (np.full(7, np.nan), 0, 0, 0),
        (np.where(np.arange(7) == 3, np.nan, SEVEN), 1, 0, 100),  # a class of unknown score may be before it
    ],
    ids=["first", "second", "fifth", "sixth", "constant", "NaN", "NaN elsewhere"],
)
def test_one_picture(scores: np.ndarray, label: int, top1: float, top5: float) -> None:
    counts = Counts()
    counts.add(scores[None], np.array([label]))
    assert (counts.report().top1, counts.report().top5) == (top1, top5)


def test_batches_add_up() -> None:
    counts = Counts()
    assert counts.report().to_json() == {"pictures": 0, "top1": None, "top5": None}
    counts.add(np.stack([SEVEN, SEVEN]), np.array([1, 0]))
    counts.add(np.stack([SEVEN, SEVEN]), np.array([3, 1]))
    assert counts.report().to_json() == {"pictures": 4, "top1": 50.0, "top5": 75.0}
    counts.reset()
    assert counts.report().pictures == 0
