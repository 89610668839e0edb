"""One frame: people before the square, lit, shadowed and photographed."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from scene.backdrop import Layers
from scene.bodies import Body
from scene.light import ShadowMap, crevices, develop, ground_contact, shade
from scene.paint import Array, paint
from scene.rasterise import Camera, Floats, Fragments, rasterise, vertex_normals


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


def photograph(
    crowd: Crowd, square: Layers, wide: Camera, camera: Camera, samples: int, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], Fragments]:
    """The picture (H, W, 3) RGB and the z-buffer it came from, samples times as large each way.

    Args:
        square: drawn for `wide`, a camera with `samples` times the density of `camera`.
    """
    fine = camera.supersampled(samples)
    vertices, triangles = np.concatenate(crowd.vertices), crowd.triangles
    fragments = rasterise(fine.project(vertices), triangles, fine.size)
    sun = ShadowMap.cast(vertices, triangles)
    seen = square.seen_by(wide, fine)
    lit = 1 - (1 - sun.on_ground(fine)) * seen.ground
    open_sky = 1 - (1 - ground_contact(vertices, fine)) * seen.ground
    light = seen.ambient * open_sky[..., None] + seen.direct * lit[..., None]
    drawn = fragments.triangle >= 0
    if drawn.any():
        light[drawn] = _people(crowd, vertices, triangles, fragments, fine, sun)
    width, height = camera.size
    return develop(cv2.resize(light, (width, height), interpolation=cv2.INTER_AREA), rng), fragments


def _people(
    crowd: Crowd, vertices: Floats, triangles: NDArray[np.int64], fragments: Fragments, camera: Camera, sun: ShadowMap
) -> Array:
    """Radiance (N, 3) of all samples where somebody is."""
    drawn = fragments.triangle >= 0
    number = fragments.triangle[drawn]
    weights = fragments.weights[drawn]
    corners = triangles[number]  # (N, 3)

    def mix(values: NDArray[np.floating]) -> Array:
        mixed = sum(weights[:, k, None] * values[corners[:, k]].astype(np.float32) for k in range(3))
        return np.asarray(mixed, np.float32)

    normals = np.concatenate(
        [vertex_normals(v, b.triangles) for v, b in zip(crowd.vertices, crowd.bodies, strict=True)]
    )
    place, normal = mix(vertices), mix(normals)
    to_eye = np.array(camera.position, np.float32) - place
    to_eye /= np.linalg.norm(to_eye, axis=1, keepdims=True)
    inner = (normal * to_eye).sum(axis=1) < -0.25  # the inside of a sleeve or a skirt
    normal[inner] *= -1
    skylit = crevices(fragments, camera.focal)[drawn] * (0.75 + 0.25 * (place[:, 1] / 0.8).clip(0, 1))
    sunlit = sun.lit(place, normal)
    light = np.zeros_like(place)
    owner = crowd.owners[number]
    rest, parts = mix(np.concatenate([b.vertices for b in crowd.bodies])), np.concatenate([b.parts for b in crowd.bodies])
    for person, body in enumerate(crowd.bodies):
        mine = np.flatnonzero(owner == person)
        surface = paint(body, rest[mine], parts[corners[mine, 0]])
        light[mine] = shade(surface, normal[mine], to_eye[mine], sunlit[mine], skylit[mine])
    return light
