"""No motion at all: what a cut gives, and the flow "none" for ablations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flow.base import Image, Motion, Points
from flow.pairs import Pairs
from flow.scale import WorkingScale


@dataclass(frozen=True)
class Cut:
    """Motion between two scenes: points stay and none is visible."""

    cut = True
    resumed = False

    def move(self, points: Points) -> tuple[Points, NDArray[np.bool_]]:
        """The same points, none visible."""
        return points.astype(np.float32), np.zeros(len(points), np.bool_)


@dataclass(frozen=True)
class Resumed:
    """Motion across a break: a glitch or a flash, a cut that is taken back."""

    motion: Motion
    cut = False
    resumed = True

    def move(self, points: Points) -> tuple[Points, NDArray[np.bool_]]:
        """As the motion from the last frame before the break."""
        return self.motion.move(points)


def resume(motions: Sequence[Motion], resumed: Sequence[bool]) -> list[Motion]:
    """The motions, marked where they lead across a break."""
    return [Resumed(m) if flag else m for m, flag in zip(motions, resumed, strict=True)]


@dataclass(frozen=True)
class Still:
    """Everything stays where it is; points inside the picture are visible."""

    scale: WorkingScale
    cut = False
    resumed = False

    def move(self, points: Points) -> tuple[Points, NDArray[np.bool_]]:
        """The same points, visible where they lie inside the picture."""
        return points.astype(np.float32), self.scale.inside(points)


class StillFlow:
    """A flow that finds cuts and no motion: switches propagation by flow off."""

    def __init__(self) -> None:
        self._pairs = Pairs(lambda image: WorkingScale.of(image.shape[1], image.shape[0], 1.0))

    def reset(self) -> None:
        """Forget the frame before: a new video begins."""
        self._pairs.reset()

    def __call__(self, images: Sequence[Image]) -> list[Motion]:
        """One motion per image: `Cut` or `Still`."""
        pairs = self._pairs(images)
        return resume([Cut() if pair is None else Still(pair[1]) for pair in pairs], self._pairs.resumed)
