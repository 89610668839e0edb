"""Everyday photos with human boxes (../shared/data/people): who is in them, and where nobody has looked.

    photos = read_everyday(Path("../shared/data/people"), "coco", "val")

Photos of COCO, MPII, Pascal VOC, Stanford 40 and Human-Parts (humanv2), for research only.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from posetrack.datasets.boxes import Floats, Image, decoded, tar_members
from posetrack.errors import PoseTrackError

SOURCES = ("coco", "mpii", "voc", "stanford40", "humanv2")


@dataclass(frozen=True, eq=False)
class EverydayPhoto:
    """A photo and what people have said of it."""

    name: str  # "coco/000000000077.jpg"
    image: Image  # (H, W, 3) RGB
    people: Floats  # (N, 4) xyxy pixels, one box per person
    ignored: Floats  # (M, 4) xyxy: crowds, and what only a machine took for people
    exhaustive: bool  # everybody has a box or is in an ignored region


def read_everyday(folder: Path, source: str, split: str) -> list[EverydayPhoto]:
    """The photos of one source; split is "train" or "val".

    Raises:
        PoseTrackError: the files are missing, or a photo is not in its tar.
    """
    listed, tar = folder / f"{source}_{split}.json", folder / f"{source}_{split}.tar"
    if not listed.is_file() or not tar.is_file():
        raise PoseTrackError(f"{listed} and .tar: no such files, give the folder of the everyday photos")
    pictures = dict(tar_members(tar))
    photos = []
    for entry in json.loads(listed.read_text()):
        if entry["file"] not in pictures:
            raise PoseTrackError(f"{tar} lacks {entry['file']}, which {listed.name} lists: fetch it again")
        name = f"{source}/{entry['file']}"
        photos.append(_photo(name, decoded(pictures[entry["file"]], name), entry))
    return photos


def _photo(name: str, image: Image, entry: dict[str, Any]) -> EverydayPhoto:
    people = [p["box"] for p in entry["people"] if not p.get("crowd", False)]
    crowds = [p["box"] for p in entry["people"] if p.get("crowd", False)]
    doubtful = [box[:4] for box in entry.get("machine_unlabelled", ())]
    return EverydayPhoto(name, image, _table(people), _table(crowds + doubtful), entry["exhaustive"])


def _table(boxes: Sequence[Sequence[float]]) -> Floats:
    return np.array(boxes, np.float32).reshape(-1, 4)
