"""Leeds Sports Pose Extended as in our data pack: athletes labelled by hand, bystanders by a machine.

    lspet = read_lspet(Path("../shared/data/lspet"))
    scenes = read_scenes(Path("../shared/data/lspet"), Path("/tmp/runs/detector"), seed=1)

Cite Johnson & Everingham, CVPR 2011. For research only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from posetrack.datasets.boxes import read_pictures, upright_weights
from posetrack.datasets.people import (
    HeldOut,
    Image,
    Person,
    near_duplicates_of,
    pose_type,
    read_people,
    read_tar_images,
    view,
)
from posetrack.skeletons import POSETRACK18
from posetrack.training.scenes import Scenes

# Leeds Sports is acrobatic, videos mostly show people who stand and walk: these are drawn more often.
UPRIGHT_WEIGHT = 1.5
BYSTANDER_WEIGHT = 2.0
# Four in five of the upright face the camera. A network that learns this as a rule takes the left of people
# seen from behind for their right: they are drawn more often, until both views are about as frequent.
BEHIND_WEIGHT = 3.0
RENDERED_SHARE = 0.25  # of what is drawn, where there are rendered people (scripts/render)
PLACES_HELD_OUT = 50  # of the backgrounds, the first ones: detector training never sees them


@dataclass(frozen=True, eq=False)
class Lspet:
    people: Sequence[Person]
    images: Mapping[str, Image]
    athletes: HeldOut
    bystanders: HeldOut


def read_lspet(folder: Path, rendered: Path | None = None) -> Lspet:
    """Labels and decoded pictures (1.8 GB), without training pictures that nearly repeat held-out ones.

    Args:
        rendered: folder of scripts/render, whose people join those of the photos.
    """
    athletes, bystanders = read_held_out(folder)
    repeated = near_duplicates_of(folder / "near_duplicates.json", athletes.images)
    people = read_people(folder / "lspet_train.json", POSETRACK18, skip=repeated)
    people = [
        replace(person, weight=UPRIGHT_WEIGHT) if pose_type(person, POSETRACK18) == "upright" else person
        for person in people
    ]
    people += read_people(
        folder / "other_people_train.json", POSETRACK18, pseudo=True, weight=BYSTANDER_WEIGHT, skip=repeated
    )
    people = [
        replace(person, weight=person.weight * BEHIND_WEIGHT)
        if view(person, POSETRACK18) == "behind"
        else person
        for person in people
    ]
    images = read_tar_images(sorted(folder.glob("train-*.tar")), {person.image for person in people})
    if rendered is not None:
        drawn = read_people(rendered / "people.json", POSETRACK18)
        weight = _weight_of_each(len(drawn), sum(person.weight for person in people))
        people += [replace(person, weight=weight) for person in drawn]
        images |= read_tar_images([rendered / "people.tar"], {person.image for person in drawn})
    return Lspet(people, images, athletes, bystanders)


def _weight_of_each(rendered: int, photos: float) -> float:
    """So that rendered ones have their share beside photos of this weight."""
    return RENDERED_SHARE / (1 - RENDERED_SHARE) * photos / rendered


def read_held_out(folder: Path) -> tuple[HeldOut, HeldOut]:
    """The athletes and the bystanders of the validation pictures."""
    athletes = read_people(folder / "lspet_val.json", POSETRACK18)
    bystanders = read_people(folder / "other_people_val.json", POSETRACK18, pseudo=True)
    images = read_tar_images([folder / "val.tar"], {person.image for person in athletes + bystanders})
    return HeldOut("lspet", athletes, images), HeldOut("others", bystanders, images, human_only=False)


def read_scenes(folder: Path, boxes: Path, seed: int, rendered: Path | None = None) -> Scenes:
    """The training pictures and backgrounds for a detector.

    Args:
        boxes: folder with train.json and backgrounds.json, soft boxes of everybody in the pictures; made by
            `posetrack.training.teacher_boxes.label_lspet`.
        rendered: as in `read_lspet`.
    """
    pictures = read_pictures(sorted(folder.glob("train-*.tar")), boxes / "train.json")
    places = read_pictures([folder / "backgrounds.tar"], boxes / "backgrounds.json")
    weights = upright_weights(folder / "lspet_train.json", pictures)
    if rendered is not None:
        drawn = read_pictures([rendered / "people.tar"], rendered / "people.json")
        weights = np.append(weights, np.full(len(drawn), _weight_of_each(len(drawn), weights.sum())))
        pictures += drawn
    return Scenes(pictures, places[PLACES_HELD_OUT:], seed, weights)
