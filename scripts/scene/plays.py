"""Further scenes to choose thresholds on: other people, ways, motions and cameras than the demo's.

>>> play = PLAYS["games"]
>>> actors = assemble(play, folder)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scene.bodies import Library, Look, bone_places, bone_turns, build_body, clip_scale
from scene.cast import Actor, Role, rehearse, shape_of, sole_heights
from scene.motion import Walk, read_bvh, turn
from scene.rasterise import Camera

FPS = 30
SIZE = (640, 360)
FOCAL = 1.02 * SIZE[0]


@dataclass(frozen=True)
class Performance:
    """A person who does what a clip shows, as recorded."""

    look: Look
    clip: str
    place: tuple[float, float]  # x, z in metres, of the start
    heading: float = 0.0  # degrees, the clip's own directions turned to the left
    start: int = 0  # frame of the clip


@dataclass(frozen=True)
class Hand:
    """How the camera is held."""

    position: tuple[float, float, float]  # metres
    pitch: float  # radians
    pan: float  # radians, amplitude of a slow turn
    seconds: float  # of the turn, there and back
    unrest: float  # times that of the demo


@dataclass(frozen=True)
class Play:
    people: tuple[Role | Performance, ...]
    hand: Hand
    frames: int = 120
    blur: float = 0.0  # pixels, deviation of the lens blur
    noise: float = 0.0  # of the sensor, 8 bit levels
    crf: int = 26  # x264 quality

    def camera(self, frame: int) -> Camera:
        t, hand = frame / FPS, self.hand
        unrest = [
            0.0007
            * hand.unrest
            * (np.sin(2.3 * t + 2 * k) + 0.6 * np.sin(6.1 * t + k) + 0.3 * np.sin(13 * t))
            for k in range(3)
        ]
        yaw = hand.pan * float(np.sin(2 * np.pi * t / hand.seconds)) + unrest[0]
        return Camera(hand.position, FOCAL, SIZE, yaw, hand.pitch + unrest[1], 0.6 * unrest[2])

    @property
    def wide(self) -> Camera:
        """Sees everything that `camera` ever sees."""
        margin = int(2 * FOCAL * (self.hand.pan + 0.004 * self.hand.unrest)) + 40
        size = (SIZE[0] + margin, SIZE[1] + margin // 2)
        return Camera(self.hand.position, FOCAL, size, pitch=self.hand.pitch)


def assemble(play: Play, folder: Path) -> list[Actor]:
    """Everybody of a play, ready for every frame."""
    library = Library(folder)
    return [
        rehearse(library, p, play.frames) if isinstance(p, Role) else perform(library, p, play.frames)
        for p in play.people
    ]


def perform(library: Library, part: Performance, frames: int) -> Actor:
    """Play a clip at a place; what lies beyond its end is its last frame."""
    body = build_body(library, part.look)
    clip = read_bvh(library.folder / f"mocap/cmu_{part.clip}.bvh")
    chosen = np.minimum(part.start + np.arange(frames), len(clip.rotations) - 1)
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


def _look(
    kind: str, suit: str, shoes: str, hair: str, tones: str, upper: str, lower: str, seed: int, **shape: float
) -> Look:
    """Colours as hexadecimal sRGB; tones: skin, hair and shoe."""
    colours = {
        part: tuple(int(code[k : k + 2], 16) / 255 for k in (0, 2, 4))
        for part, code in zip(
            ("skin", "hair", "shoe", "upper", "lower"), (*tones.split(), upper, lower), strict=True
        )
    }
    colours |= {"eye": (0.25, 0.2, 0.15), "sock": (0.6, 0.6, 0.6)}
    return Look(shape_of(kind, **shape), suit, shoes, hair, colours, seed=seed)


_BOY = _look("caucasian-male-child", "male_casualsuit04", "shoes01", "short02",
             "d9a98c 5a3b22 e0e0e0", "c23b30", "34404f", 11)  # fmt: skip
_GIRL = _look("caucasian-female-child", "female_sportsuit01", "shoes02", "ponytail01",
              "e0b59a a8814d 404040", "3f7f5a", "22252c", 12)  # fmt: skip
_OLD_MAN = _look("caucasian-male-old", "male_casualsuit02", "shoes01", "short04",
                 "cfa089 b8b4ae 3a2c22", "8a7f6c", "5d574c", 13)  # fmt: skip
_OLD_WOMAN = _look("caucasian-female-old", "female_casualsuit01", "shoes02", "bob02",
                   "d6ad95 c9c5c0 503a30", "6b4b78", "2d2d33", 14)  # fmt: skip
_ASIAN_MAN = _look("asian-male-young", "male_casualsuit04", "shoes02", "short02",
                   "c79a76 14110f e8e8e6", "2c2f36", "8c8471", 15, strong=0.3)  # fmt: skip
_ASIAN_WOMAN = _look("asian-female-young", "female_sportsuit01", "shoes01", "ponytail01",
                     "caa07c 1a1412 d0d0d0", "d8d3c8", "3a5a84", 16, light=0.4)  # fmt: skip
_AFRICAN_MAN = _look("african-male-young", "male_worksuit01", "shoes01", "afro01",
                     "6b4a38 0f0c0a 7a4b28", "cfa93a", "30343c", 17, maxheight=0.5)  # fmt: skip
_AFRICAN_WOMAN = _look("african-female-young", "female_elegantsuit01", "shoes02", "afro01",
                       "7d5843 120d0b 1c1c1e", "a33b52", "ded9d0", 18, heavy=0.3)  # fmt: skip

PLAYS = {
    "crossing": Play(  # six people whose ways cross, one of them runs
        (
            Role(_OLD_MAN, "02_01", ((-3.2, -7.0), (0.0, -6.6), (6, -6.4)), phase=0.3, pace=0.8),
            Role(_ASIAN_WOMAN, "02_02", ((3.4, -7.6), (0.0, -7.4), (-9, -7.2)), phase=0.7),
            Role(_BOY, "02_03", ((5.6, -9.6), (0.0, -9.0), (-14, -8.4)), phase=0.2),
            Role(_AFRICAN_WOMAN, "02_01", ((0.8, -12.5), (0.4, -9.0), (0.3, -2.0)), phase=0.5),
            Role(_ASIAN_MAN, "02_02", ((-1.0, -5.4), (-0.6, -8.0), (1.5, -16.0)), phase=0.1, pace=0.9),
            Role(_OLD_WOMAN, "02_01", ((-0.2, -5.2), (-0.3, -8.0), (0.9, -16.0)), phase=0.4, pace=0.85),
        ),
        Hand((0.0, 1.55, 0.0), pitch=-0.06, pan=0.03, seconds=7, unrest=1.0),
    ),
    "games": Play(  # jumps, a kick and hops, near to each other; one walks through
        (
            Performance(_GIRL, "01_01", (-1.5, -5.6), heading=40, start=250),
            Performance(_AFRICAN_MAN, "11_01", (1.9, -6.6), heading=-75, start=30),
            Performance(_ASIAN_WOMAN, "01_01", (-0.9, -7.8), heading=80, start=480),
            Performance(_BOY, "02_04", (0.4, -5.2), heading=-20),
            Role(_OLD_MAN, "02_01", ((3.6, -8.8), (0.0, -8.6), (-6, -8.4)), phase=0.6, pace=0.9),
        ),
        Hand((0.3, 1.1, 0.0), pitch=-0.05, pan=0.02, seconds=5, unrest=2.0),
        noise=4.0,
    ),
    "afar": Play(  # small people, soft and noisy, from a raised camera that pans
        (
            Role(_AFRICAN_WOMAN, "02_01", ((-5.5, -11.0), (0.0, -10.6), (6, -10.4)), phase=0.2),
            Role(_ASIAN_MAN, "02_02", ((5.0, -10.2), (0.0, -10.4), (-8, -11.4)), phase=0.8),
            Role(_OLD_WOMAN, "02_01", ((-4.6, -11.5), (1.0, -11.2), (8, -11.0)), phase=0.55, pace=0.95),
            Role(_GIRL, "02_03", ((6.5, -12.8), (0.0, -12.4), (-14, -12.0)), phase=0.0),
            Performance(_BOY, "03_04", (2.2, -9.4), start=500),
            Performance(_AFRICAN_MAN, "03_04", (-1.4, -12.6), heading=120, start=200),
            Role(_OLD_MAN, "02_01", ((-0.8, -14.4), (-0.6, -10.0), (-0.4, -4.0)), phase=0.9, pace=0.9),
        ),
        Hand((0.0, 2.6, 0.0), pitch=-0.16, pan=0.06, seconds=6, unrest=2.5),
        blur=1.0,
        noise=6.0,
        crf=30,
    ),
}  # fmt: skip
