"""Test sets whose labels a server keeps: poses in the form that it takes, and no numbers.

COCO test-dev: `posetrack evaluate --data coco --split test-dev --boxes detections.json
--save person_keypoints_test-dev2017_NAME_results.json`; the boxes by `posetrack detect --split test-dev`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posetrack.benchmarks.predict import PosedBoxes, find_people
from posetrack.benchmarks.result import BenchmarkResult, Options, benchmark_result, kept_rows
from posetrack.datasets.coco import image_names, picture_folder, read_detections
from posetrack.datasets.pictures import read_picture
from posetrack.errors import PoseTrackError
from posetrack.evaluation.coco import result_entries
from posetrack.pose.estimator import HeatmapEstimator
from posetrack.skeletons import COCO17


def coco_test(estimator: HeatmapEstimator, root: Path, options: Options) -> BenchmarkResult:
    """Poses of everybody whom a detector found in a COCO test set ("test-dev", "test"), as results.

    Raises:
        PoseTrackError: no boxes are given, no list of pictures, or detections that cannot be used.
    """
    if options.boxes is None:
        raise PoseTrackError(
            f"--split {options.split} has no labelled boxes: give --boxes of `posetrack detect`"
        )
    names = image_names(root / "annotations" / f"image_info_{options.split}2017.json")
    detected = read_detections(options.boxes, names, options.box_score)
    ids, boxes = [d.image_id for d in detected], np.stack([d.box for d in detected])
    scores = np.array([d.score for d in detected], np.float32)
    seen, results = coco_results(estimator, picture_folder(root, "test"), names, ids, boxes, scores, options)
    table = f"{len(results)} poses, no labels to measure them by: --save them and send them to COCO's server"
    return benchmark_result(seen, ids, {}, table, results)


def coco_results(
    estimator: HeatmapEstimator,
    folder: Path,
    names: Mapping[int, str],
    ids: Sequence[int],
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    options: Options,
) -> tuple[PosedBoxes, list[dict[str, Any]]]:
    """Poses in boxes (N, 4) of the pictures `ids`, without repetitions, and as COCO results."""
    seen = find_people(
        estimator, [names[i] for i in ids], boxes, scores, lambda name: read_picture(folder / name), "coco"
    )
    points, joint_scores = seen.joints(COCO17)
    results = []
    for image_id, rows in kept_rows(seen, ids, options).items():
        results += result_entries(image_id, points[rows], joint_scores[rows], seen.poses.scores[rows])
    return seen, results
