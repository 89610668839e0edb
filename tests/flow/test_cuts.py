"""Scene cuts on scenes that are made up: what is a cut, and what only looks like one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from flow.cuts import CutDetector

Image = NDArray[np.uint8]
Render = Callable[..., Image]
SIZE = (320, 240)


def scene(seed: int) -> Image:
    """Forty coloured ellipses on a coloured ground, 640 x 480: larger than the pictures that look into it."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(640.0), np.arange(480.0))
    image = np.full((480, 640, 3), rng.integers(30, 180) + rng.integers(-30, 31, 3), np.float64)
    for _ in range(40):
        cx, cy, a, b = rng.uniform([0, 0, 15, 15], [640, 480, 90, 90])
        image[((x - cx) / a) ** 2 + ((y - cy) / b) ** 2 < 1] = rng.integers(10, 220) + rng.integers(
            -30, 31, 3
        )
    return np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)


SCENES = [scene(seed) for seed in range(6)]


def look(seed: int, x: int = 160, y: int = 120, gain: float = 1.0, add: float = 0.0) -> Image:
    """A 320 x 240 picture of a scene from its pixel (x, y) on, brighter or darker."""
    part = SCENES[seed][y : y + SIZE[1], x : x + SIZE[0]]
    return np.clip(part.astype(np.float64) * gain + add, 0, 255).astype(np.uint8)


def walker(x: int) -> Image:
    """Scene 0 with somebody large in front, who hides a fifth of it."""
    image = look(0)
    image[40:, x : x + 70] = SCENES[5][40:240, 100:170]
    return image


BLACK = np.zeros((240, 320, 3), np.uint8)
WHITE = np.full((240, 320, 3), 255, np.uint8)
SHAKE = np.random.default_rng(7).integers(-12, 13, (12, 2))


@dataclass(frozen=True)
class Case:
    name: str
    frames: list[Image]
    cuts: list[int]  # frames that begin a scene, besides the first


def dots(seed: int) -> Image:
    """Three small discs anywhere on a dark, plain background that stays."""
    image = np.random.default_rng(1).integers(0, 40, (240, 320, 3), np.uint8)
    rows, columns = np.mgrid[:240, :320]
    for k, (x, y) in enumerate(np.random.default_rng(seed).uniform([40, 40], [280, 200], (3, 2))):
        image[(columns - x) ** 2 + (rows - y) ** 2 < 200] = 255 * np.eye(3, dtype=np.uint8)[k]
    return image


CASES = [
    Case("nothing moves", [look(0)] * 4, []),
    Case("one cut", [look(0), look(0), look(1), look(1)], [2]),
    Case("a cut at every frame", [look(i) for i in range(6)], [1, 2, 3, 4, 5]),
    Case("fast pan, an eighth of the width per frame", [look(0, x=40 * t) for t in range(8)], []),
    Case("fast tilt", [look(1, y=30 * t) for t in range(8)], []),
    Case("shaking camera", [look(2, x=160 + int(dx), y=120 + int(dy)) for dx, dy in SHAKE], []),
    Case("somebody walks by close to the camera", [walker(x) for x in range(0, 250, 30)], []),
    Case("little to see but what moves", [dots(seed) for seed in range(8)], []),
    Case("light goes down, then up", [look(0, gain=g) for g in (1, 0.8, 0.5, 0.3, 0.6, 1)], []),
    Case("one flash", [look(0), look(0, gain=1.4, add=30), look(0)], []),
    Case("flash that burns out everything", [look(0), look(0), WHITE, look(0), look(0)], []),
    Case("flash of two frames that burns out much", [look(0), *[look(0, gain=3, add=90)] * 2, look(0)], []),
    Case("dropped frames are black", [look(0), BLACK, BLACK, look(0), BLACK, look(0)], []),
    Case(
        "fade out and in to another scene", [look(0), look(0, gain=0.3), BLACK, BLACK, look(1, gain=0.3)], [4]
    ),
    Case("cut right after a flash", [look(0), look(0, gain=3, add=90), look(1), look(1)], [2]),
    Case("black at the beginning", [BLACK, BLACK, look(0), look(0)], [2]),
    Case(
        "cut into a bright scene, found when no flash lasts so long", [look(0)] + [look(1, add=170)] * 4, [3]
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_cuts(case: Case) -> None:
    change = CutDetector()
    found = [i for i, frame in enumerate(case.frames) if change(frame) == "cut"]
    assert found == [0, *case.cuts]


@pytest.mark.parametrize(
    ("name", "frames", "changes"),
    [
        ("one broken frame", [0, 0, 1, 0, 0], "cut none cut return none"),
        ("three unlike broken frames", [0, 1, 2, 3, 0, 0], "cut cut cut cut return none"),
        ("a glitch of five frames", [0, 1, 1, 1, 1, 1, 0], "cut cut none none none none return"),
        ("after six frames it is an edit", [0, 1, 1, 1, 1, 1, 1, 0], "cut cut none none none none none cut"),
        ("a real cut after a glitch", [0, 1, 0, 2, 2], "cut cut return cut none"),
        ("two glitches", [0, 1, 0, 2, 0], "cut cut return cut return"),
    ],
)
def test_a_scene_that_comes_back_was_not_cut_away(name: str, frames: list[int], changes: str) -> None:
    change = CutDetector()
    assert [change(look(seed)) for seed in frames] == changes.split()


@pytest.mark.parametrize("a", range(6))
@pytest.mark.parametrize("b", range(6))
def test_every_other_scene_is_a_cut_and_every_small_move_is_none(a: int, b: int) -> None:
    change = CutDetector()
    change(look(a))
    assert change(look(b, x=175, y=112, gain=0.9)) == ("none" if a == b else "cut")


def test_size_and_reset_begin_anew() -> None:
    change, image = CutDetector(), look(0)
    sizes = [change(image), change(image), change(image[:200]), change(image[:200])]
    assert sizes == ["cut", "none", "cut", "none"]
    change.reset()
    assert change(image[:200]) == "cut"


def test_textures_without_any_order(render: Render) -> None:
    """Waves of all directions, as alike as scenes can be that are not the same."""
    change = CutDetector()
    assert [change(render(seed)) for seed in (0, 0, 1, 1, 2)] == ["cut", "none", "cut", "none", "cut"]
