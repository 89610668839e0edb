"""How long the tracker itself takes for a frame, without detector, pose network and flow.

People of 17 joints walk in 1280 x 720, 160 px tall and at random places, the same world for every setting;
joints jitter by 3 % of a person's height, one person in ten goes undetected in a frame. The motion given
to the tracker costs next to nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posetrack.boxes import iou
from posetrack.skeletons import POSETRACK18
from posetrack.types import Detections, Frame, Poses
from trackers.flow_tracker import FlowTracker, FlowTrackerSettings

SIZE = (1280, 720)
HEIGHT = 160  # of a person, pixels
WARM_UP = 20  # frames not counted: the memory fills


@dataclass(frozen=True)
class Drift:
    """The picture moves one pixel to the right."""

    cut: bool = False
    resumed: bool = False

    def move(self, points: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        return points + np.float32(1), np.ones(len(points), bool)


def measured(settings: FlowTrackerSettings, people: int, frames: int) -> float:
    """Median microseconds of CPU time, which other programs disturb less than the clock on the wall."""
    tracker = FlowTracker(settings)
    image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    spent = []
    for index, (everyone, detected) in enumerate(world(people, frames + WARM_UP)):
        found = everyone[detected]
        seen = Detections(found.boxes, found.scores)
        looked = 0.0

        def look(boxes: Detections, everyone: Poses = everyone) -> Poses:
            nonlocal looked
            start = time.thread_time()
            poses = second_look(boxes, everyone)
            looked = time.thread_time() - start
            return poses

        start = time.thread_time()
        tracker.update(Frame(image, index, index / 25), Drift(cut=index == 0), seen, found, look)
        spent.append(time.thread_time() - start - looked)
    return float(np.median(spent[WARM_UP:]) * 1e6)


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
        scores = rng.uniform(0.3, 1, (people, K)), rng.uniform(0.5, 1, people)
        yield Poses(points, scores[0], boxes, scores[1], POSETRACK18), rng.random(people) > 0.1


def second_look(boxes: Detections, everyone: Poses) -> Poses:
    """What the pose network sees in boxes from flow: the person who fills it most, or next to nothing."""
    overlap = iou(boxes.boxes, everyone.boxes)
    there = overlap.max(1, initial=0) > 0.3
    poses = everyone[overlap.argmax(1)]
    scores = np.where(there[:, None], poses.keypoint_scores, 0.05)
    return Poses(poses.keypoints, scores, boxes.boxes, boxes.scores, everyone.skeleton)
