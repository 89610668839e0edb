"""Tables about a light pose network on held-out people: by joint and by pose."""

from __future__ import annotations

import numpy as np

from posetrack.benchmarks.pck import Errors
from posetrack.datasets.people import POSE_TYPES, HeldOut, pose_type
from posetrack.skeletons import Skeleton

HIT = 0.2  # torso lengths


def by_joint(errors: Errors, skeleton: Skeleton) -> dict[str, float]:
    """PCK@0.2 in percent, left and right together; joints that never count are left out."""
    together: dict[str, list[int]] = {}
    for slot, name in enumerate(skeleton.keypoints):
        together.setdefault(name.removeprefix("left_").removeprefix("right_"), []).append(slot)
    table = {}
    for name, slots in together.items():
        pair = Errors(errors.distances[:, slots])
        if np.isfinite(pair.distances).any():
            table[name] = pair.pck()
    return table


def by_pose(errors: Errors, held_out: HeldOut, skeleton: Skeleton) -> dict[str, tuple[int, float]]:
    """Number of people and PCK@0.2 of each pose type."""
    types = np.array([pose_type(person, skeleton) or "" for person in held_out.people])
    return {name: (int((types == name).sum()), errors[types == name].pck()) for name in POSE_TYPES}
