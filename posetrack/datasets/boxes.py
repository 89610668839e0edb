"""Photos with person boxes for detector training: reading them, and how much each box is worth.

>>> pictures = read_pictures(["train-00.tar"], "boxes.json")
>>> weights = upright_weights("lspet_train.json", pictures)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posetrack.boxes import iou
from posetrack.datasets.archives import Image as Image
from posetrack.datasets.archives import pictures_of
from posetrack.documents import read_json
from posetrack.errors import PoseTrackError

Floats = NDArray[np.float32]

SURE = 0.55  # teacher score from which a box counts fully
UNSURE = 0.1  # teacher score up to which a box counts for nothing
FLOOR = 0.2  # soft targets below are neither wanted nor punished


@dataclass(frozen=True, eq=False)
class Picture:
    """A photo and the people in it."""

    name: str
    image: Image  # (H, W, 3) RGB
    boxes: Floats  # (N, 4) xyxy pixels
    scores: Floats  # (N,) 0..1 as the maker of the boxes gave them


@dataclass(frozen=True, eq=False)
class BoxData:
    """One data set to train a detector on."""

    name: str
    pictures: Sequence[Picture]
    weights: Sequence[float]  # how often to draw each picture, relative to others
    places: Sequence[Picture] = ()  # mostly without people


def read_pictures(tars: Sequence[str | Path], boxes: str | Path) -> list[Picture]:
    """All JPEGs of the tar files, decoded, with their boxes from COCO-style JSON (bbox and score).

    Pictures that the JSON does not list are left out.
    """
    boxes_of = read_boxes(boxes)
    pictures: list[Picture] = []
    for tar in tars:
        for name, image in pictures_of(tar, boxes_of):
            if image is None:
                raise PoseTrackError(f"{tar}: {name} does not decode as a picture")
            pictures.append(Picture(name, image, *boxes_of[name]))
    if not pictures:
        raise PoseTrackError(f"no picture of {', '.join(map(str, tars))} is listed in {boxes}")
    return pictures


def read_boxes(path: str | Path) -> dict[str, tuple[Floats, Floats]]:
    """file_name → boxes (N, 4) xyxy and scores (N,) of a COCO-style JSON, also for pictures without a box."""
    content = read_json(path)
    names = {image["id"]: image["file_name"] for image in content["images"]}
    rows: dict[str, list[list[float]]] = {name: [] for name in names.values()}
    for entry in content["annotations"]:
        x, y, w, h = entry["bbox"]
        rows[names[entry["image_id"]]].append([x, y, x + w, y + h, entry.get("score", 1.0)])
    tables = {name: np.array(r, np.float32).reshape(-1, 5) for name, r in rows.items()}
    return {name: (table[:, :4], table[:, 4]) for name, table in tables.items()}


def upright_weights(path: str | Path, pictures: Sequence[Picture]) -> NDArray[np.float64]:
    """How often to draw each picture: 1.6 if the labelled person is upright, 0.5 upside down, else 1.

    Sports photos are acrobatic; videos mostly show people who stand and walk.

    Args:
        path: COCO keypoint file in the 17 PoseTrack18 slots.
        pictures: to be weighted, by name.
    """
    content = read_json(path)
    names = {image["id"]: image["file_name"] for image in content["images"]}
    weight_of: dict[str, float] = {}
    for entry in content["annotations"]:
        joints = np.array(entry["keypoints"], np.float64).reshape(17, 3)
        top, low = joints[[1, 2, 5, 6]], joints[[11, 12]]  # neck, head, shoulders; hips
        top, low = top[top[:, 2] > 0], low[low[:, 2] > 0]
        if len(top) and len(low):
            x, y = low[:, :2].mean(0) - top[:, :2].mean(0)
            weight_of[names[entry["image_id"]]] = (
                1.6 if y > 1.5 * abs(x) else 0.5 if y < -0.5 * abs(x) else 1.0
            )
    return np.array([weight_of.get(picture.name, 1.0) for picture in pictures])


def soften(scores: Floats) -> Floats:
    """Teacher scores as targets: linear from 0 at `UNSURE` to 1 at `SURE`, 0 (ignore) below `FLOOR`."""
    soft = np.clip((scores - UNSURE) / (SURE - UNSURE), 0, 1)
    return np.where(soft < FLOOR, 0, soft).astype(np.float32)


def with_labelled_person(boxes: Floats, scores: Floats, person: Floats) -> tuple[Floats, Floats]:
    """Put in the person whom a human labelled: the teacher's box gets score 1, or the human's comes in.

    Args:
        boxes, scores: (N, 4) xyxy and (N,) of the teacher.
        person: (4,) xyxy from labelled joints.
    """
    overlap = iou(person[None], boxes)[0] if len(boxes) else np.zeros(0, np.float32)
    agreeing = np.flatnonzero((overlap > 0.5) & (scores >= 0.1))
    if len(agreeing):
        scores = scores.copy()
        scores[agreeing[np.argmax(scores[agreeing])]] = 1.0
        return boxes, scores
    doubtful = (overlap > 0.3) & (scores < 0.25)  # the teacher's guesses at the same person
    return np.concatenate([person[None], boxes[~doubtful]]), np.concatenate(
        [np.ones(1, np.float32), scores[~doubtful]]
    )
