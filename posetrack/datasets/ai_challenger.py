"""AI Challenger's human keypoints (2017) in the slots of COCO, as additional data for the paper's Table 2.

    data = read_ai_challenger(Path("ai_challenger"))

Of its 14 joints COCO has twelve. Nose, eyes and ears are never labelled here; neck and top of the head are
dropped, as COCO lacks them. A joint's third number is 1 where it is visible, 2 where it is hidden but located
and 3 where it is not given. Names of files and folders: as public code finds them in the unpacked archives.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from posetrack.datasets.people import Person, PoseData
from posetrack.datasets.pictures import with_pictures
from posetrack.documents import read_json
from posetrack.errors import InputError
from posetrack.skeletons import COCO17

JOINTS = (
    "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "head_top", "neck",
)  # fmt: skip
FLAGS = (1, 2, 3)  # visible, hidden, not given
NOT_GIVEN = 3

# The row of each COCO joint among JOINTS, with one row more for what is not among them.
_ROWS = [JOINTS.index(name) if name in JOINTS else len(JOINTS) for name in COCO17.keypoints]


def read_ai_challenger(root: Path) -> PoseData:
    """People of the training split with a labelled joint that COCO has, too.

    Args:
        root: holds keypoint_train_annotations_DATE.json and keypoint_train_images_DATE/ itself or in folders
            of it, such as ai_challenger_keypoint_train_20170902/. Of several dates the last one is taken.

    Returns:
        Whoever lacks joints, a box with area or a picture is left out, a line each in `lost`.

    Raises:
        InputError: no annotations, no folder of pictures, or nobody remains.
    """
    path = _newest(root, "keypoint_train_annotations_*.json")
    pictures = _newest(root, "keypoint_train_images_*/")  # not an archive beside its folder
    entries = read_json(path)
    if not isinstance(entries, list):
        raise InputError(f"{path} is no list of pictures: give AI Challenger's keypoint annotations")
    found = (
        person
        for n, entry in enumerate(entries)
        for person in _people(entry, place=f"{path.name}: entry {n}")
    )
    return with_pictures("ai_challenger train", COCO17, found, pictures)


def _newest(root: Path, pattern: str) -> Path:
    found = [*root.glob(pattern), *root.glob(f"*/{pattern}")]
    if not found:
        raise InputError(f"{root}: no {pattern} there or one folder below: give the root of AI Challenger")
    return max(found, key=lambda path: path.name)


def _people(entry: Any, place: str) -> Iterator[Person | str]:
    """The people of one picture, or lines that say why they are left out."""
    try:
        image, joints, boxes = entry["image_id"], entry["keypoint_annotations"], entry["human_annotations"]
        everybody = {**joints, **boxes}
    except (KeyError, TypeError) as error:
        yield f"{place}: cannot be read ({error!r})"
        return
    for who in everybody:
        try:
            person = _person(f"{image}.jpg", joints.get(who), boxes.get(who))
        except (ValueError, TypeError) as error:
            person = f"cannot be read ({error!r})"
        yield person if isinstance(person, Person) else f"{place}: {who} of {image}.jpg: {person}"


def _person(image: str, joints: ArrayLike | None, box: ArrayLike | None) -> Person | str:
    """The labelled person, or why there is none."""
    if joints is None or box is None:
        return "no joints" if joints is None else "no box"
    triples = np.array(joints, np.float32).reshape(len(JOINTS), 3)
    if not np.isin(triples[:, 2], FLAGS).all():
        return "a visibility that is none of 1, 2 and 3"
    points, given = np.zeros((len(JOINTS) + 1, 2), np.float32), np.zeros(len(JOINTS) + 1, np.bool_)
    points[:-1], given[:-1] = triples[:, :2], triples[:, 2] != NOT_GIVEN
    points[~given] = 0
    points, labelled = points[_ROWS], given[_ROWS]
    if not labelled.any():
        return "no labelled joint that COCO has"
    if not np.isfinite(points).all():
        return "a joint that is no number"
    x1, y1, x2, y2 = corners = np.array(box, np.float32).reshape(4)
    if not (np.isfinite(corners).all() and x2 > x1 and y2 > y1):
        return f"a box without area, {box}"
    return Person(image, corners, points, labelled, np.zeros(len(COCO17), np.bool_))
