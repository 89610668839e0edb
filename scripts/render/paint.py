"""Colours without texture files: noise, and what skin, cloth, hair and eyes look like at any point.

Colours are linear RGB unless a name says sRGB.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from scripts.render.bodies import PARTS, Body

Array = NDArray[np.float32]


def linear(srgb: tuple[float, float, float] | NDArray[np.floating]) -> Array:
    """sRGB in 0..1 to linear light."""
    value = np.asarray(srgb, np.float32)
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)


def srgb(light: Array) -> Array:
    """Linear light in 0..1 to sRGB."""
    value = light.clip(0, 1)
    return np.where(value <= 0.0031308, value * 12.92, 1.055 * value ** (1 / 2.4) - 0.055).astype(np.float32)


@dataclass(frozen=True)
class Noise:
    """A square of fractal noise that repeats without a seam; mean 0, standard deviation 1."""

    texture: Array  # (S, S)

    @staticmethod
    def fractal(seed: int, size: int = 512, octaves: int = 6, persistence: float = 0.55) -> Noise:
        """The coarsest octave has four cells along each side."""
        rng = np.random.default_rng(seed)
        total = np.zeros((size, size), np.float32)
        for octave in range(octaves):
            cells = 4 << octave
            grid = np.tile(rng.standard_normal((cells, cells)).astype(np.float32), (3, 3))
            smooth = cv2.resize(grid, (3 * size, 3 * size), interpolation=cv2.INTER_CUBIC)
            total += persistence**octave * smooth[size : 2 * size, size : 2 * size]
        return Noise((total - total.mean()) / total.std())

    def __call__(self, u: NDArray[np.floating], v: NDArray[np.floating]) -> Array:
        """Values at (u, v), arrays of one shape; one unit is one period."""
        size = self.texture.shape[0]
        shape, count, row = u.shape, u.size, 4096  # cv2.remap wants pictures less than 32768 wide
        maps = np.zeros((2, (count // row + 1) * row), np.float32)
        maps[0, :count], maps[1, :count] = (u.ravel() % 1) * size, (v.ravel() % 1) * size
        values = cv2.remap(
            self.texture, maps[0].reshape(-1, row), maps[1].reshape(-1, row), cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_WRAP,
        )  # fmt: skip
        return np.asarray(values.ravel()[:count].reshape(shape), np.float32)


NOISE = Noise.fractal(1)
OTHER = Noise.fractal(2)
THIRD = Noise.fractal(3)
FOLDS = (
    Noise.fractal(4, octaves=4),
    Noise.fractal(5, octaves=4),
    Noise.fractal(6, octaves=4),
)  # smooth: they bend light


@dataclass(frozen=True)
class Surface:
    """Points of a body to be lit, N of them."""

    albedo: Array  # (N, 3)
    bump: Array  # (N, 3) to be added to the normals
    gloss: Array  # (N,) strength of the highlight
    soft: Array  # (N,) how far light bleeds around the form: skin


def paint(body: Body, rest: NDArray[np.floating], part: NDArray[np.integer]) -> Surface:
    """Colour every point.

    Args:
        rest: (N, 3) where the point is on the body at rest, metres: patterns stick to the cloth.
        part: (N,) index into PARTS.
    """
    albedo = np.zeros((len(rest), 3), np.float32)
    bump = np.zeros((len(rest), 3), np.float32)
    gloss = np.zeros(len(rest), np.float32)
    soft = np.zeros(len(rest), np.float32)
    for number, name in enumerate(PARTS):
        chosen = np.flatnonzero(part == number)
        if not len(chosen):
            continue
        points = rest[chosen].astype(np.float32)
        if name == "skin":
            albedo[chosen] = _skin(body, points)
            gloss[chosen], soft[chosen] = 0.05, 0.25
        elif name == "hair":
            albedo[chosen], bump[chosen] = _hair(body, points)
            gloss[chosen] = 0.12
        elif name == "eye":
            albedo[chosen] = _eye(body, points)
            gloss[chosen] = 0.5
        elif name in ("upper", "lower"):
            albedo[chosen], bump[chosen] = _cloth(body, name, points)
            gloss[chosen] = 0.01
        else:
            shade = 1 + 0.06 * NOISE(points[:, 0] * 9, points[:, 2] * 9)
            albedo[chosen] = linear(body.appearance.colours[name]) * shade[:, None]
            gloss[chosen] = 0.15 if name == "shoe" else 0.0
    return Surface(albedo.clip(0.003, 0.95), bump, gloss, soft)


def _near(points: Array, centre: NDArray[np.floating], radii: tuple[float, float, float]) -> Array:
    """1 at the centre of a soft ellipsoid, 0.5 at its radii (metres), 0 far away."""
    apart = (((points - centre.astype(np.float32)) / np.array(radii, np.float32)) ** 2).sum(axis=1)
    return np.asarray(np.exp(-np.log(2) * apart**2), np.float32)


def _skin(body: Body, points: Array) -> Array:
    tone = linear(body.appearance.colours["skin"])
    x, y, z = points.T
    blotch = 0.05 * NOISE(x * 3 + 0.4 * z, y * 3) + 0.03 * OTHER(x * 20, y * 20 + z * 9)
    colour = tone * (1 + blotch)[:, None] * [1, 1 - 0.02, 1 - 0.03]
    left, right, mouth = (body.face[n] for n in ("left_eye", "right_eye", "mouth"))
    unit = float(left[0] - right[0]) / 0.062  # distance of the pupils to the usual 62 mm
    flush = sum(
        _near(points, np.array([s * 0.036 * unit, mouth[1] + 0.028 * unit, mouth[2]]), (0.02, 0.018, 0.05))
        for s in (-1, 1)
    )
    lips = _near(
        points, np.array([0, mouth[1] - 0.001, mouth[2] + 0.01]), (0.023 * unit, 0.0075 * unit, 0.03)
    )
    colour = colour * (1 - 0.22 * np.outer(flush, [0, 0.6, 0.5]))
    colour = colour * (1 - 0.55 * np.outer(lips, [0.35, 0.85, 0.75]))
    hair = linear(body.appearance.colours["hair"])
    for eye in (left, right):
        outward = (x - eye[0]) * np.sign(eye[0])  # brows rise outwards, then fall
        brow = eye[1] + (0.0195 - 6 * (outward - 0.006) ** 2) * unit
        cover = np.exp(-(((y - brow) / 0.0032) ** 2) - (np.abs(outward) / (0.021 * unit)) ** 6)
        cover *= z > eye[2] - 0.02
        lashes = _near(points, eye + np.array([0, 0.006 * unit, 0.008]), (0.017 * unit, 0.0035, 0.02))
        colour += (hair * 0.7 - colour) * (0.85 * cover)[:, None]
        colour *= 1 - 0.6 * lashes[:, None]
    return np.asarray(colour, np.float32)


def _hair(body: Body, points: Array) -> tuple[Array, Array]:
    x, y, z = (points - body.face["left_eye"].astype(np.float32)).T
    around = np.arctan2(x + body.face["left_eye"][0].astype(np.float32), -z - 0.08) / (2 * np.pi)
    strands = NOISE(around * 6, y * 0.6) + 0.7 * OTHER(around * 17, y * 0.9 + 0.2 * z)
    colour = linear(body.appearance.colours["hair"]) * np.exp(0.28 * strands)[:, None]
    bump = 0.16 * np.stack([strands, 0 * strands, OTHER(around * 13, y)], axis=1)
    return colour.astype(np.float32), bump.astype(np.float32)


def _eye(body: Body, points: Array) -> Array:
    colour = np.tile(np.array([0.62, 0.60, 0.57], np.float32), (len(points), 1))
    for eye in (body.face["left_eye"], body.face["right_eye"]):
        apart = np.hypot(points[:, 0] - np.float32(eye[0]), points[:, 1] - np.float32(eye[1]))
        colour[apart < 0.0062] = linear(body.appearance.colours["eye"])
        colour[apart < 0.0028] = 0.004
    return colour


def _cloth(body: Body, name: str, points: Array) -> tuple[Array, Array]:
    x, y, z = points.T
    seed = body.appearance.seed * 0.37
    side = x + 0.7 * z
    folds = FOLDS[0](side * 0.9 + seed, y * 2.1) + 0.5 * FOLDS[1](side * 2.3, y * 4.1 + seed)
    other = FOLDS[1](side * 1.1, y * 2.3 + seed) + 0.5 * FOLDS[2](side * 2.7 + seed, y * 4.5)
    weave = THIRD(x * 2.9 + z * 1.7, y * 3.1)
    colour = np.tile(linear(body.appearance.colours[name]), (len(points), 1))
    match body.appearance.patterns.get(name, "plain"):
        case "stripes":
            second = linear(body.appearance.colours[f"{name}_second"])
            colour[(y / 0.042) % 1 < 0.38] = second
        case "check":
            second = linear(body.appearance.colours[f"{name}_second"])
            bands = ((x / 0.07) % 1 < 0.4).astype(np.float32) + ((y / 0.07) % 1 < 0.4)
            colour += (second - colour) * (bands / 2)[:, None]
            thin = ((x / 0.07 + 0.35) % 1 < 0.06) | ((y / 0.07 + 0.35) % 1 < 0.06)
            colour[thin] = colour[thin] * 0.5 + 0.25
        case "denim":
            knee = body.heads[[body.rig.names.index(f"{s}Leg") for s in ("Left", "Right")]]
            worn = np.zeros(len(points), np.float32)
            for height in (0.02, 0.24):
                for k in knee:
                    worn += _near(points, k + np.array([0, height, 0.06]), (0.055, 0.15, 0.09))
            colour = colour * (1 + 0.6 * worn + 0.06 * weave)[:, None] + 0.02 * worn[:, None]
    colour = colour * (1 + 0.06 * folds + 0.035 * weave)[:, None]
    bump = np.stack([0.16 * folds, 0.22 * other, 0.10 * folds], axis=1)
    return colour.astype(np.float32), bump.astype(np.float32)
