"""Single pictures of a few people before a photo, every one with another look, pose, light and view.

What the ten motion clips lack in variety is made up by mixing them: legs, arms and trunk of a pose come from
different frames, and joints are turned further, within what they can do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from scripts.render import truth
from scripts.render.appearances import random_appearance
from scripts.render.bodies import UNALIGNED, Body, Library, bone_places, bone_turns, build_body, skin
from scripts.render.motion import Clip, read_bvh, turn
from scripts.render.picture import Crowd, photograph_before
from scripts.render.rasterise import Camera, Floats

SIZE = 288  # pixels, both ways
SAMPLES = 2  # per pixel, each way

LIMBS = {  # joints that change places between frames together
    "left arm": ("LeftShoulder", "LeftArm", "LeftForeArm", "LeftHand"),
    "right arm": ("RightShoulder", "RightArm", "RightForeArm", "RightHand"),
    "trunk": ("LowerBack", "Spine", "Spine1", "Neck", "Neck1", "Head"),
}


@dataclass(frozen=True, eq=False)
class Studio:
    """Everything that pictures are made from.

    Args:
        photos: (H, W, 3) RGB, without people.
        cast_size: how many bodies there are; building one takes longer than a picture.
    """

    library: Library
    photos: Sequence[NDArray[np.uint8]]
    seed: int
    cast_size: int = 300

    @cached_property
    def clips(self) -> list[Clip]:
        """Without those that have lost the length of a bone: a body cannot be aligned to them."""
        found = [read_bvh(path) for path in sorted(self.library.folder.glob("mocap/cmu_*.bvh"))]
        bones = set(self.library.rig.names) - UNALIGNED
        return [clip for clip in found if all(clip.directions()[bone].any() for bone in bones)]

    @cached_property
    def _bodies(self) -> dict[int, Body]:
        return {}

    def body(self, number: int) -> Body:
        if number not in self._bodies:
            rng = np.random.default_rng((self.seed, 1, number))
            self._bodies[number] = build_body(self.library, random_appearance(rng))
        return self._bodies[number]

    def picture(self, number: int) -> tuple[NDArray[np.uint8], list[truth.Truth]]:
        """Picture (SIZE, SIZE, 3) RGB and its people; depends on the seed and the number alone."""
        rng = np.random.default_rng((self.seed, 0, number))
        count = int(rng.choice([1, 2, 3], p=[0.45, 0.35, 0.2]))
        bodies = [self.body(int(b)) for b in rng.choice(self.cast_size, count, replace=False)]
        around = rng.uniform(0, 2 * np.pi) + np.arange(count) * 2.4
        spots = (np.arange(count) > 0)[:, None] * rng.uniform(0.35, 1.3, (count, 1))
        spots = spots * np.stack([np.sin(around), np.cos(around)], axis=1)
        posed = [self.posed(body, spot, rng) for body, spot in zip(bodies, spots, strict=True)]
        crowd = Crowd(bodies, [vertices for vertices, _ in posed])
        camera = random_camera(crowd.vertices[0], rng)
        tint = np.exp(rng.normal(0, 0.3) + rng.normal(0, 0.06, 3))
        picture, seen = photograph_before(
            self.place(rng), crowd, camera, SAMPLES, rng, float(rng.random()), tuple(tint)
        )
        found = [
            truth.measure(body, vertices, places, camera, seen, me)
            for me, (body, (vertices, places)) in enumerate(zip(bodies, posed, strict=True))
        ]
        return picture, [t for t in found if t is not None]

    def place(self, rng: np.random.Generator) -> NDArray[np.uint8]:
        """A square part of a photo."""
        photo = self.photos[int(rng.integers(len(self.photos)))]
        side = int(min(photo.shape[:2]) * rng.uniform(0.45, 1))
        top, left = (int(rng.integers(n - side + 1)) for n in photo.shape[:2])
        part = photo[top : top + side, left : left + side]
        if rng.random() < 0.5:
            part = part[:, ::-1]
        resized = cv2.resize(
            part, (SIZE, SIZE), interpolation=cv2.INTER_AREA if side > SIZE else cv2.INTER_CUBIC
        )
        return np.asarray(resized, np.uint8)

    def posed(self, body: Body, spot: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Vertices (V, 3) and starts of the bones (B, 3) in the world, the lowest vertex on the ground."""
        clip, rotations = self.pose(rng)
        turns = bone_turns(body, clip, rotations[None])
        root = np.array([[spot[0], 1.0, spot[1]]])
        places = bone_places(body.heads, body.rig.parents, turns, root)[0]
        vertices = skin(body.vertices, body.weights, body.heads, turns[0], places)
        lift = np.array([0, -vertices[:, 1].min(), 0])
        return vertices + lift, places + lift

    def pose(self, rng: np.random.Generator) -> tuple[Clip, Floats]:
        """A clip for its proportions, and rotations (J, 3, 3) of its joints."""
        clip, rotations = self._frame(rng)
        for joints in LIMBS.values():
            if rng.random() < 0.5:
                other, donor = self._frame(rng)
                for joint in joints:
                    rotations[clip.names.index(joint)] = donor[other.names.index(joint)]

        def further(joint: str, rotation: Floats) -> None:
            at = clip.names.index(joint)
            rotations[at] = rotation @ rotations[at]

        for joint in (
            "LeftUpLeg",
            "RightUpLeg",
            "LeftLeg",
            "RightLeg",
            "LeftForeArm",
            "RightForeArm",
            "Neck",
        ):
            further(joint, _any_turn(rng, 8))
        for side in ("Left", "Right"):
            if rng.random() < 0.55:  # arms do anything
                further(f"{side}Arm", _any_turn(rng, 60))
                further(f"{side}ForeArm", _any_turn(rng, 50))
        kind = rng.random()
        if kind < 0.2:  # sitting, crouching
            bend = rng.uniform(20, 105)
            for side in ("Left", "Right"):
                hip = bend + rng.normal(0, 12)
                further(f"{side}UpLeg", _any_turn(rng, 10) @ turn(0, np.radians(-hip)))
                further(f"{side}Leg", turn(0, np.radians(np.clip(hip * rng.uniform(0.6, 1.3), 0, 135))))
        elif kind < 0.4:  # a leg in the air
            side = str(rng.choice(["Left", "Right"]))
            further(f"{side}UpLeg", _any_turn(rng, 40))
            further(f"{side}Leg", turn(0, np.radians(rng.uniform(0, 110))))
        lean = rng.normal(0, 8) if rng.random() < 0.7 else rng.uniform(-15, 60)
        for joint in ("LowerBack", "Spine"):
            further(joint, turn(0, np.radians(lean / 2)) @ _any_turn(rng, 5))
        tilt = _any_turn(rng, 6) if rng.random() < 0.85 else _any_turn(rng, 45)
        rotations[0] = turn(1, rng.uniform(0, 2 * np.pi)) @ tilt @ rotations[0]
        return clip, rotations

    def _frame(self, rng: np.random.Generator) -> tuple[Clip, Floats]:
        clip = self.clips[int(rng.integers(len(self.clips)))]
        return clip, clip.rotations[int(rng.integers(len(clip.rotations)))].copy()


def _any_turn(rng: np.random.Generator, degrees: float) -> Floats:
    """A turn (3, 3) about any axis, its angle normal with this deviation."""
    vector = rng.normal(0, np.radians(degrees) / np.sqrt(3), 3)
    return np.asarray(cv2.Rodrigues(vector)[0])


def random_camera(vertices: Floats, rng: np.random.Generator) -> Camera:
    """Looks at about the middle of a person (V, 3) from any side, mostly from the height of eyes."""
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    middle, extent = (low + high) / 2, float((high - low).max())
    focal = SIZE * rng.uniform(0.9, 2.5)
    distance = focal * extent / np.exp(rng.uniform(np.log(85), np.log(250)))
    height = rng.choice([rng.uniform(1.2, 1.8), rng.uniform(0.4, 3.5)])
    yaw = rng.uniform(0, 2 * np.pi)
    position = middle * [1, 0, 1] + [distance * np.sin(yaw), height, distance * np.cos(yaw)]
    pitch = -np.arctan2(height - middle[1], distance)
    aside = rng.normal(0, 0.06, 2) * SIZE / focal
    return Camera(
        (float(position[0]), float(position[1]), float(position[2])),
        focal, (SIZE, SIZE), yaw + float(aside[0]), float(pitch + aside[1]), float(rng.normal(0, 0.05)),
    )  # fmt: skip
