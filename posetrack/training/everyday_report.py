"""How well a pose network does on everyday people: OKS AP by pycocotools, and mean OKS by kind of person.

Each is looked for in the human box. The 13 joints that COCO and PoseTrack share count; area: 0.53 x box.

    python -m posetrack.training.everyday_report --data ../shared/data --teacher

Peers are measured by the same code.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from posetrack import presets
from posetrack.datasets.everyday import EverydayPhoto, as_person, read_everyday, read_photo_images
from posetrack.datasets.lspet import read_held_out
from posetrack.datasets.people import Image, Person
from posetrack.evaluation.coco import CocoReport, Document, evaluate_coco, result_entries
from posetrack.models.fuse import for_inference
from posetrack.skeletons import POSETRACK18, Skeleton
from posetrack.training.teacher_joints import TINYPOSE, TinyPose
from posetrack.training.validate import Reading, errors_of, locate

Floats = NDArray[np.float64]
AREA = 0.53  # of a person, in areas of the box: the mean of COCO's segments
SHARED = tuple(
    name for name in POSETRACK18.keypoints if not name.startswith(("head", "left_ear", "right_ear"))
)
JOINTS13 = Skeleton(
    "coco13", SHARED, (), tuple(POSETRACK18.sigma_values[POSETRACK18.index(name)] for name in SHARED)
)
SLOTS = [POSETRACK18.index(name) for name in SHARED]
EDGE = 2.0  # pixels from the frame's edge within which a box touches it
SMALL = 64.0  # pixels, longer side of the box
FEW = 7  # labelled joints
WHOLE = 12
ALONE = 0.02  # share of a person's box that others' boxes may cover


@dataclass(frozen=True, eq=False)
class EverydaySet:
    """N people with human joints and their photos."""

    photos: Sequence[EverydayPhoto]
    people: Sequence[Person]  # (N)
    images: Mapping[str, Image]
    kinds: Mapping[str, NDArray[np.bool_]]  # each (N,)

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """(N, 13)"""
        return np.stack([person.labelled[SLOTS] for person in self.people])


def read_everyday_set(folder: Path, source: str = "coco") -> EverydaySet:
    """The validation people of one source of the pack's people/ folder."""
    photos = read_everyday(folder, "val", (source,))
    images = read_photo_images(folder, "val", photos)
    people, kinds = [], []
    for photo in photos:
        for person in photo.people:
            if person.labelled.any() and not person.crowd:
                people.append(as_person(photo, person))
                others = [other.box for other in photo.people if other is not person]
                kinds.append(kinds_of(people[-1], photo.size, others))
    return EverydaySet(photos, people, images, {k: np.array([kind[k] for kind in kinds]) for k in kinds[0]})


def kinds_of(
    person: Person, size: tuple[int, int], others: Sequence[NDArray[np.floating]]
) -> dict[str, bool]:
    """Which hard kinds a person is of, or that nothing is hard: whole and alone."""
    joints = int(person.labelled[SLOTS].sum())
    box, (W, H) = person.box, size
    at_edge = bool((box[:2] <= EDGE).any() or box[2] >= W - EDGE or box[3] >= H - EDGE)
    width, height = box[2] - box[0], box[3] - box[1]
    covered = sum(_common(box, other) for other in others) / max(float(width * height), 1.0)
    return {
        "all": True,
        "whole and alone": joints >= WHOLE and covered <= ALONE,
        "1 to 7 joints": 1 <= joints <= FEW,
        "at the edge": at_edge,
        "wider than tall": bool(width > height),
        "small": bool(max(width, height) < SMALL),
    }


def _common(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Area that two boxes share."""
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    return float(np.maximum(sides, 0).prod())


def oks(points: Floats, people: Sequence[Person]) -> Floats:
    """(N, 13) similarity exp(-d^2 / (2 area kappa^2)) of every joint, NaN where it has no label.

    Args:
        points: (N, 13, 2) pixels.
    """
    labels = np.stack([person.keypoints[SLOTS] for person in people]).astype(np.float64)
    labelled = np.stack([person.labelled[SLOTS] for person in people])
    areas = np.array([AREA * np.prod(person.box[2:] - person.box[:2]) for person in people])
    squares = ((points - labels) ** 2).sum(axis=2)
    similarity = np.exp(-squares / (2 * areas[:, None] * (2 * JOINTS13.sigmas) ** 2 + np.spacing(1)))
    return np.where(labelled, similarity, np.nan)


def coco_truth(people: Sequence[Person]) -> Document:
    """The people as a COCO annotation file of 13 joints."""
    ids = {name: number for number, name in enumerate(dict.fromkeys(p.image for p in people), start=1)}
    annotations = []
    for number, person in enumerate(people, start=1):
        triples = np.column_stack([person.keypoints[SLOTS], 2.0 * person.labelled[SLOTS]]).astype(float)
        x1, y1, x2, y2 = (float(v) for v in person.box)
        annotations.append(
            {
                "id": number,
                "image_id": ids[person.image],
                "category_id": 1,
                "bbox": [x1, y1, x2 - x1, y2 - y1],
                "area": AREA * (x2 - x1) * (y2 - y1),
                "iscrowd": 0,
                "keypoints": triples.ravel().tolist(),
                "num_keypoints": int(person.labelled[SLOTS].sum()),
            }
        )
    images = [{"id": i, "file_name": name} for name, i in ids.items()]
    return {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "person"}]}


@dataclass(frozen=True, eq=False)
class EverydayResult:
    """What one network reached on an EverydaySet."""

    coco: CocoReport
    similarity: Floats  # (N, 13), NaN where a joint has no label
    kinds: Mapping[str, NDArray[np.bool_]]

    def by_kind(self) -> dict[str, float]:
        """Mean OKS of the people of each kind; those without one of the 13 joints do not count."""
        of_person = mean_over_labelled(self.similarity)
        return {kind: float(np.nanmean(of_person[members])) for kind, members in self.kinds.items()}

    def found(self) -> dict[str, float]:
        """Percent of the labelled joints within OKS 0.5, left and right together."""
        hit = np.where(np.isnan(self.similarity), np.nan, self.similarity >= 0.5)
        parts = [name.removeprefix("left_").removeprefix("right_") for name in SHARED]
        return {
            part: 100 * float(np.nanmean(hit[:, [k for k, p in enumerate(parts) if p == part]]))
            for part in dict.fromkeys(parts)
        }


def mean_over_labelled(similarity: Floats) -> Floats:
    """(N,) OKS of people from (N, 13), NaN where nothing is labelled."""
    labelled = ~np.isnan(similarity)
    total = np.nansum(similarity, axis=1)
    return np.where(labelled.any(axis=1), total / np.maximum(labelled.sum(axis=1), 1), np.nan)


def evaluate(points: Floats, scores: Floats, data: EverydaySet) -> EverydayResult:
    """Judge joints (N, 13, 2) with scores (N, 13); a pose's score is the mean of its joints'."""
    truth = coco_truth(data.people)
    ids = {image["file_name"]: image["id"] for image in truth["images"]}
    results = [
        entry
        for person, p, s in zip(data.people, points, scores, strict=True)
        for entry in result_entries(ids[person.image], p[None], s[None], np.array([s.mean()]))
    ]
    return EverydayResult(
        evaluate_coco(truth, results, skeleton=JOINTS13), oks(points, data.people), data.kinds
    )


def measure(network: nn.Module, reading: Reading, data: EverydaySet, flip: bool = False) -> EverydayResult:
    """One look (or two, the second at the mirrored crop) of a network into every labelled box."""
    points, scores, _ = locate(network, data.people, data.images, reading, torch.device("cpu"), flip)
    slots = [reading.skeleton.index(name) for name in SHARED]
    return evaluate(points[:, slots], np.clip(scores[:, slots], 0, 1), data)


def leeds_pck(network: nn.Module, reading: Reading, folder: Path, flip: bool = False) -> dict[str, float]:
    """PCK@0.2 of the athletes and the bystanders of Leeds' validation photos, percent."""
    accuracy = {}
    for held_out in read_held_out(folder):
        points, _, _ = locate(network, held_out.people, held_out.images, reading, torch.device("cpu"), flip)
        if reading.skeleton != POSETRACK18:
            points = in_our_slots(points, reading.skeleton)
        accuracy[held_out.name] = errors_of(points, held_out, POSETRACK18).pck()
    return accuracy


def in_our_slots(points: Floats, skeleton: Skeleton) -> Floats:
    """Points (N, K, 2) in the slots of PoseTrack18; NaN for joints that the skeleton lacks."""
    ours = np.full((len(points), len(POSETRACK18), 2), np.nan)
    for slot, name in enumerate(POSETRACK18.keypoints):
        if name in skeleton.keypoints:
            ours[:, slot] = points[:, skeleton.index(name)]
    return ours


def rows(results: Mapping[str, EverydayResult]) -> str:
    """Markdown: OKS AP and mean OKS by kind, then joints within OKS 0.5, a row for each result."""
    first = next(iter(results.values()))
    heads = ["", "OKS AP", "AP50", *(f"{kind} ({int(m.sum())})" for kind, m in first.kinds.items())]
    body = [
        [name, f"{r.coco.ap:.1f}", f"{r.coco.ap50:.1f}", *(f"{v:.3f}" for v in r.by_kind().values())]
        for name, r in results.items()
    ]
    joints = [[name, *(f"{v:.0f}" for v in r.found().values())] for name, r in results.items()]
    return _table(heads, body) + "\n\n" + _table(["% within OKS 0.5", *first.found()], joints)


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


Made = Callable[[], tuple[nn.Module, Reading]]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the data pack")
    parser.add_argument("--weights", type=Path, nargs="*", help="exported; none: those shipped")
    parser.add_argument("--teacher", action="store_true", help="measure PP-TinyPose, too")
    parser.add_argument("--source", default="coco", help="coco or mpii")
    parser.add_argument("--no-flip", action="store_true", help="one look only")
    parser.add_argument("--leeds", action="store_true", help="PCK@0.2 on Leeds' validation photos, too")
    given = parser.parse_args(argv)
    data = read_everyday_set(given.data / "people", given.source)
    networks: dict[str, Made] = {
        path.stem if path else "shipped": partial(_ours, path) for path in given.weights or [None]
    }
    if given.teacher:
        networks["tinypose"] = partial(_teacher, given.data)
    results = {}
    for name, made in networks.items():
        network, reading = made()
        for flip in (False,) if given.no_flip else (False, True):
            row = name + (" flip" if flip else "")
            with torch.autocast("cpu", torch.bfloat16):  # as the preset computes
                results[row] = measure(network, reading, data, flip)
                if given.leeds:
                    print(row, leeds_pck(network, reading, given.data / "lspet", flip), flush=True)
    print(rows(results))


def _ours(weights: Path | None) -> tuple[nn.Module, Reading]:
    network, settings = presets.pose_network(presets.LIGHT, weights)
    return for_inference(network, "cpu"), Reading(settings.skeleton, settings.input_size, settings.sigma)


def _teacher(data: Path) -> tuple[nn.Module, Reading]:
    return TinyPose(data / "teachers/tinypose_256x192.onnx"), TINYPOSE


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
