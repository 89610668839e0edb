"""Tracks as PoseTrack files, ready to submit, and PoseTrack files as Tracks.

>>> export_posetrack(tracks, "out/000342_mpii_test.json",                 # doctest: +SKIP
...                  annotation="annotations/val/000342_mpii_test.json", joint_score=0.4)
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np

from posetrack.errors import PoseTrackError
from posetrack.files import replacing
from posetrack.results.annotations import (
    Annotations18,
    BrokenFile,
    read_annotations,
    short_name,
    write_annotations,
)
from posetrack.results.check import MAX_TRACK_ID, faults
from posetrack.results.formats import body_box, category, image_id, to_2017, to_2018
from posetrack.results.numbers import decimals, placed
from posetrack.skeletons import POSETRACK18, SKELETONS, Skeleton, convert
from posetrack.types import Poses, Tracks

MAX_FRAMES = 1_000_000  # eleven hours at 25 frames a second; a file of half a gigabyte
_FRAME_FIELDS = ("file_name", "id", "frame_id", "vid_id", "nframes", "is_labeled", "image", "imgnum")


def export_posetrack(
    tracks: Iterable[Tracks],
    path: str | Path,
    *,
    year: Literal[2017, 2018] = 2018,
    skeleton: Skeleton = POSETRACK18,
    source: str = "",
    annotation: str | Path | None = None,
    joint_score: float = 0.0,
    rescore: bool = False,
) -> None:
    """Write tracks as a prediction file.

    Args:
        tracks: of one video, in any order; frames may be missing. `Tracks.index` is the place in the list.
        year: of the format; that of 2018 is also right for 2021.
        skeleton: of the tracks; COCO joints become PoseTrack joints by the usual rule.
        source: name of the video, for the frame names where there is no annotation file.
        annotation: answer this file: every frame it lists, under its own names and ids.
        joint_score: joints below it are dropped, written as (0, 0, 0); the paper takes 0.4.
        rescore: write joint score x pose score in place of the joint score, which AP ranks better.

    Raises:
        PoseTrackError: more than 1000 tracks, or a frame that the annotation file does not list.
    """
    content = _answer(tracks, skeleton, source, annotation, joint_score, rescore)
    if year == 2017:
        write_annotations(to_2017(Annotations18.model_validate(content)), path)
        return
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, allow_nan=False))


def _answer(
    tracks: Iterable[Tracks],
    skeleton: Skeleton,
    source: str,
    annotation: str | Path | None,
    joint_score: float,
    rescore: bool,
) -> dict[str, Any]:
    """The content of a 2018 file."""
    frames = sorted(tracks, key=lambda t: t.index)
    images = _own_frames(frames, source) if annotation is None else _listed_frames(annotation)
    if frames and frames[-1].index >= len(images):
        raise PoseTrackError(
            f"{annotation}: lists {len(images)} frames, the tracks go on to frame {frames[-1].index}; "
            "they are of another video"
        )
    track_ids = _track_ids({identity for t in frames for identity in t.ids.tolist()})
    # person ids follow from image ids
    stride = 100 if max((len(t) for t in frames), default=0) <= 100 else 10_000
    people: list[dict[str, Any]] = []
    for t in frames:
        image = images[t.index]["id"]
        number = 0
        for identity, person in zip(
            t.ids.tolist(), _people(t.poses, skeleton, joint_score, rescore), strict=True
        ):
            if person is None:
                continue
            place = {"image_id": image, "id": image * stride + number, "track_id": track_ids[identity]}
            people.append(place | person)
            number += 1
    return {"images": images, "annotations": people, "categories": [category()]}


def _track_ids(ids: set[int]) -> dict[int, int]:
    """The file counts from 0: every person keeps their number, less 1. Only beyond 1000 they are renumbered.

    Raises:
        PoseTrackError: more people than a file may have.
    """
    if len(ids) > MAX_TRACK_ID + 1:
        raise PoseTrackError(
            f"{len(ids)} tracks in one sequence; PoseTrack takes {MAX_TRACK_ID + 1}: raise the thresholds"
        )
    if max(ids, default=0) <= MAX_TRACK_ID + 1:
        return {identity: identity - 1 for identity in ids}
    return {identity: number for number, identity in enumerate(sorted(ids))}


def _people(
    poses: Poses, skeleton: Skeleton, joint_score: float, rescore: bool
) -> Iterator[dict[str, Any] | None]:
    """Every pose as the fields of a 2018 annotation, None where no joint is left."""
    points, scores = convert(poses.keypoints, poses.keypoint_scores, skeleton, POSETRACK18)
    kept = placed(points, scores) & (scores >= joint_score)
    for ear in ("left_ear", "right_ear"):
        kept[:, POSETRACK18.index(ear)] = False  # listed but not part of the benchmark
    written = scores * poses.scores[:, None] if rescore else scores
    for n in range(len(poses)):
        if not kept[n].any():
            yield None
            continue
        triples = np.where(kept[n][:, None], np.column_stack([points[n], np.ones(len(POSETRACK18))]), 0)
        keypoints = [int(v) if i % 3 == 2 else v for i, v in enumerate(decimals(triples).tolist())]
        yield {
            "category_id": 1,
            "keypoints": keypoints,
            "scores": decimals(np.where(kept[n], written[n], 0)).tolist(),
            "score": float(decimals(poses.scores[n : n + 1])[0]),
            "bbox": [round(value, 3) for value in body_box(keypoints) or []],
        }


def _listed_frames(annotation: str | Path) -> list[dict[str, Any]]:
    """The frame entries of an annotation file, without what only ground truth has."""
    file = read_annotations(annotation)
    found = [
        f
        for f in faults(file, short_name(Path(annotation)), ground_truth=True)
        if f.field.startswith("images")
    ]
    if found:
        raise BrokenFile(found)
    entries = [image.model_dump(exclude_unset=True) for image in to_2018(file).images]
    return [{key: entry[key] for key in _FRAME_FIELDS if key in entry} for entry in entries]


def _own_frames(frames: list[Tracks], source: str) -> list[dict[str, Any]]:
    """Frame entries for a video that PoseTrack does not know."""
    name = PurePosixPath(source.replace("\\", "/")).stem or "video"
    count = frames[-1].index + 1 if frames else 0
    if count > MAX_FRAMES:
        raise PoseTrackError(
            f"frame {count - 1}: a PoseTrack file lists every frame up to the last, which makes sense for "
            f"{MAX_FRAMES} at most; cut the video into parts"
        )
    files = [f"images/{name}/{index:06d}.jpg" for index in range(count)]
    ids = [image_id(file, index + 1) for index, file in enumerate(files)]
    return [
        {
            "file_name": file,
            "id": i,
            "frame_id": i,
            "vid_id": name.split("_")[0],
            "nframes": count,
            "is_labeled": True,
        }
        for file, i in zip(files, ids, strict=True)
    ]


def read_posetrack(path: str | Path, *, size: tuple[int, int] = (0, 0), fps: float = 25.0) -> list[Tracks]:
    """The poses of a PoseTrack file of any year as tracks, one for every frame it lists.

    Args:
        size: (width, height) of the frames, which the files do not hold.
        fps: for the times, likewise.

    Ids are those of the file plus 1. Joints without score get 1, absent ones 0; boxes are `bbox`, else the
    extent of the joints and 15 % more on each side; poses without score get their joints' mean.

    Raises:
        PoseTrackError: the file is missing or broken.
    """
    file = read_annotations(path)
    found = faults(file, short_name(Path(path)), ground_truth=False)
    if found:
        raise BrokenFile(found)
    file = to_2018(file)
    names = tuple(file.categories[0].keypoints)
    known = next((s for s in SKELETONS.values() if set(s.keypoints) == set(names)), POSETRACK18)
    order = [names.index(joint) if joint in names else -1 for joint in known.keypoints]
    by_image: dict[int, list[Any]] = {image.id: [] for image in file.images}
    for person in file.annotations:
        by_image[person.image_id].append(person)
    result = []
    for index, image in enumerate(file.images):
        people = by_image[image.id]
        triples = np.array([p.keypoints for p in people], float).reshape(len(people), len(names), 3)
        triples = np.pad(triples, ((0, 0), (0, 1), (0, 0)))[:, order]  # -1 takes the empty joint at the end
        there = (triples != 0).any(axis=2)
        scores = np.array([p.scores or [1.0] * len(names) for p in people], float).reshape(
            len(people), len(names)
        )
        scores = np.pad(scores, ((0, 0), (0, 1)))[:, order] * there
        joints = np.maximum(there.sum(axis=1), 1)
        overall = [
            s if p.score is None else p.score
            for p, s in zip(people, scores.sum(axis=1) / joints, strict=True)
        ]
        boxes = np.array([p.bbox or body_box(p.keypoints) or [0.0] * 4 for p in people], float).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        poses = Poses(triples[..., :2], scores, boxes, overall, known)
        ids = [p.track_id + 1 for p in people]
        result.append(Tracks(poses, ids, np.zeros(len(people), np.bool_), index, index / fps, size))
    return result
