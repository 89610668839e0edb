"""What a training picture goes through: one random similarity from photo to network input, then its looks.

The geometry is the crop of `posetrack.pose.crop` with rotation, scale, shift, mirror and half body drawn
at random, as in HRNet's official code; joints follow through the same matrix.

    rng = np.random.default_rng((seed, i))
    matrix, mirrored = random_view(person, POSETRACK18, (96, 128), Geometry(), rng)
    crop, points, inside = apply_view(image, person, POSETRACK18, matrix, mirrored, (96, 128))
    crop = random_appearance(crop, Appearance(), rng)
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from posetrack.datasets.people import Image, Person
from posetrack.pose.crop import PADDING, crop_regions
from posetrack.skeletons import Skeleton

Matrix = NDArray[np.float64]  # (2, 3) photo pixels -> input pixels
Size = tuple[int, int]  # (width, height)
HALF_BODY_PADDING = 1.5  # instead of PADDING


@dataclass(frozen=True)
class Geometry:
    """How far a training crop may stray from the crop of the labelled box."""

    rotation: float = 40.0  # largest angle, degrees; the angle is normal with half of this as deviation
    rotation_probability: float = 0.6
    scale: float = 0.3  # the crop is larger by a factor within 1 ± scale
    shift: float = 0.08  # deviation of the crop's centre, in sides of the box
    mirror_probability: float = 0.5
    half_body_probability: float = 0.3
    half_body_joints: int = 8  # only people with more labelled joints are cut in half
    turn_probability: float = 0.0  # of any angle at all, in a box about the turned joints


@dataclass(frozen=True)
class Appearance:
    """Probability of each change of a crop's pixels, and how small a crop becomes."""

    colour: float = 0.7  # brightness, contrast and tint
    gamma: float = 0.3
    grey: float = 0.05
    blur: float = 0.12  # Gaussian, or along a line as by motion
    low_resolution: float = 0.12  # shrunk and enlarged again
    compression: float = 0.2  # JPEG
    noise: float = 0.1
    occlusion: float = 0.2  # one to three flat, noisy or copied rectangles
    smallest: float = 0.35  # not a probability: factor to which low resolution shrinks at most


def random_view(
    person: Person, skeleton: Skeleton, size: Size, geometry: Geometry, rng: np.random.Generator
) -> tuple[Matrix, bool]:
    """A random crop of the person: its matrix, and whether left and right change places."""
    box, padding = person.box, PADDING
    if person.labelled.sum() > geometry.half_body_joints and rng.random() < geometry.half_body_probability:
        half = half_body_box(person, skeleton, upper=rng.standard_normal() < 0.5)
        if half is not None:
            box, padding = half, HALF_BODY_PADDING
    sides = np.maximum(box[2:] - box[:2], 1.0)
    centre = (box[:2] + box[2:]) / 2 + sides * _normal(rng, geometry.shift, 2)
    larger = 1 + _normal(rng, geometry.scale, 1)[0]
    angle = 0.0
    if rng.random() < geometry.rotation_probability:
        angle = _normal(rng, geometry.rotation / 2, 1, limit=2)[0]
    mirrored = bool(rng.random() < geometry.mirror_probability)
    if geometry.turn_probability and rng.random() < geometry.turn_probability:
        angle = rng.uniform(-180, 180)
        box = turned_box(box, angle)
    width = crop_regions(box[None], size[0] / size[1])[0, 2] * padding / PADDING * larger
    return view_matrix(centre, width, size, angle, mirrored), mirrored


def cut_by_edge(image: Image, person: Person, side: str, share: float) -> tuple[Image, Person]:
    """The picture as if it ended within the person, and the person as one would then be labelled.

    Args:
        side: "left", "top", "right" or "bottom" of the picture.
        share: of the box that is cut away there, 0 to 1.

    Returns:
        A part of the picture, at least a pixel wide and high, and the person in its pixels; joints beyond its
        edge have no label.
    """
    low, high = np.zeros(2, int), np.array(image.shape[1::-1])
    axis = 0 if side in ("left", "right") else 1
    first, last = person.box[axis], person.box[axis + 2]
    if side in ("left", "top"):
        low[axis] = np.clip(first + share * (last - first), 0, high[axis] - 1)
    else:
        high[axis] = np.clip(last - share * (last - first), 1, high[axis])
    points = person.keypoints - low.astype(np.float32)
    inside = (points >= 0).all(axis=1) & (points <= high - low - 1).all(axis=1)
    box = (np.clip(person.box.reshape(2, 2), low, high) - low).astype(np.float32).ravel()
    return image[low[1] : high[1], low[0] : high[0]], replace(
        person, box=box, keypoints=points, labelled=person.labelled & inside, pseudo=person.pseudo & inside
    )


# Where a frame ends within people, how often of all such, and the largest share of the box that is cut away.
# Of a person before a webcam the legs are missing, of one who comes into view a side.
EDGES = {"bottom": (0.4, 0.7), "top": (0.16, 0.45), "left": (0.22, 0.6), "right": (0.22, 0.6)}
EDGE_JOINTS = 3  # labelled ones that must remain


def random_edge(image: Image, person: Person, rng: np.random.Generator) -> tuple[Image, Person]:
    """`cut_by_edge` at a random place; unchanged where too little of the person would remain."""
    side = str(rng.choice(list(EDGES), p=[probability for probability, _ in EDGES.values()]))
    part, cut = cut_by_edge(image, person, side, rng.uniform(0.03, EDGES[side][1]))
    return (part, cut) if cut.labelled.sum() >= EDGE_JOINTS else (image, person)


def turned_box(box: NDArray[np.float32], angle: float) -> NDArray[np.float32]:
    """The box about the ellipse inside a box after a turn about its centre: limbs seldom reach the corners.

    Args:
        angle: degrees.
    """
    turn = np.radians(angle)
    cos, sin = np.cos(turn) ** 2, np.sin(turn) ** 2
    centre, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]).astype(np.float64) / 2
    reach = np.sqrt([[cos, sin], [sin, cos]] @ half**2)
    return np.concatenate([centre - reach, centre + reach]).astype(np.float32)


def _normal(rng: np.random.Generator, deviation: float, n: int, limit: float = 1.0) -> NDArray[np.float64]:
    """Normal numbers clipped at `limit` deviations; officially 1 for the scale, 2 for the angle."""
    return np.clip(rng.standard_normal(n), -limit, limit) * deviation


def half_body_box(person: Person, skeleton: Skeleton, upper: bool) -> NDArray[np.float32] | None:
    """Box as large as the labelled joints above (or from) the hips reach, centred on their mean.

    As in the official code, legs are taken instead of an upper half of two joints or fewer, and the upper
    half, however small, instead of such legs. None where fewer than two joints remain.
    """
    legs = lower_body(skeleton)
    above, below = person.labelled & ~legs, person.labelled & legs
    legs_wanted = not (upper and above.sum() > 2)
    chosen = below if legs_wanted and below.sum() > 2 else above
    if chosen.sum() < 2:
        return None
    points = person.keypoints[chosen]
    centre, half_sides = points.mean(axis=0), (points.max(axis=0) - points.min(axis=0)) / 2
    return np.concatenate([centre - half_sides, centre + half_sides]).astype(np.float32)


def lower_body(skeleton: Skeleton) -> NDArray[np.bool_]:
    """(K,) which joints the official code counts to the lower half: slots 11..16 of COCO, 0..6 of MPII."""
    return np.array([name.endswith(("hip", "knee", "ankle", "pelvis")) for name in skeleton.keypoints])


def view_matrix(
    centre: NDArray[np.floating], width: float, size: Size, angle: float = 0.0, mirrored: bool = False
) -> Matrix:
    """Similarity that puts `centre` in the middle (W/2, H/2) of the input and `width` photo pixels across it.

    Args:
        angle: degrees by which the picture turns, counter-clockwise as seen.
        mirrored: afterwards input pixel x goes to W - 1 - x.
    """
    k, turn = size[0] / width, np.radians(angle)
    rotation = k * np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    offset = np.array(size) / 2 - rotation @ np.asarray(centre, np.float64)
    matrix = np.column_stack([rotation, offset])
    if mirrored:
        matrix[0] *= -1
        matrix[0, 2] += size[0] - 1
    return matrix


def apply_view(
    image: Image,
    person: Person,
    skeleton: Skeleton,
    matrix: Matrix,
    mirrored: bool,
    size: Size,
    margin: float = 0.0,
) -> tuple[Image, NDArray[np.float32], NDArray[np.bool_]]:
    """The crop (H, W, 3), the joints in it (K, 2), and which of them are labelled and inside (K,).

    Args:
        margin: input pixels beyond the border within which a joint still counts as inside. With np.inf the
            targets decide, as in the official code, where a Gaussian may reach in from outside.
    """
    crop = _uint8(cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR))
    points = person.keypoints @ matrix[:, :2].T + matrix[:, 2]
    labelled = person.labelled
    if mirrored:
        points, labelled = points[skeleton.flip_order], labelled[skeleton.flip_order]
    inside = (points >= -margin).all(axis=1) & (points <= np.array(size) - 1 + margin).all(axis=1)
    inside &= labelled
    return crop, points.astype(np.float32), inside


def random_appearance(crop: Image, appearance: Appearance, rng: np.random.Generator) -> Image:
    """The crop (H, W, 3) as a video might show it: other colours, blurred, compressed, partly hidden."""
    chance = rng.random(8)
    if chance[0] < appearance.occlusion:
        crop = _occlude(crop.copy(), rng)
    if chance[1] < appearance.blur:
        crop = _blur(crop, rng)
    if chance[2] < appearance.low_resolution:
        crop = _shrink_and_enlarge(crop, rng, appearance.smallest)
    if chance[3] < appearance.colour:
        contrast = rng.uniform(0.6, 1.4)
        tint = contrast * rng.uniform(0.85, 1.15, 3)
        ramp = np.arange(256)[:, None] * tint + 128 * (1 - contrast) + rng.uniform(-40, 40)
        crop = _uint8(cv2.LUT(crop, np.clip(ramp, 0, 255).astype(np.uint8)[None]))
    if chance[4] < appearance.gamma:
        curve = 255 * (np.arange(256) / 255) ** np.exp(rng.uniform(-0.6, 0.6))
        crop = _uint8(cv2.LUT(crop, curve.astype(np.uint8)))
    if chance[5] < appearance.grey:
        crop = np.repeat(_uint8(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY))[..., None], 3, axis=2)
    if chance[6] < appearance.noise:
        grain = rng.standard_normal(crop.shape, np.float32) * rng.uniform(3, 15)
        crop = np.clip(crop + grain, 0, 255).astype(np.uint8)
    if chance[7] < appearance.compression:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 60))]
        crop = _uint8(cv2.imdecode(cv2.imencode(".jpg", crop, quality)[1], cv2.IMREAD_COLOR))
    return crop


def _uint8(array: object) -> Image:
    """OpenCV does not declare that its results have the type of its arguments."""
    return np.asarray(array, np.uint8)


def _occlude(crop: Image, rng: np.random.Generator) -> Image:
    """One to three rectangles, flat, noisy or copied from elsewhere in the crop; in place."""
    H, W = crop.shape[:2]
    for _ in range(rng.integers(1, 4)):
        h, w = int(H * rng.uniform(0.06, 0.3)), int(W * rng.uniform(0.08, 0.4))
        y, x = rng.integers(0, H - h), rng.integers(0, W - w)
        filling = rng.integers(3)
        if filling == 0:
            crop[y : y + h, x : x + w] = rng.integers(0, 256, 3)
        elif filling == 1:
            crop[y : y + h, x : x + w] = rng.integers(0, 256, (h, w, 3))
        else:
            from_y, from_x = rng.integers(0, H - h), rng.integers(0, W - w)
            crop[y : y + h, x : x + w] = crop[from_y : from_y + h, from_x : from_x + w].copy()
    return crop


def _blur(crop: Image, rng: np.random.Generator) -> Image:
    """Out of focus, or moving along a line of 3 to 9 pixels."""
    if rng.random() < 0.5:
        return _uint8(cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.5, 1.6)))
    length = int(rng.integers(3, 10))
    turn = cv2.getRotationMatrix2D(((length - 1) / 2, (length - 1) / 2), rng.uniform(0, 180), 1)
    line = np.zeros((length, length), np.float32)
    line[(length - 1) // 2] = 1
    kernel = np.asarray(cv2.warpAffine(line, turn, (length, length)), np.float32)
    return _uint8(cv2.filter2D(crop, -1, kernel / kernel.sum()))


def _shrink_and_enlarge(crop: Image, rng: np.random.Generator, smallest: float) -> Image:
    H, W = crop.shape[:2]
    factor = rng.uniform(smallest, 0.8)
    small = cv2.resize(crop, (int(W * factor), int(H * factor)), interpolation=cv2.INTER_AREA)
    return _uint8(cv2.resize(small, (W, H), interpolation=cv2.INTER_LINEAR))
