"""The colours that people wear, sampled under their joints: cheap, and enough to tell a few people apart.

N people, P parts of the body, C colours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posetrack.types import Poses

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

TRUNK = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
THIGHS = ("left_hip", "right_hip", "left_knee", "right_knee")
PARTS = 2  # trunk and thighs
LEVELS = (6, 7, 7)  # bins of brightness, redness, blueness
COLOURS = int(np.prod(LEVELS))
ACROSS, DOWN = np.meshgrid(np.linspace(0.1, 0.9, 6), np.linspace(0.05, 0.95, 8))  # places on the trunk
ALONG = np.linspace(0.1, 0.95, 10)  # places on a thigh, in three lines side by side
ASIDE = (-0.15, 0.0, 0.15)  # of these lines, in widths of the hips


@dataclass(frozen=True, eq=False)
class Looks:
    """Square roots of colour histograms: the product of two people's is their Bhattacharyya coefficient."""

    colours: Floats  # (N, P, C), each a unit vector
    known: Bools  # (N, P) the part's joints were found; else its colours are zeros

    def __len__(self) -> int:
        return len(self.colours)

    def __getitem__(self, rows: Bools | NDArray[np.intp]) -> Looks:
        return Looks(self.colours[rows], self.known[rows])


def looks_of(image: NDArray[np.uint8], poses: Poses, joint_score: float = 0.0) -> Looks:
    """Colours of the trunk and of the thighs of everybody.

    Args:
        image: (H, W, 3) RGB.
        joint_score: joints below it, and those without a position, are not gone by.
    """
    N, names = len(poses), poses.skeleton.keypoints
    if not set(names) >= {*TRUNK, *THIGHS}:
        return Looks(np.zeros((N, PARTS, COLOURS), np.float32), np.zeros((N, PARTS), bool))
    found = (poses.keypoint_scores > 0) & (poses.keypoint_scores >= joint_score)
    colours, known = [], []
    for part, places in ((TRUNK, _grid), (THIGHS, _thighs)):
        corners = [names.index(name) for name in part]
        colours.append(histograms(image, places(poses.keypoints[:, corners])))
        known.append(found[:, corners].all(axis=1))
    seen = np.stack(known, axis=1)  # (N, P)
    table = np.stack(colours, axis=1) * seen[..., None]
    return Looks(table, seen & table.any(axis=2))  # a part outside the picture shows nothing


def alike(a: Looks, b: Looks) -> Floats:
    """(N, M) from 0, no colour in common, to 1: mean over the parts known of both; NaN where no part is."""
    shared = a.known[:, None] & b.known[None, :]  # (N, M, P)
    each = np.einsum("npc,mpc->nmp", a.colours, b.colours) * shared
    count = shared.sum(axis=2)
    mean: Floats = np.where(count > 0, each.sum(axis=2) / np.maximum(count, 1), np.nan).astype(np.float32)
    return mean


def histograms(image: NDArray[np.uint8], points: NDArray[np.floating]) -> Floats:
    """(N, C) square roots of the colour shares at points (N, S, 2); zeros where all lie outside the picture.

    Brightness and chromaticity, each shared out between its two nearest bins, so that a little more light
    moves a little weight.
    """
    H, W = image.shape[:2]
    N = len(points)
    x, y = np.rint(points[..., 0]).astype(np.intp), np.rint(points[..., 1]).astype(np.intp)
    weight = ((x >= 0) & (x < W) & (y >= 0) & (y < H)).astype(np.float32)  # (N, S)
    pixels = image[y.clip(0, H - 1), x.clip(0, W - 1)].astype(np.float32)  # (N, S, 3)
    total = pixels.sum(axis=2) + 30  # dark pixels have no colour to speak of
    red, blue = (pixels[..., c] * 3 / total for c in (0, 2))
    positions = (np.sqrt(total / 795), (red - 0.4) / 1.4, (blue - 0.4) / 1.4)
    cell = np.broadcast_to(np.arange(N)[:, None], x.shape)  # of a table (N, *LEVELS), flat
    parts = [(cell, weight)]
    for position, bins in zip(positions, LEVELS, strict=True):
        place = np.clip(position * bins - 0.5, 0, bins - 1)
        low = np.minimum(place.astype(np.intp), bins - 2)
        upper = place - low
        parts = [
            (cell * bins + low + step, weight * share)
            for cell, weight in parts
            for step, share in ((0, 1 - upper), (1, upper))
        ]
    cells, weights = (np.concatenate([p[k].ravel() for p in parts]) for k in (0, 1))
    table = np.bincount(cells, weights, minlength=N * COLOURS).reshape(N, COLOURS)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1e-6)
    roots: Floats = np.sqrt(shares).astype(np.float32)
    return roots


def _grid(corners: NDArray[np.floating]) -> NDArray[np.floating]:
    """(N, S, 2) places between the corners (N, 4, 2): top left, top right, bottom left, bottom right."""
    top_left, top_right, bottom_left, bottom_right = corners[:, None].transpose(2, 0, 1, 3)  # (N, 1, 2) each
    u, v = ACROSS.reshape(1, -1, 1), DOWN.reshape(1, -1, 1)
    top, bottom = top_left * (1 - u) + top_right * u, bottom_left * (1 - u) + bottom_right * u
    places: NDArray[np.floating] = top * (1 - v) + bottom * v
    return places


def _thighs(joints: NDArray[np.floating]) -> NDArray[np.floating]:
    """(N, S, 2) places on lines from hips to knees; joints (N, 4, 2): left, right hip, left, right knee."""
    left_hip, right_hip, left_knee, right_knee = joints[:, None].transpose(2, 0, 1, 3)  # (N, 1, 2) each
    width = np.linalg.norm(left_hip - right_hip, axis=2, keepdims=True)
    along = ALONG.reshape(1, -1, 1)
    lines = []
    for hip, knee in ((left_hip, left_knee), (right_hip, right_knee)):
        bone = knee - hip
        across = np.stack([-bone[..., 1], bone[..., 0]], axis=2)
        across = across / np.maximum(np.linalg.norm(bone, axis=2, keepdims=True), 1e-6)
        lines += [hip * (1 - along) + knee * along + share * width * across for share in ASIDE]
    return np.concatenate(lines, axis=1)
