"""Trees and planters: thousands of leaves, lit by where they sit in the crown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from scripts.render.lighting import BOUNCE, SKY, SUN, TO_SUN
from scripts.render.paint import Array, linear
from scripts.render.rasterise import Camera

if TYPE_CHECKING:
    from scripts.render.backdrop import Layers


def draw_tree(layers: Layers, camera: Camera, foot: NDArray[np.floating], height: float, seed: int) -> None:
    """A broadleaf tree."""
    rng = np.random.default_rng(100 + seed)
    bark = linear((0.38, 0.33, 0.28))
    for low, high, wide in ((0, 0.12, 0.17), (0.12, 0.3, 0.13), (0.3, 0.5, 0.11)):
        _quad(layers, camera, foot, low * height, high * height, wide, bark)
    lobes = rng.normal(0, [0.16, 0.11, 0.14], (11, 3)) * height + foot + [0, 0.66 * height, 0]
    centres = lobes[rng.integers(len(lobes), size=7000)]
    direction = rng.standard_normal((7000, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    out = direction * (0.17 * height * rng.random((7000, 1)) ** 0.4)
    _leaves(
        layers,
        camera,
        centres + out,
        foot + np.array([0, 0.6 * height, 0]),
        0.3 * height,
        0.055,
        (0.35, 0.40, 0.24),
        rng,
    )


def draw_planter(layers: Layers, camera: Camera, foot: NDArray[np.floating], width: float, seed: int) -> None:
    """A stone tub with a low shrub."""
    rng = np.random.default_rng(200 + seed)
    _quad(layers, camera, foot, 0.0, 0.55, width / 2, linear((0.62, 0.60, 0.56)))
    _quad(
        layers,
        camera,
        foot + np.array([0, 0, 0.01]),
        0.47,
        0.58,
        width / 2 + 0.05,
        linear((0.69, 0.67, 0.63)),
    )
    spread = rng.uniform(-1, 1, 1800)
    bump = 0.28 + 0.10 * np.sin(7 * spread + seed)
    points = np.stack(
        [width / 2 * spread, 0.55 + bump * rng.random(1800), 0.25 * rng.uniform(-1, 1, 1800)], axis=1
    )
    _leaves(
        layers, camera, points + foot, foot + np.array([0, 0.5, 0]), width / 2, 0.035, (0.31, 0.38, 0.25), rng
    )


def _leaves(
    layers: Layers,
    camera: Camera,
    points: NDArray[np.floating],
    middle: NDArray[np.floating],
    radius: float,
    size: float,
    colour: tuple[float, float, float],
    rng: np.random.Generator,
) -> None:
    """Ellipses from back to front; sun from the outside, less sky inside."""
    points = points[np.argsort(points[:, 2])]
    seen = camera.project(np.asarray(points, np.float64))
    depth_in = np.linalg.norm(points - middle, axis=1) / radius  # 1 at the outside
    towards = ((points - middle) / radius) @ TO_SUN
    sun = (0.55 * towards + 0.32 + 0.28 * rng.standard_normal(len(points))).clip(0, 1.1)
    sky = (0.18 + 0.55 * depth_in + 0.25 * towards).clip(0.12, 1)
    tint = np.exp(rng.normal(0, 0.12, (len(points), 3)) * [1.2, 0.8, 1.0])
    albedo = linear(colour) * tint
    for (x, y, depth), leaf, s, a, turn, stretch in zip(
        seen,
        albedo,
        sun,
        sky,
        rng.uniform(0, 180, len(points)),
        rng.uniform(0.45, 1, len(points)),
        strict=True,
    ):
        long = camera.focal * size / depth
        centre = (round(x * 16), round(y * 16))
        axes = (max(8, round(long * 16)), max(8, round(long * stretch * 16)))
        for layer, light in (
            (layers.ambient, (0.8 * SKY + 0.2 * BOUNCE) * a),
            (layers.direct, SUN * 0.8 * s),
        ):
            cv2.ellipse(
                layer, centre, axes, turn, 0, 360, [float(c) for c in leaf * light], -1, cv2.LINE_8, 4
            )
        cv2.ellipse(layers.ground, centre, axes, turn, 0, 360, 0.0, -1, cv2.LINE_8, 4)


def _quad(
    layers: Layers,
    camera: Camera,
    foot: NDArray[np.floating],
    low: float,
    high: float,
    half: float,
    albedo: Array,
) -> None:
    """An upright board that faces +z."""
    corners = foot + np.array([[-half, low, 0], [half, low, 0], [half, high, 0], [-half, high, 0]])
    polygon = np.rint(camera.project(corners)[:, :2] * 16).astype(np.int32)
    for layer, light in ((layers.ambient, 0.5 * SKY + 0.4 * BOUNCE), (layers.direct, SUN * TO_SUN[2])):
        cv2.fillConvexPoly(layer, polygon, [float(c) for c in albedo * light], cv2.LINE_8, 4)
    cv2.fillConvexPoly(layers.ground, polygon, 0.0, cv2.LINE_8, 4)
