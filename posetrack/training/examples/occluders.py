"""Somebody else's body in a picture of a person, as in a crowd: before the person or behind.

Photos have no masks. A body is cut out as the shape that its labelled joints give: limbs and head as thick
lines, the trunk as an area. `draw_occluder` changes pixels only; labels stay, those of hidden joints too.

    crop = draw_occluder(crop, points, inside, POSETRACK18, other_image, other_points, matrix, in_front=True)
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from posetrack.datasets.people import Image, Person
from posetrack.skeletons import Skeleton

Points = NDArray[np.floating]  # (K, 2)
Labelled = NDArray[np.bool_]  # (K,)

# Width of each part in lengths of the trunk, by eye: a little less than clothes need, so that little of the
# occluder's own background comes along.
WIDTHS = {"elbow": 0.2, "wrist": 0.15, "hip": 0.3, "knee": 0.3, "ankle": 0.2, "head_top": 0.4}
TRUNK_WIDTH = 0.2  # of the trunk's outline
MIN_JOINTS = 10  # of an occluder: fewer make no body
BESIDE = (0.2, 0.55)  # how far to the left or right of the person an occluder is, in widths of the crop
BELOW = 0.06  # deviation of how much lower, in heights of the crop


TRUNK = ("left_shoulder", "right_shoulder", "right_hip", "left_hip")


def has_body(labelled: Labelled, skeleton: Skeleton) -> bool:
    """Whether enough joints have a label, all four of the trunk among them."""
    trunk = [skeleton.index(name) for name in TRUNK]
    return bool(labelled.sum() >= MIN_JOINTS and labelled[trunk].all())


def body(points: Points, labelled: Labelled, skeleton: Skeleton, size: tuple[int, int]) -> Image | None:
    """The shape of somebody in a picture of `size` (width, height): (h, w), 255 inside, soft at the edge.

    None for those who have no body by `has_body`.
    """
    if not has_body(labelled, skeleton):
        return None
    trunk = [skeleton.index(name) for name in TRUNK]
    length = float(np.linalg.norm(points[trunk[:2]].mean(axis=0) - points[trunk[2:]].mean(axis=0)))
    mask = np.zeros(size[::-1], np.uint8)
    corners = np.rint(points[trunk]).astype(np.int32)
    cv2.fillConvexPoly(mask, cv2.convexHull(corners), 255)
    cv2.polylines(mask, [cv2.convexHull(corners)], True, 255, _pixels(TRUNK_WIDTH * length))
    for a, b in _limbs(skeleton):
        part = skeleton.keypoints[b].removeprefix("left_").removeprefix("right_")
        if part in WIDTHS and labelled[a] and labelled[b]:
            ends = [tuple(int(v) for v in np.rint(points[k])) for k in (a, b)]
            cv2.line(mask, ends[0], ends[1], 255, _pixels(WIDTHS[part] * length))
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), max(0.02 * length, 0.5)), np.uint8)


def _limbs(skeleton: Skeleton) -> list[tuple[int, int]]:
    """The skeleton's edges, and the head where it has one: its edges may go by the nose."""
    head = [skeleton.index(n) for n in ("head_bottom", "head_top") if n in skeleton.keypoints]
    return [*skeleton.edges, *([(head[0], head[1])] if len(head) == 2 else [])]


def _pixels(width: float) -> int:
    return max(1, min(round(width), 255))


def draw_occluder(
    picture: Image,
    points: Points,
    labelled: Labelled,
    skeleton: Skeleton,
    other: tuple[Image, Person],
    matrix: NDArray[np.float64],
    in_front: bool,
) -> Image:
    """The picture (H, W, 3) with somebody else in it; as it was where one of both has no shape.

    Args:
        points, labelled: the person's joints in the picture.
        other: somebody's photo and labels.
        matrix: (2, 3) from the pixels of that photo to those of the picture.
        in_front: the occluder hides the person; else the person hides the occluder.
    """
    size = picture.shape[1], picture.shape[0]
    image, person = other
    shape = body(person.keypoints @ matrix[:, :2].T + matrix[:, 2], person.labelled, skeleton, size)
    if shape is None:
        return picture
    if not in_front:
        own = body(points, labelled, skeleton, size)
        if own is None:
            return picture
        shape = np.minimum(shape, 255 - own)
    pixels = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR)
    # What lies beyond the occluder's own photo is no part of a body.
    known = cv2.warpAffine(np.full(image.shape[:2], 255, np.uint8), matrix, size, flags=cv2.INTER_NEAREST)
    share = (np.minimum(shape, known).astype(np.float32) / 255)[..., None]
    return np.asarray(np.rint(picture + share * (pixels.astype(np.float32) - picture)), np.uint8)


def beside(
    matrix: NDArray[np.float64], size: tuple[int, int], rng: np.random.Generator
) -> NDArray[np.float64]:
    """An occluder's own view (2, 3) of a crop of `size`, moved to a random place beside the middle."""
    moved = matrix.copy()
    moved[0, 2] += rng.choice((-1, 1)) * rng.uniform(*BESIDE) * size[0]
    moved[1, 2] += rng.standard_normal() * BELOW * size[1]
    return moved
