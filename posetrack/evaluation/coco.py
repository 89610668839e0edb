"""COCO keypoint AP: the numbers of pycocotools from results in memory, without its print-outs.

>>> report = evaluate_coco("annotations/person_keypoints_val2017.json", results)     # doctest: +SKIP
>>> report.ap, report.to_json()["APL"]                                               # doctest: +SKIP
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from posetrack.documents import read_json
from posetrack.errors import PoseTrackError
from posetrack.evaluation.numbers import columns, or_none
from posetrack.skeletons import COCO17, Skeleton

Document = Mapping[str, Any]  # a COCO annotation file
Result = dict[str, Any]  # image_id, category_id, keypoints [x, y, score] * K, score
PERSON = 1


class Numbers:
    """Some numbers of COCOeval.summarize, in its order: a dataclass with their names in papers."""

    NAMES: ClassVar[tuple[str, ...]]

    def named(self) -> dict[str, float]:
        """As papers call them."""
        return dict(zip(self.NAMES, vars(self).values(), strict=True))

    def to_json(self) -> dict[str, float | None]:
        return {name: or_none(value) for name, value in self.named().items()}

    def table(self) -> str:
        return columns(self.named())


@dataclass(frozen=True)
class CocoReport(Numbers):
    """Percent; NaN (null in JSON) where the ground truth has nobody of that size."""

    NAMES = ("AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL")

    ap: float  # mean over OKS 0.50, 0.55 ... 0.95
    ap50: float
    ap75: float
    ap_medium: float  # people of 32^2 to 96^2 pixels
    ap_large: float
    ar: float
    ar50: float
    ar75: float
    ar_medium: float
    ar_large: float


def read_document(path: str | Path) -> Document:
    """A COCO annotation file.

    Raises:
        PoseTrackError: no such file, no JSON, or without images, annotations and categories.
    """
    document = read_json(path)
    lists = ("images", "annotations", "categories")
    if not isinstance(document, dict) or not all(isinstance(document.get(name), list) for name in lists):
        raise PoseTrackError(f"{path}: no COCO annotation file, which has the lists {', '.join(lists)}")
    return document


def result_entries(
    image_id: int,
    points: NDArray[np.floating],
    joint_scores: NDArray[np.floating],
    scores: NDArray[np.floating],
) -> list[Result]:
    """Poses of one picture as COCO results.

    Args:
        points: (N, K, 2) pixels.
        joint_scores: (N, K).
        scores: (N,) of the poses.
    """
    triples = np.concatenate([points, joint_scores[..., None]], axis=2).astype(np.float64)
    return [
        {
            "image_id": image_id,
            "category_id": PERSON,
            "keypoints": pose.ravel().tolist(),
            "score": float(score),
        }
        for pose, score in zip(triples, scores, strict=True)
    ]


def evaluate_coco(
    truth: Document | str | Path,
    results: Iterable[Result],
    images: Collection[int] | None = None,
    skeleton: Skeleton = COCO17,
) -> CocoReport:
    """AP and AR of poses, by pycocotools: at most 20 people a picture, best scores first.

    Args:
        truth: annotation file, or its content.
        results: of any pictures, in any order.
        images: ids of the pictures to count; None is all that the annotation file lists, also without people.
        skeleton: of both sides; its sigmas are used.

    Raises:
        PoseTrackError: the annotation file is unusable, or a result has another number of joints or names a
            picture that it does not list.
    """
    document = read_document(truth) if isinstance(truth, str | Path) else truth
    found = [
        {key: entry[key] for key in ("image_id", "category_id", "keypoints", "score")} for entry in results
    ]
    listed = {image["id"] for image in document["images"]}
    _check(found, listed, len(skeleton))
    chosen = sorted(listed if images is None else listed & set(images))
    complete = _complete(document, skeleton)
    return CocoReport(*summarised(complete, found, "keypoints", chosen, skeleton.sigmas))


def _check(results: Sequence[Result], listed: Collection[int], joints: int) -> None:
    for number, entry in enumerate(results):
        if entry["image_id"] not in listed:
            raise PoseTrackError(
                f"result {number}: no picture {entry['image_id']} in the annotations; give those of its split"
            )
        if len(entry["keypoints"]) != 3 * joints:
            raise PoseTrackError(
                f"result {number}: {len(entry['keypoints'])} numbers in keypoints, expected {3 * joints}"
            )


def _complete(document: Document, skeleton: Skeleton) -> dict[str, Any]:
    """A copy with the fields that pycocotools needs of every person, and people only."""
    people = []
    for number, person in enumerate(document["annotations"]):
        if person.get("category_id", PERSON) != PERSON:
            continue
        visibility = person.get("keypoints", [])[2::3]
        if len(visibility) != len(skeleton):
            raise PoseTrackError(
                f"annotation {number} has {len(visibility)} joints; {skeleton.name} has {len(skeleton)}: "
                "give the annotations of the people's joints"
            )
        counted = {"num_keypoints": sum(v > 0 for v in visibility), "iscrowd": 0, "id": number + 1}
        width, height = person["bbox"][2:]
        people.append({**counted, "area": width * height, "category_id": PERSON, **person})
    return {
        "images": document["images"],
        "annotations": people,
        "categories": [{"id": PERSON, "name": "person"}],
    }


def summarised(
    truth: Document,
    results: Sequence[Result],
    kind: Literal["keypoints", "bbox"],
    images: Sequence[int] | None = None,
    sigmas: NDArray[np.floating] | None = None,
) -> list[float]:
    """The numbers that COCOeval.summarize prints, percent; NaN where the truth has nobody of that size.

    Args:
        truth: with all fields that pycocotools needs.
        images: ids of the pictures to count; None is all.
        sigmas: of the keypoints.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):  # it prints every step
        wanted, given = COCO(), COCO()
        wanted.dataset = truth
        wanted.createIndex()
        if results:
            given = wanted.loadRes(list(results))
        else:  # loadRes fails on an empty list
            given.dataset = {**truth, "annotations": []}
            given.createIndex()
        evaluator = COCOeval(wanted, given, kind)
        if images is not None:
            evaluator.params.imgIds = images
        if sigmas is not None:
            evaluator.params.kpt_oks_sigmas = sigmas
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return [float("nan") if value < 0 else 100 * float(value) for value in evaluator.stats]
