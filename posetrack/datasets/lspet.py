"""Leeds Sports Pose Extended as in our data pack: athletes labelled by hand, bystanders by a machine.

    data = read_lspet(Path("../shared/data/lspet"))
    athletes, bystanders = read_held_out(Path("../shared/data/lspet"))

Cite Johnson & Everingham, CVPR 2011. For research only.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from posetrack.datasets.archives import read_tar_images
from posetrack.datasets.boxes import BoxData, read_boxes, read_pictures, upright_weights, with_labelled_person
from posetrack.datasets.people import (
    HeldOut,
    PoseData,
    near_duplicates_of,
    pose_type,
    read_people,
    view,
)
from posetrack.skeletons import POSETRACK18

# Leeds Sports is acrobatic, videos mostly show people who stand and walk: these are drawn more often.
UPRIGHT_WEIGHT = 1.5
BYSTANDER_WEIGHT = 2.0
# Four in five of the upright face the camera. A network that learns this as a rule takes the left of people
# seen from behind for their right: they are drawn more often, until both views are about as frequent.
BEHIND_WEIGHT = 3.0
PLACES_HELD_OUT = 50  # of the backgrounds, the first ones: detector training never sees them


def read_lspet(folder: Path) -> PoseData:
    """Training people and decoded pictures (1.8 GB), but for pictures that nearly repeat held-out ones."""
    held_out = {
        person.image
        for name in ("lspet_val.json", "other_people_val.json")
        for person in read_people(folder / name, POSETRACK18)
    }
    repeated = near_duplicates_of(folder / "near_duplicates.json", held_out)
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
    return PoseData("lspet", POSETRACK18, people, images)


def read_rendered(folder: Path) -> PoseData:
    """People of `python -m scripts.render people`."""
    people = read_people(folder / "people.json", POSETRACK18)
    images = read_tar_images([folder / "people.tar"], {person.image for person in people})
    return PoseData("rendered", POSETRACK18, people, images)


def read_held_out(folder: Path) -> tuple[HeldOut, HeldOut]:
    """The athletes and the bystanders of the validation pictures."""
    athletes = read_people(folder / "lspet_val.json", POSETRACK18)
    bystanders = read_people(folder / "other_people_val.json", POSETRACK18, pseudo=True)
    images = read_tar_images([folder / "val.tar"], {person.image for person in athletes + bystanders})
    return HeldOut("lspet", athletes, images), HeldOut("others", bystanders, images, human_only=False)


def read_lspet_boxes(folder: Path) -> BoxData:
    """The training pictures and backgrounds for a detector: machine-made boxes, and those of the athletes."""
    athletes = {name: boxes[0] for name, (boxes, _) in read_boxes(folder / "lspet_train.json").items()}
    found = read_pictures(sorted(folder.glob("train-*.tar")), folder / "person_boxes_train.json")
    pictures = []
    for picture in found:
        boxes, scores = with_labelled_person(picture.boxes, picture.scores, athletes[picture.name])
        pictures.append(replace(picture, boxes=boxes, scores=scores))
    places = read_pictures([folder / "backgrounds.tar"], folder / "backgrounds_boxes.json")
    weights = upright_weights(folder / "lspet_train.json", pictures)
    return BoxData("lspet", pictures, weights.tolist(), places[PLACES_HELD_OUT:])
