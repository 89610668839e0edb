"""A small town square without people: paving, a street, houses, trees and sky, all computed.

The camera only turns, so the square is drawn once, wider than the picture, and warped for each frame.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from scripts.render import houses
from scripts.render.lighting import BOUNCE, SKY, SUN, TO_SUN
from scripts.render.paint import NOISE, OTHER, THIRD, Array, linear
from scripts.render.plants import draw_planter, draw_tree
from scripts.render.rasterise import Camera

KERB, FAR_KERB, FRONTS = -15.0, -21.5, -25.0  # z in metres: end of the square, of the road, the houses


@dataclass(frozen=True)
class Layers:
    """Radiance without people, split so that shadows can be added."""

    ambient: Array  # (H, W, 3) from sky and ground
    direct: Array  # (H, W, 3) from the sun
    ground: Array  # (H, W) 1 where people may cast shadows

    def reduced(self, factor: int) -> Layers:
        """Means over factor x factor samples."""
        height, width = self.ground.shape
        size = (width // factor, height // factor)
        layers = (self.ambient, self.direct, self.ground)
        return Layers(*(_pixels(cv2.resize(layer, size, interpolation=cv2.INTER_AREA)) for layer in layers))

    def seen_by(self, wide: Camera, camera: Camera) -> Layers:
        """The layers of a wide picture from a camera at the same place that looks elsewhere."""
        width, height = camera.size
        corners = np.array([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]], np.float64)
        source = wide.project(np.array(camera.position) + camera.rays(corners))[:, :2]
        warp = cv2.getPerspectiveTransform(corners.astype(np.float32), source.astype(np.float32))
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        layers = (self.ambient, self.direct, self.ground)
        return Layers(
            *(_pixels(cv2.warpPerspective(layer, warp, camera.size, flags=flags)) for layer in layers)
        )


def _pixels(picture: NDArray[Any]) -> Array:
    return np.asarray(picture, np.float32)


def draw_square(camera: Camera) -> Layers:
    """Everything that stands still, as the camera sees it."""
    width, height = camera.size
    pixels = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float64)
    rays = camera.rays(pixels)
    eye = np.array(camera.position)
    ambient = _sky(rays)
    direct = np.zeros_like(ambient)
    with np.errstate(divide="ignore", invalid="ignore"):
        to_fronts = (FRONTS - eye[2]) / rays[..., 2]
        to_ground = np.where(rays[..., 1] < 0, -eye[1] / rays[..., 1], np.inf)
    on_ground = to_ground < np.where(to_fronts > 0, to_fronts, np.inf)
    wall = eye + rays * to_fronts[..., None]  # (H, W, 3)
    built = ~on_ground & (to_fronts > 0) & houses.stands(wall[..., 0], wall[..., 1])
    albedo, sun, sky = houses.paint(wall[built])
    ambient[built] = albedo * sky[:, None] * (0.55 * SKY + 0.45 * BOUNCE)
    direct[built] = albedo * SUN * (TO_SUN[2] * sun)[:, None]
    floor = (eye + rays * np.where(on_ground, to_ground, 1)[..., None])[on_ground]
    albedo, sky = _floor(floor, to_ground[on_ground] ** 2 / (camera.focal * eye[1]))
    shadows = _tree_shadows(floor)
    ambient[on_ground] = albedo * SKY * sky[:, None]
    direct[on_ground] = albedo * SUN * (TO_SUN[1] * shadows)[:, None]
    layers = _furnish(
        Layers(ambient.astype(np.float32), direct.astype(np.float32), on_ground.astype(np.float32)), camera
    )
    return _out_of_focus(layers, floor[:, 2], on_ground)


def _out_of_focus(layers: Layers, floor_z: NDArray[np.floating], on_ground: NDArray[np.bool_]) -> Layers:
    """Blur what lies far behind the people."""
    far = np.ones(on_ground.shape, np.float32)
    far[on_ground] = ((-floor_z - 7) / 9).clip(0, 1)
    far = far[..., None]

    def blur(layer: Array) -> Array:
        return layer + (cv2.GaussianBlur(layer, (0, 0), 2.4) - layer) * far

    return replace(layers, ambient=blur(layers.ambient), direct=blur(layers.direct))


def _sky(rays: NDArray[np.floating]) -> Array:
    flat = rays / np.linalg.norm(rays, axis=-1, keepdims=True)
    up = flat[..., 1].clip(0.0, 1)
    high, low = np.array([0.26, 0.50, 1.05], np.float32), np.array([0.95, 1.12, 1.30], np.float32)
    colour = low + (high - low) * ((up / 0.5).clip(0, 1) ** 0.6)[..., None]
    drift = up + 0.12
    clouds = NOISE(flat[..., 0] / drift * 0.10, flat[..., 2] / drift * 0.10 + 0.3)
    cover = (0.55 * clouds + 0.1).clip(0, 1)[..., None] * np.minimum(up * 9, 1)[..., None]
    return np.asarray(colour + (1.55 - colour) * cover, np.float32)


def _floor(points: NDArray[np.floating], footprint: NDArray[np.floating]) -> tuple[Array, Array]:
    """Albedo (N, 3) and share of the sky (N,) of the ground; footprint: a sample's length in metres."""
    x, z = points[:, 0], points[:, 2]
    grime = NOISE(x / 9, z / 9) + 0.5 * OTHER(x / 2.3, z / 2.3)
    grit = THIRD(x * 1.9, z * 1.9) / (1 + 20 * footprint) + 0.7 * OTHER(x / 1.4, z / 1.4)
    row = np.floor(z / 0.6)
    column = np.floor(x / 0.9 + 0.5 * (row % 2))
    tone = np.random.default_rng(5).standard_normal((97, 89))[row.astype(int) % 97, column.astype(int) % 89]
    across = np.abs((x / 0.9 + 0.5 * (row % 2)) % 1 - 0.5) * 0.9  # 0 in the middle of a slab
    along = np.abs((z / 0.6) % 1 - 0.5) * 0.6
    gap = np.maximum(_line(across, 0.45, 0.006, footprint * 0.2), _line(along, 0.30, 0.006, footprint))
    value = 1 + 0.075 * tone + 0.06 * grime + 0.045 * grit
    albedo = linear((0.57, 0.545, 0.51)) * value[:, None]
    band = (row % 8 == 3) | (column % 6 == 2)
    albedo[band] *= np.array([0.80, 0.78, 0.77], np.float32)
    albedo *= (1 - 0.50 * gap)[:, None]
    road = (z < KERB) & (z > FAR_KERB)
    albedo[road] = linear((0.36, 0.365, 0.375)) * (1 + 0.06 * grime + 0.06 * grit)[road, None]
    dash = road & (np.abs(z - (KERB + FAR_KERB) / 2) < 0.09) & ((x / 4) % 1 < 0.55)
    albedo[dash] = linear((0.78, 0.78, 0.75)) * (1 + 0.05 * grime[dash])[:, None]
    stone = (np.abs(z - KERB - 0.15) < 0.15) | (np.abs(z - FAR_KERB + 0.15) < 0.15)
    albedo[stone] = linear((0.70, 0.69, 0.67)) * (1 + 0.05 * grit[stone])[:, None]
    gutter = (z < KERB) & (z > KERB - 0.25)
    albedo[gutter] *= 0.55
    sky = 1 - 0.55 * np.exp(-(z - FRONTS) / 0.8) * (np.abs(x - sum(houses.GAP) / 2) > 2.5)
    return albedo.astype(np.float32), sky.astype(np.float32)


def _line(
    place: NDArray[np.floating], centre: float, half: float, footprint: NDArray[np.floating]
) -> NDArray[np.floating]:
    """How much of a sample a thin line covers."""
    reach = np.maximum(half, footprint / 2)
    return np.asarray((1 - (np.abs(place - centre) - half).clip(0) / reach).clip(0) * half / reach)


TREES = ((-6.4, -16.6, 5.6), (7.9, -17.4, 6.3), (-15.0, -18.5, 6.0), (15.5, -16.5, 5.5))  # x, z, height


def _tree_shadows(points: NDArray[np.floating]) -> Array:
    """Share of the sun (N,) that the crowns leave to the ground, dappled."""
    lit = np.ones(len(points), np.float32)
    for x, z, height in TREES:
        crown = 0.64 * height
        middle = np.array([x, z]) - crown * TO_SUN[[0, 2]] / TO_SUN[1]
        apart = np.hypot(points[:, 0] - middle[0], points[:, 2] - middle[1]) / (0.33 * height)
        leaves = 0.25 * NOISE(points[:, 0] / 1.8, points[:, 2] / 1.8)
        lit *= 1 - 0.85 * ((1.15 - apart + leaves) * 3).clip(0, 1).astype(np.float32)
    return lit


def _furnish(layers: Layers, camera: Camera) -> Layers:
    """Trees, planters, bollards and lamps, the farthest first."""
    things = [(z, "tree", x, height) for x, z, height in TREES]
    things += [(-14.3, "planter", x, 1.7) for x in (-10.4, -2.6, 3.6, 11.5)]
    things += [(-14.6, "bollard", x, 0.95) for x in np.arange(-16.3, 17, 2.2)]
    things += [(-14.8, "lamp", x, 4.6) for x in (-4.6, 5.6)]
    for number, (z, kind, x, extent) in enumerate(sorted(things)):
        foot = np.array([x, 0.0, z])
        match kind:
            case "tree":
                draw_tree(layers, camera, foot, extent, seed=number)
            case "planter":
                draw_planter(layers, camera, foot, extent, seed=number)
            case "bollard":
                draw_post(layers, camera, foot, extent, 0.07, linear((0.16, 0.18, 0.20)))
            case _:
                draw_post(layers, camera, foot, extent, 0.05, linear((0.13, 0.20, 0.17)))
                draw_post(
                    layers, camera, foot + np.array([0, extent, 0]), 0.42, 0.15, linear((0.72, 0.72, 0.66))
                )
                draw_post(
                    layers,
                    camera,
                    foot + np.array([0, extent + 0.42, 0]),
                    0.08,
                    0.2,
                    linear((0.13, 0.20, 0.17)),
                )
    return layers


def draw_post(
    layers: Layers, camera: Camera, foot: NDArray[np.floating], height: float, radius: float, albedo: Array
) -> None:
    """An upright cylinder, shaded around."""
    steps = np.linspace(-1, 1, 13)
    for left, right in pairwise(steps):
        side = np.array([left, right, right, left])[:, None] * [radius, 0, 0]
        corners = foot + side + np.array([0, 0, height, height])[:, None] * [0, 1, 0]
        polygon = np.rint(camera.project(corners)[:, :2] * 16).astype(np.int32)
        middle = (left + right) / 2
        normal = np.array([middle, 0, np.sqrt(1 - middle**2)])
        sunny = SUN * max(0.0, float(normal @ TO_SUN))
        for layer, light in ((layers.ambient, 0.6 * SKY + 0.3 * BOUNCE), (layers.direct, sunny)):
            colour = [float(c) for c in albedo * light]
            cv2.fillConvexPoly(layer, polygon, colour, cv2.LINE_8, 4)
        cv2.fillConvexPoly(layers.ground, polygon, 0.0, cv2.LINE_8, 4)
