"""Microseconds per frame that the tracker itself takes, without detector, pose network and flow.

    python scripts/benchmark_association.py [--people 5 20 100] [--frames 200] [--json FILE]

People of 17 joints walk in 1280 x 720, 160 px tall and at random places, the same world for every setting;
joints jitter by 3 % of a person's height, one person in ten goes undetected in a frame. The motion given to
the tracker costs next to nothing, so that `propagate` shows the tracker's own work. Times are medians over
the frames, of CPU time, which other programs disturb less than the clock on the wall.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posetrack.boxes import iou
from posetrack.presets import LIGHT, PAPER
from posetrack.skeletons import POSETRACK18
from posetrack.types import Detections, Frame, Poses
from trackers.flow_tracker import FlowTracker, FlowTrackerSettings

SIZE = (1280, 720)
HEIGHT = 160  # of a person, pixels
WARM_UP = 20  # frames not counted: the memory fills
SETTINGS = {"light": LIGHT.tracker, "paper": PAPER.tracker}
STEPS = ("propagate", "unify", "update")


@dataclass(frozen=True)
class Drift:
    """The picture moves one pixel to the right."""

    cut: bool = False
    resumed: bool = False

    def move(self, points: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        return points + np.float32(1), np.ones(len(points), bool)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, nargs="+", default=[5, 20, 100])
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--json", type=Path, help="write the numbers here too")
    args = parser.parse_args()
    rows = []
    print(f"{'setting':8} {'people':>6} " + " ".join(f"{step:>10}" for step in (*STEPS, "together")))
    for name, settings in SETTINGS.items():
        for people in args.people:
            times = measure(settings, people, args.frames)
            rows.append({"setting": name, "people": people, **times})
            print(f"{name:8} {people:6} " + " ".join(f"{times[s]:10.0f}" for s in (*STEPS, "together")))
    if args.json:
        args.json.write_text(json.dumps({"unit": "microseconds per frame", "rows": rows}, indent=1) + "\n")


def measure(settings: FlowTrackerSettings, people: int, frames: int) -> dict[str, float]:
    """Median microseconds of each step, and of the three together."""
    tracker = FlowTracker(settings)
    image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    spent = []
    for index, (everyone, detected) in enumerate(world(people, frames + WARM_UP)):
        found = everyone[detected]
        seen = Detections(found.boxes, found.scores)
        start = time.thread_time()
        expected = tracker.propagate(Drift(cut=index == 0))
        carried = time.thread_time()
        kept, missed = tracker.merge_boxes(seen, expected)
        unified = time.thread_time()
        poses = found[kept] + _second_look(missed, everyone)
        propagated = np.arange(len(poses)) >= len(kept)
        ready = time.thread_time()
        tracker.assign(Frame(image, index, index / 25), poses, propagated)
        spent.append((carried - start, unified - carried, time.thread_time() - ready))
    steps = np.array(spent[WARM_UP:]) * 1e6
    median = dict(zip(STEPS, np.median(steps, axis=0).round(1).tolist(), strict=True))
    return {**median, "together": float(np.median(steps.sum(1)).round(1))}


def world(people: int, frames: int) -> Iterator[tuple[Poses, NDArray[np.bool_]]]:
    """Everybody in each frame, and whom the detector found."""
    rng = np.random.default_rng(0)
    K = len(POSETRACK18)
    place = rng.uniform((0, 0), SIZE, (people, 2))
    speed = rng.normal((1, 0), 0.7, (people, 2))  # pixels per frame; the picture moves by (1, 0)
    shape = rng.uniform(-0.5, 0.5, (people, K, 2)) * (HEIGHT / 3, HEIGHT)
    for _ in range(frames):
        place = place + speed
        points = place[:, None] + shape + rng.normal(0, 0.03 * HEIGHT, (people, K, 2))
        boxes = np.concatenate([points.min(1), points.max(1)], axis=1)
        joint_scores = rng.uniform(0.3, 1, (people, K))
        yield (
            Poses(points, joint_scores, boxes, rng.uniform(0.5, 1, people), POSETRACK18),
            rng.random(people) > 0.1,
        )


def _second_look(boxes: Detections, everyone: Poses) -> Poses:
    """What the pose network sees in boxes from flow: the person who fills it most, or next to nothing."""
    overlap = iou(boxes.boxes, everyone.boxes)
    there = overlap.max(1, initial=0) > 0.3
    poses = everyone[overlap.argmax(1)]
    scores = np.where(there[:, None], poses.keypoint_scores, 0.05)
    return Poses(poses.keypoints, scores, boxes.boxes, boxes.scores, everyone.skeleton)


if __name__ == "__main__":
    main()
