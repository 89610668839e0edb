"""Miniature data sets in the official formats: JPEG files, JSON, and MATLAB structs as scipy writes them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from posetrack.skeletons import COCO17

Json = dict[str, Any]


def write_jpeg(path: Path, size: tuple[int, int] = (64, 48), red: int = 200) -> None:
    """A flat picture of (width, height), red as given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.zeros((size[1], size[0], 3), np.uint8)
    image[..., 2] = red  # cv2 writes blue first
    assert cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, 95])


def triples(joints: dict[int, tuple[float, float, int]], K: int = 17) -> list[float]:
    """x, y, v for every slot."""
    flat = [0.0] * (3 * K)
    for slot, values in joints.items():
        flat[3 * slot : 3 * slot + 3] = values
    return flat


def coco_person(identity: int, image: int, joints: dict[int, tuple[float, float, int]], **more: Any) -> Json:
    person: Json = {
        "id": identity,
        "image_id": image,
        "category_id": 1,
        "iscrowd": 0,
        "bbox": [10.0, 5.0, 20.0, 30.0],
        "area": 350.5,
        "num_keypoints": len(joints),
        "keypoints": triples(joints),
        "segmentation": [[10.0, 5.0, 30.0, 5.0, 30.0, 35.0]],
    }
    return person | more


def write_coco(root: Path, people: Sequence[Any], pictures: Sequence[str], split: str = "train") -> Path:
    """Annotations of 64 x 48 pictures with the ids 1, 2, ..., all of which are written too."""
    for name in pictures:
        write_jpeg(root / f"{split}2017" / name)
    path = root / "annotations" / f"person_keypoints_{split}2017.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    images = [
        {"id": i, "file_name": name, "width": 64, "height": 48, "license": 1}
        for i, name in enumerate(pictures, 1)
    ]
    category = {"id": 1, "name": "person", "keypoints": list(COCO17.keypoints), "skeleton": []}
    path.write_text(json.dumps({"images": images, "annotations": people, "categories": [category]}))
    return path


def write_ai_challenger(root: Path, entries: Sequence[Any], date: str = "20170902") -> Path:
    """Annotations of pictures of 64 x 48, all of which are written too, as the archive is unpacked."""
    folder = root / f"ai_challenger_keypoint_train_{date}"
    for entry in entries:
        if isinstance(entry, dict):
            write_jpeg(folder / "keypoint_train_images_20170902" / f"{entry.get('image_id')}.jpg")
    path = folder / f"keypoint_train_annotations_{date}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(entries))
    return path
