"""House fronts in one plane, as functions of x (to the right) and y (up), metres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scripts.render.paint import NOISE, OTHER, THIRD, Array, linear

GAP = (3.2, 7.4)  # between two houses, x from and to: sky and far trees
SHOP = 3.1  # height of the ground floor
FLOOR = 2.75  # of the others


@dataclass(frozen=True)
class House:
    left: float
    right: float
    floors: int  # above the shop
    wall: tuple[float, float, float]  # sRGB
    trim: tuple[float, float, float]
    shop: tuple[float, float, float]
    brick: bool = False

    @property
    def eaves(self) -> float:
        return SHOP + FLOOR * self.floors + 0.35


HOUSES = (
    House(-40, -16.5, 2, (0.79, 0.70, 0.58), (0.90, 0.88, 0.84), (0.30, 0.20, 0.17)),
    House(-16.5, -9.2, 1, (0.55, 0.39, 0.34), (0.86, 0.83, 0.78), (0.20, 0.27, 0.25), brick=True),
    House(-9.2, -3.4, 2, (0.80, 0.76, 0.66), (0.93, 0.92, 0.90), (0.25, 0.28, 0.33)),
    House(-3.4, GAP[0], 1, (0.67, 0.70, 0.71), (0.92, 0.92, 0.90), (0.38, 0.22, 0.20)),
    House(GAP[1], 13.6, 2, (0.74, 0.62, 0.52), (0.92, 0.90, 0.86), (0.18, 0.24, 0.20)),
    House(13.6, 19.5, 1, (0.60, 0.40, 0.33), (0.88, 0.86, 0.82), (0.20, 0.21, 0.24), brick=True),
    House(19.5, 42, 2, (0.82, 0.80, 0.74), (0.92, 0.91, 0.88), (0.32, 0.24, 0.16)),
)
ROOF = 1.9  # visible height of the roof
FAR_TREES = 2.6  # mean height of what is seen through the gap


def stands(x: NDArray[np.floating], y: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Where the fronts, roofs and the trees behind the gap hide the sky."""
    top = np.full(x.shape, -1.0)
    for house in HOUSES:
        inside = (x >= house.left) & (x < house.right)
        slope = np.minimum(x - house.left, house.right - x)  # the roof's sides lean in
        top[inside] = house.eaves + ROOF * np.minimum(1, 0.25 + slope[inside] / 0.8)
    gap = (x >= GAP[0]) & (x < GAP[1])
    top[gap] = FAR_TREES + 0.5 * NOISE(x[gap] / 9, 0 * x[gap]) + 0.15 * OTHER(x[gap] / 2, 0 * x[gap])
    return y < top


def paint(points: NDArray[np.floating]) -> tuple[Array, Array, Array]:
    """Albedo (N, 3), share of the sun (N,) and share of the sky (N,) of points (N, 3) that stand."""
    x, y = points[:, 0], points[:, 1]
    albedo = np.zeros((len(x), 3), np.float32)
    sun, sky = np.ones(len(x), np.float32), np.ones(len(x), np.float32)
    gap = (x >= GAP[0]) & (x < GAP[1])
    leaves = np.exp(0.35 * OTHER(x / 3, y / 3) + 0.25 * THIRD(x / 0.8, y / 0.8))
    haze = np.array([0.20, 0.25, 0.27], np.float32)
    albedo[gap] = (0.6 * linear((0.36, 0.45, 0.27)) * leaves[:, None] + haze)[gap]
    for number, house in enumerate(HOUSES):
        inside = (x >= house.left) & (x < house.right)
        albedo[inside], sun[inside], sky[inside] = _front(house, x[inside], y[inside], number)
    return albedo, sun, sky


def _front(
    house: House, x: NDArray[np.floating], y: NDArray[np.floating], seed: int
) -> tuple[Array, Array, Array]:
    """One house: wall, windows, shop and roof."""
    stain = NOISE(x / 7, y / 7 + 0.1 * seed) + 0.6 * OTHER(x / 1.5, y / 4)
    albedo = linear(house.wall) * (1 + 0.06 * stain + 0.03 * THIRD(x, y))[:, None]
    sun, sky = np.ones(len(x), np.float32), np.ones(len(x), np.float32)
    if house.brick:
        course = np.floor(y / 0.075)
        mortar = ((y / 0.075) % 1 < 0.16) | (((x / 0.23) + 0.5 * (course % 2)) % 1 < 0.06)
        albedo *= (1 + 0.12 * THIRD(np.floor(x / 0.23 + 0.5 * (course % 2)) * 0.37, course * 0.61))[:, None]
        albedo[mortar] = albedo[mortar] * 0.6 + 0.16
    _windows(house, x, y, seed, albedo, sun)
    _shop(house, x, y, seed, albedo, sun)
    trim = (np.abs(y - SHOP) < 0.16) | ((y > house.eaves - 0.22) & (y < house.eaves))
    albedo[trim] = linear(house.trim) * (1 + 0.04 * stain[trim])[:, None]
    below = (house.eaves - y).clip(0)
    sun *= 1 - 0.8 * ((0.75 - below) * 8).clip(0, 1).astype(np.float32)  # shadow of the eaves
    roof = y >= house.eaves
    tile = 0.5 + 0.5 * np.cos(2 * np.pi * x / 0.24)
    rows = ((y - house.eaves) / 0.17) % 1
    albedo[roof] = (
        linear((0.44, 0.32, 0.28) if seed % 2 else (0.36, 0.36, 0.39))
        * ((0.75 + 0.25 * tile + 0.2 * rows + 0.10 * stain)[roof, None])
    )
    sun[roof] = 1.5  # it leans towards the sun
    sky *= 1 - 0.35 * np.exp(-y / 0.6).astype(np.float32)
    edge = np.minimum(x - house.left, house.right - x) < 0.06
    albedo[edge] *= 0.6
    return albedo.clip(0.01, 0.9).astype(np.float32), sun, sky


def _windows(
    house: House, x: NDArray[np.floating], y: NDArray[np.floating], seed: int, albedo: Array, sun: Array
) -> None:
    """Rows of windows above the shop, painted into albedo and sun."""
    count = max(2, round((house.right - house.left) / 2.0))
    pitch = (house.right - house.left) / count
    column = np.floor((x - house.left) / pitch)
    row = np.floor((y - SHOP) / FLOOR)
    across = ((x - house.left) / pitch % 1 - 0.5) * pitch
    above = (y - SHOP) - row * FLOOR - 0.75  # from the sill
    upstairs = (row >= 0) & (row < house.floors)
    lot = np.random.default_rng(seed).random((16, 64))[row.astype(int) % 16, column.astype(int) % 64]
    frame = upstairs & (np.abs(across) < 0.62) & (above > -0.12) & (above < 1.62)
    albedo[frame] = linear(house.trim)
    glass = upstairs & (np.abs(across) < 0.48) & (above > 0.0) & (above < 1.5)
    mirror = (0.14 + 0.14 * (above / 1.5) + 0.03 * NOISE(x / 9, y / 6)).clip(0.03)
    albedo[glass] = (mirror[:, None] * np.array([0.75, 0.95, 1.2], np.float32))[glass]
    curtain = glass & (lot > 0.45) & (np.abs(across) > 0.16 + 0.25 * lot)
    folds = 0.75 + 0.25 * np.cos(across * 60)
    albedo[curtain] = (linear((0.70, 0.67, 0.62)) * folds[:, None])[curtain]
    bars = glass & ((np.abs(across) < 0.035) | (np.abs(above - 1.0) < 0.03))
    albedo[bars] = linear(house.trim)
    shaded = glass & ((above > 1.28) | (across < -0.38))  # the reveal's shadow
    sun[shaded] = 0.15
    sill = upstairs & (np.abs(across) < 0.7) & (above > -0.26) & (above < -0.14)
    albedo[sill] *= 0.55
    if seed % 3 == 0:
        shutter = upstairs & (np.abs(np.abs(across) - 0.86) < 0.22) & (above > -0.05) & (above < 1.55)
        slats = 0.8 + 0.3 * ((above / 0.07) % 1)
        albedo[shutter] = (linear((0.27, 0.38, 0.36)) * slats[:, None])[shutter]


def _shop(
    house: House, x: NDArray[np.floating], y: NDArray[np.floating], seed: int, albedo: Array, sun: Array
) -> None:
    """The ground floor: panes, a door, a sign board and on some houses a striped awning."""
    width = house.right - house.left
    down = y < SHOP - 0.16
    albedo[down] = linear(house.shop) * (1 + 0.05 * NOISE(x / 2, y / 2))[down, None]
    count = max(2, round(width / 2.9))
    pitch = width / count
    column = np.floor((x - house.left) / pitch)
    across = ((x - house.left) / pitch % 1 - 0.5) * pitch
    door = down & (column == seed % count)
    pane = down & ~door & (np.abs(across) < pitch / 2 - 0.22) & (y > 0.55) & (y < 2.35)
    leaf = door & (np.abs(across) < 0.55) & (y < 2.25)
    goods = NOISE(x / 6 + 0.3 * seed, y / 5)
    inside = 0.045 + 0.022 * goods.clip(-1, 2) + 0.06 * (y / 2.35) ** 2
    tint = np.stack(
        [1 + 0.15 * OTHER(x / 9, y / 5), np.ones(len(x)), 1.15 - 0.1 * THIRD(x / 8, y / 5)], axis=1
    )
    albedo[pane] = (inside[:, None] * tint)[pane].clip(0.012)
    sun[pane] = 0.3
    albedo[leaf] = linear(house.shop) * 0.6
    window = leaf & (np.abs(across) < 0.38) & (y > 0.95) & (y < 2.05)
    albedo[window] = [0.07, 0.085, 0.10]
    board = down & (y > 2.45) & (y < 2.85)
    albedo[board] = linear(house.shop) * 1.25 + 0.02
    if seed % 2:
        awning = (
            down & (y > 2.0) & (y < 2.75) & (np.abs(x - (house.left + house.right) / 2) < width / 2 - 0.5)
        )
        stripe = ((x - house.left) / 0.5) % 1 < 0.5
        cloth = np.where(stripe[:, None], linear((0.88, 0.86, 0.80)), linear(house.shop) * 1.5 + 0.04)
        albedo[awning] = cloth[awning]
        sun[awning] = 1.3
        under = down & (y > 1.3) & (y <= 2.0)
        sun[under] *= 0.2
