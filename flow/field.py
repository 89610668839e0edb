"""Dense flow fields: a motion that looks its points up in a field (h, w, 2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flow.base import Points
from flow.scale import WorkingScale

Field = NDArray[np.float32]  # (h, w, 2): shift in x, y of every working pixel, in working pixels


@dataclass(frozen=True, eq=False)
class DenseMotion:
    """Motion given by a field at working scale, sampled bilinearly.

    With `back`, the field from the frame after to the frame before, a point is visible only where the two
    agree: |f + b|² <= 0.01 (|f|² + |b|²) + 0.5 in working pixels (Sundaram, Brox and Keutzer, ECCV 2010).
    """

    field: Field
    scale: WorkingScale
    back: Field | None = None
    cut = False
    resumed = False

    def move(self, points: Points) -> tuple[Points, NDArray[np.bool_]]:
        """Carry points along the field; outside the picture the field goes on as at its border."""
        points = np.asarray(points, np.float32).reshape(-1, 2)
        start = self.scale.to_working(points)
        shift = sample(self.field, start)
        moved = points + shift / self.scale.factor
        visible = self.scale.inside(points) & self.scale.inside(moved)
        if self.back is not None:
            visible &= _agree(shift, sample(self.back, start + shift))
        return moved, visible


def sample(field: Field, points: Points) -> NDArray[np.float32]:
    """Bilinear values of a field (h, w, C) at points (M, 2), clamped to the border: (M, C)."""
    h, w, _ = field.shape
    x = np.clip(np.nan_to_num(points[:, 0]), 0, w - 1)
    y = np.clip(np.nan_to_num(points[:, 1]), 0, h - 1)
    left, top = x.astype(np.int64), y.astype(np.int64)
    right, bottom = np.minimum(left + 1, w - 1), np.minimum(top + 1, h - 1)
    u, v = (x - left)[:, None], (y - top)[:, None]  # (M, 1)
    upper = (1 - u) * field[top, left] + u * field[top, right]
    lower = (1 - u) * field[bottom, left] + u * field[bottom, right]
    return np.asarray((1 - v) * upper + v * lower, np.float32)


def _agree(forward: NDArray[np.float32], back: NDArray[np.float32]) -> NDArray[np.bool_]:
    closure = np.sum((forward + back) ** 2, axis=1)
    length = np.sum(forward**2, axis=1) + np.sum(back**2, axis=1)
    return np.asarray(closure <= 0.01 * length + 0.5, np.bool_)
