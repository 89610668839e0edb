"""Actors: people who walk along a way or do what a motion clip shows, with every bone in every frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scripts.render.assets import Floats
from scripts.render.bodies import (
    Appearance,
    Body,
    Library,
    bone_places,
    bone_turns,
    build_body,
    clip_scale,
    skin,
)
from scripts.render.motion import Walk, loop_walk, read_bvh, turn

FPS = 30


@dataclass(frozen=True)
class Role:
    """A person, the walk they have and the way they take."""

    appearance: Appearance
    clip: str
    way: tuple[tuple[float, float], ...]  # corners x, z in metres; the way rounds them off
    phase: float = 0.0  # of the walk at the start, cycles
    pace: float = 1.0  # of the clip's
    nod: float = 0.0  # degrees that the head is lowered


@dataclass(frozen=True)
class Performance:
    """A person who does what a clip shows, as recorded."""

    appearance: Appearance
    clip: str
    place: tuple[float, float]  # x, z in metres, of the start
    heading: float = 0.0  # degrees, the clip's own directions turned to the left
    start: int = 0  # frame of the clip
    loop: bool = False  # there and back, over and over; else the clip's last frame stays


@dataclass(frozen=True)
class Actor:
    """A role worked out: where every bone is in every frame."""

    body: Body
    turns: Floats  # (T, B, 3, 3)
    places: Floats  # (T, B, 3)

    def vertices(self, frame: int) -> Floats:
        """(V, 3) in the world."""
        return skin(
            self.body.vertices, self.body.weights, self.body.heads, self.turns[frame], self.places[frame]
        )


def smooth_way(corners: tuple[tuple[float, float], ...], step: float = 0.02) -> Floats:
    """A quadratic B-spline along the corners, points (n, 2) about `step` metres apart."""
    p = np.array(corners, float)
    middles = np.concatenate([p[:1], (p[1:] + p[:-1]) / 2, p[-1:]])
    pieces = []
    for start, corner, goal in zip(middles[:-1], [p[0], *p[1:-1], p[-1]], middles[1:], strict=True):
        t = np.linspace(0, 1, 200, endpoint=False)[:, None]
        pieces.append((1 - t) ** 2 * start + 2 * t * (1 - t) * corner + t**2 * goal)
    fine = np.concatenate([*pieces, middles[-1:]])
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(fine, axis=0), axis=1))])
    even = np.arange(0, length[-1], step)
    return np.stack([np.interp(even, length, fine[:, axis]) for axis in range(2)], axis=1)


def rehearse(library: Library, part: Role | Performance, frames: int) -> Actor:
    """An actor, ready for every frame."""
    return walk(library, part, frames) if isinstance(part, Role) else perform(library, part, frames)


def walk(library: Library, role: Role, frames: int) -> Actor:
    """Walk the role's way with feet that neither slide nor sink."""
    body = build_body(library, role.appearance)
    clip = read_bvh(library.folder / f"mocap/cmu_{role.clip}.bvh")
    cycle = loop_walk(clip)
    scale = clip_scale(body, cycle)
    cycles = np.arange(frames) * role.pace * clip.fps / FPS / len(cycle.sway)
    rotations, sway = cycle.at(cycles + role.phase)
    way = smooth_way(role.way)
    walked = np.linspace(0, 0.02 * (len(way) - 1), len(way))
    metres = cycles * cycle.stride * scale
    if metres[-1] > walked[-1]:
        raise ValueError(f"the way of {walked[-1]:.1f} m is too short for {metres[-1]:.1f} m of walking")
    place = np.stack([np.interp(metres, walked, way[:, axis]) for axis in range(2)], axis=1)
    ahead = np.gradient(way, axis=0)
    heading = np.interp(metres, walked, np.unwrap(np.arctan2(ahead[:, 0], ahead[:, 1])))
    face = turn(1, heading)  # (T, 3, 3), from +z
    rotations[:, 0] = face @ rotations[:, 0]
    head = clip.names.index("Head")
    rotations[:, head] = rotations[:, head] @ turn(0, np.radians(role.nod))
    root = (face @ (sway * scale)[..., None])[..., 0] + np.insert(place, 1, 0, axis=1)
    turns = bone_turns(body, clip, rotations)
    places = bone_places(body.heads, body.rig.parents, turns, root)
    lowest = sole_heights(body, turns, places)
    soft = np.exp(-(np.arange(-6, 7) ** 2) / 8.0)
    padded = np.pad(lowest, 6, mode="edge")
    places[..., 1] -= np.convolve(padded, soft / soft.sum(), mode="valid")[:, None]
    return Actor(body, turns, places)


def perform(library: Library, part: Performance, frames: int) -> Actor:
    """Play a clip at a place."""
    body = build_body(library, part.appearance)
    clip = read_bvh(library.folder / f"mocap/cmu_{part.clip}.bvh")
    last = len(clip.rotations) - 1
    chosen = part.start + np.arange(frames)
    chosen = np.abs((chosen + last) % (2 * last) - last) if part.loop else np.minimum(chosen, last)
    face = turn(1, np.radians(np.float64(part.heading)))
    rotations = clip.rotations[chosen].copy()
    rotations[:, 0] = face @ rotations[:, 0]
    moved = clip.places[chosen] - clip.places[chosen[0]] * [1, 0, 1]
    scale = clip_scale(body, Walk(clip, clip.rotations, clip.places, 0.0))
    root = scale * moved @ face.T + np.insert(part.place, 1, 0)
    turns = bone_turns(body, clip, rotations)
    places = bone_places(body.heads, body.rig.parents, turns, root)
    places[..., 1] -= np.percentile(sole_heights(body, turns, places), 20)  # jumps stay jumps
    return Actor(body, turns, places)


def sole_heights(body: Body, turns: Floats, places: Floats) -> Floats:
    """(T,) height of the lowest point of the shoes, metres. Bones as in Actor."""
    soles = body.soles
    return np.array(
        [
            skin(body.vertices[soles], body.weights[soles], body.heads, t, p)[:, 1].min()
            for t, p in zip(turns, places, strict=True)
        ]
    )
