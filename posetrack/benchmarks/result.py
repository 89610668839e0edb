"""What the benchmarks of single pictures share: their settings, OKS-NMS picture by picture, the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posetrack.benchmarks.predict import PosedBoxes
from posetrack.errors import PoseTrackError
from posetrack.evaluation.oks_nms import THRESHOLD, oks_nms, soft_oks_nms


@dataclass(frozen=True)
class Options:
    """What a benchmark can be told."""

    boxes: Path | None = None  # COCO detection results; None takes the labelled boxes
    box_score: float = 0.0  # detected boxes below it are left out (IMAGE_THRE)
    oks_threshold: float = THRESHOLD  # of OKS-NMS; 1 keeps everybody
    soft: bool = False  # soft OKS-NMS
    split: str = "val"
    detector: str | None = None  # whose boxes are measured, too, on everyday photos


@dataclass(frozen=True, eq=False)
class BenchmarkResult:
    """The result of a benchmark."""

    metrics: Mapping[str, Any]  # for JSON, percent
    table: str
    people: int  # boxes looked at
    pictures: int
    lost: Mapping[str, str]  # picture -> why it could not be read; neither wanted nor counted as wrong
    results: Any  # poses in the benchmark's own form: JSON content, file name -> JSON content, or bytes


def benchmark_result(
    seen: PosedBoxes, pictures: Sequence[Any], metrics: Mapping[str, Any], table: str, results: Any
) -> BenchmarkResult:
    return BenchmarkResult(metrics, table, len(seen.there), len(set(pictures)), seen.lost, results)


def kept_rows(seen: PosedBoxes, groups: Sequence[Any], options: Options) -> dict[Any, NDArray[np.intp]]:
    """Rows that survive OKS-NMS inside each group (one picture), best first; lost pictures have none."""
    poses = seen.poses
    members: dict[Any, list[int]] = {}
    for row in np.flatnonzero(seen.there).tolist():
        members.setdefault(groups[row], []).append(row)
    suppress = soft_oks_nms if options.soft else oks_nms
    kept = {}
    for group, listed in members.items():
        rows = np.array(listed)
        # All joints count, as officially, but for those that the network never reports (PoseTrack's ears).
        valid = poses.keypoint_scores[rows] > 0
        chosen = suppress(
            poses.keypoints[rows],
            seen.areas[rows],
            poses.scores[rows],
            poses.skeleton.sigmas,
            options.oks_threshold,
            valid,
        )
        kept[group] = rows[chosen]
    return kept


def listed_poses(
    names: Sequence[str],
    points: NDArray[np.floating],
    joint_scores: NDArray[np.floating],
    there: NDArray[np.bool_],
) -> list[dict[str, Any]]:
    """Poses as JSON: picture and x, y, score of every joint, 0-based."""
    triples = np.concatenate([points, joint_scores[..., None]], axis=2).astype(np.float64).round(3)
    return [{"image": names[n], "keypoints": triples[n].tolist()} for n in np.flatnonzero(there).tolist()]


def labelled_boxes_only(data: str, options: Options, splits: Sequence[str] = ("val",)) -> None:
    if options.boxes is not None:
        raise PoseTrackError(
            f"--boxes {options.boxes}: {data} is defined on its labelled people; leave it out"
        )
    if options.split not in splits:
        raise PoseTrackError(
            f"--split {options.split}: {data} is measured on {' or '.join(splits)}: leave it out"
        )
