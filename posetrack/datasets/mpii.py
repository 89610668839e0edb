"""MPII human poses: HRNet's JSON or the official .mat, and the ground truth of PCKh.

data = read_mpii(Path("mpii"), "train")     # annot/train.json or mpii_human_pose_v1_u12_1.mat, images/
truth = read_mpii_truth(Path("mpii/annot/gt_valid.mat"))
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posetrack.datasets.people import PoseData


@dataclass(frozen=True, eq=False)
class MpiiTruth:
    """People of the validation split, in the order of valid.json. N people, 16 joints; 0-based pixels."""

    joints: NDArray[np.float64]  # (N, 16, 2)
    missing: NDArray[np.bool_]  # (N, 16)
    head_boxes: NDArray[np.float64]  # (N, 4) x1, y1, x2, y2


def read_mpii(root: Path, split: str) -> PoseData:
    """People of a split, "train" or "valid"."""
    raise NotImplementedError


def read_mpii_truth(path: Path) -> MpiiTruth:
    """The ground truth of HRNet's evaluation, gt_valid.mat."""
    raise NotImplementedError
