"""One frame: people before the square, lit, shadowed and photographed."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from scripts.render.backdrop import Layers
from scripts.render.bodies import PARTS, Body
from scripts.render.lighting import ShadowMap, crevices, develop, ground_contact, light_of, shade
from scripts.render.paint import Array, paint
from scripts.render.rasterise import Camera, Floats, Fragments, rasterise, vertex_normals


@dataclass(frozen=True)
class Crowd:
    """Everybody of one frame as one mesh."""

    bodies: list[Body]
    vertices: list[Floats]  # per person (V, 3) in the world

    @property
    def starts(self) -> NDArray[np.int64]:
        return np.cumsum([0, *(len(v) for v in self.vertices)])

    @property
    def triangles(self) -> NDArray[np.int64]:
        return np.concatenate([b.triangles + s for b, s in zip(self.bodies, self.starts[:-1], strict=True)])

    @property
    def owners(self) -> NDArray[np.int64]:
        """(T,) person of each triangle."""
        return np.repeat(np.arange(len(self.bodies)), [len(b.triangles) for b in self.bodies])

    @property
    def two_sided(self) -> NDArray[np.bool_]:
        """(T,) hair and the hems of skirts and trousers show their insides."""
        open_parts = [PARTS.index("hair"), PARTS.index("lower")]
        return np.concatenate([np.isin(b.parts[b.triangles[:, 0]], open_parts) for b in self.bodies])


@dataclass(frozen=True)
class Window:
    """The part of a camera's picture where people are, at several samples per pixel."""

    left: int  # pixels
    top: int
    width: int
    height: int
    samples: int  # per pixel, each way

    @staticmethod
    def around(points: Floats, camera: Camera, samples: int) -> Window:
        """Of all projected points (V, 3), in whole pixels, at least one of them."""
        front = points[points[:, 2] > 0, :2]
        size = np.array(camera.size)
        low = np.clip(np.floor(front.min(axis=0)) - 2, 0, size - 1).astype(int)
        high = np.clip(np.ceil(front.max(axis=0)) + 2, low, size - 1).astype(int)
        return Window(int(low[0]), int(low[1]), int(high[0] - low[0]) + 1, int(high[1] - low[1]) + 1, samples)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in samples."""
        return self.width * self.samples, self.height * self.samples

    def samples_of(self, pixels: Floats) -> Floats:
        """Pixel positions (..., 2) of the picture -> positions in the window's samples."""
        return (pixels - [self.left, self.top] + 0.5) * self.samples - 0.5

    def reduce(self, values: Array) -> Array:
        """Means over each pixel's samples."""
        return np.asarray(
            cv2.resize(values, (self.width, self.height), interpolation=cv2.INTER_AREA), np.float32
        )


@dataclass(frozen=True)
class ZBuffer:
    """What is in front at every sample of a window, with everybody."""

    fragments: Fragments
    window: Window
    owners: NDArray[np.int64]  # (T,) person of each triangle


def photograph(
    crowd: Crowd, square: Layers, wide: Camera, camera: Camera, samples: int, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], ZBuffer]:
    """The picture (H, W, 3) RGB, and who is where in it.

    Args:
        square: as seen by `wide`.
        samples: per pixel, each way, for the people.
    """
    seen, people, sun = _look_at(crowd, camera, samples)
    vertices = np.concatenate(crowd.vertices)
    still = square.seen_by(wide, camera)
    lit = 1 - (1 - sun.on_ground(camera)) * still.ground
    open_sky = 1 - (1 - ground_contact(vertices, camera)) * still.ground
    light = still.ambient * open_sky[..., None] + still.direct * lit[..., None]
    _cover(light, people, seen)
    return develop(light, rng), seen


def photograph_before(
    photo: NDArray[np.uint8],
    crowd: Crowd,
    camera: Camera,
    samples: int,
    rng: np.random.Generator,
    sunshine: float = 1.0,
    tint: tuple[float, float, float] = (1, 1, 1),
) -> tuple[NDArray[np.uint8], ZBuffer]:
    """The people before a photo (H, W, 3) RGB of the camera's size, on which they cast no shadows.

    Args:
        sunshine: share of the sun that clouds leave, 0 to 1.
        tint: the people's light is multiplied by it, per colour.
    """
    seen, people, _ = _look_at(crowd, camera, samples, sunshine)
    light = light_of(photo)
    _cover(light, people * np.array(tint, np.float32), seen)
    return develop(light, rng), seen


def _look_at(
    crowd: Crowd, camera: Camera, samples: int, sunshine: float = 1.0
) -> tuple[ZBuffer, Array, ShadowMap]:
    """What is in front, the radiance (h, w, 3) of all its samples, 0 beside the people, and the sun."""
    vertices, triangles = np.concatenate(crowd.vertices), crowd.triangles
    points = camera.project(vertices)
    window = Window.around(points, camera, samples)
    points[:, :2] = window.samples_of(points[:, :2])
    fragments = rasterise(points, triangles, window.size, crowd.two_sided)
    sun = ShadowMap.cast(vertices, triangles)
    drawn = fragments.triangle >= 0
    people = np.zeros((*drawn.shape, 3), np.float32)
    if drawn.any():
        people[drawn] = _people(crowd, vertices, triangles, fragments, camera, sun, sunshine)
    return ZBuffer(fragments, window, crowd.owners), people, sun


def _cover(light: Array, people: Array, seen: ZBuffer) -> None:
    """Put the people's samples before what the picture (H, W, 3) shows, in place."""
    window = seen.window
    part = light[window.top : window.top + window.height, window.left : window.left + window.width]
    part *= 1 - window.reduce((seen.fragments.triangle >= 0).astype(np.float32))[..., None]
    part += window.reduce(people)


def _people(
    crowd: Crowd,
    vertices: Floats,
    triangles: NDArray[np.int64],
    fragments: Fragments,
    camera: Camera,
    sun: ShadowMap,
    sunshine: float,
) -> Array:
    """Radiance (N, 3) of all samples where somebody is."""
    drawn = fragments.triangle >= 0
    number = fragments.triangle[drawn]
    weights = fragments.weights[drawn]
    corners = triangles[number]  # (N, 3)
    normals = [vertex_normals(v, b.triangles) for v, b in zip(crowd.vertices, crowd.bodies, strict=True)]
    rest = np.concatenate([b.vertices for b in crowd.bodies])
    every = np.concatenate([vertices, np.concatenate(normals), rest], axis=1).astype(np.float32)
    mixed = sum(weights[:, k, None] * every[corners[:, k]] for k in range(3))  # (N, 9)
    place, normal, rest = np.split(np.asarray(mixed), 3, axis=1)
    to_eye = np.array(camera.position, np.float32) - place
    to_eye /= np.linalg.norm(to_eye, axis=1, keepdims=True)
    inner = (normal * to_eye).sum(axis=1) < -0.25  # the inside of a sleeve or a skirt
    normal[inner] *= -1
    low = (place[:, 1] / np.float32(0.8)).clip(0, 1)  # near the ground there is less sky
    skylit = _crevices(fragments, camera)[drawn] * (np.float32(0.75) + np.float32(0.25) * low)
    sunlit = sun.lit(place, normal) * np.float32(sunshine)
    light = np.zeros_like(place)
    owner = crowd.owners[number]
    parts = np.concatenate([b.parts for b in crowd.bodies])[corners[:, 0]]
    for person, body in enumerate(crowd.bodies):
        mine = np.flatnonzero(owner == person)
        surface = paint(body, rest[mine], parts[mine])
        light[mine] = shade(surface, normal[mine], to_eye[mine], sunlit[mine], skylit[mine])
    return light


def _crevices(fragments: Fragments, camera: Camera) -> Array:
    """Judged at half the samples, which is fine enough, and brought back to all of them."""
    height, width = fragments.depth.shape
    closed = crevices(fragments.depth[::2, ::2], camera.focal)
    return np.asarray(cv2.resize(closed, (width, height)), np.float32)
