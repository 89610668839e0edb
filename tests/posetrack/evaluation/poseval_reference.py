"""poseval, followed step by step: plain loops over frames, people and joints, motmetrics for the events.

Slow on purpose and independent of posetrack.evaluation: it reads the raw JSON of 2018 files with 15 joints
in the order of 2017. The tests and scripts/benchmark_evaluator.py compare with it.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import motmetrics
import numpy as np
from shapely import geometry

J = 15
NAMES = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "right_wrist",
    "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist", "head_bottom", "nose",
    "head_top",
)  # fmt: skip
Pose = dict[str, Any]  # id, head (size), joints {joint: (x, y, score)}
Frame = tuple[list[Pose], list[Pose]]  # annotated, predicted


def load(truth: dict[str, Any], answer: dict[str, Any]) -> list[Frame]:
    """The frames of a video that count, cleaned."""
    assert len(truth["images"]) == len(answer["images"])
    frames = []
    for image, reply in zip(truth["images"], answer["images"], strict=True):
        annotated, predicted = _poses(truth, image["id"]), _poses(answer, reply["id"])
        if not annotated:
            continue
        polygons = [
            geometry.Polygon(list(zip(x, y, strict=True)))
            for x, y in zip(image.get("ignore_regions_x", []), image.get("ignore_regions_y", []), strict=True)
        ]
        if polygons:
            annotated, predicted = _outside(annotated, polygons), _outside(predicted, polygons)
        frames.append((annotated, predicted))
    return frames


def _poses(content: dict[str, Any], image: int) -> list[Pose]:
    names = content["categories"][0]["keypoints"]
    poses = []
    for person in content["annotations"]:
        if person["image_id"] != image:
            continue
        joints = {}
        for slot, name in enumerate(names):
            x, y, v = person["keypoints"][3 * slot : 3 * slot + 3]
            if name in NAMES and (x, y, v) != (0, 0, 0):
                score = person["scores"][slot] if person.get("scores") else -9999
                joints[NAMES.index(name)] = (x, y, score)
        head = None
        if "bbox_head" in person:
            x, y, w, h = person["bbox_head"]
            head = 0.6 * np.linalg.norm(np.subtract([x + w, y + h], [x, y]))
        poses.append({"id": person["track_id"], "head": head, "joints": joints})
    return poses


def _outside(poses: list[Pose], polygons: list[geometry.Polygon]) -> list[Pose]:
    left = []
    for pose in poses:
        joints = {
            j: p for j, p in pose["joints"].items()
            if not any(polygon.contains(geometry.Point(p[0], p[1])) for polygon in polygons)
        }  # fmt: skip
        if joints:
            left.append(pose | {"joints": joints})
    return left


def _distances(annotated: list[Pose], predicted: list[Pose]) -> np.ndarray:
    distance = np.full((len(predicted), len(annotated), J), np.inf)
    for p, guess in enumerate(predicted):
        for g, pose in enumerate(annotated):
            for j in range(J):
                if j in guess["joints"] and j in pose["joints"]:
                    offset = np.subtract(guess["joints"][j][:2], pose["joints"][j][:2])
                    distance[p, g, j] = np.linalg.norm(offset) / pose["head"]
    return distance


def _pose_assignment(annotated: list[Pose], predicted: list[Pose], match: np.ndarray) -> dict[int, int]:
    """Prediction -> annotated pose."""
    pck = match.sum(axis=2).astype(float)
    for g, pose in enumerate(annotated):
        if pose["joints"]:
            pck[:, g] /= len(pose["joints"])
    for p in range(len(predicted)):
        best = np.argmax(pck[p])
        for g in range(len(annotated)):
            if g != best:
                pck[p, g] = 0
    return {int(np.argmax(pck[:, g])): g for g in range(len(annotated)) if pck[:, g].max() > 0}


def average_precision(videos: Sequence[list[Frame]]) -> dict[str, np.ndarray]:
    """ap, pre, rec: 15 joints and the total."""
    scores: list[list[float]] = [[] for _ in range(J)]
    labels: list[list[bool]] = [[] for _ in range(J)]
    objects = np.zeros(J)
    for annotated, predicted in (frame for video in videos for frame in video):
        for pose in annotated:
            for j in pose["joints"]:
                objects[j] += 1
        match = _distances(annotated, predicted) <= 0.5
        owner = _pose_assignment(annotated, predicted, match) if annotated and predicted else {}
        for p, guess in enumerate(predicted):
            for j, (_, _, score) in sorted(guess["joints"].items()):
                scores[j].append(score)
                labels[j].append(bool(match[p, owner[p], j]) if p in owner else False)
    result = {name: np.zeros(J + 1) for name in ("ap", "pre", "rec")}
    for j in range(J):
        if not scores[j]:
            continue
        order = np.array(scores[j], float).argsort()[::-1]
        found = 0
        precision, recall = [], []
        for rank, index in enumerate(order):
            found += labels[j][index]
            precision.append(found / (rank + 1))
            recall.append(found / objects[j] if objects[j] else np.nan)
        result["ap"][j] = 100 * _area(recall, precision)
        result["pre"][j], result["rec"][j] = 100 * precision[-1], 100 * recall[-1]
    return {name: _with_total(values[:J]) for name, values in result.items()}


def _area(recall: list[float], precision: list[float]) -> float:
    r, p = [0.0, *recall, 1.0], [0.0, *precision, 0.0]
    for i in range(len(p) - 2, -1, -1):
        p[i] = max(p[i], p[i + 1])
    return float(sum((r[i] - r[i - 1]) * p[i] for i in range(1, len(r)) if r[i] != r[i - 1]))


def accumulate(video: list[Frame], *, strict: bool = False) -> list[motmetrics.MOTAccumulator]:
    """An accumulator for each joint. strict: the last frame counts, empty frames are taken as they are."""
    accumulators = [motmetrics.MOTAccumulator(auto_id=True) for _ in range(J)]
    for annotated, predicted in video if strict else video[:-1]:
        distance = _distances(annotated, predicted)
        for j, accumulator in enumerate(accumulators):
            gs = [g for g, pose in enumerate(annotated) if j in pose["joints"]]
            ps = [p for p, pose in enumerate(predicted) if j in pose["joints"]]
            if not strict and not (annotated and predicted):
                accumulator.update([0], [0], [[np.nan]])
                continue
            table = distance[np.ix_(ps, gs, [j])][:, :, 0].T
            table = np.where(table <= 0.5, table, np.nan)
            gt_ids, ids = (
                [poses[i]["id"] for i in which] for poses, which in ((annotated, gs), (predicted, ps))
            )
            accumulator.update(gt_ids, ids, table)
    return accumulators


def tracking(videos: Sequence[list[Frame]], *, strict: bool = False) -> dict[str, np.ndarray]:
    """mota, motp (as printed today), motp_true, pre, rec, idf1: 15 joints and the total."""
    names = (
        "num_misses", "num_switches", "num_false_positives", "num_objects", "num_detections",
        "num_predictions", "idtp",
    )  # fmt: skip
    sums = {name: np.zeros(J) for name in (*names, "rows", "matched")}
    host = motmetrics.metrics.create()
    for video in videos:
        for j, accumulator in enumerate(accumulate(video, strict=strict)):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                counts = host.compute(accumulator, metrics=list(names), return_dataframe=False)
            for name in names:
                sums[name][j] += np.nan_to_num(counts[name])
            events = accumulator.events
            sums["rows"][j] += np.nansum(events["D"])
            sums["matched"][j] += np.nansum(events["D"][events["Type"].isin(["MATCH", "SWITCH"])])
    with np.errstate(divide="ignore", invalid="ignore"):
        found = sums["num_detections"]
        objects = np.where(sums["num_objects"] > 0, sums["num_objects"], np.nan)
        errors = sums["num_misses"] + sums["num_switches"] + sums["num_false_positives"]
        kept = found + sums["num_false_positives"]
        result = {
            "mota": 100 * (1 - errors / objects),
            "motp": np.where(found > 0, 100 * (1 - sums["rows"] / found), 0),
            "motp_true": np.where(found > 0, 100 * (1 - sums["matched"] / found), 0),
            "pre": 100 * found / np.where(kept > 0, kept, np.nan),
            "rec": 100 * found / objects,
            "idf1": 200 * sums["idtp"] / (objects + sums["num_predictions"]),
        }
    return {name: _with_total(values) for name, values in result.items()}


def _with_total(values: np.ndarray) -> np.ndarray:
    return np.append(values, values[~np.isnan(values)].mean() if (~np.isnan(values)).any() else np.nan)


def main(gt: Path, pred: Path) -> None:
    """Evaluate two folders and print mAP and MOTA."""
    files = [
        (json.loads(path.read_text()), json.loads((pred / path.name).read_text()))
        for path in sorted(gt.glob("*.json"))
    ]
    videos = [load(truth, answer) for truth, answer in files]
    print(average_precision(videos)["ap"][-1], tracking(videos)["mota"][-1])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
