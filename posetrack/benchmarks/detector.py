"""How well a detector finds people: AP at IoU 0.5, and what a score threshold would find and invent.

>>> result = compare(detector, read_pictures(["val.tar"], "val.json"))
>>> result.ap50, result.at(0.4)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posetrack.boxes import iou
from posetrack.datasets.boxes import Picture
from posetrack.evaluation.boxes import OVERLAP, owners
from posetrack.pipeline import Detector
from posetrack.types import Detections, Floats, Frame

SURE = 0.5  # score from which a labelled box is wanted; others are neither wanted nor counted as false


@dataclass(frozen=True)
class DetectionScores:
    """Found boxes of many pictures, each either right or wrong."""

    scores: Floats  # (N,) best first
    right: NDArray[np.bool_]  # (N,)
    wanted: int  # people
    pictures: int

    @property
    def ap50(self) -> float:
        """Area under the precision envelope over recall, 0..1 (COCO's, over all points instead of 101)."""
        if not self.wanted:
            return float("nan")
        found = np.cumsum(self.right)
        precision = found / np.arange(1, len(found) + 1)
        envelope = np.maximum.accumulate(precision[::-1])[::-1]
        return float(envelope[self.right].sum() / self.wanted)

    def at(self, threshold: float) -> tuple[float, float]:
        """Recall (0..1) and false boxes per picture when scores from the threshold up count."""
        counted = self.right[self.scores >= threshold]
        return float(counted.sum() / max(self.wanted, 1)), float((~counted).sum() / max(self.pictures, 1))


def compare(detector: Detector, pictures: Iterable[Picture]) -> DetectionScores:
    """What a detector finds in pictures with scored boxes."""

    def rows() -> Iterator[tuple[Detections, Floats, Floats]]:
        for picture in pictures:
            sure = picture.scores >= SURE
            yield detector([Frame(picture.image, 0, 0.0)])[0], picture.boxes[sure], picture.boxes[~sure]

    return validate(rows())


def validate(pictures: Iterable[tuple[Detections, Floats, Floats]]) -> DetectionScores:
    """Compare detections with wanted boxes.

    Args:
        pictures: (found, wanted (N, 4), doubtful (M, 4)) of each. A wrong box that lies mostly in a doubtful
            one counts for nothing.
    """
    scores, right, wanted_count, n = [np.zeros(0, np.float32)], [np.zeros(0, bool)], 0, 0
    for found, wanted, doubtful in pictures:
        hit = owners(found.boxes, wanted) >= 0
        counts = hit | (iou(found.boxes, doubtful) < OVERLAP).all(1)
        scores.append(found.scores[counts])
        right.append(hit[counts])
        wanted_count, n = wanted_count + len(wanted), n + 1
    all_scores, all_right = np.concatenate(scores), np.concatenate(right)
    order = np.argsort(-all_scores, kind="stable")
    return DetectionScores(all_scores[order], all_right[order], wanted_count, n)
