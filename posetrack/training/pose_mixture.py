"""What the light pose network learns from: everyday people and Leeds Sports, each with its share of draws.

Joints that no human labelled come from a teacher (`teacher_joints`), where it is sure and agrees with the
humans about the same person.

    python -m posetrack.training.pose_mixture --data ../shared/data --out /tmp/runs/teacher    # once
    mixture = read_mixture(Path("../shared/data"), Path("/tmp/runs/teacher"))
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from posetrack import presets
from posetrack.datasets.boxes import read_boxes
from posetrack.datasets.everyday import as_person, read_everyday, read_photo_images
from posetrack.datasets.lspet import BEHIND_WEIGHT, read_lspet
from posetrack.datasets.people import HeldOut, Image, Person, view
from posetrack.detectors.base import iou
from posetrack.models.fuse import for_inference
from posetrack.skeletons import COCO17, POSETRACK18
from posetrack.training.light_pose import Recipe
from posetrack.training.teacher_joints import (
    TINYPOSE,
    Opinions,
    TinyPose,
    opinions,
    read_opinions,
    write_opinions,
)
from posetrack.training.validate import Reading

TRAINED_ON = (
    "Leeds Sports Pose Extended, images 1-9000; 2,974 photos of COCO, MPII, Pascal VOC, Stanford 40 "
    "and human v2; joints by humans, those that no human labelled by PP-TinyPose"
)
Floats = NDArray[np.floating]
K = len(POSETRACK18)
BODY = [k for k, name in enumerate(POSETRACK18.keypoints) if "head" not in name and "ear" not in name]
EASY = 0.3  # how often somebody is drawn whom the network finds already; 1.3 whom it does not find at all
HEADS = [POSETRACK18.index(name) for name in ("head_bottom", "head_top")]
ANCHORS = [POSETRACK18.index(name) for name in ("nose", "left_shoulder", "right_shoulder")]
ANCHOR_SCORE = 0.3  # least of both networks for an anchor to be compared
HEAD_SIGMA = 0.06  # OKS sigma of that comparison
EDGE = 2.0  # pixels within which a box touches the frame's edge
TAUGHT = [k for k, name in enumerate(POSETRACK18.keypoints) if name in COCO17.keypoints]
LEAST_HEIGHT = 20.0  # pixels of an everyday person's box
BYSTANDER_SCORE, BYSTANDER_HEIGHT, BYSTANDER_OVERLAP = 0.5, 40.0, 0.4  # of a detector's boxes in Leeds Sports


def everyday_people(folder: Path) -> tuple[list[Person], dict[str, Image]]:
    """Everybody of the training photos who is alone in a box, with human joints or without any."""
    photos = read_everyday(folder, "train")
    people = [
        as_person(photo, person)
        for photo in photos
        for person in photo.people
        if not person.crowd and person.height >= LEAST_HEIGHT
    ]
    return people, read_photo_images(folder, "train", photos)


def by_human(person: Person) -> bool:
    """Whether a human labelled a joint of this person."""
    return bool((person.labelled & ~person.pseudo).any())


def leeds_bystanders(folder: Path, athletes: Sequence[Person]) -> list[Person]:
    """People of the detector's boxes beside the labelled athletes, without joints."""
    athlete = {person.image: person.box for person in athletes}
    nothing = np.zeros(K, bool)
    people = []
    for image, (boxes, scores) in read_boxes(folder / "person_boxes_train.json").items():
        if image not in athlete:
            continue
        apart = iou(boxes, athlete[image][None])[:, 0] <= BYSTANDER_OVERLAP
        tall = boxes[:, 3] - boxes[:, 1] >= BYSTANDER_HEIGHT
        for box in boxes[apart & tall & (scores >= BYSTANDER_SCORE)]:
            people.append(Person(image, box, np.zeros((K, 2), np.float32), nothing, nothing))
    return people


@dataclass(frozen=True)
class Shares:
    """Of the draws; they sum to 1."""

    coco: float = 0.48  # everyday people with human joints
    mpii: float = 0.07
    unlabelled: float = 0.13  # everyday people with a box only, joints by the teacher
    athletes: float = 0.22  # Leeds Sports
    bystanders: float = 0.10  # in its photos, joints by the teacher


@dataclass(frozen=True)
class Trust:
    """When a teacher's joint is believed."""

    least_score: float = 0.35  # height of the peak
    agreement: float = 0.5  # mean OKS with the human joints of the same person, where there are any
    weight: float = 0.7  # of a joint of score 1 in the loss, beside 1 of a human's
    pseudo_weight: float = 0.5  # of other machine-made joints
    joints: int = 5  # believed ones that somebody without human joints needs, to be learned from at all
    beyond_score: float = 0.15  # below, an unlabelled joint lies beyond the frame that cuts the person off


def everyday_recipe() -> Recipe:
    """The light recipe for this mixture: people in it are mostly upright, crowded and cut off as they are."""
    recipe = Recipe()
    sampling = replace(
        recipe.sampling,
        geometry=replace(recipe.sampling.geometry, turn_probability=0.08),
        appearance=replace(recipe.sampling.appearance, low_resolution=0.2, smallest=0.2),
        edge_probability=0.25,
        stranger_probability=0.2,
    )
    return replace(recipe, sampling=sampling, trained_on=TRAINED_ON, unlabelled=())


@dataclass(frozen=True, eq=False)
class Mixture:
    people: Sequence[Person]
    images: Mapping[str, Image]
    counts: Mapping[str, int]  # people of each part
    athletes: HeldOut
    bystanders: HeldOut


def read_mixture(
    data: Path, taught: Path, shares: Shares | None = None, trust: Trust | None = None
) -> Mixture:
    """The people of all parts, weighted such that each part has its share of the draws.

    Args:
        data: the data pack.
        taught: folder of the teacher's opinions, written by this module's command.
    """
    shares, trust = shares or Shares(), trust or Trust()
    everyday, images = everyday_people(data / "people")
    leeds = read_lspet(data / "lspet")
    athletes = [person for person in leeds.people if by_human(person)]
    bystanders = leeds_bystanders(data / "lspet", athletes)

    def believed(name: str, people: list[Person]) -> list[Person]:
        told = read_opinions(taught / f"{name}.npz", len(people))
        own = None
        if name != "athletes":  # whose heads have human labels, and who are hard enough
            own = read_opinions(taught / f"{name}_own.npz", len(people))
            told = with_heads(told, own)
        sizes = {image: (picture.shape[1], picture.shape[0]) for image, picture in pictures.items()}
        merged = (
            with_opinion(person, points, scores, sizes[person.image], trust)
            for person, points, scores in zip(people, told.points, told.scores, strict=True)
        )
        return [
            person if own is None else replace(person, weight=difficulty(person, own.points[i]))
            for i, person in enumerate(merged)
            if person is not None
        ]

    pictures: dict[str, Image] = {**images, **leeds.images}
    everyday, athletes = believed("everyday", everyday), believed("athletes", athletes)
    human = [by_human(person) for person in everyday]
    parts = {
        "coco": [p for p, h in zip(everyday, human, strict=True) if h and p.image.startswith("coco/")],
        "mpii": [p for p, h in zip(everyday, human, strict=True) if h and p.image.startswith("mpii/")],
        "unlabelled": [p for p, h in zip(everyday, human, strict=True) if not h],
        "athletes": athletes,
        "bystanders": [
            replace(p, weight=p.weight * view_weight(p)) for p in believed("bystanders", bystanders)
        ],
    }
    people = [p for name, part in parts.items() for p in with_share(part, getattr(shares, name))]
    counts = {name: len(part) for name, part in parts.items()}
    return Mixture(people, pictures, counts, leeds.athletes, leeds.bystanders)


def with_heads(told: Opinions, own: Opinions) -> Opinions:
    """A teacher's opinions with neck and head top of the network's own: COCO's teachers do not know these.

    Each is as sure as both agree about nose and shoulders, and does not count where the teacher sees none.
    """
    scores, points = told.scores.copy(), told.points.copy()
    seen = (told.scores[:, ANCHORS] >= ANCHOR_SCORE) & (own.scores[:, ANCHORS] >= ANCHOR_SCORE)  # (N, 3)
    spread = np.ptp(own.points, axis=1).prod(axis=1)  # (N,) area of the joints, about that of the person
    squares = ((told.points - own.points)[:, ANCHORS] ** 2).sum(axis=2)
    similar = np.exp(-squares / (2 * spread[:, None] * (2 * HEAD_SIGMA) ** 2 + 1e-6))  # (N, 3)
    agreed = (similar * seen).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    for slot in HEADS:
        points[:, slot], scores[:, slot] = own.points[:, slot], own.scores[:, slot] * agreed
    return Opinions(points, scores)


def difficulty(person: Person, points: Floats) -> float:
    """How often to draw somebody whom the network, before it learns, finds at `points` (K, 2): 0.3 to 1.3."""
    similar = agreement(person, points, person.labelled & np.isin(np.arange(K), BODY))
    return EASY + 1 - (similar if np.isfinite(similar) else 1.0)


def view_weight(person: Person) -> float:
    """Upright people seen from behind are rarer: see BEHIND_WEIGHT."""
    return BEHIND_WEIGHT if view(person, POSETRACK18) == "behind" else 1.0


def with_share(people: Sequence[Person], share: float) -> list[Person]:
    """The people with weights that sum to `share`."""
    total = sum(person.weight for person in people)
    return [replace(person, weight=person.weight * share / total) for person in people]


def with_opinion(
    person: Person, points: Floats, scores: Floats, size: tuple[int, int], trust: Trust
) -> Person | None:
    """A person with the teacher's joints where no human gave one; None where too few are known.

    Machine-made joints that the person had give way to the teacher's.

    Args:
        points, scores: (K, 2) pixels and (K,) of the teacher.
        size: (width, height) of the photo.
    """
    human = person.labelled & ~person.pseudo
    worth = (person.labelled * np.where(person.pseudo, trust.pseudo_weight, 1)).astype(np.float32)
    kept = replace(person, worth=worth)
    if human.any():
        similar = agreement(person, points, human & (scores > 0))
        if not similar >= trust.agreement:  # another person, or a pose that the teacher cannot read
            return kept
    believed = ~human & (scores >= trust.least_score)
    believed &= (points >= 0).all(axis=1) & (points <= np.array(size) - 1).all(axis=1)
    if not human.any() and believed.sum() < trust.joints:
        return None
    known = person.labelled & ~believed
    low, high = person.box[:2], np.array(size) - person.box[2:]
    at_edge = bool((np.minimum(low, high) <= EDGE).any())
    taught = np.isin(np.arange(K), TAUGHT)
    return replace(
        person,
        keypoints=np.where(believed[:, None], points, person.keypoints).astype(np.float32),
        labelled=known | believed,
        pseudo=(known & person.pseudo) | believed,
        worth=np.where(believed, trust.weight * scores, worth).astype(np.float32),
        beyond=taught & ~known & (scores < trust.beyond_score) if at_edge and human.sum() >= 3 else None,
    )


def agreement(person: Person, points: Floats, counted: NDArray[np.bool_]) -> float:
    """Mean OKS of points (K, 2) with the person's joints over the counted ones (K,); NaN if none counts."""
    area = 0.53 * float(np.prod(person.box[2:] - person.box[:2]))
    squares = ((points - person.keypoints)[counted] ** 2).sum(axis=1)
    if not counted.any():
        return float("nan")
    return float(np.exp(-squares / (2 * area * (2 * POSETRACK18.sigmas[counted]) ** 2)).mean())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the data pack")
    parser.add_argument("--out", type=Path, required=True, help="folder of the opinions")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    teacher = TinyPose(given.data / "teachers/tinypose_256x192.onnx")

    network, settings = presets.pose_network(presets.LIGHT)
    own = for_inference(network, "cpu"), Reading(POSETRACK18, settings.input_size, settings.sigma)

    def ask(
        name: str, whom: tuple[nn.Module, Reading], people: Sequence[Person], images: Mapping[str, Image]
    ) -> None:
        path, start = given.out / f"{name}.npz", time.perf_counter()
        if not path.exists():
            write_opinions(path, opinions(whom[0], people, images, whom[1], POSETRACK18))
            print(f"{name}: {len(people)} people in {time.perf_counter() - start:.0f} s", flush=True)

    people, images = everyday_people(given.data / "people")
    ask("everyday", (teacher, TINYPOSE), people, images)
    ask("everyday_own", own, people, images)
    leeds = read_lspet(given.data / "lspet")
    athletes = [person for person in leeds.people if by_human(person)]
    others = leeds_bystanders(given.data / "lspet", athletes)
    ask("bystanders", (teacher, TINYPOSE), others, leeds.images)
    ask("bystanders_own", own, others, leeds.images)
    ask("athletes", (teacher, TINYPOSE), athletes, leeds.images)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
