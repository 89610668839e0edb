"""People with labelled joints, as trainings and benchmarks take them, and from COCO-keypoints JSON.

people = read_people(root / "lspet_train.json", POSETRACK18)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posetrack.datasets.archives import Image as Image
from posetrack.documents import read_json
from posetrack.errors import InputError
from posetrack.skeletons import Skeleton


@dataclass(frozen=True, eq=False)
class Person:
    """One labelled person of one picture. Left and right are the person's own."""

    image: str  # name of the picture
    box: NDArray[np.float32]  # (4,) x1, y1, x2, y2 in pixels
    keypoints: NDArray[np.float32]  # (K, 2) x, y in pixels; (0, 0) where unlabelled
    labelled: NDArray[np.bool_]  # (K,) a position is given
    pseudo: NDArray[np.bool_]  # (K,) the position was made by a machine
    weight: float = 1.0  # how often to draw this person, relative to others
    # (K,) weight of each joint in the loss; None: 1, and of machine-made ones what the recipe says
    worth: NDArray[np.float32] | None = None
    beyond: NDArray[np.bool_] | None = None  # (K,) known to lie outside the picture, with no position


@dataclass(frozen=True, eq=False)
class HeldOut:
    """People that training never sees."""

    name: str
    people: Sequence[Person]
    images: Mapping[str, Image]
    human_only: bool = True  # only joints that a human labelled count


@dataclass(frozen=True, eq=False)
class PoseData:
    """One split of a data set, ready to train on."""

    name: str
    skeleton: Skeleton
    people: Sequence[Person]
    pictures: Mapping[str, Image]
    lost: Sequence[str] = ()  # a line for each person or picture that was left out, and why


def read_people(
    path: Path,
    skeleton: Skeleton,
    pseudo: bool = False,
    weight: float = 1.0,
    skip: Collection[str] = (),
) -> list[Person]:
    """Every person with at least one labelled joint.

    Args:
        path: COCO-keypoints JSON whose category lists the joints of `skeleton` in its order.
        pseudo: all positions are machine-made; else those that an annotation names in its "pseudo" field.
        skip: names of pictures to leave out.

    Raises:
        InputError: no such file, or another joint order.
    """
    document = read_json(path)
    try:
        names = {image["id"]: image["file_name"] for image in document["images"]}
        joints = tuple(document["categories"][0]["keypoints"])
        annotations = document["annotations"]
    except (KeyError, IndexError, TypeError) as error:
        raise InputError(f"{path} is no COCO-keypoints JSON ({error!r}): give one") from error
    if joints != skeleton.keypoints:
        raise InputError(f"{path} lists the joints {joints}: expected those of {skeleton.name}, in its order")
    people = []
    for annotation in annotations:
        image = names[annotation["image_id"]]
        triples = np.array(annotation["keypoints"], np.float32).reshape(-1, 3)
        labelled = triples[:, 2] > 0
        if image in skip or not labelled.any():
            continue
        machine = np.array([pseudo or k in annotation.get("pseudo", ()) for k in skeleton.keypoints])
        x, y, w, h = annotation["bbox"]
        box = np.array([x, y, x + w, y + h], np.float32)
        people.append(Person(image, box, triples[:, :2], labelled, machine & labelled, weight))
    return people


def by_human(person: Person) -> bool:
    """Whether a human labelled a joint of this person."""
    return bool((person.labelled & ~person.pseudo).any())


def near_duplicates_of(path: Path, images: Collection[str]) -> set[str]:
    """Pictures that a JSON list of near-duplicate pairs puts beside one of `images`."""
    held_out = set(images)
    pairs = [(pair["a"], pair["b"]) for pair in read_json(path)]
    return {a for pair in pairs for a, b in (pair, pair[::-1]) if b in held_out and a not in held_out}


POSE_TYPES = {"upright": 45.0, "bent": 135.0, "inverted": 180.0}  # largest angle of the trunk, degrees


def pose_type(person: Person, skeleton: Skeleton) -> str | None:
    """'upright', 'bent' or 'inverted', from hips to shoulders; None where these are unlabelled."""

    def middle(*names: str) -> NDArray[np.float32] | None:
        slots = [skeleton.index(name) for name in names if person.labelled[skeleton.index(name)]]
        return np.asarray(person.keypoints[slots].mean(axis=0), np.float32) if slots else None

    top, bottom = middle("left_shoulder", "right_shoulder"), middle("left_hip", "right_hip")
    if top is None or bottom is None:
        return None
    x, y = top - bottom
    angle = abs(float(np.degrees(np.arctan2(x, -y))))  # 0: shoulders straight above the hips
    return next(name for name, limit in POSE_TYPES.items() if angle <= limit)


SIDEWAYS = 0.04  # of the height of a person's box: a left and right that differ less show the side


def view(person: Person, skeleton: Skeleton) -> str | None:
    """From where an upright person is seen: 'front', 'behind' or 'side', by shoulders and hips; else None."""
    if pose_type(person, skeleton) != "upright":
        return None
    pairs = [
        (skeleton.index(f"left_{part}"), skeleton.index(f"right_{part}")) for part in ("shoulder", "hip")
    ]
    widths = [
        person.keypoints[left, 0] - person.keypoints[right, 0]
        for left, right in pairs
        if person.labelled[left] and person.labelled[right]
    ]
    if not widths:
        return None
    width = float(np.mean(widths)) / max(float(person.box[3] - person.box[1]), 1.0)
    if abs(width) < SIDEWAYS:
        return "side"
    return "front" if width > 0 else "behind"
