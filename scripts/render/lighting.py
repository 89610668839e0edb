"""Sun, sky and their shadows on bodies and ground; exposure and sensor of the imagined camera."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from scripts.render.paint import Array, Surface, srgb
from scripts.render.rasterise import Camera, Floats, Ints, rasterise

TO_SUN = np.array([-0.50, 0.74, 0.45]) / np.linalg.norm([-0.50, 0.74, 0.45])
SUN = np.array([2.45, 2.22, 1.90], np.float32)  # irradiance over pi, linear RGB
SKY = np.array([0.80, 0.93, 1.12], np.float32)
BOUNCE = np.array([0.62, 0.58, 0.51], np.float32)  # from the ground
EXPOSURE = 0.62
FAR_SUN = 400.0  # metres: so far that the rasteriser's perspective depth is linear to 0.1 %


@dataclass(frozen=True)
class ShadowMap:
    """Distance from the sun of the first surface, on a grid across its rays."""

    depth: Array  # (S, S), infinity where the sun reaches the ground
    texel: float  # metres
    origin: tuple[float, float, float]  # world point in the middle

    @staticmethod
    def axes() -> Floats:
        """(3, 3): right, up and towards the sun."""
        right = np.cross([0, 1, 0], TO_SUN)
        right /= np.linalg.norm(right)
        return np.stack([right, np.cross(TO_SUN, right), TO_SUN])

    @classmethod
    def cast(cls, vertices: Floats, triangles: Ints, texel: float = 0.0125, size: int = 1024) -> ShadowMap:
        low, high = vertices.min(axis=0), vertices.max(axis=0)
        middle = (float((low[0] + high[0]) / 2), 0.8, float((low[2] + high[2]) / 2))
        texel = max(texel, 1.1 * float(max(high[0] - low[0], high[2] - low[2]) + 1) / size)
        empty = cls(np.full((size, size), np.inf, np.float32), texel, middle)
        drawn = rasterise(empty.project(vertices), triangles, (size, size))
        return cls(drawn.depth, texel, middle)

    def project(self, points: Floats) -> Floats:
        """World points (..., 3) -> column, row, distance."""
        seen = (points - np.array(self.origin)) @ self.axes().T
        middle = (self.depth.shape[0] - 1) / 2
        flat = middle + seen[..., :2] * [1, -1] / self.texel
        return np.concatenate([flat, FAR_SUN - seen[..., 2:]], axis=-1)

    def lit(self, points: Floats, normals: Array) -> Array:
        """Share of the sun (N,) that reaches surface points (N, 3)."""
        column, row, distance = self.project(points + 0.012 * normals).astype(np.float32).T
        size = self.depth.shape[0]
        total = np.zeros(len(points), np.float32)
        offsets = [(0, 0), (1.3, 0.4), (-0.4, 1.3), (-1.3, -0.4), (0.4, -1.3)]
        for dx, dy in offsets:
            c = np.rint(column + dx).astype(int).clip(0, size - 1)
            r = np.rint(row + dy).astype(int).clip(0, size - 1)
            total += self.depth[r, c] > distance - 0.012
        return total / np.float32(len(offsets))

    def on_ground(self, camera: Camera) -> Array:
        """Share of the sun (H, W) at every pixel, were all of them ground. Penumbras grow with height."""
        size = self.depth.shape[0]
        corners = np.array([[0, 0], [size - 1, 0], [0, size - 1], [size - 1, size - 1]], np.float64)
        axes, middle = self.axes(), (size - 1) / 2
        start = np.array(self.origin) + (corners - middle) * [1, -1] * self.texel @ axes[:2]
        ground = start - np.outer(start[:, 1] / axes[2, 1], axes[2])
        rows, columns = np.nonzero(np.isfinite(self.depth))
        height = np.zeros_like(self.depth)  # of the occluder, roughly, above its shadow along the ray
        flat = np.array(self.origin) + (
            np.stack([columns - middle, middle - rows], axis=1) * self.texel @ axes[:2]
        )
        height[rows, columns] = flat[:, 1] / axes[2, 1] + FAR_SUN - self.depth[rows, columns]
        blocked = np.isfinite(self.depth).astype(np.float32)
        shade = np.zeros_like(blocked)
        for low, high, sigma in ((-9, 0.35, 0.010), (0.35, 1.1, 0.022), (1.1, 9, 0.038)):
            layer = blocked * ((height >= low) & (height < high))
            shade += cv2.GaussianBlur(layer, (0, 0), sigma / self.texel)
        onto = camera.project(ground)[:, :2].astype(np.float32)
        warp = cv2.getPerspectiveTransform(corners.astype(np.float32), onto)
        return np.asarray(1 - cv2.warpPerspective(shade.clip(0, 1), warp, camera.size), np.float32)


def ground_contact(vertices: Floats, camera: Camera, texel: float = 0.03) -> Array:
    """Share of the sky (H, W) that bodies leave to the ground at every pixel, were all of them ground."""
    low = vertices[:, [0, 2]].min(axis=0) - 1.5
    columns, rows = np.ceil((vertices[:, [0, 2]].max(axis=0) + 1.5 - low) / texel).astype(int)
    cells = ((vertices[:, [0, 2]] - low) / texel).astype(int)
    shade = np.zeros((rows, columns), np.float32)
    for top, sigma, strength in ((0.12, 0.05, 0.75), (0.5, 0.13, 0.35), (2.0, 0.32, 0.40)):
        covered = np.zeros_like(shade)
        below = cells[vertices[:, 1] < top]
        covered[below[:, 1], below[:, 0]] = 1
        covered = cv2.dilate(covered, np.ones((3, 3), np.uint8))
        shade = 1 - (1 - shade) * (1 - strength * cv2.GaussianBlur(covered, (0, 0), sigma / texel).clip(0, 1))
    corners = np.array([[0, 0], [columns - 1, 0], [0, rows - 1], [columns - 1, rows - 1]], np.float32)
    world = np.insert(corners * texel + low, 1, 0, axis=1)
    onto = camera.project(world)[:, :2].astype(np.float32)
    warp = cv2.getPerspectiveTransform(corners, onto)
    return np.asarray(1 - cv2.warpPerspective(shade, warp, camera.size), np.float32)


def crevices(depth: Array, focal: float) -> Array:
    """Share of the sky (H, W) that nearby surfaces leave to each pixel, judged from depth alone.

    Args:
        depth: (H, W) metres, infinity where nothing is.
    """
    drawn = np.isfinite(depth)
    depth = np.where(drawn, depth, 1e4).astype(np.float32)
    closed = np.zeros_like(depth)
    angles = np.arange(12) * 2.4  # golden angle: no direction twice
    reach = focal / float(np.median(depth[drawn]))  # pixels per metre
    for angle, radius in zip(angles, np.linspace(0.02, 0.14, 12), strict=True):
        shift = np.array([[1, 0, radius * reach * np.cos(angle)], [0, 1, radius * reach * np.sin(angle)]])
        other = cv2.warpAffine(depth, shift, depth.shape[::-1], flags=cv2.INTER_NEAREST, borderValue=1e4)
        nearer = depth - other
        closed += ((nearer > 0.2 * radius) & (nearer < 2.5 * radius)) * np.float32(1 / 12)
    return np.asarray(1 - 0.85 * cv2.GaussianBlur(closed, (0, 0), 1.0), np.float32)


def shade(surface: Surface, normals: Array, to_eye: Array, sunlit: Array, skylit: Array) -> Array:
    """Radiance (N, 3) of surface points under sun, sky and bounced light."""
    n = normals + surface.bump
    n /= np.maximum(np.linalg.norm(n, axis=1, keepdims=True), 1e-6)
    facing = n @ TO_SUN.astype(np.float32)
    wrapped = ((facing + surface.soft) / (1 + surface.soft)).clip(0)
    up = (0.5 + 0.5 * n[:, 1:2]).astype(np.float32)
    sky = (SKY * up + BOUNCE * (1 - up)) * skylit[:, None]
    red = np.stack([np.ones_like(facing), *[1 - 0.5 * surface.soft * (1 - facing.clip(0))] * 2], axis=1)
    half = to_eye + TO_SUN.astype(np.float32)
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    shine = surface.gloss * (n * half).sum(axis=1).clip(0) ** 24 * (facing > 0) * sunlit
    rim = 0.035 * (1 - (n * to_eye).sum(axis=1).clip(0)) ** 4 * skylit
    direct = SUN * (wrapped * sunlit)[:, None] * red
    light = surface.albedo * (direct + sky) + SUN * shine[:, None] + SKY * rim[:, None]
    return np.asarray(light, np.float32)


@lru_cache
def _vignette(height: int, width: int) -> Array:
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    fall: Array = EXPOSURE * (1 - 0.08 * (x * x + y * y))[..., None]
    return fall


@lru_cache
def _film() -> Array:
    """8 bit value of light 0 to 8, in steps of 1/8192: the ACES curve as fitted by Narkowicz, then sRGB."""
    light = np.arange(1 << 16, dtype=np.float32) / 8192
    curve = light * (2.51 * light + 0.03) / (light * (2.43 * light + 0.59) + 0.14)
    return 255 * srgb(np.asarray(curve, np.float32))


def light_of(photo: NDArray[np.uint8]) -> Array:
    """Linear radiance (H, W, 3) that the film curve turns into about this photo."""
    values = np.interp(np.arange(256), _film(), np.arange(1 << 16) / 8192) / EXPOSURE
    return np.asarray(values.astype(np.float32)[photo])


def develop(light: Array, rng: np.random.Generator, noise: float = 0.007) -> NDArray[np.uint8]:
    """Linear radiance (H, W, 3) to an 8 bit picture: lens, exposure, film curve, sensor noise."""
    height, width = light.shape[:2]
    exposed = light * _vignette(height, width)
    exposed = 0.8 * exposed + 0.2 * cv2.GaussianBlur(exposed, (0, 0), 1.0)  # the lens is not perfect
    small = cv2.resize(exposed, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    glow = cv2.resize(cv2.GaussianBlur(small, (0, 0), 8), (width, height))
    grey = exposed @ np.array([[0.21], [0.72], [0.07]], np.float32)
    exposed = 0.82 * exposed + (0.04 * glow + 0.14 * grey)  # sensors mix colours
    picture = _film()[(exposed * 8192).clip(0, 65535).astype(np.uint16)]
    grain = rng.standard_normal((height, width, 1), np.float32) * np.float32(255 * noise)
    return np.asarray((picture + grain + 0.5).clip(0, 255), np.uint8)
