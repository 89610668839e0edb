"""A teacher's joints for people of photos, where no human has labelled them.

They are believed where the teacher is sure and agrees with the humans about the same person, and are written
beside the run, so that it can go on without the teacher.

    data = teach(read_everyday_people(Path("people")), Path("run/joints"), TinyPose("tinypose.onnx"))
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from posetrack.benchmarks.everyday import AREA, EDGE
from posetrack.benchmarks.validate import Decoding
from posetrack.datasets.people import Person, PoseData, by_human
from posetrack.pose.networks import load_network
from posetrack.runtime.folding import for_inference
from posetrack.skeletons import COCO17, POSETRACK18
from posetrack.training.tasks.teacher_joints import (
    TINYPOSE,
    Opinions,
    TinyPose,
    opinions,
    read_opinions,
    write_opinions,
)

Floats = NDArray[np.floating]
K = len(POSETRACK18)
BODY = [k for k, name in enumerate(POSETRACK18.keypoints) if "head" not in name and "ear" not in name]
HEADS = [POSETRACK18.index(name) for name in ("head_bottom", "head_top")]
ANCHORS = [POSETRACK18.index(name) for name in ("nose", "left_shoulder", "right_shoulder")]
ANCHOR_SCORE = 0.3  # least of both networks for an anchor to be compared
HEAD_SIGMA = 0.06  # OKS sigma of that comparison
TAUGHT = [k for k, name in enumerate(POSETRACK18.keypoints) if name in COCO17.keypoints]
EASY = 0.3  # how often somebody is drawn whom the network finds already; 1.3 whom it does not find at all


@dataclass(frozen=True)
class Trust:
    """When a teacher's joint is believed."""

    least_score: float = 0.35  # height of the peak
    agreement: float = 0.5  # mean OKS with the human joints of the same person, where there are any
    weight: float = 0.7  # of a joint of score 1 in the loss, beside 1 of a human's
    pseudo_weight: float = 0.5  # of other machine-made joints
    joints: int = 5  # believed ones that somebody without human joints needs, to be learned from at all
    beyond_score: float = 0.15  # below, an unlabelled joint lies beyond the frame that cuts the person off


def teach(
    data: PoseData, folder: Path, teacher: TinyPose | None = None, begin: Path | None = None
) -> PoseData:
    """The people with a teacher's joints, without those of whom too little is known.

    Each source has the same part of the draws as before, people with human joints and others apart.

    Args:
        folder: of what has been found: NAME.npz and, of the network that learns, NAME_own.npz.
        teacher: None needs a folder that has it all; without, only human joints count.
        begin: weights with which the run begins: their neck and head top, which COCO's teachers do not know,
            are learned, too, and people whom they do not find are drawn more often.
    """
    path, own_path = folder / f"{data.name}.npz", folder / f"{data.name}_own.npz"
    if teacher is not None and not path.exists():
        _ask(data, teacher, TINYPOSE, path)
    if begin is not None and teacher is not None and not own_path.exists():
        network, settings = load_network("light", begin)
        decoding = Decoding(
            settings.skeleton, settings.input_size, settings.sigma, settings.softmax, settings.decoder
        )
        _ask(data, for_inference(network, "cpu"), decoding, own_path)
    if not path.exists():
        return replace(data, people=[person for person in data.people if person.labelled.any()])
    told = read_opinions(path, len(data.people))
    own = read_opinions(own_path, len(data.people)) if own_path.exists() else None
    return taught(data, told, own, Trust())


def _ask(data: PoseData, network: nn.Module, decoding: Decoding, path: Path) -> None:
    print(f"{path}: joints of {len(data.people)} people", flush=True)
    write_opinions(path, opinions(network, data.people, data.pictures, decoding, data.skeleton))


def taught(data: PoseData, told: Opinions, own: Opinions | None, trust: Trust) -> PoseData:
    """People with the opinions about them, in their order; see `teach`."""
    told = told if own is None else with_heads(told, own)
    before: dict[tuple[str, bool], float] = defaultdict(float)
    after: dict[tuple[str, bool], float] = defaultdict(float)
    kept: list[tuple[tuple[str, bool], Person]] = []
    for i, person in enumerate(data.people):
        group = person.image.rpartition("/")[0], by_human(person)
        before[group] += person.weight
        height, width = data.pictures[person.image].shape[:2]
        merged = with_opinion(person, told.points[i], told.scores[i], (width, height), trust)
        if merged is not None:
            harder = 1.0 if own is None else difficulty(merged, own.points[i])
            kept.append((group, replace(merged, weight=person.weight * harder)))
            after[group] += kept[-1][1].weight
    people = [replace(p, weight=p.weight * before[group] / after[group]) for group, p in kept]
    return replace(data, people=people)


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
    area = AREA * float(np.prod(person.box[2:] - person.box[:2]))
    squares = ((points - person.keypoints)[counted] ** 2).sum(axis=1)
    if not counted.any():
        return float("nan")
    return float(np.exp(-squares / (2 * area * (2 * POSETRACK18.sigmas[counted]) ** 2)).mean())
