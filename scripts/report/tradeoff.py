"""Accuracy against time: the inputs of the pose network and of the detector."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from posetrack.presets import LIGHT
from posetrack.types import Detections, Frame
from scripts.plots import BLUE, GREEN, MUTED, ORANGE, panels, save
from scripts.report.accuracy import compared
from scripts.report.networks import SETS, Networks, look

INPUTS = ((96, 128), (128, 160), (128, 192), (160, 192), (160, 224), (192, 256))  # multiples of 32
SIDES = (256, 320, 416, 480, 512, 640)
ROUNDS = 5
PEOPLE = 4
Curve = tuple[Sequence[float], str, str]  # values, label, colour


def tradeoff(networks: Networks, path: Path) -> None:
    """Draw PCK@0.2 of the pose network, and recall and AP50 of the detector, over CPU time."""
    frame, people = busy_frame()
    sizes = sorted({*INPUTS, networks.estimator().settings.input_size})
    estimators = [networks.estimator(input_size=size) for size in sizes]
    pose_ms = interleaved([partial(e.estimate_frame, frame, people) for e in estimators])
    pck = [[look(estimator, held_out)[1].pck() for estimator in estimators] for held_out in networks.held_out]
    sides = sorted({*SIDES, networks.detector().long_side})
    detectors = [networks.detector(networks.carried()[1], side) for side in sides]
    box_ms = interleaved([partial(d, [frame]) for d in detectors])
    results = [compared(detector, networks.photos) for detector in detectors]
    figure, (axes,) = panels(1, 2, (12, 4.6))
    names = [SETS[held_out.name] for held_out in networks.held_out]
    draw_curves(
        axes[0],
        pose_ms,
        [(values, name, colour) for values, name, colour in zip(pck, names, (ORANGE, BLUE), strict=True)],
        [f"{w}x{h}" for w, h in sizes],
    )
    axes[0].set_ylabel("PCK@0.2")
    axes[0].set_xlabel(f"CPU ms for {PEOPLE} people of a 720p frame")
    axes[0].set_title("pose network by its input", loc="left", fontsize=12)
    found = [100 * r.at(LIGHT.detector_score)[0] for r in results]
    curves: list[Curve] = [
        ([100 * r.ap50 for r in results], "AP50", BLUE),
        (found, f"found at {LIGHT.detector_score}, %", GREEN),
    ]
    draw_curves(axes[1], box_ms, curves, list(map(str, sides)))
    axes[1].set_xlabel("CPU ms for a 720p frame")
    axes[1].set_title("detector by the longer side of its input", loc="left", fontsize=12)
    save(figure, path)


def draw_curves(axis: Axes, x: Sequence[float], curves: Sequence[Curve], marks: Sequence[str]) -> None:
    """Curves over time; what each place is stands below, slanted, so that close ones stay legible."""
    for values, label, colour in curves:
        axis.plot(x, values, color=colour, marker="o", ms=4, lw=1.8, label=label, zorder=3)
    axis.margins(0.08, 0.1)
    for at, mark in zip(x, marks, strict=True):
        axis.axvline(at, color=MUTED, lw=0.6, ls=(0, (2, 3)), zorder=1)
        axis.annotate(
            mark, (at, 0), (2, 4), xycoords=("data", "axes fraction"), textcoords="offset points",
            rotation=90, fontsize=8, color=MUTED, ha="left", va="bottom",
        )  # fmt: skip
    axis.legend(frameon=False, loc="lower right")


def busy_frame() -> tuple[Frame, Detections]:
    """A 720p picture and four boxes in it; what it shows does not change the time."""
    image = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), np.uint8)
    boxes = [[100 + 280 * k, 150, 240 + 280 * k, 600] for k in range(PEOPLE)]
    return Frame(image, 0, 0.0), Detections(boxes, [0.9] * PEOPLE)


def interleaved(calls: Sequence[Callable[[], object]]) -> list[float]:
    """Milliseconds of CPU time of each, the median of rounds in which all take turns; the first warms up."""
    times = np.zeros((ROUNDS + 1, len(calls)))
    for row in times:
        for k, call in enumerate(calls):
            start = time.process_time()
            call()
            row[k] = time.process_time() - start
    return [float(ms) for ms in 1000 * np.median(times[1:], axis=0)]
