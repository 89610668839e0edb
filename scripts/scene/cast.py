"""Who walks where: the people of the demo, their ways across the square and the camera."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scene.assets import Floats
from scene.bodies import Body, Library, Look, bone_places, bone_turns, build_body, clip_scale, skin
from scene.motion import loop_walk, read_bvh, turn
from scene.rasterise import Camera

FPS = 30
FRAMES = 210
SIZE = (1280, 720)


@dataclass(frozen=True)
class Role:
    """A person, the walk they have and the way they take."""

    look: Look
    clip: str
    way: tuple[tuple[float, float], ...]  # corners x, z in metres; the way rounds them off
    phase: float = 0.0  # of the walk at the start, cycles
    pace: float = 1.0  # of the clip's
    nod: float = 0.0  # degrees that the head is lowered


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


def rehearse(library: Library, role: Role, frames: int = FRAMES) -> Actor:
    """Walk the role's way with feet that neither slide nor sink."""
    body = build_body(library, role.look)
    clip = read_bvh(library.folder / f"mocap/cmu_{role.clip}.bvh")
    walk = loop_walk(clip)
    scale = clip_scale(body, walk)
    cycles = np.arange(frames) * role.pace * clip.fps / FPS / len(walk.sway)
    rotations, sway = walk.at(cycles + role.phase)
    way = smooth_way(role.way)
    walked = np.linspace(0, 0.02 * (len(way) - 1), len(way))
    metres = cycles * walk.stride * scale
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


def sole_heights(body: Body, turns: Floats, places: Floats) -> Floats:
    """(T,) height of the lowest point of the shoes, metres. Bones as in Actor."""
    soles = body.soles
    return np.array(
        [
            skin(body.vertices[soles], body.weights[soles], body.heads, t, p)[:, 1].min()
            for t, p in zip(turns, places, strict=True)
        ]
    )


def camera_at(frame: int, size: tuple[int, int] = SIZE) -> Camera:
    """A person holds the camera: a slow turn to the right and back, and a little unrest."""
    t = frame / FPS
    unrest = [
        0.0007 * (np.sin(2.9 * t + k) + 0.6 * np.sin(7.3 * t + 2 * k) + 0.3 * np.sin(15.1 * t + k * k))
        for k in range(3)
    ]
    return Camera(
        (0.0, 1.62, 0.0),
        focal=1.02 * size[0],
        size=size,
        yaw=-0.035 * float(np.sin(2 * np.pi * t / 9 - 0.8)) + unrest[0],
        pitch=-0.05 + unrest[1],
        roll=0.6 * unrest[2],
    )


def wide_camera() -> Camera:
    """Sees everything that camera_at ever sees."""
    return Camera((0.0, 1.62, 0.0), focal=1.02 * SIZE[0], size=(1500, 830), pitch=-0.05)


def shape_of(kind: str, **amounts: float) -> dict[str, float]:
    """Targets of a build: race, sex and age, and how far it is heavy, light, strong, tall or short."""
    _, sex, age = kind.split("-")
    shape = {kind: 1.0, f"universal-{sex}-{age}-averagemuscle-averageweight": 1.0}
    for name, amount in amounts.items():
        prefix = "" if name.endswith("height") else "universal-"
        build = {
            "light": "averagemuscle-minweight", "heavy": "averagemuscle-maxweight",
            "strong": "maxmuscle-averageweight", "maxheight": "averagemuscle-averageweight-maxheight",
            "minheight": "averagemuscle-averageweight-minheight",
        }[name]  # fmt: skip
        shape[f"{prefix}{sex}-{age}-{build}"] = amount
    return shape


ROLES = (
    Role(  # from left to right, near; leaves the picture
        Look(
            shape_of("caucasian-male-young", heavy=0.35),
            "male_casualsuit02", "shoes01", "short02",
            {
                "skin": (0.75, 0.56, 0.46), "hair": (0.28, 0.19, 0.12), "eye": (0.30, 0.36, 0.42),
                "upper": (0.24, 0.36, 0.42), "lower": (0.24, 0.29, 0.40), "shoe": (0.27, 0.20, 0.15),
                "sock": (0.3, 0.3, 0.3),
            },
            {"lower": "denim"}, seed=1,
        ),
        "02_01", ((-2.75, -6.1), (-0.4, -5.6), (2.0, -4.8), (6.5, -4.2)), phase=0.1,
    ),
    Role(  # enters from the right and walks to the left, behind the first
        Look(
            shape_of("african-female-young", light=0.3),
            "female_casualsuit01", "shoes02", "ponytail01",
            {
                "skin": (0.55, 0.39, 0.30), "hair": (0.09, 0.07, 0.06), "eye": (0.16, 0.10, 0.07),
                "upper": (0.80, 0.67, 0.36), "lower": (0.17, 0.17, 0.20), "shoe": (0.85, 0.84, 0.82),
                "sock": (0.9, 0.9, 0.9),
            },
            seed=2,
        ),
        "02_02", ((4.1, -6.2), (0.8, -6.3), (-2.6, -6.8), (-3.6, -9.4), (-4.2, -17)),
        phase=0.4, pace=0.88, nod=9,
    ),
    Role(  # towards the camera from afar
        Look(
            shape_of("asian-female-young", maxheight=0.35),
            "female_elegantsuit01", "shoes02", "bob02",
            {
                "skin": (0.77, 0.59, 0.48), "hair": (0.10, 0.08, 0.07), "eye": (0.14, 0.09, 0.06),
                "upper": (0.80, 0.79, 0.76), "upper_second": (0.16, 0.20, 0.36), "lower": (0.42, 0.16, 0.19),
                "shoe": (0.12, 0.11, 0.12), "sock": (0.16, 0.15, 0.17),
            },
            {"upper": "stripes"}, seed=3,
        ),
        "02_01", ((-1.5, -13.0), (-1.1, -10.2), (-0.2, -7.0), (-0.8, -3.0)), phase=0.6, pace=0.97,
    ),
    Role(  # walks away from the camera, then turns to the right
        Look(
            shape_of("african-male-young", strong=0.5, maxheight=0.3),
            "male_worksuit01", "shoes01", "short04",
            {
                "skin": (0.46, 0.33, 0.26), "hair": (0.06, 0.05, 0.05), "eye": (0.13, 0.08, 0.06),
                "upper": (0.62, 0.28, 0.24), "upper_second": (0.20, 0.14, 0.14), "lower": (0.30, 0.36, 0.47),
                "shoe": (0.40, 0.28, 0.17), "sock": (0.5, 0.5, 0.5),
            },
            {"upper": "check", "lower": "denim"}, seed=4,
        ),
        "02_01", ((1.75, -5.1), (1.75, -7.2), (1.5, -11.6), (3.6, -13.2), (9, -13.2)), phase=0.85, pace=0.95,
    ),
)  # fmt: skip


def assemble(folder: Path, frames: int = FRAMES) -> list[Actor]:
    """Everybody, ready for every frame."""
    library = Library(folder)
    return [rehearse(library, role, frames) for role in ROLES]
