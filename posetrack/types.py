"""The four nouns that every part speaks: Frame, Detections, Poses, Tracks. Read this first, then pipeline.py.

Frozen dataclasses of numpy arrays; nobody in view is N = 0, never None.
N people, K keypoints, H x W image. Detections, Poses and Tracks take a mask or an integer array as
index and concatenate:

    >>> from posetrack.types import Detections
    >>> seen = Detections([[10, 20, 50, 120], [300, 40, 340, 140]], [0.9, 0.4])
    >>> len(seen[seen.scores > 0.5])
    1
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posetrack.skeletons import Skeleton

Floats = NDArray[np.float32]
Index = NDArray[np.bool_] | NDArray[np.integer[Any]] | slice


def _set(instance: object, name: str, value: ArrayLike, shape: tuple[int, ...], dtype: type) -> None:
    """Store value as an array of the given shape (-1 stands for any length) in a frozen dataclass."""
    array: NDArray[Any] = np.asarray(value, dtype)
    if array.size == 0 and 0 in (shape[0] + 1, shape[0]):
        array = array.reshape(tuple(0 if n == -1 else n for n in shape))
    matches = array.ndim == len(shape) and all(n in (-1, m) for n, m in zip(shape, array.shape, strict=True))
    if not matches:
        raise ValueError(f"{type(instance).__name__}.{name} has shape {array.shape}, expected {shape}")
    object.__setattr__(instance, name, array)


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a video."""

    image: NDArray[np.uint8]  # (H, W, 3) RGB, upright
    index: int  # counts from 0
    time: float  # seconds, from the container's own timestamps

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.image.shape[1], self.image.shape[0]


@dataclass(frozen=True, eq=False)
class Detections:
    """Person boxes of one frame."""

    boxes: Floats  # (N, 4) x1, y1, x2, y2 in pixels
    scores: Floats  # (N,)

    def __init__(self, boxes: ArrayLike, scores: ArrayLike) -> None:
        _set(self, "boxes", boxes, (-1, 4), np.float32)
        _set(self, "scores", scores, (len(self.boxes),), np.float32)

    @staticmethod
    def empty() -> Detections:
        return Detections([], [])

    @staticmethod
    def concatenate(parts: Sequence[Detections]) -> Detections:
        return Detections(np.concatenate([p.boxes for p in parts]), np.concatenate([p.scores for p in parts]))

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, index: Index) -> Detections:
        return Detections(self.boxes[index], self.scores[index])


@dataclass(frozen=True, eq=False)
class Poses:
    """People of one frame, joint by joint. A joint with score 0 has no position."""

    keypoints: Floats  # (N, K, 2) x, y in pixels
    keypoint_scores: Floats  # (N, K)
    boxes: Floats  # (N, 4) x1, y1, x2, y2 in pixels: where the person was looked for
    scores: Floats  # (N,) of the whole person
    skeleton: Skeleton

    def __init__(
        self,
        keypoints: ArrayLike,
        keypoint_scores: ArrayLike,
        boxes: ArrayLike,
        scores: ArrayLike,
        skeleton: Skeleton,
    ) -> None:
        object.__setattr__(self, "skeleton", skeleton)
        _set(self, "boxes", boxes, (-1, 4), np.float32)
        n, k = len(self.boxes), len(skeleton)
        _set(self, "keypoints", keypoints, (n, k, 2), np.float32)
        _set(self, "keypoint_scores", keypoint_scores, (n, k), np.float32)
        _set(self, "scores", scores, (n,), np.float32)

    @staticmethod
    def empty(skeleton: Skeleton) -> Poses:
        return Poses([], [], [], [], skeleton)

    @staticmethod
    def concatenate(parts: Sequence[Poses]) -> Poses:
        """All parts in one; they must share a skeleton."""
        names = {p.skeleton.name for p in parts}
        if len(names) != 1:
            raise ValueError(f"cannot concatenate poses of the skeletons {sorted(names)}")
        return Poses(
            np.concatenate([p.keypoints for p in parts]),
            np.concatenate([p.keypoint_scores for p in parts]),
            np.concatenate([p.boxes for p in parts]),
            np.concatenate([p.scores for p in parts]),
            parts[0].skeleton,
        )

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, index: Index) -> Poses:
        return Poses(
            self.keypoints[index],
            self.keypoint_scores[index],
            self.boxes[index],
            self.scores[index],
            self.skeleton,
        )

    def __add__(self, other: Poses) -> Poses:
        return Poses.concatenate([self, other])

    def hide(self, joints: NDArray[np.bool_]) -> Poses:
        """The same without the joints (N, K): they have score 0 and, having no position, stand at (0, 0)."""
        return replace(
            self,
            keypoints=np.where(joints[..., None], 0, self.keypoints),
            keypoint_scores=np.where(joints, 0, self.keypoint_scores),
        )


@dataclass(frozen=True, eq=False)
class Tracks:
    """People of one frame with the identity that they keep through the video."""

    poses: Poses
    ids: NDArray[np.int64]  # (N,), 1 or more, counted anew in every video
    propagated: NDArray[np.bool_]  # (N,) the box came from flow, not from the detector
    index: int  # of the frame
    time: float  # of the frame, seconds
    size: tuple[int, int]  # (width, height) of the frame, pixels

    def __init__(
        self,
        poses: Poses,
        ids: ArrayLike,
        propagated: ArrayLike,
        index: int,
        time: float,
        size: tuple[int, int],
    ) -> None:
        object.__setattr__(self, "poses", poses)
        _set(self, "ids", ids, (len(poses),), np.int64)
        _set(self, "propagated", propagated, (len(poses),), np.bool_)
        object.__setattr__(self, "index", int(index))
        object.__setattr__(self, "time", float(time))
        object.__setattr__(self, "size", (int(size[0]), int(size[1])))

    @staticmethod
    def empty(skeleton: Skeleton, index: int, time: float, size: tuple[int, int]) -> Tracks:
        return Tracks(Poses.empty(skeleton), [], [], index, time, size)

    @staticmethod
    def concatenate(parts: Sequence[Tracks]) -> Tracks:
        """People of several `Tracks` of one and the same frame."""
        if len({p.index for p in parts}) != 1:
            raise ValueError(f"cannot concatenate tracks of the frames {sorted({p.index for p in parts})}")
        first = parts[0]
        return Tracks(
            Poses.concatenate([p.poses for p in parts]),
            np.concatenate([p.ids for p in parts]),
            np.concatenate([p.propagated for p in parts]),
            first.index,
            first.time,
            first.size,
        )

    def __len__(self) -> int:
        return len(self.ids)

    def hide_weak_joints(self, min_joint_score: float) -> Tracks:
        """The same without the joints that score less, as the benchmark wants joints that are not given."""
        return replace(self, poses=self.poses.hide(self.poses.keypoint_scores < min_joint_score))

    def __getitem__(self, index: Index) -> Tracks:
        return Tracks(
            self.poses[index], self.ids[index], self.propagated[index], self.index, self.time, self.size
        )
