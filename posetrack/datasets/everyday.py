"""Everyday photos with human boxes and, for half of the people, human joints (../shared/data/people).

    photos = read_everyday(Path("../shared/data/people"), "train")
    images = read_photo_images(Path("../shared/data/people"), "train", photos)

Photos of COCO, MPII, Pascal VOC, Stanford 40 and Human-Parts (humanv2), for research only. Their names begin
with the source, "coco/000000000086.jpg": two sources may use the same file name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from posetrack.datasets.archives import Image, read_tar_images
from posetrack.datasets.people import Person, PoseData
from posetrack.documents import read_json
from posetrack.errors import InputError
from posetrack.skeletons import POSETRACK18

Floats = NDArray[np.float32]
Split = Literal["train", "val"]
SOURCES = ("coco", "mpii", "voc", "stanford40", "humanv2")
WITH_JOINTS = ("coco", "mpii")
EXHAUSTIVE = ("coco", "voc", "humanv2")  # with photos where everybody has a box
SHARES = {"coco": 0.48, "mpii": 0.07, "boxes": 0.13}  # of the draws of pose training, beside one another
MIN_HEIGHT = 20.0  # pixels of the box of somebody to learn a pose from
# Joints under other names than ours. MPII's "neck" is the upper neck, where head and neck meet: head_bottom.
OTHER_NAMES = {"neck": "head_bottom"}


@dataclass(frozen=True, eq=False)
class EverydayPerson:
    """Somebody in a photo, with a human box."""

    box: Floats  # (4,) x1, y1, x2, y2 in pixels
    keypoints: Floats  # (K, 2) x, y in pixels; (0, 0) where unlabelled
    labelled: NDArray[np.bool_]  # (K,) a human gave a position
    crowd: bool = False  # the box holds a group, not one person

    @property
    def height(self) -> float:
        return float(self.box[3] - self.box[1])


@dataclass(frozen=True, eq=False)
class EverydayPhoto:
    """What people have said of a photo."""

    name: str  # "SOURCE/FILE"
    size: tuple[int, int]  # (width, height), pixels
    people: Sequence[EverydayPerson]
    machine: Floats  # (M, 4) x1, y1, x2, y2 of what only a small detector took for people
    exhaustive: bool  # everybody has a box or is in an ignored region

    @property
    def boxes(self) -> Floats:
        """(N, 4) one for each person who is alone in it."""
        return _table([person.box for person in self.people if not person.crowd])

    @property
    def ignored(self) -> Floats:
        """(M, 4) crowds, and what only a machine took for people: neither people nor background."""
        return np.concatenate([_table([p.box for p in self.people if p.crowd]), self.machine])


def read_everyday(folder: Path, split: Split, sources: Sequence[str] = SOURCES) -> list[EverydayPhoto]:
    """All photos of a split, also those without people; joints in the slots of PoseTrack 2018.

    Raises:
        InputError: a file is missing, or is not of this kind.
    """
    return [photo for source in sources for photo in _read(folder, source, split)]


def read_photo_images(folder: Path, split: Split, photos: Iterable[EverydayPhoto]) -> dict[str, Image]:
    """The decoded pictures of the photos, by their names.

    Raises:
        InputError: a tar is missing or lacks a picture.
    """
    files: dict[str, set[str]] = {}
    for photo in photos:
        source, _, file = photo.name.partition("/")
        files.setdefault(source, set()).add(file)
    images: dict[str, Image] = {}
    for source, names in files.items():
        pictures = read_tar_images([folder / f"{source}_{split}.tar"], names)
        images |= {f"{source}/{name}": picture for name, picture in pictures.items()}
    return images


def read_everyday_people(folder: Path) -> PoseData:
    """Everybody of the training photos who is alone in a box, with human joints or without.

    Their weights give each part its share: people with joints of COCO and of MPII, people with a box only.
    """
    photos = read_everyday(folder, "train")
    groups: dict[str, list[Person]] = {"coco": [], "mpii": [], "boxes": []}
    for photo in photos:
        for person in photo.people:
            if not person.crowd and person.height >= MIN_HEIGHT:
                source = photo.name.partition("/")[0]
                groups[source if person.labelled.any() else "boxes"].append(as_person(photo, person))
    people = [
        replace(person, weight=SHARES[name] / len(group))
        for name, group in groups.items()
        for person in group
    ]
    return PoseData("everyday", POSETRACK18, people, read_photo_images(folder, "train", photos))


def as_person(photo: EverydayPhoto, person: EverydayPerson) -> Person:
    return Person(photo.name, person.box, person.keypoints, person.labelled, np.zeros_like(person.labelled))


def _read(folder: Path, source: str, split: Split) -> list[EverydayPhoto]:
    path = folder / f"{source}_{split}.json"
    try:
        return [_photo(source, entry) for entry in read_json(path)]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} is no list of everyday photos ({error!r}): give the pack's people folder"
        ) from error


def _photo(source: str, entry: Mapping[str, Any]) -> EverydayPhoto:
    return EverydayPhoto(
        name=f"{source}/{entry['file']}",
        size=(int(entry["width"]), int(entry["height"])),
        people=[_person(person) for person in entry["people"]],
        machine=_table([box[:4] for box in entry.get("machine_unlabelled", ())]),
        exhaustive=bool(entry.get("exhaustive", False)),
    )


def _person(entry: Mapping[str, Any]) -> EverydayPerson:
    keypoints, labelled = np.zeros((len(POSETRACK18), 2), np.float32), np.zeros(len(POSETRACK18), bool)
    for name, (x, y, v) in entry.get("keypoints", {}).items():
        name = OTHER_NAMES.get(name, name)
        if name in POSETRACK18.keypoints and v > 0:  # COCO's eyes, MPII's pelvis and thorax have no slot
            slot = POSETRACK18.index(name)
            keypoints[slot], labelled[slot] = (x, y), True
    return EverydayPerson(np.array(entry["box"], np.float32), keypoints, labelled, bool(entry.get("crowd")))


def _table(boxes: Sequence[Any]) -> Floats:
    return np.array(boxes, np.float32).reshape(-1, 4)
