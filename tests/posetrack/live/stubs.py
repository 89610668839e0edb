"""A system without networks: one person, a white block on black, whose joints lie on the block's middle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import flow
from posetrack.pipeline import PoseTracker
from posetrack.skeletons import POSETRACK18
from posetrack.types import Detections, Frame, Poses
from posetrack.video.upright import Image
from trackers import FlowTracker, FlowTrackerSettings

SIZE = (160, 120)


class BlockDetector:
    """Finds the block; counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, frames: Sequence[Frame]) -> list[Detections]:
        self.asked += len(frames)
        return [self._find(frame.image) for frame in frames]

    def _find(self, image: Image) -> Detections:
        y, x = np.nonzero(image[..., 0] > 128)
        if not len(x):
            return Detections.empty()
        return Detections([[x.min(), y.min(), x.max() + 1, y.max() + 1]], [0.9])


class BlockEstimator:
    """Joints in a row across the middle of every box."""

    skeleton = POSETRACK18

    def __call__(self, frames: Sequence[Frame], detections: Sequence[Detections]) -> list[Poses]:
        return [self.estimate_frame(*pair) for pair in zip(frames, detections, strict=True)]

    def estimate_frame(self, frame: Frame, detections: Detections) -> Poses:
        K = len(self.skeleton)
        share = np.linspace(0.1, 0.9, K)
        x1, y1, x2, y2 = detections.boxes.T[..., None]
        points = np.stack([x1 + share * (x2 - x1), y1 + share * (y2 - y1)], axis=2)  # (N, K, 2)
        scores = np.full((len(detections), K), 0.9)
        return Poses(points, scores, detections.boxes, detections.scores, self.skeleton)


def block_tracker() -> PoseTracker:
    return PoseTracker(
        BlockDetector(), BlockEstimator(), flow.create("lucas_kanade"), FlowTracker(FlowTrackerSettings()),
        preset="block",
    )  # fmt: skip


def block(x: int | None, size: tuple[int, int] = SIZE) -> Image:
    """A picture (H, W, 3) with the block at x, or without it."""
    image = np.zeros((size[1], size[0], 3), np.uint8)
    if x is not None:
        image[30:100, x : x + 40] = 255
        image[40:90:7, x + 5 : x + 35 : 3] = 200  # something for the flow to hold on to
    return image
