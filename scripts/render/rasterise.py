"""A z-buffer rasteriser in numpy, and the pinhole camera in front of it.

World: metres, right-handed, y up. Pixels: the centre of the top left one is (0, 0), x right, y down.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
CHUNK = 2_000_000  # samples tested at once: bounds the memory


@dataclass(frozen=True)
class Camera:
    """A pinhole without distortion. At yaw = pitch = roll = 0 it looks along -z."""

    position: tuple[float, float, float]  # metres
    focal: float  # pixels
    size: tuple[int, int]  # width, height
    yaw: float = 0.0  # radians, positive turns the view to the left
    pitch: float = 0.0  # radians, positive looks up
    roll: float = 0.0  # radians, positive tilts the camera to its left

    @property
    def rotation(self) -> Floats:
        """(3, 3), world to camera; the camera's axes are right, up, back."""
        (cy, sy), (cp, sp), (cr, sr) = ((np.cos(a), np.sin(a)) for a in (self.yaw, self.pitch, self.roll))
        turn = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        nod = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
        tilt = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
        return np.asarray((turn @ nod @ tilt).T)

    @property
    def centre(self) -> Floats:
        return (np.array(self.size) - 1) / 2

    def project(self, points: Floats) -> Floats:
        """World points (..., 3) -> (..., 3): pixel x, pixel y, depth in metres along the view."""
        seen = (points - np.array(self.position)) @ self.rotation.T
        depth = -seen[..., 2:]
        return np.concatenate([self.centre + self.focal * seen[..., :2] * [1, -1] / depth, depth], axis=-1)

    def rays(self, pixels: Floats) -> Floats:
        """Directions (..., 3) in the world, depth 1, through pixels (..., 2)."""
        flat = (pixels - self.centre) / self.focal
        return np.stack([flat[..., 0], -flat[..., 1], -np.ones_like(flat[..., 0])], axis=-1) @ self.rotation

    def supersampled(self, factor: int) -> Camera:
        """The same view with factor x factor samples per pixel; averaging them gives this camera's pixels."""
        width, height = self.size
        return replace(self, size=(width * factor, height * factor), focal=self.focal * factor)


@dataclass(frozen=True)
class Fragments:
    """What the camera sees, sample by sample."""

    triangle: NDArray[np.int32]  # (H, W), -1 where nothing was drawn
    weights: NDArray[np.float32]  # (H, W, 3) of the triangle's corners, perspective-correct
    depth: NDArray[np.float32]  # (H, W), infinity where nothing was drawn


def rasterise(
    points: Floats, triangles: Ints, size: tuple[int, int], two_sided: NDArray[np.bool_] | bool = True
) -> Fragments:
    """Nearest triangle in every sample.

    A sample belongs to a triangle when its centre is inside or on the border. Triangles that reach behind
    the camera are left out.

    Args:
        points: (V, 3) pixel x, pixel y, depth, as `Camera.project` gives them.
        triangles: (T, 3), counter-clockwise seen from the front (with y up).
        size: width and height in samples.
        two_sided: for each triangle (T,) or all, whether it is drawn where it is seen from behind.
    """
    width, height = size
    depth = np.full(width * height, np.inf, np.float32)
    winner = np.full(width * height, -1, np.int32)
    weights = np.zeros((width * height, 3), np.float32)
    corners = points[triangles]  # (T, 3, 3)
    (ax, ay), (bx, by), (cx, cy) = (corners[:, k, :2].T for k in range(3))
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)  # negative for front faces: y points down
    low = np.ceil(corners[..., :2].min(axis=1)).clip(0)
    high = np.floor(corners[..., :2].max(axis=1)).clip(max=[width - 1, height - 1])
    extent = (high - low + 1).clip(0).astype(np.int32)
    keep = (extent.prod(axis=1) > 0) & (corners[..., 2].min(axis=1) > 1e-6) & (np.abs(area) > 1e-12)
    kept = np.flatnonzero(keep & ((area < 0) | two_sided))
    area = np.where(keep, area, 1)
    # The shares of a and b are linear in x and y; counted from a triangle's own first sample, 32 bits do.
    slope = np.stack([by - cy, cx - bx, cy - ay, ax - cx], axis=1) / area[:, None]
    first = np.stack([low[:, 0] - cx, low[:, 1] - cy] * 2, axis=1) * slope
    start = first.reshape(-1, 2, 2).sum(axis=2).astype(np.float32)  # (T, 2)
    slope = slope.astype(np.float32)
    inverse = (1 / corners[..., 2].clip(1e-6)).astype(np.float32)  # 1/depth is linear on the screen
    corner = (low @ [1, width]).astype(np.int32)
    for part in _chunks(kept, extent.prod(axis=1)[kept]):
        counts = extent[part].prod(axis=1, dtype=np.int32)
        owner = np.repeat(part.astype(np.int32), counts)
        before = np.cumsum(counts, dtype=np.int32) - counts
        local = np.arange(len(owner), dtype=np.int32) - np.repeat(before, counts)
        y, x = np.divmod(local, np.repeat(extent[part, 0], counts))
        right, down = x.astype(np.float32), y.astype(np.float32)
        a = start[owner, 0] + slope[owner, 0] * right + slope[owner, 1] * down
        b = start[owner, 1] + slope[owner, 2] * right + slope[owner, 3] * down
        inside = np.flatnonzero((a >= -1e-5) & (b >= -1e-5) & (a + b <= 1 + 1e-5))
        owner, a, b = owner[inside], a[inside], b[inside]
        pixel = corner[owner] + x[inside] + width * y[inside]
        over = np.stack([a, b, 1 - a - b], axis=1) * inverse[owner]
        z = 1 / over.sum(axis=1)
        np.minimum.at(depth, pixel, z)
        front = np.flatnonzero(depth[pixel] == z)
        winner[pixel[front]] = owner[front]
        weights[pixel[front]] = over[front] * z[front, None]
    shape = (height, width)
    return Fragments(winner.reshape(shape), weights.reshape(*shape, 3), depth.reshape(shape))


def _chunks(items: Ints, costs: Ints) -> list[Ints]:
    """Items in order, cut so that no part costs much more than CHUNK."""
    cuts = np.flatnonzero(np.diff(np.cumsum(costs) // CHUNK)) + 1
    return [part for part in np.split(items, cuts) if len(part)]


def vertex_normals(vertices: Floats, triangles: Ints) -> Floats:
    """(V, 3) unit normals: the mean of the surrounding triangles' by area."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    faces = np.cross(b - a, c - a)  # (T, 3), twice the area long
    flat = triangles.ravel()
    normals = np.stack(
        [np.bincount(flat, np.repeat(faces[:, axis], 3), len(vertices)) for axis in range(3)], axis=1
    )
    return np.asarray(normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12))
