"""COCO 2017 keypoints in the official folders, boxes cleaned and people chosen as by HRNet's official code.

data = read_coco(Path("coco"), "train")     # annotations/person_keypoints_train2017.json, train2017/
boxes = read_detections(Path("COCO_val2017_detections_AP_H_56_person.json"), image_names(annotations))
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posetrack.datasets.people import PoseData
from posetrack.skeletons import COCO17, Skeleton


@dataclass(frozen=True, eq=False)
class DetectedBox:
    """A person as a detector saw them."""

    image: str  # name of the picture
    image_id: int
    box: NDArray[np.float32]  # (4,) x1, y1, x2, y2 in pixels
    score: float


def annotation_file(root: Path, split: str) -> Path:
    return root / "annotations" / f"person_keypoints_{split}2017.json"


def picture_folder(root: Path, split: str) -> Path:
    return root / f"{split}2017"


def read_coco(root: Path, split: str, skeleton: Skeleton = COCO17) -> PoseData:
    """People of a split, "train" or "val"."""
    raise NotImplementedError


def image_names(annotations: Path) -> dict[int, str]:
    """File name of every picture that an annotation file lists, by image id."""
    raise NotImplementedError


def read_detections(path: Path, names: Mapping[int, str], lowest_score: float = 0.0) -> list[DetectedBox]:
    """Person boxes of a COCO detection result file, in its order."""
    raise NotImplementedError
