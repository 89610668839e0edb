"""Everyday photos with human boxes and, for half of the people, human joints: the pack's people/ folder.

    photos = read_everyday(Path("../shared/data/people"), "train")
    images = read_photo_images(Path("../shared/data/people"), photos)
    people = [person for photo in photos for person in photo.people]

Sources: COCO, MPII, Pascal VOC, Stanford 40, "human v2". For research only. Photos are named
"coco/000000000086.jpg": two sources may use the same file name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from posetrack.datasets.people import Image, Person, read_tar_images
from posetrack.errors import InputError
from posetrack.skeletons import POSETRACK18, Skeleton

Split = Literal["train", "val"]
SOURCES = ("coco", "mpii", "voc", "stanford40", "humanv2")
# Joints under other names than ours. MPII's "neck" is the upper neck, where head and neck meet: head_bottom.
OTHER_NAMES = {"neck": "head_bottom"}


@dataclass(frozen=True, eq=False)
class EverydayPerson:
    """Somebody in a photo, with a human box."""

    box: NDArray[np.float32]  # (4,) x1, y1, x2, y2 in pixels
    keypoints: NDArray[np.float32]  # (K, 2) x, y in pixels; (0, 0) where unlabelled
    labelled: NDArray[np.bool_]  # (K,) a human gave a position
    hidden: NDArray[np.bool_]  # (K,) labelled, but not seen (v = 1)
    truncated: bool = False  # the frame or something else cuts the person off
    crowd: bool = False  # the box holds a group, not one person
    crowd_guessed: bool = False  # a rule, no human, says so
    box_from_keypoints: bool = False

    @property
    def height(self) -> float:
        return float(self.box[3] - self.box[1])


@dataclass(frozen=True, eq=False)
class EverydayPhoto:
    name: str  # "SOURCE/FILE"
    size: tuple[int, int]  # (width, height), pixels
    people: Sequence[EverydayPerson]
    exhaustive: bool = False  # everybody has a box
    stretched: bool = False  # a square made from a picture of another shape
    # (M, 5) x1, y1, x2, y2, score: a small detector's where no human box is; neither people nor background
    machine: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 5), np.float32))

    @property
    def source(self) -> str:
        return self.name.partition("/")[0]


def read_everyday(
    folder: Path, split: Split, sources: Sequence[str] = SOURCES, skeleton: Skeleton = POSETRACK18
) -> list[EverydayPhoto]:
    """All photos of a split, also those without people; joints in the slots of `skeleton`.

    Raises:
        InputError: a file is missing, or is not of this kind.
    """
    return [photo for source in sources for photo in _read(folder, source, split, skeleton)]


def read_photo_images(folder: Path, split: Split, photos: Iterable[EverydayPhoto]) -> dict[str, Image]:
    """The decoded pictures of the photos, by their names."""
    files: dict[str, set[str]] = {}
    for photo in photos:
        source, _, file = photo.name.partition("/")
        files.setdefault(source, set()).add(file)
    images: dict[str, Image] = {}
    for source, names in files.items():
        pictures = read_tar_images([folder / f"{source}_{split}.tar"], names)
        images |= {f"{source}/{name}": picture for name, picture in pictures.items()}
    return images


def with_joints(photos: Iterable[EverydayPhoto]) -> list[Person]:
    """Everybody with a human joint, as pose training and its validation take people."""
    return [
        as_person(photo, person)
        for photo in photos
        for person in photo.people
        if person.labelled.any() and not person.crowd
    ]


def as_person(photo: EverydayPhoto, person: EverydayPerson) -> Person:
    return Person(photo.name, person.box, person.keypoints, person.labelled, np.zeros_like(person.labelled))


def _read(folder: Path, source: str, split: Split, skeleton: Skeleton) -> list[EverydayPhoto]:
    path = folder / f"{source}_{split}.json"
    try:
        return [_photo(source, entry, skeleton) for entry in json.loads(path.read_text())]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} is no list of everyday photos ({error!r}): give the pack's people folder"
        ) from error


def _photo(source: str, entry: Mapping[str, Any], skeleton: Skeleton) -> EverydayPhoto:
    return EverydayPhoto(
        name=f"{source}/{entry['file']}",
        size=(int(entry["width"]), int(entry["height"])),
        people=[_person(person, skeleton) for person in entry["people"]],
        exhaustive=bool(entry.get("exhaustive", False)),
        stretched=bool(entry.get("stretched", False)),
        machine=np.array(entry.get("machine_unlabelled", ()), np.float32).reshape(-1, 5),
    )


def _person(entry: Mapping[str, Any], skeleton: Skeleton) -> EverydayPerson:
    K = len(skeleton)
    keypoints, visibility = np.zeros((K, 2), np.float32), np.zeros(K, int)
    for name, (x, y, v) in entry.get("keypoints", {}).items():
        name = OTHER_NAMES.get(name, name)
        if name in skeleton.keypoints and v > 0:  # COCO's eyes, MPII's pelvis and thorax have no slot
            keypoints[skeleton.index(name)], visibility[skeleton.index(name)] = (x, y), v
    return EverydayPerson(
        box=np.array(entry["box"], np.float32),
        keypoints=keypoints,
        labelled=visibility > 0,
        hidden=visibility == 1,
        truncated=bool(entry.get("truncated", False)),
        crowd=bool(entry.get("crowd", False)),
        crowd_guessed="crowd_from" in entry,
        box_from_keypoints=entry.get("box_from") == "keypoints",
    )
