"""What the rest of the system knows of a person detector, and the box arithmetic that all detectors share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from posetrack.types import Detections, Floats, Frame


class Detector(Protocol):
    """A source of person boxes."""

    def __call__(self, frames: Sequence[Frame]) -> list[Detections]:
        """Everybody in every frame; frames of one call may differ in size.

        Returns:
            One Detections per frame: persons only, boxes in pixels of the frame and inside it, best score
            first, scores in 0..1. Nobody in view is N = 0. The result for a frame does not depend on the
            frames beside it.
        """
        ...


def tidy(boxes: Floats, scores: Floats, size: tuple[int, int]) -> Detections:
    """Boxes clipped to a frame of (width, height), those left without area dropped, best score first.

    Equal scores keep their order.
    """
    width, height = size
    boxes = np.clip(boxes, 0, np.array([width, height, width, height])).astype(np.float32)
    order = np.argsort(-scores, kind="stable")
    order = order[(boxes[order, 2:] > boxes[order, :2]).all(1)]
    return Detections(boxes[order], scores[order])


def in_one_forward(sizes: Sequence[tuple[int, int]], device: str) -> list[list[int]]:
    """Which frames share a forward: those of one size on an accelerator; on a CPU every frame has its own.

    A CPU gains nothing from batches, and convolutions of another batch size round in another way there, so
    alone is what makes results the same for every batch size.

    Args:
        sizes: of the frames.
        device: "cpu", "cuda", ...

    Returns:
        Groups of indices into `sizes`, each index once.
    """
    if device == "cpu":
        return [[i] for i in range(len(sizes))]
    return [[i for i, size in enumerate(sizes) if size == wanted] for wanted in dict.fromkeys(sizes)]


def suppress(boxes: Floats, scores: Floats, threshold: float) -> NDArray[np.intp]:
    """Greedy non-maximum suppression.

    Returns:
        (M,) indices of the kept boxes, best score first; no two overlap by IoU > threshold.
    """
    order = np.argsort(-scores, kind="stable")
    overlap = iou(boxes[order], boxes[order]) > threshold
    alive = np.ones(len(order), bool)
    for i in range(len(order)):
        if alive[i]:
            alive[i + 1 :] &= ~overlap[i, i + 1 :]
    return order[alive]


def iou(a: Floats, b: Floats) -> Floats:
    """(N, M) intersection over union of xyxy boxes; 0 where both are empty."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(2)
    area_a, area_b = (a[:, 2:] - a[:, :2]).prod(1), (b[:, 2:] - b[:, :2]).prod(1)
    union = area_a[:, None] + area_b[None] - shared
    quotient: Floats = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return quotient
