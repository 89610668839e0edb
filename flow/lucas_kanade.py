"""Sparse flow by pyramidal Lucas-Kanade (Bouguet's form, as in OpenCV): the default on a CPU.

Nothing is computed until points are asked for. A joint lies on a limb: the window around it is half
background, the limb may be plain, and it may move by more than its own width. So each point is tracked from
five starting places, the small patch around the point itself decides which of the motions found is its own,
and tracking back decides whether to trust it. On puppets of known motion (photos as texture, 720p) this loses
5, 14 and 51 % of the visible joints at speeds of 0-8, 8-20 and 20-60 px per frame, one window of 15 px per
joint 10, 27 and 64 % (lost: off by more than 5 px).

    >>> motions = LucasKanadeFlow()([first_frame, second_frame])
    >>> points, visible = motions[1].move(joints_of_the_first_frame)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from flow.base import Image, Motion, Points
from flow.pairs import Pairs
from flow.scale import WorkingScale, check_scale
from flow.still import Cut, resume

Gray = NDArray[np.uint8]  # (h, w)
Shifts = NDArray[np.float32]  # (M, 2) working pixels

# All in working pixels, that is of a picture whose long side is about 640.
WINDOW = 13  # of a tracker
LEVELS = 4  # halvings above the working picture: 60 px there are 4 px at the top
STARTS = 5 * np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]], np.float32)
PATCH = np.arange(-4, 5, dtype=np.float32)  # the 9 x 9 pixels that decide between motions
RETURN = 1.0  # a point is visible when tracking back ends this close to where it came from
NEIGHBOURS = 4  # visible points nearest to a lost one, whose median motion is the guess for it
TEXTURE, FAINT_TEXTURE = 1e-4, 1e-5  # smallest eigenvalue of the gradients in a window: to track, to confirm


class LucasKanadeFlow:
    """Lucas-Kanade tracks of the asked points, checked forward and backward.

    Args:
        scale: working size / picture size; None brings the long side to at most 640 pixels.
    """

    def __init__(self, scale: float | None = None) -> None:
        self._scale = check_scale(scale)
        self._pairs = Pairs(self._prepare)

    def reset(self) -> None:
        """Forget the frame before: a new video begins."""
        self._pairs.reset()

    def __call__(self, images: Sequence[Image]) -> list[Motion]:
        """One motion per image: `SparseMotion`, or `Cut`."""
        pairs = self._pairs(images)
        motions: list[Motion] = [
            Cut() if pair is None else SparseMotion(pair[0].gray, pair[1].gray, pair[1].scale)
            for pair in pairs
        ]
        return resume(motions, self._pairs.resumed)

    def _prepare(self, image: Image) -> _Frame:
        scale = WorkingScale.of(image.shape[1], image.shape[0], self._scale)
        return _Frame(scale.shrink(np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)), scale)


class _Frame(NamedTuple):
    gray: Gray
    scale: WorkingScale


@dataclass(frozen=True, eq=False)
class SparseMotion:
    """Motion between two gray pictures, found for the points that are asked for."""

    before: Gray
    after: Gray
    scale: WorkingScale
    cut = False
    resumed = False

    def move(self, points: Points) -> tuple[Points, NDArray[np.bool_]]:
        """Track points into the frame after.

        A lost point (occluded, blurred, without texture, outside the picture) is not visible. It goes with
        the visible points nearest to it, its own body most of the time, unless its own track fits better.
        """
        points = np.asarray(points, np.float32).reshape(-1, 2)
        start = self.scale.to_working(points)
        shift = np.zeros_like(start)
        visible = np.zeros(len(points), np.bool_)
        cost = np.full(len(points), np.inf, np.float32)
        inside = self.scale.inside(points)
        if inside.any():
            shift[inside], cost[inside] = self._own_motion(start[inside])
            visible[inside] = self._confirmed(start[inside], shift[inside])
        self._follow_neighbours(start, shift, cost, visible)
        moved = points + shift / self.scale.factor
        return moved, visible & self.scale.inside(moved)

    def _own_motion(self, start: Points) -> tuple[Shifts, NDArray[np.float32]]:
        """(M, 2) the motion that fits the point's own patch best, and (M,) how badly it still fits."""
        M = len(start)
        starts = (start[:, None] + STARTS).reshape(-1, 2)  # (M * 5, 2)
        tracked = _track(self.before, self.after, starts, TEXTURE)[0]
        found = (tracked - starts).reshape(M, len(STARTS), 2)
        median = np.median(found, axis=1, keepdims=True)
        candidates = np.concatenate([found, median, np.zeros_like(median)], axis=1)  # (M, 7, 2)
        cost = self._misfit(start, candidates)
        best = cost.argmin(axis=1)
        return candidates[np.arange(M), best], cost.min(axis=1)

    def _confirmed(self, start: Points, shift: Shifts) -> NDArray[np.bool_]:
        """(M,): tracking back from where the point went ends where it came from."""
        back, textured = _track(self.after, self.before, start + shift, FAINT_TEXTURE)
        return np.asarray(textured & (np.linalg.norm(back - start, axis=1) < RETURN), np.bool_)

    def _follow_neighbours(
        self, start: Points, shift: Shifts, cost: NDArray[np.float32], visible: NDArray[np.bool_]
    ) -> None:
        """Move lost points with the visible ones around them where that fits no worse. Changes shift."""
        lost = np.flatnonzero(~visible & np.isfinite(start).all(axis=1))
        if len(lost) == 0 or not visible.any():
            return
        distance = np.linalg.norm(start[lost, None] - start[visible], axis=2)  # (lost, visible)
        nearest = np.argsort(distance, axis=1)[:, :NEIGHBOURS]
        guess = np.median(shift[visible][nearest], axis=1)
        # Where either end lies outside the picture there is nothing to compare.
        better = np.isinf(cost[lost]) | ~self.scale.inside(self.scale.to_picture(start[lost] + guess))
        inside = ~better
        if inside.any():
            ours = self._misfit(start[lost[inside]], guess[inside, None])[:, 0]
            better[inside] = ours < cost[lost[inside]]
        shift[lost[better]] = guess[better]

    def _misfit(self, start: Points, shifts: NDArray[np.float32]) -> NDArray[np.float32]:
        """(M, C): mean gray difference of the patch at start to where each shift (M, C, 2) brings it."""
        here = _patches(self.before, start[:, None])  # (M, 1, 81)
        there = _patches(self.after, start[:, None] + shifts)  # (M, C, 81)
        return np.asarray(np.abs(there - here).mean(axis=2), np.float32)


def _track(a: Gray, b: Gray, points: Points, texture: float) -> tuple[Points, NDArray[np.bool_]]:
    """Where points of a are in b, and whether there was texture enough to tell."""
    moved, status, _ = cv2.calcOpticalFlowPyrLK(
        a,
        b,
        points.reshape(-1, 1, 2),
        None,  # type: ignore[call-overload]  # no first guess
        winSize=(WINDOW, WINDOW),
        maxLevel=LEVELS,
        criteria=(cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 10, 0.03),
        minEigThreshold=texture,
    )
    return np.asarray(moved, np.float32).reshape(-1, 2), status.ravel().astype(np.bool_)


def _patches(gray: Gray, centres: NDArray[np.float32]) -> NDArray[np.float32]:
    """(M, C, 81): the 9 x 9 pixels around centres (M, C, 2), bilinear, the border repeated."""
    M, C, _ = centres.shape
    x, y = np.meshgrid(PATCH, PATCH)
    x = (centres[..., 0, None] + x.ravel()).reshape(M, -1)  # (M, C * 81)
    y = (centres[..., 1, None] + y.ravel()).reshape(M, -1)
    pixels = cv2.remap(gray, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return pixels.reshape(M, C, -1).astype(np.float32)
