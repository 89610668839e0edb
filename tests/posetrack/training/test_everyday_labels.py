"""A teacher's boxes in everyday photos: only where no human has looked."""

import numpy as np
import pytest

from posetrack.datasets.everyday import EverydayPerson, EverydayPhoto
from posetrack.skeletons import POSETRACK18
from posetrack.training.tasks.everyday_labels import with_teacher

K = len(POSETRACK18)
IMAGE = np.zeros((60, 80, 3), np.uint8)


def photo(exhaustive: bool) -> EverydayPhoto:
    """A person, a crowd, and somebody whom only a machine saw."""
    people = [
        EverydayPerson(np.array(box, np.float32), np.zeros((K, 2), np.float32), np.zeros(K, bool), crowd)
        for box, crowd in (([1, 2, 20, 50], False), ([40, 0, 80, 40], True))
    ]
    machine = np.array([[22, 5, 30, 40]], np.float32)
    return EverydayPhoto("coco/a.jpg", (80, 60), people, machine, exhaustive)


def test_the_teacher_adds_people_only_where_humans_have_not_looked_everywhere() -> None:
    # The labelled person again, the one whom only a machine saw, and somebody new of whom it is not sure.
    boxes = np.array([[1, 2, 21, 50], [22, 5, 30, 41], [30, 30, 38, 55]], np.float32)
    scores = np.array([0.9, 0.6, 0.2], np.float32)
    everywhere = with_teacher(photo(exhaustive=True), IMAGE, boxes, scores)
    there = with_teacher(photo(exhaustive=False), IMAGE, boxes, scores)
    assert everywhere.boxes.tolist() == [[1, 2, 20, 50], [40, 0, 80, 40], [22, 5, 30, 40]]
    assert everywhere.scores.tolist() == [1, 0, 0]
    assert there.boxes.tolist() == [[1, 2, 20, 50], [40, 0, 80, 40], [22, 5, 30, 41], [30, 30, 38, 55]]
    assert there.scores.tolist() == pytest.approx([1, 0, 0.6, 0.2])
