"""Everyday people: OKS AP by pycocotools and mean OKS by kind, and AP of a detector's boxes.

Each person is looked for in the human box. The 13 joints that COCO and PoseTrack share count; a person's area
is taken for 0.53 of the box, and a pose's score is the mean of its joints'.

>>> outcome = everyday(estimator, Path("people"), Options(detector="light"))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posetrack import detectors
from posetrack.benchmarks.predict import find_labelled
from posetrack.benchmarks.result import BenchmarkResult, Options, labelled_boxes_only, listed_poses
from posetrack.datasets.everyday import (
    EXHAUSTIVE,
    WITH_JOINTS,
    EverydayPhoto,
    as_person,
    read_everyday,
    read_photo_images,
)
from posetrack.datasets.people import Image, Person
from posetrack.evaluation.boxes import BoxReport, BoxTruth, evaluate_boxes
from posetrack.evaluation.coco import CocoReport, Document, evaluate_coco, result_entries
from posetrack.evaluation.numbers import columns, or_none
from posetrack.pipeline import Detector
from posetrack.pose.estimator import HeatmapEstimator
from posetrack.skeletons import POSETRACK18, Skeleton
from posetrack.types import Frame

Floats = NDArray[np.floating]
AREA = 0.53  # of a person, in areas of the box: the mean of COCO's segments
SHARED = tuple(
    name for name in POSETRACK18.keypoints if not name.startswith(("head", "left_ear", "right_ear"))
)
SLOTS = [POSETRACK18.index(name) for name in SHARED]
JOINTS13 = Skeleton("coco13", SHARED, (), tuple(POSETRACK18.sigma_values[slot] for slot in SLOTS))
HIT = 0.5  # OKS from which a joint counts as found
EDGE = 2.0  # pixels from the frame's edge within which a box touches it
SMALL = 64.0  # pixels, longer side of the box
FEW = 7  # labelled joints
WHOLE = 12
ALONE = 0.02  # share of a person's box that others' boxes may cover


@dataclass(frozen=True, eq=False)
class EverydaySet:
    """N people with human joints and their photos."""

    people: Sequence[Person]  # (N)
    images: Mapping[str, Image]
    kinds: Mapping[str, NDArray[np.bool_]]  # each (N,)

    def __getitem__(self, some: slice) -> EverydaySet:
        return EverydaySet(self.people[some], self.images, {k: m[some] for k, m in self.kinds.items()})


def read_everyday_set(folder: Path, source: str) -> EverydaySet:
    """The validation people of one source, all those who have a human joint."""
    photos = read_everyday(folder, "val", (source,))
    people, kinds = [], []
    for photo in photos:
        for person in photo.people:
            if person.labelled.any() and not person.crowd:
                people.append(as_person(photo, person))
                others = [other.box for other in photo.people if other is not person]
                kinds.append(kinds_of(people[-1], photo.size, others))
    images = read_photo_images(folder, "val", photos)
    return EverydaySet(people, images, {k: np.array([kind[k] for kind in kinds]) for k in kinds[0]})


def kinds_of(
    person: Person, size: tuple[int, int], others: Sequence[NDArray[np.floating]]
) -> dict[str, bool]:
    """Which hard kinds a person is of, or that nothing is hard: whole and alone.

    Args:
        size: (width, height) of the photo.
        others: boxes (4,) of everybody else in it.
    """
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
    """What a network reached on an EverydaySet."""

    coco: CocoReport
    similarity: Floats  # (N, 13), NaN where a joint has no label
    kinds: Mapping[str, NDArray[np.bool_]]

    def by_kind(self) -> dict[str, float]:
        """Mean OKS (0..1) of the people of each kind; those without one of the 13 joints do not count."""
        of_person = mean_over_labelled(self.similarity)
        return {kind: _mean(of_person[members]) for kind, members in self.kinds.items()}

    def found(self) -> dict[str, float]:
        """Percent of the labelled joints within OKS 0.5, left and right together."""
        hit = np.where(np.isnan(self.similarity), np.nan, self.similarity >= HIT)
        parts = [name.removeprefix("left_").removeprefix("right_") for name in SHARED]
        return {
            part: 100 * _mean(hit[:, [k for k, p in enumerate(parts) if p == part]])
            for part in dict.fromkeys(parts)
        }

    def to_json(self) -> dict[str, Any]:
        kinds = {
            kind: {"people": int(self.kinds[kind].sum()), "oks": or_none(value)}
            for kind, value in self.by_kind().items()
        }
        joints = {name: or_none(value) for name, value in self.found().items()}
        return {**self.coco.to_json(), "kinds": kinds, "joints": joints}

    def table(self) -> str:
        """OKS AP, mean OKS by kind and joints within OKS 0.5, all in percent."""
        kinds = {f"{k} ({self.kinds[k].sum()})": 100 * value for k, value in self.by_kind().items()}
        return "\n".join(
            [self.coco.table(), "mean OKS", columns(kinds), "joints within OKS 0.5", columns(self.found())]
        )


def mean_over_labelled(similarity: Floats) -> Floats:
    """(N,) OKS of people from (N, 13), NaN where nothing is labelled."""
    labelled = ~np.isnan(similarity)
    total = np.nansum(similarity, axis=1)
    return np.where(labelled.any(axis=1), total / np.maximum(labelled.sum(axis=1), 1), np.nan)


def _mean(values: Floats) -> float:
    """Of those that are not NaN; NaN if none is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def judge(points: Floats, scores: Floats, data: EverydaySet) -> EverydayResult:
    """Joints (N, 13, 2) with scores (N, 13), one pose for everybody of the set."""
    truth = coco_truth(data.people)
    ids = {image["file_name"]: image["id"] for image in truth["images"]}
    results = [
        entry
        for person, p, s in zip(data.people, points, scores, strict=True)
        for entry in result_entries(ids[person.image], p[None], s[None], np.array([s.mean()]))
    ]
    report = evaluate_coco(truth, results, skeleton=JOINTS13)
    return EverydayResult(report, oks(points, data.people), data.kinds)


def box_report(detector: Detector, photos: Sequence[EverydayPhoto], images: Mapping[str, Image]) -> BoxReport:
    """AP of a detector's boxes on the photos where everybody has one.

    Args:
        detector: with a low threshold, since AP is an area under a curve.
    """
    photos = [photo for photo in photos if photo.exhaustive]
    truths = [BoxTruth(photo.size, photo.boxes, photo.ignored) for photo in photos]
    return evaluate_boxes(truths, [detector([Frame(images[p.name], 0, 0.0)])[0] for p in photos])


def everyday(estimator: HeatmapEstimator, root: Path, options: Options) -> BenchmarkResult:
    """OKS AP and mean OKS by kind of COCO's and MPII's people; boxes, too, where a detector is named."""
    labelled_boxes_only("everyday", options)
    metrics: dict[str, Any] = {}
    tables: list[str] = []
    results: list[dict[str, Any]] = []
    pictures: set[str] = set()
    for source in WITH_JOINTS:
        data = read_everyday_set(root, source)
        seen = find_labelled(estimator, data.people, data.images, source)
        points, scores = seen.joints(POSETRACK18)
        result = judge(points[:, SLOTS], scores[:, SLOTS], data)
        names = [person.image for person in data.people]
        metrics[source] = result.to_json()
        tables += [f"{source}, {len(names)} people", result.table(), ""]
        results += listed_poses(names, points, scores, seen.there)
        pictures.update(names)
    if options.detector is not None:
        boxes = _boxes(options.detector, str(estimator.device), root)
        metrics["boxes"] = {source: report.to_json() for source, report in boxes.items()}
        tables += [f"boxes of {source}\n{report.table()}\n" for source, report in boxes.items()]
    return BenchmarkResult(metrics, "\n".join(tables).rstrip(), len(results), len(pictures), {}, results)


def _boxes(name: str, device: str, root: Path) -> dict[str, BoxReport]:
    detector = detectors.create(name, device=device, min_score=0.0)
    reports = {}
    for source in EXHAUSTIVE:
        photos = read_everyday(root, "val", (source,))
        reports[source] = box_report(detector, photos, read_photo_images(root, "val", photos))
    return reports
