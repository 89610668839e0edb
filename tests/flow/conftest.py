"""Pictures of known motion: a texture is a sum of waves, so it has a value at every sub-pixel place."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Matrix = NDArray[np.float64]  # (2, 3): where a point of the unmoved texture goes
Render = Callable[..., Image]

WAVES = 24


def render(seed: int = 0, matrix: Matrix | None = None, size: tuple[int, int] = (320, 240)) -> Image:
    """The texture of a seed (waves of 6 to 120 px, three colours), moved by an affine matrix."""
    return _render(seed, None if matrix is None else tuple(map(tuple, matrix)), size).copy()


@cache
def _render(seed: int, matrix: tuple[tuple[float, ...], ...] | None, size: tuple[int, int]) -> Image:
    rng = np.random.default_rng(seed)
    angle, phase = rng.uniform(0, 2 * np.pi, (2, WAVES))
    length = np.geomspace(6, 120, WAVES)
    colour = rng.normal(size=(WAVES, 3)) * length[:, None] ** 0.5
    x, y = np.meshgrid(np.arange(size[0], dtype=np.float64), np.arange(size[1], dtype=np.float64))
    if matrix is not None:
        inverse = np.linalg.inv([*matrix, (0, 0, 1)])
        x, y = (row[0] * x + row[1] * y + row[2] for row in inverse[:2])
    waves = np.stack(
        [
            np.cos(2 * np.pi / n * (x * np.cos(a) + y * np.sin(a)) + p)
            for n, a, p in zip(length, angle, phase, strict=True)
        ],
        axis=-1,
    ).astype(np.float32)
    strength = np.sqrt((colour**2).sum(axis=0) / 2)
    return np.clip(128 + 50 * (waves @ colour.astype(np.float32)) / strength, 0, 255).astype(np.uint8)


@pytest.fixture(name="render")
def render_fixture() -> Render:
    return render
