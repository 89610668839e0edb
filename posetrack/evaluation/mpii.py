"""MPII's PCKh: the share of joints found within a part of the head's length, by the official conventions.

>>> truth = read_mpii_truth("annot/gt_valid.mat")                                # doctest: +SKIP
>>> print(pckh(points, truth.joints, ~truth.missing, head_sizes(truth.head_boxes)).table())  # doctest: +SKIP

Source: evaluate() in lib/dataset/mpii.py of the HRNet code, after the Matlab tool of the benchmark.
N people, 16 joints of MPII16.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posetrack.evaluation.numbers import columns, or_none
from posetrack.skeletons import MPII16

Floats = NDArray[np.float64]

HEAD_BIAS = 0.6  # SC_BIAS: of the head box's diagonal
MASKED = ("pelvis", "thorax")  # joints 6 and 7 count nowhere
# The columns of the papers. QUIRK: left and right count alike in a column, but by their number in the mean.
PARTS: dict[str, tuple[str, ...]] = {
    "Head": ("head_top",),
    "Shoulder": ("left_shoulder", "right_shoulder"),
    "Elbow": ("left_elbow", "right_elbow"),
    "Wrist": ("left_wrist", "right_wrist"),
    "Hip": ("left_hip", "right_hip"),
    "Knee": ("left_knee", "right_knee"),
    "Ankle": ("left_ankle", "right_ankle"),
}
# QUIRK off-by-one: "Mean@0.1" of the official script reads row 11 of its table of thresholds 0, 0.01,
# 0.02 ..., which is 0.11. Published values of PCKh@0.1 are therefore at 0.11; a true 0.1 comes out lower.
OFFICIAL_TENTH = 0.11


@dataclass(frozen=True, eq=False)
class PckhReport:
    """Percent; NaN (null in JSON) where no joint counts."""

    people: int
    joints: Floats  # (16,) PCKh@0.5; NaN for the masked ones
    mean: float  # PCKh@0.5 over all counted joints of all people
    mean_tenth_official: float  # as published as PCKh@0.1: at threshold 0.11
    mean_tenth: float  # at threshold 0.1

    def parts(self) -> dict[str, float]:
        """PCKh@0.5 of the columns of the papers."""
        return {
            part: float(np.mean([self.joints[MPII16.index(name)] for name in names]))
            for part, names in PARTS.items()
        }

    def means(self) -> dict[str, float]:
        """Over all joints; both readings of 0.1."""
        official, true = self.mean_tenth_official, self.mean_tenth
        return {"Mean": self.mean, "Mean@0.1 (official, 0.11)": official, "Mean@0.1 (true)": true}

    def to_json(self) -> dict[str, Any]:
        joints = dict(zip(MPII16.keypoints, self.joints.tolist(), strict=True))
        return {
            **{name: or_none(value) for name, value in (self.parts() | self.means()).items()},
            "joints": {name: or_none(value) for name, value in joints.items() if name not in MASKED},
        }

    def table(self) -> str:
        return columns(self.parts() | self.means())


def head_sizes(head_boxes: NDArray[np.floating]) -> Floats:
    """(N,) head lengths from head boxes (N, 4) x1, y1, x2, y2: 0.6 of the diagonal."""
    return np.asarray(HEAD_BIAS * np.linalg.norm(head_boxes[:, 2:] - head_boxes[:, :2], axis=1), np.float64)


def pckh(
    points: NDArray[np.floating],
    labels: NDArray[np.floating],
    labelled: NDArray[np.bool_],
    heads: NDArray[np.floating],
) -> PckhReport:
    """PCKh@0.5 by joint and in the mean, and both readings of @0.1. An error at the threshold is right.

    Args:
        points, labels: (N, 16, 2) pixels, both counted from 0 or both from 1.
        labelled: (N, 16).
        heads: (N,) of head_sizes.
    """
    errors = np.linalg.norm(points - labels, axis=2) / heads[:, None]  # (N, 16)
    counted = labelled.copy()
    counted[:, [MPII16.index(name) for name in MASKED]] = False

    def hits(threshold: float) -> NDArray[np.intp]:
        return np.asarray(((errors <= threshold) & counted).sum(axis=0), np.intp)

    counts = counted.sum(axis=0)  # (16,)
    share = 100 * hits(0.5) / np.maximum(counts, 1)

    def mean(threshold: float) -> float:
        # The official mean weights each joint's share by its count, which is the share of all joints.
        return 100 * float(hits(threshold).sum()) / float(counts.sum()) if counts.any() else float("nan")

    joints = np.where(counts > 0, share, np.nan)
    return PckhReport(len(points), joints, mean(0.5), mean(OFFICIAL_TENTH), mean(0.1))
