from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from posetrack.datasets.everyday_boxes import read_everyday
from posetrack.errors import PoseTrackError
from posetrack.training.tasks.everyday_labels import with_teacher


def write(folder: Path, pictures: list[dict[str, object]], stored: list[str]) -> None:
    (folder / "coco_val.json").write_text(json.dumps(pictures))
    data = cv2.imencode(".jpg", np.full((60, 80, 3), 90, np.uint8))[1].tobytes()
    with tarfile.open(folder / "coco_val.tar", "w") as tar:
        for name in stored:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


STREET = {
    "file": "street.jpg", "width": 80, "height": 60, "exhaustive": True,
    "people": [
        {"box": [1, 2, 20, 50], "keypoints": {"nose": [5, 5, 2]}},
        {"box": [40, 0, 80, 40], "crowd": True},
    ],
    "machine_unlabelled": [[22, 5, 30, 40, 0.7]],
}  # fmt: skip
EMPTY = {"file": "empty.jpg", "width": 80, "height": 60, "exhaustive": False, "people": []}


def test_people_crowds_and_what_a_machine_saw(tmp_path: Path) -> None:
    write(tmp_path, [STREET, EMPTY], ["empty.jpg", "street.jpg"])
    street, empty = read_everyday(tmp_path, "coco", "val")
    assert street.name == "coco/street.jpg"
    assert street.image.shape == (60, 80, 3)
    assert street.people.tolist() == [[1, 2, 20, 50]]
    assert street.ignored.tolist() == [[40, 0, 80, 40], [22, 5, 30, 40]]
    assert street.exhaustive
    assert not empty.exhaustive
    assert empty.people.shape == empty.ignored.shape == (0, 4)


def test_files_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PoseTrackError, match=r"coco_val\.json and \.tar: no such files"):
        read_everyday(tmp_path, "coco", "val")
    write(tmp_path, [STREET], [])
    with pytest.raises(PoseTrackError, match=r"lacks street\.jpg"):
        read_everyday(tmp_path, "coco", "val")


def test_the_teacher_adds_people_only_where_humans_have_not_looked_everywhere(tmp_path: Path) -> None:
    partly = STREET | {"file": "partly.jpg", "exhaustive": False}
    write(tmp_path, [STREET, partly], ["street.jpg", "partly.jpg"])
    # The labelled person again, the one whom only a machine saw, and somebody new of whom it is not sure.
    boxes = np.array([[1, 2, 21, 50], [22, 5, 30, 41], [30, 30, 38, 55]], np.float32)
    scores = np.array([0.9, 0.6, 0.2], np.float32)
    everywhere, there = (
        with_teacher(photo, boxes, scores) for photo in read_everyday(tmp_path, "coco", "val")
    )
    assert everywhere.boxes.tolist() == [[1, 2, 20, 50], [40, 0, 80, 40], [22, 5, 30, 40]]
    assert everywhere.scores.tolist() == [1, 0, 0]
    assert there.boxes.tolist() == [[1, 2, 20, 50], [40, 0, 80, 40], [22, 5, 30, 41], [30, 30, 38, 55]]
    assert there.scores.tolist() == pytest.approx([1, 0, 0.6, 0.2])
