"""Joint sets of the field: names, edges, mirror pairs, OKS sigmas, and conversions between them.

>>> from posetrack.skeletons import COCO17, POSETRACK18
>>> POSETRACK18.index("head_top")
2
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Edge = tuple[int, int]


@dataclass(frozen=True)
class Skeleton:
    """A named joint set. Left and right are the person's own."""

    name: str
    keypoints: tuple[str, ...]
    edges: tuple[Edge, ...]
    sigma_values: tuple[float, ...]  # OKS: per-joint sigma; kappa = 2 sigma

    def __len__(self) -> int:
        return len(self.keypoints)

    def index(self, keypoint: str) -> int:
        return self.keypoints.index(keypoint)

    @cached_property
    def sigmas(self) -> NDArray[np.float64]:
        """(K,) sigmas of the COCO object keypoint similarity."""
        return np.array(self.sigma_values)

    @cached_property
    def flip_pairs(self) -> tuple[Edge, ...]:
        """Pairs of joints that change places in a mirrored picture, by name: left_x with right_x."""
        return tuple(
            (i, self.keypoints.index(name.replace("left_", "right_", 1)))
            for i, name in enumerate(self.keypoints)
            if name.startswith("left_")
        )

    @cached_property
    def flip_order(self) -> NDArray[np.int64]:
        """(K,) such that mirrored[flip_order] has every joint in its own place again."""
        order = np.arange(len(self))
        for a, b in self.flip_pairs:
            order[a], order[b] = b, a
        return order

    def sides(self) -> tuple[str, ...]:
        """'left', 'right' or 'middle' for every joint."""
        return tuple(
            "left" if name.startswith("left_") else "right" if name.startswith("right_") else "middle"
            for name in self.keypoints
        )


def _edges(keypoints: Sequence[str], *pairs: str) -> tuple[Edge, ...]:
    """Edges from 'a-b' strings; 'left_a-left_b' stands for both sides when written with '*'."""
    edges = []
    for pair in pairs:
        sides = ("left", "right") if "*" in pair else ("",)
        for side in sides:
            a, b = pair.replace("*", side).split("-")
            edges.append((keypoints.index(a), keypoints.index(b)))
    return tuple(edges)


_ARMS_AND_LEGS = (
    "*_shoulder-*_elbow", "*_elbow-*_wrist", "*_hip-*_knee", "*_knee-*_ankle",
)  # fmt: skip
_TRUNK = ("left_shoulder-right_shoulder", "*_shoulder-*_hip", "left_hip-right_hip")

_COCO17_NAMES = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder",
    "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip",
    "left_knee", "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip
_COCO17_SIGMAS = (
    0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107,
    0.087, 0.087, 0.089, 0.089,
)  # fmt: skip
_SIGMA_OF = dict(zip(_COCO17_NAMES, _COCO17_SIGMAS, strict=True)) | {
    # COCO has no neck, head top, pelvis or thorax. Annotators place them about as loosely as a
    # shoulder (hip for the pelvis), so they take that joint's sigma; no publication fixes them.
    "head_bottom": 0.079, "head_top": 0.079, "thorax": 0.079, "pelvis": 0.107,
}  # fmt: skip


def _skeleton(name: str, keypoints: Sequence[str], *edges: str) -> Skeleton:
    return Skeleton(name, tuple(keypoints), _edges(keypoints, *edges), tuple(_SIGMA_OF[k] for k in keypoints))


COCO17 = _skeleton(
    "coco17", _COCO17_NAMES,
    "nose-*_eye", "*_eye-*_ear", "*_ear-*_shoulder", *_TRUNK, *_ARMS_AND_LEGS,
)  # fmt: skip

POSETRACK18 = _skeleton(
    "posetrack18",
    ("nose", "head_bottom", "head_top", *_COCO17_NAMES[3:]),
    "head_top-nose", "nose-head_bottom", "head_bottom-*_shoulder", *_TRUNK[1:], *_ARMS_AND_LEGS,
)  # fmt: skip

POSETRACK17 = _skeleton(
    "posetrack17",
    (
        "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle",
        "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist",
        "head_bottom", "nose", "head_top",
    ),
    "head_top-nose", "nose-head_bottom", "head_bottom-*_shoulder", *_TRUNK[1:], *_ARMS_AND_LEGS,
)  # fmt: skip

MPII16 = _skeleton(
    "mpii16",
    (
        "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle",
        "pelvis", "thorax", "head_bottom", "head_top",
        "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist",
    ),
    "head_top-head_bottom", "head_bottom-thorax", "thorax-*_shoulder", "thorax-pelvis", "pelvis-*_hip",
    *_ARMS_AND_LEGS,
)  # fmt: skip

SKELETONS = {s.name: s for s in (COCO17, POSETRACK18, POSETRACK17, MPII16)}


def convert(
    keypoints: NDArray[np.floating], scores: NDArray[np.floating], source: Skeleton, target: Skeleton
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Joints of one skeleton in the slots of another; what the source lacks is (0, 0) with score 0.

    From a set without neck and head top (COCO), these two follow the convention of DetectAndTrack:
    head_bottom is the middle of the shoulders, head_top = 2 nose - head_bottom; both take the mean
    shoulder score, and stay empty where a shoulder (or, for head_top, the nose) is missing.

    Args:
        keypoints: (N, K, 2) pixels.
        scores: (N, K).

    Returns:
        (N, K', 2) and (N, K') in the order of `target`.
    """
    points = np.zeros((len(keypoints), len(target), 2), keypoints.dtype)
    values = np.zeros((len(keypoints), len(target)), scores.dtype)
    for slot, name in enumerate(target.keypoints):
        if name in source.keypoints:
            points[:, slot] = keypoints[:, source.index(name)]
            values[:, slot] = scores[:, source.index(name)]
    wanted = {"head_bottom", "head_top"} & set(target.keypoints) - set(source.keypoints)
    if wanted and {"nose", "left_shoulder", "right_shoulder"} <= set(source.keypoints):
        left, right, nose = (source.index(n) for n in ("left_shoulder", "right_shoulder", "nose"))
        neck = (keypoints[:, left] + keypoints[:, right]) / 2  # (N, 2)
        mean = (scores[:, left] + scores[:, right]) / 2  # (N,)
        both = (scores[:, left] > 0) & (scores[:, right] > 0)
        made = {
            "head_bottom": (neck, both),
            "head_top": (2 * keypoints[:, nose] - neck, both & (scores[:, nose] > 0)),
        }
        for name in wanted:
            place, known = made[name]
            points[known, target.index(name)] = place[known]
            values[known, target.index(name)] = mean[known]
    return points, values
