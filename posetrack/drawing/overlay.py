"""Tracks drawn over a picture: a skeleton per person, in the colour of the identity.

The person's left side is lighter and the right side darker than the colour; joints and limbs fade with their
score and vanish below the threshold. Lines grow with the person. Boxes that came from flow are dashed.

    >>> picture = overlay(frame.image, tracks, joint_threshold=0.3)  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from posetrack.drawing.colours import Colour
from posetrack.drawing.strokes import Image, Outline, Points, Style, capsules, discs, fill
from posetrack.drawing.trails import Trails
from posetrack.skeletons import Edge, Skeleton
from posetrack.types import Tracks

__all__ = ["Trails", "overlay"]

Rectangle = tuple[int, int, int, int]  # x, y, width, height

_OPACITY = (0.0, 0.4, 0.6, 0.8, 1.0)  # level 0 is not drawn; shapes of one level are blended in one go
_LEGIBLE = 480  # pixels: smaller pictures get smaller numbers, so that heads stay in view
_FULL = 0.35  # above the threshold: from here on nothing fades
_HEAD = ("nose", "eye", "ear", "head")
_FONT = cv2.FONT_HERSHEY_DUPLEX


def overlay(
    image: Image,
    tracks: Tracks,
    *,
    joint_threshold: float = 0.2,
    boxes: bool = False,
    trails: Trails | None = None,
    labels: bool = True,
) -> Image:
    """A new picture with everybody drawn; whoever stands lower is nearer, and in front.

    Args:
        image: (H, W, 3) uint8 RGB; it is not changed.
        tracks: the people, in pixels of the image.
        joint_threshold: joints with a lower score are left out, and their limbs with them.
        boxes: draw person boxes too.
        trails: remembers where people were; give the same one for every frame of a video.
        labels: write the identity over each head.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    canvas = image.copy()
    if trails is not None:
        trails.update(tracks, joint_threshold)
        trails.draw(canvas)
    poses, longest = tracks.poses, max(canvas.shape[:2])
    drawn: list[tuple[int, Style, _Joints]] = []
    for n in np.argsort(poses.boxes[:, 3]).tolist():
        if np.isfinite(poses.boxes[n]).all():
            style = Style.of(int(tracks.ids[n]), poses.boxes[n], longest)
            joints = _Joints.of(poses.keypoints[n], poses.keypoint_scores[n], joint_threshold)
            drawn.append((n, style, joints))
            if boxes:
                _draw_box(canvas, poses.boxes[n], style, dashed=bool(tracks.propagated[n]))
            _draw_skeleton(canvas, joints, poses.skeleton, style)
    taken: list[Rectangle] = []
    for n, style, joints in drawn if labels else ():
        place = _beyond_head(joints, poses.skeleton, poses.boxes[n], style)
        taken.append(_draw_label(canvas, str(int(tracks.ids[n])), place, style, taken))
    return canvas


@dataclass(frozen=True)
class _Joints:
    """The joints of one person."""

    points: Points  # (K, 2)
    levels: list[int]  # (K,) 0 for those that are not to be seen, then places in _OPACITY

    @staticmethod
    def of(points: Points, scores: NDArray[np.float32], threshold: float) -> _Joints:
        visible = (scores >= threshold) & (scores > 0) & np.isfinite(points).all(axis=1)
        share = np.clip((scores - threshold) / _FULL, 0, 1)
        levels = np.where(visible, np.rint(1 + share * (len(_OPACITY) - 2)), 0)
        return _Joints(points, levels.astype(int).tolist())


@dataclass(frozen=True)
class _Parts:
    """What a skeleton's drawings have in common."""

    limbs: tuple[tuple[Edge, str], ...]  # with the side
    sizes: NDArray[np.float32]  # (K,) radius of the dot over the width of a limb
    head: tuple[int, ...]  # joints
    trunk: tuple[int, ...]  # shoulders and hips
    head_top: int | None


@lru_cache
def _parts(skeleton: Skeleton) -> _Parts:
    sides = skeleton.sides()
    limbs = []
    for a, b in skeleton.edges:
        ends = {sides[a], sides[b]} - {"middle"}
        limbs.append(((a, b), ends.pop() if len(ends) == 1 else "middle"))
    head = [any(part in name for part in _HEAD) for name in skeleton.keypoints]
    return _Parts(
        tuple(limbs),
        np.where(head, 0.75, 1.0).astype(np.float32),
        tuple(k for k, of_head in enumerate(head) if of_head),
        tuple(k for k, name in enumerate(skeleton.keypoints) if name.endswith(("shoulder", "hip"))),
        skeleton.index("head_top") if "head_top" in skeleton.keypoints else None,
    )


def _draw_skeleton(canvas: Image, joints: _Joints, skeleton: Skeleton, style: Style) -> None:
    """Dark edges below, then limbs, then dots; all shapes of one opacity are one layer."""
    parts, sides, level = _parts(skeleton), skeleton.sides(), joints.levels
    limbs = [(edge, style.side(side)) for edge, side in parts.limbs if level[edge[0]] and level[edge[1]]]
    edges = [edge for edge, _ in limbs]
    dots = [k for k in range(len(skeleton)) if level[k]]
    limb_rims = capsules(joints.points, edges, style.width + 2 * style.rim)
    limb_fills = capsules(joints.points, edges, style.width)
    radii = style.width * parts.sizes[dots]
    dot_rims, dot_fills = (discs(joints.points[dots], radii + more) for more in (style.rim, 0))

    layers: list[list[tuple[Outline, Colour]]] = [[] for _ in _OPACITY]
    faintest = [min(level[a], level[b]) for a, b in edges]
    for number, outline in zip(faintest, limb_rims, strict=True):
        layers[number].append((outline, style.edge))
    for number, outline, (_, colour) in zip(faintest, limb_fills, limbs, strict=True):
        layers[number].append((outline, colour))
    for k, rim, dot in zip(dots, dot_rims, dot_fills, strict=True):
        layers[level[k]] += [(rim, style.edge), (dot, style.side(sides[k]))]
    for layer, opacity in zip(layers, _OPACITY, strict=True):
        if layer:
            fill(canvas, layer, opacity)


def _draw_box(canvas: Image, box: NDArray[np.float32], style: Style, dashed: bool) -> None:
    height, width = canvas.shape[:2]
    beyond = 16 * style.width  # what is farther outside cannot be seen, and dashes cost
    x1, x2 = np.clip(box[[0, 2]], -beyond, width + beyond).tolist()
    y1, y2 = np.clip(box[[1, 3]], -beyond, height + beyond).tolist()
    corners = np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)], np.float32)
    ends = []
    for start, stop in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        length = float(np.abs(stop - start).sum())
        count = max(1, round(length / (8 * style.width))) if dashed else 1
        for k in range(count):
            share = ((k + 0.2) / count, (k + 0.8) / count) if dashed else (0.0, 1.0)
            ends += [start + (stop - start) * s for s in share]
    edges = [(k, k + 1) for k in range(0, len(ends), 2)]
    outlines = capsules(np.array(ends), edges, max(1.0, 0.45 * style.width))
    fill(canvas, [(outline, style.base) for outline in outlines])


@dataclass(frozen=True)
class _Place:
    """Where the middle of a label's edge is: its lower one, or its upper one for who is upside down."""

    x: float
    y: float
    below: bool = False


def _beyond_head(joints: _Joints, skeleton: Skeleton, box: NDArray[np.float32], style: Style) -> _Place:
    """Beside the head, away from the trunk."""
    parts = _parts(skeleton)
    head = [k for k in parts.head if joints.levels[k]]
    if not head:
        return _Place(float(box[0] + box[2]) / 2, float(box[1]))
    gap = 2.5 * style.width
    if parts.head_top not in head:
        gap += 0.07 * float(box[3] - box[1])  # from the eyes to the top of the head
    x, y = joints.points[head].T
    trunk = [k for k in parts.trunk if joints.levels[k]]
    if trunk and joints.points[trunk, 1].mean() < y.mean() - gap:
        return _Place(float(x.mean()), float(y.max()) + gap, below=True)
    return _Place(float(x.mean()), float(y.min()) - gap)


def _draw_label(
    canvas: Image, text: str, place: _Place, style: Style, taken: Sequence[Rectangle]
) -> Rectangle:
    """A pill of the person's colour with the text in it, inside the picture, beside the labels before it."""
    height, width = canvas.shape[:2]
    size = min(max(0.13 * style.width, 0.4 * min(1.0, max(height, width) / _LEGIBLE), 0.22), 1.0)
    thick = 2 if size > 0.75 else 1
    (w, h), _ = cv2.getTextSize(text, _FONT, size, thick)
    pad = round(0.45 * h)
    full_w, full_h = max(w, h) + 3 * pad, h + 2 * pad
    x = round(min(max(place.x - full_w / 2, 1), max(width - full_w - 1, 1)))
    top = place.y if place.below else place.y - full_h
    y = round(min(max(top, 1), max(height - full_h - 1, 1)))
    for ox, oy, ow, oh in sorted(taken, key=lambda other: -other[1]):
        if x < ox + ow and ox < x + full_w and y < oy + oh and oy < y + full_h:
            y = oy - full_h - 1 if oy - full_h - 1 >= 0 else oy + oh + 1
    radius = full_h / 2
    ends = np.array([(x + radius, y + radius), (x + full_w - radius, y + radius)], np.float32)
    (rim,), (pill,) = (capsules(ends, [(0, 1)], full_h + more) for more in (2, 0))
    fill(canvas, [(rim, style.edge), (pill, style.base)])
    bright = 0.299 * style.base[0] + 0.587 * style.base[1] + 0.114 * style.base[2] > 120
    ink = (15, 15, 15) if bright else (255, 255, 255)
    cv2.putText(
        canvas, text, (round(x + (full_w - w) / 2), y + pad + h), _FONT, size, ink, thick, cv2.LINE_AA
    )
    return x, y, full_w, full_h
