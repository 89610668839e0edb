"""Accuracy against time: the pose network's input, flip test and width, the detector's input."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from light.markdown import table
from light.parts import SETS, Parts, some
from posetrack.benchmarks.detector import validate
from posetrack.detectors.light import LightDetector
from posetrack.types import Detections, Frame

INPUTS = ((96, 128), (128, 160), (128, 192), (160, 192), (160, 224), (192, 256))
SIDES = (256, 320, 416, 480, 512, 640)
ROUNDS = 5
NOTE: dict[str, Any] = {"textcoords": "offset points", "ha": "center"}
SHIPPED = "shipped"
PEOPLE = 4
SURE = 0.5


def tradeoff(parts: Parts, detector_score: float, picture: Path, beside: Mapping[str, Path]) -> str:
    """Markdown; draws the curves.

    Args:
        beside: other pose weights by name, looked at with their own input.
    """
    pose, boxes = _pose(parts, beside), _detector(parts, detector_score)
    _draw(pose, boxes, parts, picture)
    sets = [f"{SETS[h.name]} ({len(some(h, parts.every).people)})" for h in parts.held_out]
    first = table(
        ["weights", "pose input", "flip", "time", *sets],
        [[r.weights, r.input, r.flip, f"{r.time:.2f}", *r.pck] for r in pose],
    )
    head = ["detector input", "time", "AP50", f"found at {detector_score}", "false boxes per picture"]
    rows = [[r[0], f"{r[1]:.2f}", r[2], r[3], f"{r[4]:.2f}"] for r in boxes]
    return f"{first}\n\n{table(head, rows)}"


@dataclass(frozen=True)
class PoseRow:
    weights: str
    input: str
    flip: str  # "yes" or "no"
    time: float  # as a ratio to what ships
    pck: tuple[float, ...]  # of each held-out set


def _pose(parts: Parts, beside: Mapping[str, Path]) -> list[PoseRow]:
    frame, people = _busy_frame()
    choices = [(SHIPPED, parts, size, flip) for size in INPUTS for flip in (False, True)]
    for name, weights in beside.items():
        other = replace(parts, pose_weights=weights)
        choices += [(name, other, other.size, flip) for flip in (False, True)]
    systems = [source.estimator(input_size=size, flip_test=flip) for _, source, size, flip in choices]
    times = _interleaved([lambda s=s: s.estimate_frame(frame, people) for s in systems])  # type: ignore[misc]
    base = times[[choice[2:] for choice in choices].index((parts.size, False))]
    rows = []
    for (name, source, size, flip), seconds in zip(choices, times, strict=True):
        pck = tuple(source.predict(some(h, parts.every), size, flip).errors.pck() for h in parts.held_out)
        rows.append(PoseRow(name, f"{size[0]} x {size[1]}", "yes" if flip else "no", seconds / base, pck))
    return rows


def _detector(parts: Parts, least: float) -> list[tuple[int, float, float, float, float]]:
    frame, _ = _busy_frame()
    photos = parts.photos(parts.every)
    detectors = [parts.detector(side) for side in SIDES]
    times = _interleaved([lambda d=d: d([frame]) for d in detectors])  # type: ignore[misc]
    shipped = times[SIDES.index(parts.detector().long_side)]
    rows = []
    for detector, seconds in zip(detectors, times, strict=True):
        sure = [photo.scores >= SURE for photo in photos]
        found = validate(
            (_seen(detector, photo.image), photo.boxes[s], photo.boxes[~s])
            for photo, s in zip(photos, sure, strict=True)
        )
        recall, false = found.at(least)
        rows.append((detector.long_side, seconds / shipped, 100 * found.ap50, 100 * recall, false))
    return rows


def _seen(detector: LightDetector, image: np.ndarray) -> Detections:
    return detector([Frame(image, 0, 0.0)])[0]


def _busy_frame() -> tuple[Frame, Detections]:
    """A 720p picture and four boxes in it; what it shows does not change the time."""
    image = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), np.uint8)
    boxes = [[100 + 280 * k, 150, 240 + 280 * k, 600] for k in range(PEOPLE)]
    return Frame(image, 0, 0.0), Detections(boxes, [0.9] * PEOPLE)


def _interleaved(calls: list[Callable[[], object]]) -> list[float]:
    """Seconds of CPU time of each, the median of rounds in which all take turns; the first round warms up."""
    times = np.zeros((ROUNDS + 1, len(calls)))
    for row in times:
        for k, call in enumerate(calls):
            start = time.process_time()
            call()
            row[k] = time.process_time() - start
    return np.median(times[1:], axis=0).tolist()


def _draw(
    pose: list[PoseRow],
    boxes: list[tuple[int, float, float, float, float]],
    parts: Parts,
    path: Path,
) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4))
    for column, (name, colour) in enumerate((("athletes", "tab:red"), ("bystanders", "tab:blue"))):
        for flip, style in (("no", "o-"), ("yes", "s--")):
            rows = [row for row in pose if row.flip == flip and row.weights == SHIPPED]
            label = name + (", flip test" if flip == "yes" else "")
            left.plot([r.time for r in rows], [r.pck[column] for r in rows], style, color=colour, label=label)
        for row in pose:
            if row.weights != SHIPPED and row.flip == "no":
                left.plot(row.time, row.pck[column], "*", color=colour, markersize=11)
                left.annotate(row.weights, (row.time, row.pck[column]), fontsize=7, xytext=(0, -11), **NOTE)
    for i, row in enumerate(row for row in pose if row.flip == "no" and row.weights == SHIPPED):
        note = row.input.replace(" ", "")
        left.annotate(note, (row.time, row.pck[1]), fontsize=7, xytext=(0, 6 + 9 * (i % 2)), **NOTE)
    shipped = f"{parts.size[0]} x {parts.size[1]}"
    left.set(xlabel=f"CPU time, {shipped} without flip = 1", ylabel="PCK@0.2", title="pose network by input")
    for axis in (left, right):
        axis.margins(0.12)
    left.legend(fontsize=7)
    right.plot([r[1] for r in boxes], [r[2] for r in boxes], "o-", label="AP50")
    right.plot([r[1] for r in boxes], [r[3] for r in boxes], "s-", label="found, %")
    for i, row in enumerate(boxes):
        note = f"{row[0]}: {row[4]:.2f} false"
        right.annotate(note, (row[1], row[2]), fontsize=7, xytext=(0, 6 + 9 * (i % 2)), **NOTE)
    right.set(
        xlabel=f"CPU time, {parts.detector().long_side} = 1", title="detector by longer side of its input"
    )
    right.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    plt.close(figure)
