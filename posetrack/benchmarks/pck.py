"""PCK@0.2 of the torso: the share of joints found within a fifth of the person's torso length, as for LSP.

The torso length of a person is the distance from left shoulder to right hip; where one of these has no
label, from right shoulder to left hip; people without either are left out. Only labelled joints count.
A joint's value is over people; the total is over all joints of all people.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posetrack.skeletons import Skeleton

Floats = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Errors:
    """How far every counted joint was from its label."""

    distances: Floats  # (N, K) in torso lengths; NaN where the joint does not count

    def pck(self, threshold: float = 0.2) -> float:
        """Percent of all counted joints within the threshold; NaN if none counts."""
        counted = np.isfinite(self.distances)
        return 100 * float((self.distances[counted] <= threshold).mean()) if counted.any() else float("nan")

    def __getitem__(self, people: NDArray[np.bool_]) -> Errors:
        return Errors(self.distances[people])


def torso_lengths(labels: Floats, counted: NDArray[np.bool_], skeleton: Skeleton) -> Floats:
    """(N,) torso length of every person, NaN where it has none. Labels (N, K, 2), counted (N, K)."""
    lengths = np.full(len(labels), np.nan)
    for a, b in (
        ("right_shoulder", "left_hip"),
        ("left_shoulder", "right_hip"),
    ):  # the last one has precedence
        i, j = skeleton.index(a), skeleton.index(b)
        known = counted[:, i] & counted[:, j]
        lengths[known] = np.linalg.norm(labels[known, i] - labels[known, j], axis=1)
    lengths[lengths < 1] = np.nan
    return lengths


def joint_errors(
    points: Floats,
    labels: Floats,
    labelled: NDArray[np.bool_],
    counted: NDArray[np.bool_],
    skeleton: Skeleton,
    usual: Floats | float = np.nan,
) -> Errors:
    """Errors of predicted joints.

    Args:
        points, labels: (N, K, 2) in pixels of the same picture.
        labelled: (N, K) joints with a position, used for the torso.
        counted: (N, K) joints that enter the result, such as those labelled by hand.
        usual: (N,) torso lengths where none is labelled; without them these people are left out.
    """
    lengths = torso_lengths(labels, labelled, skeleton)  # (N,)
    lengths = np.where(np.isfinite(lengths), lengths, usual)
    counts = counted & labelled & np.isfinite(lengths)[:, None]
    offsets = np.where(counts[..., None], points - labels, np.nan)
    return Errors(np.linalg.norm(offsets, axis=-1) / lengths[:, None])
