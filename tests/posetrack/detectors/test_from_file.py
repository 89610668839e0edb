from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posetrack.detectors.from_file import FileDetector, read_rows
from posetrack.errors import PoseTrackError
from posetrack.types import Frame


def frames(*indices: int) -> list[Frame]:
    return [Frame(np.zeros((40, 50, 3), np.uint8), i, i / 30) for i in indices]


def write(folder: Path, content: Any) -> Path:
    path = folder / "boxes.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def entry(**fields: Any) -> dict[str, Any]:
    return {"frame": 0, "bbox": [10, 10, 20, 20], "score": 0.5} | fields


@pytest.mark.parametrize("key", ["frame", "frame_id", "image_id"])
def test_boxes_by_frame_number(tmp_path: Path, key: str) -> None:
    content = [
        {key: 2, "bbox": [1, 2, 3, 4], "score": 0.4, "category_id": 1},
        {key: 0, "bbox": [10, 20, 100, 5], "score": 0.9, "category_id": 1},
        {key: 2, "bbox": [5, 5, 10, 10], "score": 0.8},
        {key: 2, "bbox": [5, 5, 10, 10], "score": 0.99, "category_id": 3},  # a car
    ]
    first, second, third = FileDetector(write(tmp_path, content))(frames(0, 1, 2))
    assert first.boxes.tolist() == [[10, 20, 50, 25]]  # cut off at the border of the frame
    assert len(second) == 0
    assert third.boxes.tolist() == [[5, 5, 15, 15], [1, 2, 4, 6]]
    assert third.scores.tolist() == pytest.approx([0.8, 0.4])


def test_low_scores_are_left_out(tmp_path: Path) -> None:
    path = write(tmp_path, [entry(score=0.3), entry(score=0.6)])
    (found,) = FileDetector(path, score_threshold=0.5)(frames(0))
    assert found.scores.tolist() == pytest.approx([0.6])


def test_rows_of_many_videos_are_read_once_and_picked_by_image(tmp_path: Path) -> None:
    path = write(
        tmp_path, [{"image_id": i, "bbox": [0, 0, 9, i % 10], "score": 1.0} for i in (1005, 1007, 2003)]
    )
    rows = read_rows(path, by_image=True)
    assert set(rows) == {1005, 1007, 2003}
    detector = FileDetector({0: rows[1005], 1: rows[1007]})
    assert [d.boxes[:, 3].tolist() for d in detector(frames(0, 1, 2))] == [[5], [7], []]
    assert detector.matched == 2


@pytest.mark.parametrize(
    ("images", "frame_indices"),
    [
        ([{"id": 70, "frame_id": 3}, {"id": 71, "frame_id": 1}], (3, 1)),
        ([{"id": 70, "file_name": "v/000004.jpg"}, {"id": 71, "file_name": "v/000002.jpg"}], (4, 2)),
        (
            [{"id": 70, "file_name": "v/000001.jpg"}, {"id": 71, "file_name": "v/000003.jpg"}],
            (0, 2),
        ),  # from 1
        ([{"id": 70, "file_name": "a.jpg"}, {"id": 71, "file_name": "b.jpg"}], (0, 1)),
        ([{"id": 70}, {"id": 71}], (0, 1)),
    ],
    ids=["frame_id", "number in the name", "names count from 1", "order, no numbers", "order, no names"],
)
def test_images_say_which_frame_an_id_means(
    tmp_path: Path, images: list[dict[str, Any]], frame_indices: tuple[int, int]
) -> None:
    annotations = [{"image_id": i, "bbox": [0, 0, 5, i - 60], "category_id": 1} for i in (70, 71, 99)]
    detect = FileDetector(write(tmp_path, {"images": images, "annotations": annotations}))
    first, second = detect(frames(*frame_indices))
    assert first.boxes.tolist() == [[0, 0, 5, 10]]
    assert second.boxes.tolist() == [[0, 0, 5, 11]]
    assert first.scores.tolist() == [1.0]  # annotations carry none
    assert sum(len(d) for d in detect(frames(*range(10)))) == 2  # image 99 is not listed


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ('"boxes"', "expected a list of results, found str"),
        ({"images": []}, 'needs the lists "images" and "annotations"'),
        ({"images": [{"id": "x"}], "annotations": []}, "image 0 has no whole number as id"),
        ([entry(), 7], "entry 1 is 7"),
        ([entry(bbox=[1, 2, 3])], r"entry 0: bbox is \[1, 2, 3\]"),
        ([entry(bbox=[1, 2, float("nan"), 4])], r"entry 0: bbox is \[1, 2, nan, 4\]"),
        ([entry(bbox=[1, 2, -3, 4])], "must not be negative"),
        ([{"frame": 0, "score": 1}], "entry 0: bbox is None"),
        ([entry(), entry(score=1.5)], "entry 1: score is 1.5"),
        ([entry(score=float("inf"))], "entry 0: score is inf"),
        ([entry(score=True)], "entry 0: score is True"),
        ([entry(frame=-1)], "entry 0: frame is -1"),
        ([entry(frame="3")], "entry 0: frame is '3'"),
        ([{"bbox": [1, 2, 3, 4], "score": 1}], "entry 0 names no frame"),
    ],
)
def test_errors_name_file_entry_and_field(tmp_path: Path, content: Any, message: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(PoseTrackError, match=message) as error:
        FileDetector(path)
    assert str(path) in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PoseTrackError, match=r"none.json"):
        FileDetector(tmp_path / "none.json")


def test_frame_numbers_do_not_do_for_many_videos(tmp_path: Path) -> None:
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps([{"frame": 0, "bbox": [1, 2, 3, 4], "score": 0.9}]))
    with pytest.raises(PoseTrackError, match="entry 0 names no frame: expected image_id"):
        read_rows(path, by_image=True)
