"""The benchmarks of single pictures, run: boxes from a data set or a file, poses, suppression, the metric.

>>> result = BENCHMARKS["coco"](estimator, Path("coco"), Options(boxes=Path("detections.json")))
>>> print(result.table)

N people, K joints. ImageNet, which has no people, is in imagenet.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posetrack.benchmarks.everyday import everyday
from posetrack.benchmarks.pose_report import by_joint, by_pose
from posetrack.benchmarks.posetrack import posetrack
from posetrack.benchmarks.predict import find_labelled, find_people
from posetrack.benchmarks.result import (
    BenchmarkResult,
    Options,
    benchmark_result,
    labelled_boxes_only,
    listed_poses,
)
from posetrack.benchmarks.testsets import coco_results, coco_test, mpii_test
from posetrack.benchmarks.validate import errors_of
from posetrack.datasets.coco import annotation_file, cleaned, picture_folder, read_detections
from posetrack.datasets.lspet import read_held_out
from posetrack.datasets.mpii import crop_box, entries_of, read_mpii_truth
from posetrack.datasets.pictures import Folder
from posetrack.errors import PoseTrackError
from posetrack.evaluation.coco import PERSON, Document, evaluate_coco, read_document
from posetrack.evaluation.mpii import head_sizes, pckh
from posetrack.evaluation.numbers import columns, or_none
from posetrack.pose.estimator import HeatmapEstimator
from posetrack.skeletons import MPII16, POSETRACK18


def coco(estimator: HeatmapEstimator, root: Path, options: Options) -> BenchmarkResult:
    """OKS AP on COCO 2017, scores as the official code has them: box score x mean of the joints above 0.2.

    Raises:
        PoseTrackError: annotations or detections that cannot be used, no picture.
    """
    if options.split.startswith("test"):
        return coco_test(estimator, root, options)
    document = read_document(annotation_file(root, options.split))
    names = {image["id"]: image["file_name"] for image in document["images"]}
    if options.boxes is None:
        ids, boxes = _coco_boxes(document)
        scores = np.ones(len(ids), np.float32)
    else:
        ids, boxes, scores = read_detections(options.boxes, names, options.box_score)
    folder = picture_folder(root, options.split)
    seen, results = coco_results(estimator, folder, names, ids, boxes, scores, options)
    counted = [image_id for image_id, name in names.items() if name not in seen.lost]
    report = evaluate_coco(document, results, counted)
    return benchmark_result(seen, ids, report.to_json(), report.table(), results)


def _coco_boxes(document: Document) -> tuple[list[int], NDArray[np.float32]]:
    """Picture ids and boxes (N, 4) of the labelled people, chosen and cleaned as by the official code."""
    images = {image["id"]: image for image in document["images"]}
    ids, boxes = [], []
    for number, person in enumerate(document["annotations"]):
        if (
            person.get("category_id", PERSON) != PERSON
            or person.get("iscrowd")
            or not any(person["keypoints"])
        ):
            continue
        try:
            image = images[person["image_id"]]
            box = cleaned(person["bbox"], image["width"], image["height"])
        except (KeyError, ValueError, TypeError) as error:
            raise PoseTrackError(
                f"annotation {number} cannot be read ({error!r}): fetch the file again"
            ) from None
        if box is not None and person.get("area", 1) > 0:
            ids.append(person["image_id"])
            boxes.append(box)
    return ids, np.array(boxes, np.float32).reshape(-1, 4)


def mpii(estimator: HeatmapEstimator, root: Path, options: Options) -> BenchmarkResult:
    """PCKh on MPII's validation people (annot/valid.json and gt_valid.mat of HRNet's release)."""
    labelled_boxes_only("mpii", options, ("val", "test"))
    if options.split == "test":
        return mpii_test(estimator, root, options)
    truth = read_mpii_truth(root / "annot" / "gt_valid.mat")
    path = root / "annot" / "valid.json"
    entries = entries_of(path)
    try:
        names = [str(entry["image"]) for entry in entries]
        boxes = np.stack([crop_box(np.array(e["center"], np.float64), float(e["scale"])) for e in entries])
    except (ValueError, KeyError, TypeError) as error:
        raise PoseTrackError(f"{path}: not HRNet's list of MPII people ({error}): fetch it again") from None
    if len(names) != len(truth.joints):
        raise PoseTrackError(
            f"{path} lists {len(names)} people, gt_valid.mat {len(truth.joints)}: take both from one release"
        )
    pictures = Folder(root / "images", names)
    seen = find_people(estimator, names, boxes, np.ones(len(names)), pictures.__getitem__, "mpii")
    points, joint_scores = seen.joints(MPII16)
    there, heads = seen.there, head_sizes(truth.head_boxes)
    report = pckh(points[there], truth.joints[there], ~truth.missing[there], heads[there])
    results = listed_poses(names, points, joint_scores, there)
    return benchmark_result(seen, names, report.to_json(), report.table(), results)


def lspet(estimator: HeatmapEstimator, root: Path, options: Options) -> BenchmarkResult:
    """PCK@0.2 of the torso on the athletes and bystanders of our Leeds Sports validation pictures."""
    labelled_boxes_only("lspet", options)
    metrics: dict[str, Any] = {}
    tables: list[str] = []
    results: list[dict[str, Any]] = []
    pictures: set[str] = set()
    for held_out in read_held_out(root):
        people = held_out.people
        names = [person.image for person in people]
        seen = find_labelled(estimator, people, held_out.images, "lspet")
        points, joint_scores = seen.joints(POSETRACK18)
        errors = errors_of(points, held_out, POSETRACK18)
        total = {"Mean": errors.pck()}
        joints, poses = by_joint(errors, POSETRACK18), by_pose(errors, held_out, POSETRACK18)
        metrics[held_out.name] = {
            "people": len(people),
            "pck": or_none(errors.pck()),
            "joints": {name: or_none(value) for name, value in joints.items()},
            "poses": {name: {"people": n, "pck": or_none(value)} for name, (n, value) in poses.items()},
        }
        by_type = {f"{name} ({n})": value for name, (n, value) in poses.items()}
        tables += [f"{held_out.name}, {len(people)} people", columns(joints | total), columns(by_type), ""]
        results += listed_poses(names, points, joint_scores, seen.there)
        pictures.update(names)
    return BenchmarkResult(metrics, "\n".join(tables).rstrip(), len(results), len(pictures), {}, results)


BENCHMARKS: Mapping[str, Callable[[HeatmapEstimator, Path, Options], BenchmarkResult]] = {
    "coco": coco,
    "mpii": mpii,
    "posetrack17": posetrack,
    "posetrack18": posetrack,
    "lspet": lspet,
    "everyday": everyday,
}
