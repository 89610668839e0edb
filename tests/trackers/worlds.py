"""Tiny worlds: stick people of four joints, and motions known exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posetrack.skeletons import Skeleton
from posetrack.types import Frame, Poses

STICK = Skeleton("stick", ("head", "hand", "hip", "foot"), ((0, 2), (1, 2), (2, 3)), (0.1,) * 4)
SHAPE = np.array([[0, -30], [12, -5], [0, 0], [-8, 30]], np.float32)  # 20 wide, 60 high about the hip


@dataclass(frozen=True)
class Shift:
    """Everything moves by (dx, dy); points right of `lost_from` are lost."""

    dx: float = 0
    dy: float = 0
    lost_from: float = float("inf")
    cut: bool = False
    resumed: bool = False

    def move(self, points: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        moved = points + np.array([self.dx, self.dy], np.float32)
        return moved, points[:, 0] < self.lost_from


@dataclass(frozen=True)
class Walk:
    """Each point moves with the person whose hip was nearest: {hip x: dx}."""

    steps: dict[float, float]
    cut: bool = False
    resumed: bool = False

    def move(self, points: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        hips = np.array(list(self.steps))
        nearest = np.abs(points[:, :1] - hips).argmin(1) if len(points) else np.zeros(0, int)
        dx = np.array(list(self.steps.values()))[nearest]
        return points + np.stack([dx, 0 * dx], 1).astype(np.float32), np.ones(len(points), bool)


CUT = Shift(cut=True)
STILL = Shift()


def people(*places: tuple[float, float], scores: Sequence[float] = (), joint_scores: float = 0.9) -> Poses:
    """Poses with hips at the places; the box is the joints' extent."""
    points = np.array([SHAPE + np.array(p, np.float32) for p in places], np.float32).reshape(-1, 4, 2)
    boxes = np.concatenate([points.min(1), points.max(1)], axis=1) if len(points) else []
    return Poses(
        points, np.full((len(points), 4), joint_scores), boxes, list(scores) or [0.9] * len(points), STICK
    )


def frame(index: int, fps: float = 10) -> Frame:
    return Frame(np.zeros((200, 400, 3), np.uint8), index, index / fps)
