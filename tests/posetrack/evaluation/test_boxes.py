from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from posetrack.evaluation.boxes import BoxTruth, evaluate_boxes, found_by_height
from posetrack.types import Detections

pytest.importorskip("pycocotools")


def boxes(*rows: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


def seen(*rows: tuple[float, float, float, float], scores: tuple[float, ...] | None = None) -> Detections:
    values = scores if scores is not None else tuple(0.9 - 0.1 * i for i in range(len(rows)))
    return Detections(boxes(*rows), np.array(values, np.float32))


LEFT, RIGHT = (10, 10, 50, 110), (60, 10, 100, 110)  # two people, 100 pixels tall
CROWD = (120, 0, 200, 120)
TRUTH = BoxTruth((200, 120), boxes(LEFT, RIGHT), boxes(CROWD))


@dataclass(frozen=True)
class Case:
    name: str
    detections: Detections
    ap50: float
    found: int
    false: float


CASES = [
    Case("both", seen(LEFT, RIGHT), 100.0, 2, 0.0),
    Case("one of two", seen(LEFT), 50.5, 1, 0.0),  # COCO reads precision at 101 recalls: 51 of them
    Case("nobody", seen(), 0.0, 0, 0.0),
    Case("in the crowd is neither right nor wrong", seen(LEFT, RIGHT, (130, 10, 160, 90)), 100.0, 2, 0.0),
    Case("one person twice", seen(LEFT, RIGHT, (12, 10, 52, 110)), 100.0, 2, 1.0),
    Case("a lamppost first", seen((0, 0, 5, 120), LEFT, RIGHT), 66.8, 2, 1.0),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_boxes_of_one_picture(case: Case) -> None:
    report = evaluate_boxes([TRUTH], [case.detections])
    found = found_by_height([TRUTH], [case.detections], score=0.4)
    assert report.ap50 == pytest.approx(case.ap50, abs=0.3)
    assert (found.found.sum(), found.people.sum(), found.false) == (case.found, 2, case.false)


def test_ap_falls_with_the_overlap() -> None:
    """A box of IoU 0.8 with the one person is right at 0.50 ... 0.75 and 0.80 of COCO's ten limits."""
    truth = BoxTruth((200, 120), boxes((10, 10, 50, 110)), boxes())
    report = evaluate_boxes([truth], [seen((10, 10, 50, 91))])  # 81 of 100 rows: IoU 0.81
    assert report.ap == pytest.approx(70.0)
    assert report.ap75 == pytest.approx(100.0)


def test_people_are_counted_in_the_class_of_their_height() -> None:
    tall, small = (10, 5, 60, 115), (100, 20, 120, 60)
    truth = BoxTruth((200, 120), boxes(tall, small), boxes())
    result = found_by_height([truth], [seen(tall, small, scores=(0.9, 0.3))], score=0.4)
    assert result.people.tolist() == [0, 1, 0, 1, 0]  # from 0, 24, 48, 96, 192
    assert result.found.tolist() == [0, 0, 0, 1, 0]
