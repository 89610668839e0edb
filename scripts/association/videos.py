"""Annotated videos as arrays, and the true motion of every place in the picture.

T frames, P people (tracks), K = 17 joints of PoseTrack18.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from posetrack.evaluation.people import Frames, People, read_people
from posetrack.results.annotations import Annotations18, read_annotations
from posetrack.skeletons import POSETRACK18

K = len(POSETRACK18)
SIZE = (960, 540)  # of every picture of the data set: no annotated coordinate exceeds it
FPS = 25.0
CELL = 4  # pixels of the map that says which joint a place belongs to
REACH = 0.9  # head sizes: places farther from every limb are background
BACKGROUND = -1

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Index = NDArray[np.int16]


@dataclass(frozen=True, eq=False)
class Video:
    """One annotated video."""

    name: str
    points: Floats  # (T, P, K, 2) pixels
    known: Bools  # (T, P, K) annotated
    occluded: Bools  # (T, P, K) annotated, but not visible
    present: Bools  # (T, P)
    head: Floats  # (T, P) head size of the evaluation, pixels; NaN where not present
    boxes: Floats  # (T, P, 4) about the whole body
    frames: Frames  # of the ground truth, for the evaluation
    truth: People
    owners: Sequence[Index]  # per frame (h, w): person * K + joint that covers each cell, or BACKGROUND

    def __len__(self) -> int:
        return len(self.points)


def read_video(path: Path) -> Video:
    """A PoseTrack18 file."""
    file = read_annotations(path)
    assert isinstance(file, Annotations18)
    frames, truth = read_people(file)
    place = {image.id: index for index, image in enumerate(file.images)}
    tracks = {track: column for column, track in enumerate(sorted({p.track_id for p in file.annotations}))}
    T, P = len(file.images), len(tracks)
    triples = np.zeros((T, P, K, 3), np.float32)
    occluded = np.zeros((T, P, K), bool)
    head = np.full((T, P), np.nan, np.float32)
    for person in file.annotations:
        at = place[person.image_id], tracks[person.track_id]
        triples[at] = np.reshape(person.keypoints, (K, 3))
        occluded[at][(person.model_extra or {}).get("occluded", [])] = True
        _, _, width, height = person.bbox_head or (0.0, 0.0, np.nan, np.nan)
        head[at] = 0.6 * np.hypot(width, height)
    points, known = triples[..., :2], triples[..., 2] > 0
    known &= np.isfinite(head)[..., None]
    boxes = _bodies(points, known, head)
    owners = [_owners(*row) for row in zip(points, known & ~occluded, known, head, strict=True)]
    return Video(
        path.stem, points, known, occluded, np.asarray(known.any(2)), head, boxes, frames, truth, owners
    )


def _bodies(points: Floats, known: Bools, head: Floats) -> Floats:
    """(T, P, 4) what a detector would frame: the joints' extent and some flesh round it."""
    low = np.where(known[..., None], points, np.inf).min(2)
    high = np.where(known[..., None], points, -np.inf).max(2)
    flesh = 0.3 * head[..., None]
    boxes = np.concatenate([low - flesh, high + flesh], axis=2)
    there = np.asarray(known.any(2))[..., None]
    return np.where(there, np.clip(boxes, 0, [*SIZE, *SIZE]), np.nan).astype(np.float32)


def _owners(points: Floats, visible: Bools, known: Bools, head: Floats) -> Index:
    """(h, w) whose joint each cell of the picture shows: that of the nearest place on a visible limb."""
    w, h = SIZE[0] // CELL, SIZE[1] // CELL
    places: list[NDArray[np.floating]] = [points[visible]]
    rows = [np.flatnonzero(visible)]
    for a, b in POSETRACK18.edges:
        both = (visible[:, a] | visible[:, b]) & known[:, a] & known[:, b]
        person = np.flatnonzero(both)
        for part in (0.2, 0.4, 0.6, 0.8):
            nearer = a if part < 0.5 else b
            places.append(points[both, a] * (1 - part) + points[both, b] * part)
            rows.append(person * K + nearer)
    place, row = np.concatenate(places), np.concatenate(rows)
    cells = np.clip(np.rint(place / CELL), 0, (w - 1, h - 1)).astype(int)
    empty = np.full((h, w), 255, np.uint8)
    empty[cells[:, 1], cells[:, 0]] = 0
    owner_at = np.zeros((h, w), np.int16)
    owner_at[cells[:, 1], cells[:, 0]] = row
    distance, label = cv2.distanceTransformWithLabels(empty, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    owner_of_label = np.zeros(int(label.max()) + 1, np.int16)
    owner_of_label[label[empty == 0]] = owner_at[empty == 0]
    owner = owner_of_label[label]
    return np.where(distance * CELL <= REACH * head[owner // K], owner, BACKGROUND).astype(np.int16)
