"""COCO 2017 keypoints in the official folders, boxes cleaned and people chosen as by HRNet's official code.

data = read_coco(Path("coco"), "train")     # annotations/person_keypoints_train2017.json, train2017/
ids, boxes, scores = read_detections(Path("COCO_val2017_detections_AP_H_56_person.json"), image_names(file))
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posetrack.datasets.people import Person, PoseData
from posetrack.datasets.pictures import with_pictures
from posetrack.documents import read_json
from posetrack.errors import InputError
from posetrack.skeletons import COCO17

PERSON = 1  # category


def annotation_file(root: Path, split: str) -> Path:
    return root / "annotations" / f"person_keypoints_{split}2017.json"


def picture_folder(root: Path, split: str) -> Path:
    return root / f"{split}2017"


def read_coco(root: Path, split: str) -> PoseData:
    """People with a labelled joint of a split, "train" or "val".

    Args:
        root: holds annotations/ and the picture folders, as distributed.

    Returns:
        Crowds, people without labelled joints and boxes without area are left out, a line each in `lost`.

    Raises:
        InputError: no readable annotation file, other joints than COCO's, or nobody remains.
    """
    path = annotation_file(root, split)
    document = read_json(path)
    try:
        joints = tuple(document["categories"][0]["keypoints"])
        images = {image["id"]: image for image in document["images"]}
        annotations = document["annotations"]
    except (KeyError, IndexError, TypeError) as error:
        raise InputError(f"{path} is no COCO-keypoints JSON ({error!r}): give the official one") from None
    if joints != COCO17.keypoints:
        raise InputError(f"{path} lists the joints {joints}: expected the 17 of COCO, in its order")
    found = (_found(annotation, images, path.name) for annotation in annotations)
    return with_pictures(f"coco {split}", COCO17, found, picture_folder(root, split))


def _found(annotation: Any, images: Mapping[int, Any], file: str) -> Person | str:
    """The labelled person, or a line that says why there is none."""
    try:
        person = _person(annotation, images)
    except (KeyError, ValueError, TypeError) as error:
        person = f"cannot be read ({error!r})"
    if isinstance(person, Person):
        return person
    identity = annotation.get("id") if isinstance(annotation, dict) else None
    return f"{file}: annotation {identity}: {person}"


def _person(annotation: dict[str, Any], images: Mapping[int, Any]) -> Person | str:
    """The labelled person, or why there is none."""
    if annotation.get("category_id", PERSON) != PERSON:
        return "no person"
    if annotation.get("iscrowd"):
        return "a crowd"
    triples = np.array(annotation["keypoints"], np.float32).reshape(len(COCO17), 3)
    labelled = triples[:, 2] > 0
    if not labelled.any():
        return "no labelled joint"
    image = images[annotation["image_id"]]
    box = cleaned(annotation["bbox"], image["width"], image["height"])
    if box is None or annotation["area"] <= 0:
        return f"a box without area, {annotation['bbox']}"
    points = triples[:, :2] * labelled[:, None]
    if not np.isfinite(points).all():
        return "a joint that is no number"
    return Person(image["file_name"], box, points, labelled, np.zeros(len(COCO17), np.bool_))


def cleaned(bbox: Sequence[float], width: int, height: int) -> NDArray[np.float32] | None:
    """x, y, width, height as x1, y1, x2, y2 (4,) of the first and last pixel; None where nothing is inside.

    The official code takes the last pixel as corner, so that a box of width w comes out w - 1 wide.
    """
    x, y, w, h = bbox
    if not np.isfinite(bbox).all():
        return None
    x1, y1 = max(0.0, x), max(0.0, y)
    x2, y2 = min(width - 1.0, x1 + max(0.0, w - 1)), min(height - 1.0, y1 + max(0.0, h - 1))
    if not (x2 >= x1 and y2 >= y1 and x2 - x1 + y2 - y1 > 0):  # a single pixel has no scale
        return None
    return np.array([x1, y1, x2, y2], np.float32)


def image_names(annotations: Path) -> dict[int, str]:
    """File name of every picture that an annotation file lists, by image id.

    Raises:
        InputError: no COCO annotation file.
    """
    try:
        return {image["id"]: image["file_name"] for image in read_json(annotations)["images"]}
    except (KeyError, TypeError) as error:
        raise InputError(f"{annotations} lists no pictures ({error!r}): give a COCO JSON") from None


def read_detections(
    path: Path, names: Collection[int], lowest_score: float = 0.0
) -> tuple[list[int], NDArray[np.float32], NDArray[np.float32]]:
    """Person boxes of a COCO detection result file, in its order, as they are (not cleaned).

    Args:
        names: ids of the pictures, such as those of `image_names`; boxes in others are left out.
        lowest_score: boxes below it are left out (IMAGE_THRE of the official code, 0).

    Returns:
        Ids of their pictures, boxes (N, 4) x1, y1, x2, y2 in pixels, and scores (N,).

    Raises:
        InputError: no such list, or no person box in any of the pictures.
    """
    ids, boxes, scores = [], [], []
    try:
        for found in read_json(path):
            score, image = float(found["score"]), found["image_id"]
            if found["category_id"] == PERSON and score >= lowest_score and image in names:
                x, y, w, h = found["bbox"]
                ids.append(image)
                boxes.append(np.array([x, y, x + w, y + h], np.float32))
                scores.append(score)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{path} is no COCO detection result list ({error!r}): give one") from None
    if not boxes:
        raise InputError(f"{path}: no person box in any of the {len(names)} pictures: give the right file")
    return ids, np.stack(boxes), np.array(scores, np.float32)
