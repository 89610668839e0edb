"""Test sets whose labels a server keeps: poses in the form that it takes, and no numbers.

COCO test-dev: `posetrack evaluate --data coco --split test-dev --boxes detections.json
--save person_keypoints_test-dev2017_NAME_results.json`; the boxes by `posetrack detect --split test-dev`.
MPII: `posetrack evaluate --data mpii --split test --pyramid --save pred_keypoints_mpii.mat`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posetrack.benchmarks.predict import PosedBoxes, find_people
from posetrack.benchmarks.result import BenchmarkResult, Options, benchmark_result, kept_rows
from posetrack.datasets.coco import image_names, picture_folder, read_detections
from posetrack.datasets.mpii import MAT
from posetrack.datasets.mpii_test import read_mpii_test
from posetrack.datasets.pictures import Folder
from posetrack.errors import PoseTrackError
from posetrack.evaluation.coco import result_entries
from posetrack.pose.estimator import HeatmapEstimator
from posetrack.results.mpii import benchmark_mat, hrnet_mat
from posetrack.skeletons import COCO17, MPII16


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
    ids, boxes, scores = read_detections(options.boxes, names, options.box_score)
    seen, results = coco_results(estimator, picture_folder(root, "test"), names, ids, boxes, scores, options)
    table = f"{len(results)} poses, no labels to measure them by: --save them and send them to COCO's server"
    return benchmark_result(seen, ids, {}, table, results)


def mpii_test(estimator: HeatmapEstimator, root: Path, options: Options) -> BenchmarkResult:
    """Poses of the people of MPII's single-person benchmark, in a .mat as its authors take it.

    With HRNet's JSON alone the .mat is that of HRNet's code, which says nothing of pictures.
    """
    people = read_mpii_test(root)
    names, pictures = people.names, Folder(root / "images", people.names)
    seen = find_people(estimator, names, people.boxes, np.ones(len(names)), pictures.__getitem__, "mpii")
    points, _ = seen.joints(MPII16)
    if people.annolist is None:
        content, form = hrnet_mat(points), f"`preds` of HRNet's code; the benchmark's own form takes {MAT}"
    else:
        content = benchmark_mat(people.annolist, people.places[seen.there], points[seen.there])
        form = "`pred` of the benchmark: send pred_keypoints_mpii.mat to its authors"
    table = f"{len(points)} poses, no labels to measure them by; --save writes {form}"
    result = benchmark_result(seen, people.names, {}, table, content)
    return replace(result, lost={**seen.lost, **people.lost})


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
        estimator, [names[i] for i in ids], boxes, scores, Folder(folder, names.values()).__getitem__, "coco"
    )
    points, joint_scores = seen.joints(COCO17)
    results = []
    for image_id, rows in kept_rows(seen, ids, options).items():
        results += result_entries(image_id, points[rows], joint_scores[rows], seen.poses.scores[rows])
    return seen, results
