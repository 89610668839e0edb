"""Person boxes against human labels: AP by pycocotools, and who is found by height.

report = evaluate_boxes(truths, detections)
report.ap, report.ap50, found_by_height(truths, detections, score=0.4)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posetrack.boxes import iou
from posetrack.evaluation.coco import PERSON, Numbers, summarised
from posetrack.types import Detections, Floats

OVERLAP = 0.5  # IoU from which a box has found a person
INSIDE = 0.5  # share of a box within an ignored region from which it is not counted as false
HEIGHTS = (0, 24, 48, 96, 192)  # pixels of the stored picture, where a class begins


@dataclass(frozen=True, eq=False)
class BoxTruth:
    """Who is in a picture where everybody has a box."""

    size: tuple[int, int]  # width and height, pixels
    people: Floats  # (N, 4) xyxy
    ignored: Floats  # (M, 4) xyxy: crowds, and what may be people; boxes in there are neither right nor wrong


@dataclass(frozen=True)
class BoxReport(Numbers):
    """Percent, as COCO counts; NaN where there is nobody of that size."""

    NAMES = ("AP", "AP50", "AP75", "APS", "APM", "APL")

    ap: float  # mean over IoU 0.50, 0.55 ... 0.95
    ap50: float
    ap75: float
    ap_small: float  # people of less than 32^2 pixels
    ap_medium: float
    ap_large: float  # more than 96^2


@dataclass(frozen=True, eq=False)
class Found:
    """Who is found at one score, by height."""

    found: NDArray[np.int_]  # (H,) people found, one class for each of `HEIGHTS`
    people: NDArray[np.int_]  # (H,)
    false: float  # boxes per picture that show nobody, or somebody a second time

    def shares(self) -> NDArray[np.float64]:
        """(H + 1,) share found in each class, NaN where nobody is of it, and of all."""
        with np.errstate(invalid="ignore"):
            return np.append(self.found / self.people, self.found.sum() / self.people.sum())


def evaluate_boxes(truths: Sequence[BoxTruth], detections: Sequence[Detections]) -> BoxReport:
    """AP of boxes with ignored regions as COCO's crowds; at most 100 boxes a picture.

    Args:
        truths: of the pictures.
        detections: of the same pictures, with low scores too: AP is an area under a curve.
    """
    results = [
        {"image_id": n, "category_id": PERSON, "bbox": _xywh(box), "score": float(score)}
        for n, found in enumerate(detections, 1)
        for box, score in zip(found.boxes, found.scores, strict=True)
    ]
    return BoxReport(*summarised(_document(truths), results, "bbox")[:6])


def found_by_height(truths: Sequence[BoxTruth], detections: Sequence[Detections], score: float) -> Found:
    """Match boxes of at least this score, best first, each to the freest person it overlaps most."""
    found, people = np.zeros(len(HEIGHTS), int), np.zeros(len(HEIGHTS), int)
    false = 0
    for truth, seen in zip(truths, detections, strict=True):
        row = np.searchsorted(HEIGHTS, truth.people[:, 3] - truth.people[:, 1], side="right") - 1
        np.add.at(people, row, 1)
        boxes = seen.boxes[seen.scores >= score]
        owner = owners(boxes, truth.people)
        np.add.at(found, row[owner[owner >= 0]], 1)
        false += int(((owner < 0) & (share_inside(boxes, truth.ignored) < INSIDE)).sum())
    return Found(found, people, false / max(len(truths), 1))


def owners(found: Floats, wanted: Floats) -> NDArray[np.intp]:
    """(N,) whom each box, best first, finds that no better one has found; -1: nobody."""
    overlap = iou(found, wanted)
    owner = np.full(len(found), -1, np.intp)
    for i in range(len(found) if len(wanted) else 0):
        j = int(overlap[i].argmax())
        if overlap[i, j] >= OVERLAP:
            owner[i] = j
            overlap[:, j] = 0
    return owner


def share_inside(boxes: Floats, regions: Floats) -> Floats:
    """(N,) the largest share of each box that lies in one of the regions."""
    low = np.maximum(boxes[:, None, :2], regions[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], regions[None, :, 2:])
    area = np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(1), 1e-6)
    share: Floats = (np.clip(high - low, 0, None).prod(2) / area[:, None]).max(1, initial=0)
    return share


def _document(truths: Sequence[BoxTruth]) -> dict[str, Any]:
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for n, truth in enumerate(truths, 1):
        images.append({"id": n, "width": truth.size[0], "height": truth.size[1]})
        for boxes, crowd in ((truth.people, 0), (truth.ignored, 1)):
            for box in boxes:
                x, y, w, h = _xywh(box)
                annotations.append(
                    {"id": len(annotations) + 1, "image_id": n, "category_id": PERSON, "iscrowd": crowd,
                     "bbox": [x, y, w, h], "area": w * h}
                )  # fmt: skip
    return {"images": images, "annotations": annotations, "categories": [{"id": PERSON, "name": "person"}]}


def _xywh(box: Floats) -> list[float]:
    x0, y0, x1, y1 = (float(value) for value in box)
    return [x0, y0, x1 - x0, y1 - y0]
