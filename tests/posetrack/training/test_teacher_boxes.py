from __future__ import annotations

import numpy as np
import pytest

from posetrack.datasets.boxes import with_labelled_person
from posetrack.training.tasks.teacher_boxes import merge


def view(*rows: tuple[list[float], float]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([b for b, _ in rows], np.float32).reshape(-1, 4), np.array(
        [s for _, s in rows], np.float32
    )


def test_boxes_that_agree_become_one_and_lonely_ones_lose_half() -> None:
    plain = view(([0, 0, 10, 10], 0.9), ([50, 50, 60, 60], 0.4))
    mirrored = view(([0, 0, 10, 12], 0.3), ([80, 80, 90, 90], 0.6))
    boxes, scores = merge([plain, mirrored])
    assert scores.tolist() == pytest.approx([0.6, 0.3, 0.2])
    np.testing.assert_allclose(boxes[0], [0, 0, 10, 10.5], rtol=1e-6)  # 3 : 1
    assert boxes[1:].tolist() == [[80, 80, 90, 90], [50, 50, 60, 60]]


def test_views_without_anybody() -> None:
    boxes, scores = merge([view(), view()])
    assert (boxes.shape, scores.shape) == ((0, 4), (0,))


def test_one_view_never_merges_with_itself() -> None:
    boxes, _ = merge([view(([0, 0, 10, 10], 0.9), ([0, 0, 10, 11], 0.8)), view()])
    assert len(boxes) == 2


PERSON = np.array([0, 0, 10, 20], np.float32)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (view(([0, 0, 10, 18], 0.4)), [([0, 0, 10, 18], 1.0)]),  # the teacher's box, now sure
        (
            view(([30, 0, 40, 20], 0.8)),
            [([0, 0, 10, 20], 1.0), ([30, 0, 40, 20], 0.8)],
        ),  # seen by the human only
        (view(([0, 0, 10, 9], 0.2)), [([0, 0, 10, 20], 1.0)]),  # half the person, doubtful: replaced
        (view(([0, 0, 10, 9], 0.6)), [([0, 0, 10, 20], 1.0), ([0, 0, 10, 9], 0.6)]),  # perhaps another one
        (view(), [([0, 0, 10, 20], 1.0)]),
    ],
    ids=["agree", "elsewhere", "doubtful part", "sure part", "nobody"],
)
def test_the_labelled_person_is_always_there(
    seen: tuple[np.ndarray, np.ndarray], expected: list[tuple[list[float], float]]
) -> None:
    boxes, scores = with_labelled_person(*seen, PERSON)
    assert boxes.tolist() == [box for box, _ in expected]
    assert scores.tolist() == pytest.approx([score for _, score in expected])
