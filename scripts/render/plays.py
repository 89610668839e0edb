"""What is filmed: the demo, three clips to choose thresholds on, and crowds of any size.

>>> play = crowd(30, seconds=60, size=(1280, 720), seed=3, kind="street")
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from scripts.render import appearances as who
from scripts.render.appearances import shape_of
from scripts.render.bodies import Appearance
from scripts.render.cast import FPS, Performance, Role, smooth_way
from scripts.render.rasterise import Camera, Floats

Tremor = tuple[tuple[float, float, tuple[int, int, int]], ...]
TREMOR: Tremor = ((2.3, 1.0, (0, 2, 4)), (6.1, 0.6, (0, 1, 2)), (13.0, 0.3, (0, 0, 0)))


@dataclass(frozen=True)
class Hand:
    """How the camera is held."""

    position: tuple[float, float, float]  # metres
    pitch: float  # radians
    pan: float  # radians, amplitude of a slow turn
    seconds: float  # of the turn, there and back
    unrest: float  # times that of the demo
    phase: float = 0.0  # of the turn, radians
    tremor: Tremor = TREMOR  # radians per second, amplitude, phases of yaw, pitch and roll
    margin: int | None = None  # pixels that the square is drawn wider than the picture; None: enough


@dataclass(frozen=True)
class Play:
    """Who is seen from where, for how long."""

    people: tuple[Role | Performance, ...]
    hand: Hand
    frames: int = 120
    size: tuple[int, int] = (640, 360)  # pixels
    blur: float = 0.0  # pixels, deviation of the lens blur
    noise: float = 0.0  # of the sensor, 8 bit levels
    crf: int = 26  # x264 quality

    @property
    def focal(self) -> float:
        """Pixels."""
        return 1.02 * self.size[0]

    def camera(self, frame: int) -> Camera:
        t, hand = frame / FPS, self.hand
        unrest = [
            0.0007 * hand.unrest * sum(a * float(np.sin(w * t + phases[k])) for w, a, phases in hand.tremor)
            for k in range(3)
        ]
        yaw = hand.pan * float(np.sin(2 * np.pi * t / hand.seconds + hand.phase)) + unrest[0]
        return Camera(hand.position, self.focal, self.size, yaw, hand.pitch + unrest[1], 0.6 * unrest[2])

    @property
    def wide(self) -> Camera:
        """Sees everything that `camera` ever sees."""
        margin = self.hand.margin
        if margin is None:
            margin = int(2 * self.focal * (abs(self.hand.pan) + 0.004 * self.hand.unrest)) + 40
        size = (self.size[0] + margin, self.size[1] + margin // 2)
        return Camera(self.hand.position, self.focal, size, pitch=self.hand.pitch)


Kind = Literal["street", "games"]
WALKS = (("02_01", 1.2), ("02_02", 1.6))  # clip, metres per second
GAMES = ("01_01", "02_04", "11_01", "131_03", "03_04")  # jumps with turns, a jump, a kick, hops, turns
HANDS = ((1.5, 3.2), (0.0, 0.05), (6, 12), (0.5, 2))  # height in metres, pan, its seconds, unrest
NEAR, FAR = 4.5, 17.0  # metres from the camera
APART = 0.7  # metres from middle to middle: closer people stand in one another
TRIES = 12  # ways from which each walker takes the one with the fewest collisions


def crowd(people: int, seconds: float, size: tuple[int, int], seed: int, kind: Kind = "street") -> Play:
    """Random people on random ways that leave the picture now and then, from a camera in a hand.

    Args:
        size: width and height, pixels.
        kind: on a "street" all walk; in "games" every second one jumps, kicks or turns about a place.
    """
    rng = np.random.default_rng([seed, people])
    frames = max(1, round(seconds * FPS))
    parts: list[Role | Performance] = []
    taken: list[Floats] = []  # (T, 2) about where everybody is
    part: Role | Performance
    for number in range(people):
        appearance = who.random_appearance(rng)
        if kind == "games" and number % 2:
            part, course = _performer(rng, appearance, frames)
        else:
            part, course = _walker(rng, appearance, frames, taken)
        parts.append(part)
        taken.append(course)
    height, pan, turn, unrest = (float(rng.uniform(*limits)) for limits in HANDS)
    hand = Hand((0.0, height, 0.0), -0.05 - 0.07 * (height - 1.5), pan, turn, unrest)
    blur, noise = float(rng.uniform(0, 0.7)), float(rng.uniform(0, 4))
    return Play(tuple(parts), hand, frames, size, blur, noise)


def _performer(rng: np.random.Generator, appearance: Appearance, frames: int) -> tuple[Performance, Floats]:
    depth = rng.uniform(NEAR + 1, FAR - 4)
    x, z = float(rng.uniform(-0.4, 0.4) * depth), float(-depth)
    clip, start, heading = str(rng.choice(GAMES)), int(rng.integers(400)), float(rng.uniform(0, 360))
    return Performance(appearance, clip, (x, z), heading, start, loop=True), np.tile([x, z], (frames, 1))


def _walker(
    rng: np.random.Generator, appearance: Appearance, frames: int, taken: list[Floats]
) -> tuple[Role, Floats]:
    clip, speed = WALKS[int(rng.integers(len(WALKS)))]
    pace = float(rng.uniform(0.8, 1.05))
    ways = [_way(rng, 2.2 * frames / FPS + 6) for _ in range(TRIES)]
    courses = [_course(way, pace * speed / FPS, frames) for way in ways]
    best = int(np.argmin([_collisions(course, taken) for course in courses]))
    phase, nod = float(rng.random()), float(rng.uniform(0, 8))
    return Role(appearance, clip, ways[best], phase, pace, nod), courses[best]


def _way(rng: np.random.Generator, metres: float) -> tuple[tuple[float, float], ...]:
    """Corners x, z of a rounded way of at least so many metres, mostly within the view."""
    depth = rng.uniform(NEAR, FAR)
    corners = [(float(rng.uniform(-0.55, 0.55) * depth), float(-depth))]
    wanted = metres
    while len(corners) < 2 or 0.02 * len(smooth_way(tuple(corners))) < metres:
        wanted *= 1.3  # rounding makes ways shorter
        while sum(np.hypot(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(corners)) < wanted:
            depth = rng.uniform(NEAR, FAR)  # to the other side: nobody turns on the spot
            side = -np.sign(corners[-1][0]) or 1.0
            corners.append((float(side * rng.uniform(0.1, 0.75) * depth), float(-depth)))
    return tuple(corners)


def _course(way: tuple[tuple[float, float], ...], step: float, frames: int) -> Floats:
    """About where a walker is in each frame (T, 2), `step` metres a frame."""
    points = smooth_way(way)
    return np.asarray(points[np.minimum((np.arange(frames) * step / 0.02).astype(int), len(points) - 1)])


def _collisions(course: Floats, others: list[Floats]) -> int:
    """Frames in which somebody else is nearer than a body's width."""
    return sum(int((np.linalg.norm(course - other, axis=1) < APART).sum()) for other in others)


PEOPLE_OF_THE_DEMO = (
    Role(  # from left to right, near; leaves the picture
        Appearance(
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
        Appearance(
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
        Appearance(
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
        Appearance(
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

DEMO = Play(
    PEOPLE_OF_THE_DEMO,
    Hand(
        (0.0, 1.62, 0.0), pitch=-0.05, pan=-0.035, seconds=9, unrest=1.0, phase=-0.8,
        tremor=((2.9, 1.0, (0, 1, 2)), (7.3, 0.6, (0, 2, 4)), (15.1, 0.3, (0, 1, 4))), margin=220,
    ),
    frames=210, size=(1280, 720), crf=23,
)  # fmt: skip

PLAYS = {  # to choose thresholds on
    "crossing": Play(  # six people whose ways cross, one of them runs
        (
            Role(who.OLD_MAN, "02_01", ((-3.2, -7.0), (0.0, -6.6), (6, -6.4)), phase=0.3, pace=0.8),
            Role(who.ASIAN_WOMAN, "02_02", ((3.4, -7.6), (0.0, -7.4), (-9, -7.2)), phase=0.7),
            Role(who.BOY, "02_03", ((5.6, -9.6), (0.0, -9.0), (-14, -8.4)), phase=0.2),
            Role(who.AFRICAN_WOMAN, "02_01", ((0.8, -12.5), (0.4, -9.0), (0.3, -2.0)), phase=0.5),
            Role(who.ASIAN_MAN, "02_02", ((-1.0, -5.4), (-0.6, -8.0), (1.5, -16.0)), phase=0.1, pace=0.9),
            Role(who.OLD_WOMAN, "02_01", ((-0.2, -5.2), (-0.3, -8.0), (0.9, -16.0)), phase=0.4, pace=0.85),
        ),
        Hand((0.0, 1.55, 0.0), pitch=-0.06, pan=0.03, seconds=7, unrest=1.0),
    ),
    "games": Play(  # jumps, a kick and hops, near to each other; one walks through
        (
            Performance(who.GIRL, "01_01", (-1.5, -5.6), heading=40, start=250),
            Performance(who.AFRICAN_MAN, "11_01", (1.9, -6.6), heading=-75, start=30),
            Performance(who.ASIAN_WOMAN, "01_01", (-0.9, -7.8), heading=80, start=480),
            Performance(who.BOY, "02_04", (0.4, -5.2), heading=-20),
            Role(who.OLD_MAN, "02_01", ((3.6, -8.8), (0.0, -8.6), (-6, -8.4)), phase=0.6, pace=0.9),
        ),
        Hand((0.3, 1.1, 0.0), pitch=-0.05, pan=0.02, seconds=5, unrest=2.0),
        noise=4.0,
    ),
    "afar": Play(  # small people, soft and noisy, from a raised camera that pans
        (
            Role(who.AFRICAN_WOMAN, "02_01", ((-5.5, -11.0), (0.0, -10.6), (6, -10.4)), phase=0.2),
            Role(who.ASIAN_MAN, "02_02", ((5.0, -10.2), (0.0, -10.4), (-8, -11.4)), phase=0.8),
            Role(who.OLD_WOMAN, "02_01", ((-4.6, -11.5), (1.0, -11.2), (8, -11.0)), phase=0.55, pace=0.95),
            Role(who.GIRL, "02_03", ((6.5, -12.8), (0.0, -12.4), (-14, -12.0)), phase=0.0),
            Performance(who.BOY, "03_04", (2.2, -9.4), start=500),
            Performance(who.AFRICAN_MAN, "03_04", (-1.4, -12.6), heading=120, start=200),
            Role(who.OLD_MAN, "02_01", ((-0.8, -14.4), (-0.6, -10.0), (-0.4, -4.0)), phase=0.9, pace=0.9),
        ),
        Hand((0.0, 2.6, 0.0), pitch=-0.16, pan=0.06, seconds=6, unrest=2.5),
        blur=1.0,
        noise=6.0,
        crf=30,
    ),
}  # fmt: skip
