"""The poses of a PoseTrack file as arrays, cleaned the way poseval cleans them before it compares."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from posetrack.results.annotations import Annotations, Annotations17, Annotations18
from posetrack.skeletons import COCO17, POSETRACK17, convert

JOINTS = POSETRACK17.keypoints  # poseval's order
K = len(JOINTS)
# QUIRK missing-score: a joint without score is not an error in poseval, it ranks behind every other.
MISSING_SCORE = -9999.0

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class People:
    """N poses of one video, sorted by frame, in the joint order of PoseTrack 2017."""

    frame: Ints  # (N,) place in the list of frames
    ids: Ints  # (N,) track
    persons: Ints  # (N,) person_id of PoseTrack 2021, -1 without
    points: Floats  # (N, 15, 2) pixels
    present: Bools  # (N, 15) the joint is there
    scores: Floats  # (N, 15)
    head_sizes: Floats  # (N,) 0.6 of the head box's diagonal, pixels; NaN without head box

    def __len__(self) -> int:
        return len(self.frame)

    def __getitem__(self, index: NDArray[Any]) -> People:
        return People(*(getattr(self, field.name)[index] for field in fields(self)))


@dataclass(frozen=True, eq=False)
class Frames:
    """The F frames that a file lists."""

    names: tuple[str, ...]
    labelled: Bools  # (F,) by the file's own flag
    listed: Ints  # (F,) poses that the file lists, before any clean-up
    regions: dict[int, list[Floats]]  # frame -> ignore polygons, each (M, 2)


def read_people(file: Annotations) -> tuple[Frames, People]:
    """Frames and poses of a file that `faults` finds nothing in."""
    frames, people = _read17(file) if isinstance(file, Annotations17) else _read18(file)
    order = np.argsort(people.frame, kind="stable")  # inside a frame: the order of the file
    return frames, people[order]


def _read18(file: Annotations18) -> tuple[Frames, People]:
    place = {image.id: index for index, image in enumerate(file.images)}
    people = file.annotations
    names = file.categories[0].keypoints
    N = len(people)
    frame = np.array([place[p.image_id] for p in people], np.int64)
    triples = np.array([p.keypoints for p in people], np.float64).reshape(N, len(names), 3)
    scores = np.array([p.scores or [MISSING_SCORE] * len(names) for p in people], np.float64)
    scores = scores.reshape(N, len(names))
    present = (triples != 0).any(axis=2)  # a joint is dropped by writing (0, 0, 0)
    points, scores, present = _posetrack_joints(names, triples[..., :2], scores, present)
    # poseval turns x, y, width, height into corners first; (x + w) - x differs from w in the last bit
    heads = np.array([p.bbox_head or [np.nan] * 4 for p in people], np.float64).reshape(N, 4)
    sides = (heads[:, :2] + heads[:, 2:]) - heads[:, :2]
    ids = np.array([p.track_id for p in people], np.int64)
    persons = np.array([-1 if p.person_id is None else p.person_id for p in people], np.int64)
    listed = np.bincount(frame, minlength=len(file.images)).astype(np.int64)
    labelled = [
        bool(listed[i]) if image.is_labeled is None else bool(image.is_labeled)
        for i, image in enumerate(file.images)
    ]
    regions = {
        index: [
            np.column_stack(xy) for xy in zip(image.ignore_regions_x, image.ignore_regions_y, strict=True)
        ]
        for index, image in enumerate(file.images)
        if image.ignore_regions_x
    }
    frames = Frames(tuple(i.file_name for i in file.images), np.array(labelled, np.bool_), listed, regions)
    return frames, People(frame, ids, persons, points, present, scores, _head_sizes(sides))


def _posetrack_joints(
    names: list[str], points: Floats, scores: Floats, present: Bools
) -> tuple[Floats, Floats, Bools]:
    """Joints by name in the order of PoseTrack 2017; neck and head top of COCO poses by the field's rule."""
    if set(names) == set(COCO17.keypoints):
        order = [names.index(name) for name in COCO17.keypoints]
        points, scores, present = points[:, order], scores[:, order], present[:, order]
        known = np.where(present, np.where(scores == MISSING_SCORE, 1.0, scores), 0.0)
        places, values = convert(points, known, COCO17, POSETRACK17)
        unscored = (scores == MISSING_SCORE).all(axis=1, keepdims=True)  # a file scores all joints or none
        return places.astype(np.float64), np.where(unscored, MISSING_SCORE, values), values != 0
    order = [names.index(name) for name in JOINTS]
    return points[:, order], scores[:, order], present[:, order]


def _read17(file: Annotations17) -> tuple[Frames, People]:
    rows = [
        (index, rect)
        for index, frame in enumerate(file.annolist)
        for rect in frame.annorect
        if rect.annopoints and rect.annopoints[0].point is not None  # rects without points are not poses
    ]
    N = len(rows)
    points = np.zeros((N, K, 2))
    present = np.zeros((N, K), np.bool_)
    scores = np.full((N, K), MISSING_SCORE)
    sides = np.full((N, 2), np.nan)
    for row, (_, rect) in enumerate(rows):
        for point in rect.annopoints[0].point or []:
            if point.id is None or present[row, point.id[0]]:
                continue  # poseval takes the first of two equal joint ids
            joint = point.id[0]
            points[row, joint] = point.x[0], point.y[0]
            present[row, joint] = True
            if point.score is not None:
                scores[row, joint] = point.score[0]
        if rect.x1 and rect.y1 and rect.x2 and rect.y2:
            sides[row] = rect.x2[0] - rect.x1[0], rect.y2[0] - rect.y1[0]
    listed = np.array([len(frame.annorect) for frame in file.annolist], np.int64)
    labelled = [
        bool(frame.annorect) if not frame.is_labeled else bool(frame.is_labeled[0]) for frame in file.annolist
    ]
    regions = {
        index: [
            np.array([[p.x[0], p.y[0]] for p in r.point or []]).reshape(-1, 2) for r in frame.ignore_regions
        ]
        for index, frame in enumerate(file.annolist)
        if frame.ignore_regions
    }
    frame_of = np.array([index for index, _ in rows], np.int64)
    ids = np.array([rect.track_id[0] for _, rect in rows], np.int64)
    names = tuple(frame.image[0].name for frame in file.annolist)
    people = People(frame_of, ids, np.full(N, -1), points, present, scores, _head_sizes(sides))
    return Frames(names, np.array(labelled, np.bool_), listed, regions), people


def _head_sizes(sides: Floats) -> Floats:
    sizes: Floats = 0.6 * np.sqrt((sides**2).sum(axis=1))
    return sizes


def without_ignored(people: People, regions: dict[int, list[Floats]]) -> People:
    """Joints strictly inside an ignore polygon removed, and the poses that are left without joints.

    QUIRK jointless-pose: a pose without any joint vanishes only in frames that have an ignore region. In
    other frames it stays, matches nothing, but keeps its frame from counting as empty (see mot.py).
    """
    present = people.present.copy()
    kept = np.ones(len(people), np.bool_)
    for frame, polygons in regions.items():
        here = slice(*np.searchsorted(people.frame, [frame, frame + 1]))
        shapes = [shapely.Polygon(corners) for corners in polygons if len(corners) > 2]
        if shapes and here.start < here.stop:
            x, y = people.points[here, :, 0], people.points[here, :, 1]
            shapely.prepare(shapes)
            present[here] &= ~np.logical_or.reduce([shapely.contains_xy(shape, x, y) for shape in shapes])
        kept[here] = present[here].any(axis=1)
    masked = People(
        people.frame, people.ids, people.persons, people.points, present, people.scores, people.head_sizes
    )
    return masked if kept.all() else masked[kept]
