"""Boxes that somebody else found, from a COCO-style results file, in place of a detector (`--boxes FILE`).

Two forms are read. A list of results, keyed by frame number or image id:

    [{"frame": 0, "bbox": [x, y, w, h], "score": 0.9, "category_id": 1}, ...]

and an object with "images" and "annotations" (COCO and PoseTrack18 annotations), whose images say which frame
an id means: by "frame_id", else by the number in "file_name", else by their order.

    >>> detect = FileDetector("boxes.json")
    >>> detections = detect([frame])[0]
"""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from posetrack.boxes import clip_and_sort
from posetrack.errors import PoseTrackError
from posetrack.types import Detections, Frame

Rows = Mapping[int, Sequence[tuple[float, ...]]]
FRAME_KEYS = ("frame", "frame_id", "image_id")  # the first that an entry has is its key
PERSON = 1  # COCO and PoseTrack category


class FileDetector:
    """Gives every frame the boxes that the file has for its index; none where it has none."""

    def __init__(self, boxes: str | Path | Rows, score_threshold: float = 0.0) -> None:
        """
        Args:
            boxes: rows read before, or a JSON file; its ids are frames where no "images" say otherwise.
            score_threshold: 0..1, lower scores are left out.

        Raises:
            PoseTrackError: names the file, the entry and the field at fault.
        """
        self.rows = read_rows(Path(boxes)) if isinstance(boxes, str | Path) else boxes
        self.score_threshold = score_threshold
        self.matched = 0  # frames so far for which the file has boxes

    def __call__(self, frames: Sequence[Frame]) -> list[Detections]:
        found = []
        for frame in frames:
            self.matched += frame.index in self.rows
            rows = np.array(self.rows.get(frame.index, []), np.float32).reshape(-1, 5)
            rows = rows[rows[:, 4] >= self.score_threshold]
            found.append(clip_and_sort(rows[:, :4], rows[:, 4], frame.size))
        return found


def read_rows(path: Path, *, by_image: bool = False) -> Rows:
    """Rows x1, y1, x2, y2, score by frame index, or by image id for a file of many videos."""
    listed = _load(path)
    frame_of: Mapping[int, int] | None = None
    # In a file of many videos a frame number would say the same of all of them.
    keys = ("image_id",) if by_image else FRAME_KEYS
    if isinstance(listed, dict):
        images, listed = listed.get("images"), listed.get("annotations")
        if not isinstance(images, list) or not isinstance(listed, list):
            raise PoseTrackError(f'{path}: an object needs the lists "images" and "annotations"')
        frame_of = None if by_image else _frames_of_images(path, images)
    elif not isinstance(listed, list):
        raise PoseTrackError(f"{path}: expected a list of results, found {type(listed).__name__}")
    rows: dict[int, list[tuple[float, ...]]] = defaultdict(list)
    for n, entry in enumerate(listed):
        where = f"{path}: entry {n}"
        if not isinstance(entry, dict):
            raise PoseTrackError(f"{where} is {entry!r}, expected an object with bbox and score")
        if entry.get("category_id", PERSON) != PERSON:
            continue
        row = (*_box(entry, where), _score(entry, where))
        key, number = _frame_key(entry, where, keys)
        frame: int | None = number
        if key == "image_id" and frame_of is not None:
            frame = frame_of.get(number)
        if frame is not None:
            rows[frame].append(row)
    return dict(rows)


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PoseTrackError(f"cannot read boxes from {path}: {error.strerror or error}") from error
    except ValueError as error:  # JSON and Unicode errors
        raise PoseTrackError(f"{path} is not JSON: {error}") from error


def _frames_of_images(path: Path, images: list[Any]) -> dict[int, int]:
    """Image id to frame index: by "frame_id" where all have one, else by number of the file name, else order.

    Of a file name the last number counts, and only if no two images share theirs. A sequence whose smallest
    number is 1 counts from 1, so 000001.jpg is then frame 0.
    """
    for n, image in enumerate(images):
        if not isinstance(image, dict) or type(image.get("id", image.get("image_id"))) is not int:
            raise PoseTrackError(f"{path}: image {n} has no whole number as id")
    ids = [image.get("id", image.get("image_id")) for image in images]
    frames = [image.get("frame_id") for image in images]
    if all(type(frame) is int for frame in frames) and len(set(frames)) == len(frames):
        return dict(zip(ids, frames, strict=True))
    stems = [re.findall(r"\d+", Path(str(image.get("file_name", ""))).stem) for image in images]
    numbers = [int(stem[-1]) for stem in stems if stem]
    if len(numbers) == len(images) and len(set(numbers)) == len(numbers):
        first = 1 if numbers and min(numbers) == 1 else 0
        return {i: number - first for i, number in zip(ids, numbers, strict=True)}
    return {i: n for n, i in enumerate(ids)}


def _frame_key(entry: dict[str, Any], where: str, keys: Sequence[str]) -> tuple[str, int]:
    for key in keys:
        if key in entry:
            if type(entry[key]) is not int or entry[key] < 0:
                raise PoseTrackError(f"{where}: {key} is {entry[key]!r}, expected a whole number, 0 or more")
            return key, entry[key]
    raise PoseTrackError(f"{where} names no frame: expected {' or '.join(keys)}")


def _box(entry: dict[str, Any], where: str) -> tuple[float, float, float, float]:
    """xyxy of the entry's bbox."""
    bbox = entry.get("bbox")
    if not isinstance(bbox, list) or len(bbox) != 4 or not all(map(_finite, bbox)):
        raise PoseTrackError(f"{where}: bbox is {bbox!r}, expected four finite numbers x, y, width, height")
    x, y, w, h = map(float, bbox)
    if w < 0 or h < 0:
        raise PoseTrackError(f"{where}: bbox is {bbox!r}, width and height must not be negative")
    return x, y, x + w, y + h


def _score(entry: dict[str, Any], where: str) -> float:
    """The entry's score; 1 where there is none (annotations made by hand) or an empty list (PoseTrack18)."""
    score = entry.get("score", 1.0)
    if not _finite(score) or not 0 <= score <= 1:
        raise PoseTrackError(f"{where}: score is {score!r}, expected a number from 0 to 1")
    return float(score)


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
