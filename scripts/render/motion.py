"""Motion capture clips (.bvh) and an endless walk made from one.

Rotations are 3 x 3 matrices; clips are in their own units (CMU: centimetres), y up.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Clip:
    """A motion: T frames of J joints."""

    names: tuple[str, ...]
    parents: tuple[int, ...]  # -1 for the root
    offsets: Floats  # (J, 3) from the parent's joint at rest
    ends: dict[str, Floats]  # offset of the end site, of joints without children
    rotations: Floats  # (T, J, 3, 3) relative to the parent
    places: Floats  # (T, 3) of the root
    fps: float

    def directions(self) -> dict[str, Floats]:
        """At rest, from each joint to its first child (or end site)."""
        found = dict(self.ends)
        for joint in reversed(range(1, len(self.names))):
            found[self.names[self.parents[joint]]] = self.offsets[joint]
        return found


def read_bvh(path: Path) -> Clip:
    """A Biovision clip: hierarchy, then one row of channels per frame."""
    head, _, motion = path.read_text().partition("MOTION")
    names: list[str] = []
    parents: list[int] = []
    offsets: list[list[float]] = []
    channels: list[tuple[int, str]] = []
    ends: dict[str, Floats] = {}
    stack: list[int] = []
    in_end = False
    for words in (line.split() for line in head.splitlines()):
        match words:
            case ["ROOT" | "JOINT", name]:
                parents.append(stack[-1] if stack else -1)
                names.append(name)
            case ["End", "Site"]:
                in_end = True
            case ["{"]:
                stack.append(len(names) - 1)
            case ["}"]:
                stack.pop()
                in_end = False
            case ["OFFSET", *xyz] if in_end:
                ends[names[-1]] = np.array(xyz, float)
            case ["OFFSET", *xyz]:
                offsets.append([float(v) for v in xyz])
            case ["CHANNELS", _, *kinds]:
                channels += [(len(names) - 1, kind) for kind in kinds]
    frames, step, *rows = motion.strip().splitlines()
    table = np.array([row.split() for row in rows], float)[: int(frames.split()[-1])]  # (T, C)
    rotations = np.tile(np.eye(3), (len(table), len(names), 1, 1))
    places = np.zeros((len(table), 3))
    for (joint, kind), column in zip(channels, table.T, strict=True):
        axis = "XYZ".index(kind[0])
        if kind.endswith("position"):
            places[:, axis] += column  # only the root has any
        else:
            rotations[:, joint] = rotations[:, joint] @ turn(axis, np.radians(column))
    places += np.array(offsets[0])
    return Clip(
        tuple(names), tuple(parents), np.array(offsets), ends, rotations, places, 1 / float(step.split()[-1])
    )


def turn(axis: int, angles: Floats | float) -> Floats:
    """Rotations (..., 3, 3) by angles (...) about x, y or z, right-handed."""
    angles = np.asarray(angles, float)
    matrix = np.zeros((*angles.shape, 3, 3))
    after, last = (axis + 1) % 3, (axis + 2) % 3
    matrix[..., axis, axis] = 1
    matrix[..., after, after] = matrix[..., last, last] = np.cos(angles)
    matrix[..., last, after] = np.sin(angles)
    matrix[..., after, last] = -np.sin(angles)
    return matrix


def nearest_rotation(matrices: Floats) -> Floats:
    """The rotation closest to each matrix (..., 3, 3): means of rotations become rotations."""
    u, _, v = np.linalg.svd(matrices)
    fix = np.ones(matrices.shape[:-1])
    fix[..., 2] = np.linalg.det(u @ v)
    return np.asarray(u @ (fix[..., None] * v))


def between(start: Floats, goal: Floats) -> Floats:
    """The smallest rotation (3, 3) that turns one direction into another."""
    a, b = start / np.linalg.norm(start), goal / np.linalg.norm(goal)
    axis, cosine = np.cross(a, b), float(a @ b)
    if cosine < -0.999999:
        raise ValueError("opposite directions have no smallest rotation")
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    rotation: Floats = np.eye(3) + cross + cross @ cross / (1 + cosine)
    return rotation


@dataclass(frozen=True)
class Walk:
    """One cycle of a walk along +z that joins its own start: L frames."""

    clip: Clip
    rotations: Floats  # (L, J, 3, 3) relative to the parent
    sway: Floats  # (L, 3) of the root around the path, clip units: side, height, ahead
    stride: float  # clip units per cycle

    def at(self, phase: Floats) -> tuple[Floats, Floats]:
        """Rotations (T, J, 3, 3) and sway (T, 3) at phases (T,), in cycles: 1.25 is 0.25 again."""
        place = (np.asarray(phase) % 1) * len(self.sway)
        first = place.astype(int) % len(self.sway)
        second = (first + 1) % len(self.sway)
        part = place - place.astype(int)
        rotations = nearest_rotation(
            self.rotations[first] * (1 - part)[:, None, None, None]
            + self.rotations[second] * part[:, None, None, None]
        )
        return rotations, self.sway[first] * (1 - part)[:, None] + self.sway[second] * part[:, None]


def loop_walk(clip: Clip, start: int = 0, stop: int | None = None, blend: int = 8) -> Walk:
    """The best cycle of a straight walk between two frames of a clip, its seam blended over some frames."""
    rotations, places = clip.rotations[start:stop].copy(), clip.places[start:stop]
    course = places[-1] - places[0]
    ahead = turn(1, np.array(-np.arctan2(course[0], course[2])))  # turns the course to +z
    rotations[:, 0] = ahead @ rotations[:, 0]
    places = places @ ahead.T
    first, length = _best_cycle(rotations, blend, clip.fps)
    cycle = rotations[first : first + length].copy()
    path = places[first : first + length].copy()
    stride = places[first + length, 2] - places[first, 2]
    path[:, 2] -= np.arange(length) * stride / length
    before = places[first - blend : first].copy()
    before[:, 2] -= np.arange(-blend, 0) * stride / length
    share = (np.arange(blend) + 1) / (blend + 1)  # of the frames before the cycle, at its end
    cycle[-blend:] = nearest_rotation(
        cycle[-blend:] * (1 - share)[:, None, None, None]
        + rotations[first - blend : first] * share[:, None, None, None]
    )
    drift = (path[-1] - before[-1]) * [1, 0, 1]  # sideways and ahead: spread over the cycle
    path -= np.linspace(0, 1, length)[:, None] * drift
    path[-blend:] = path[-blend:] * (1 - share)[:, None] + before * share[:, None]
    return Walk(clip, cycle, path - [path[:, 0].mean(), 0, path[:, 2].mean()], float(stride))


def _best_cycle(rotations: Floats, blend: int, fps: float) -> tuple[int, int]:
    """First frame and length (0.8 to 1.5 s) of the cycle whose start and end look most alike."""
    best, found = np.inf, (blend, 0)
    for length in range(int(0.8 * fps), int(1.5 * fps) + 1):
        for first in range(blend, len(rotations) - length - 1):
            apart = sum(
                float(((rotations[first + k] - rotations[first + length + k]) ** 2).sum()) for k in (-1, 0, 1)
            )
            if apart < best:
                best, found = apart, (first, length)
    if not found[1]:
        raise ValueError(f"{len(rotations)} frames are too few for a cycle with a blend of {blend}")
    return found
