"""What is exactly known about a drawn frame, and its PoseTrack18 form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posetrack.results.formats import category
from posetrack.skeletons import POSETRACK18
from scripts.render.bodies import JOINT_BONES, Body
from scripts.render.picture import ZBuffer
from scripts.render.rasterise import Camera, Floats

KEYPOINTS = POSETRACK18.keypoints
VIDEO = 1
FOLDER = "000001_mpii_test"
FLESH = 0.22  # metres of the own body that may lie in front of a joint that counts as seen


@dataclass(frozen=True)
class Truth:
    """One person in one frame, pixels of the final picture."""

    keypoints: Floats  # (17, 2)
    visible: NDArray[np.bool_]  # (17,) nobody and not much of the own body is in front
    inside: NDArray[np.bool_]  # (17,) within the picture
    box: Floats  # (4,) x1, y1, x2, y2 of the whole body, cut to the picture
    head: Floats  # (4,) of the head, not cut
    seen: float  # share of the body that is in the picture and that nobody else covers, 0 to 1


def joints(body: Body, vertices: Floats, places: Floats) -> Floats:
    """The 17 joints (17, 3) in the world."""
    return np.array(
        [
            places[body.rig.names.index(JOINT_BONES[name])]
            if name in JOINT_BONES
            else vertices[body.landmarks[name]]
            for name in KEYPOINTS
        ]
    )


def measure(
    body: Body, vertices: Floats, places: Floats, camera: Camera, seen: ZBuffer, me: int
) -> Truth | None:
    """Project a person; None when less than four joints or less than a tenth of the body can be seen.

    Args:
        vertices: (V, 3) and places (B, 3) of the bones, in the world.
        seen: the z-buffer with everybody, from `photograph`.
        me: this person's number in it.
    """
    points = camera.project(joints(body, vertices, places))
    outline = camera.project(vertices)
    if outline[:, 2].min() < 0.1:
        return None
    edge = np.array(camera.size) - 0.5
    flat = points[:, :2]
    inside = np.all((flat >= -0.5) & (flat <= edge), axis=1)
    nearest, depth = _in_front(flat, seen)
    own = (nearest < 0) | (nearest == me)  # a loose fit may leave a joint just outside the outline
    visible = inside & own & (points[:, 2] - depth < FLESH)
    share = _share_seen(outline, seen, me, edge)
    if inside.sum() < 4 or share < 0.1:
        return None
    low, high = outline[:, :2].min(axis=0), outline[:, :2].max(axis=0)
    box = np.concatenate([low, high]).clip(-0.5, np.tile(edge, 2))
    skull = outline[body.skull, :2]
    head = np.concatenate([skull.min(axis=0), skull.max(axis=0)])
    return Truth(flat, visible, inside, box, head, share)


def _in_front(pixels: Floats, seen: ZBuffer) -> tuple[NDArray[np.int64], Floats]:
    """Who is in front at pixel positions (N, 2): person (N,), -1 for nobody, and how far (N,), metres."""
    cells = np.rint(seen.window.samples_of(pixels)).astype(int)
    covered = np.all((cells >= 0) & (cells < seen.window.size), axis=1)
    column, row = np.where(covered[:, None], cells, 0).T
    triangle = np.where(covered, seen.fragments.triangle[row, column], -1)
    person = np.where(triangle >= 0, seen.owners[triangle], -1)
    return person, np.where(triangle >= 0, seen.fragments.depth[row, column], np.inf)


def _share_seen(outline: Floats, seen: ZBuffer, me: int, edge: Floats) -> float:
    """Share of all vertices (V, 3) that are in the picture with no other person before them."""
    there = np.all((outline[:, :2] >= -0.5) & (outline[:, :2] <= edge), axis=1)
    person, depth = _in_front(outline[:, :2], seen)
    hidden = (person >= 0) & (person != me) & (depth < outline[:, 2])
    return float((there & ~hidden).mean())


def posetrack18(frames: list[list[tuple[int, Truth]]]) -> dict[str, Any]:
    """PoseTrack18 annotations of a whole video.

    A joint outside the picture is 0, 0, 0; one that is hidden keeps its place with visibility 0.

    Args:
        frames: per frame, (track id, truth) of everybody in it.
    """
    first = 10**10 + VIDEO * 10**4
    images = [
        {
            "file_name": f"images/val/{FOLDER}/{number:06d}.jpg",
            "id": first + number, "frame_id": first + number,
            "vid_id": f"{VIDEO:06d}", "nframes": len(frames), "is_labeled": True, "has_no_densepose": True,
            "ignore_regions_x": [], "ignore_regions_y": [],
        }
        for number in range(len(frames))
    ]  # fmt: skip
    annotations = [
        _annotation(first + number, track, truth)
        for number, people in enumerate(frames)
        for track, truth in people
    ]
    return {"images": images, "annotations": annotations, "categories": [category()]}


def _annotation(image: int, track: int, truth: Truth) -> dict[str, Any]:
    keypoints = [
        [round(float(x), 1), round(float(y), 1), int(v)] if there else [0, 0, 0]
        for (x, y), v, there in zip(truth.keypoints, truth.visible, truth.inside, strict=True)
    ]

    def corner_and_size(box: Floats) -> list[float]:
        x1, y1, x2, y2 = (round(float(v), 1) for v in box)
        return [x1, y1, round(x2 - x1, 1), round(y2 - y1, 1)]

    return {
        "bbox_head": corner_and_size(truth.head),
        "keypoints": [value for joint in keypoints for value in joint],
        "track_id": track, "image_id": image, "id": image * 100 + track, "category_id": 1,
        "bbox": corner_and_size(truth.box), "scores": [],
    }  # fmt: skip
