"""Boxes from a file: every frame gets its own, whatever names and numbers the file has, or a line says why.

The box of picture n is n + 1 pixels high, so that each can be told from the others.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posetrack.detectors.box_file import read_box_file
from posetrack.detectors.from_file import CachedDetections
from posetrack.errors import PoseTrackError
from posetrack.results.export import EXPORTS
from posetrack.skeletons import POSETRACK18
from posetrack.types import Frame, Poses, Tracks

PERSON = [{"id": 1, "name": "person"}]


def frames(count: int) -> list[Frame]:
    return [Frame(np.zeros((140, 50, 3), np.uint8), i, i / 30) for i in range(count)]


def write(folder: Path, content: Any) -> Path:
    path = folder / "boxes.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def entry(**fields: Any) -> dict[str, Any]:
    return {"frame": 0, "bbox": [10, 10, 20, 20], "score": 0.5} | fields


def data_set(names: list[str], **image: list[Any]) -> dict[str, Any]:
    """Picture n has the id 100 + n and a box that is n + 1 pixels high."""
    images = [
        {"id": 100 + n, "file_name": name, **{key: values[n] for key, values in image.items()}}
        for n, name in enumerate(names)
    ]
    boxes = [{"image_id": 100 + n, "category_id": 1, "bbox": [0, 0, 5, n + 1]} for n in range(len(names))]
    return {"images": images, "annotations": boxes, "categories": PERSON}


def results(ids: list[Any], key: str = "image_id") -> list[dict[str, Any]]:
    return [{key: i, "category_id": 1, "bbox": [0, 0, 5, n + 1], "score": 0.9} for n, i in enumerate(ids)]


def pictures(detect: CachedDetections, count: int) -> list[int | None]:
    """Which picture's box each frame got."""
    return [round(float(d.boxes[0, 3])) - 1 if len(d) else None for d in detect(frames(count))]


def numbered(first: int, count: int, step: int = 1, pattern: str = "{:06d}.jpg") -> list[str]:
    return [pattern.format(first + step * n) for n in range(count)]


IN_ORDER = [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("content", "names", "count", "expected"),
    [
        pytest.param(data_set(numbered(0, 4)), None, 4, IN_ORDER, id="from 0"),
        pytest.param(data_set(numbered(1, 4)), None, 4, IN_ORDER, id="from 1"),
        pytest.param(data_set(numbered(25, 4)), None, 4, IN_ORDER, id="from 25"),
        pytest.param(data_set(numbered(0, 4, 10)), None, 4, IN_ORDER, id="every tenth of a longer video"),
        pytest.param(
            data_set(numbered(0, 2, 3)), None, 4, [0, None, None, 1],
            id="every third of this video",
        ),
        pytest.param(data_set(["000007.jpg", "000005.jpg", "000006.jpg"]), None, 3, [1, 2, 0], id="unsorted"),
        pytest.param(data_set(list("abcd")), None, 4, IN_ORDER, id="names without numbers"),
        pytest.param(data_set([""] * 4), None, 4, IN_ORDER, id="no names"),
        pytest.param(data_set(numbered(0, 4)), None, None, IN_ORDER, id="from 0, length unknown"),
        pytest.param(data_set(numbered(0, 3)), None, 4, [0, 1, 2, None], id="the end is missing"),
        pytest.param(data_set(numbered(7, 4), frame_id=[0, 1, 2, 3]), None, 4, IN_ORDER, id="frame_id"),
        pytest.param(
            data_set(list("abcd"), frame_id=[4, 3, 2, 1]), None, 4, [3, 2, 1, 0],
            id="frame_id from 1",
        ),
        pytest.param(
            data_set(numbered(1, 4), frame_id=[100, 101, 102, 103]), None, 4, IN_ORDER,
            id="frame_id is the id",
        ),
        pytest.param(
            data_set(numbered(25, 4)), numbered(25, 4, pattern="in/{:06d}.jpg"), 4, IN_ORDER, id="by name"
        ),
        pytest.param(
            data_set(numbered(2, 2)), numbered(0, 4, pattern="in/{:06d}.jpg"), 4, [None, None, 0, 1],
            id="two of four",
        ),
        pytest.param(
            data_set(numbered(2, 2)), numbered(0, 4, pattern="{:06d}.png"), 4, [None, None, 0, 1],
            id="other ending",
        ),
        pytest.param(
            data_set(numbered(0, 4, pattern="a/{}.jpg") + numbered(0, 4, pattern="b/{}.jpg")),
            numbered(0, 4, pattern="/data/b/{}.jpg"), 4, [4, 5, 6, 7], id="two videos, by folder",
        ),
        pytest.param(
            data_set(numbered(0, 4, pattern="clip/{}.jpg") + numbered(0, 3, pattern="b/{}.jpg")),
            None, 4, IN_ORDER, id="two videos, by the name of the video",
        ),
        pytest.param(
            data_set(numbered(0, 4), video_id=[7, 7, 8, 8]) | {"videos": []}, numbered(2, 2), 2, [2, 3],
            id="two videos, by the names of the pictures",
        ),
        pytest.param(results([0, 1, 2, 3]), None, 4, IN_ORDER, id="ids are frames"),
        pytest.param(results([0, 3], "frame"), None, 4, [0, None, None, 1], id="frames"),
        pytest.param(results([1, 3], "frame_index"), None, 4, [None, 0, None, 1], id="indices"),
        pytest.param(results([1, 2, 3, 4], "frame"), None, 4, IN_ORDER, id="frames from 1, all of them"),
        pytest.param(results([0, 3], "frame_id"), None, 4, [0, None, None, 1], id="frame ids"),
        pytest.param(
            results([0, 1, 2, 4]), None, 4, [0, 1, 2, None, 3],
            id="ids are frames, one more than the header says",
        ),
        pytest.param(results([139, 285, 632, 724]), None, 4, IN_ORDER, id="as many ids as frames"),
        pytest.param(
            results([25, 28]), numbered(25, 4), 4, [0, None, None, 1],
            id="ids are numbers of names",
        ),
        pytest.param(
            results([0, 3]), numbered(25, 4), 4, [0, None, None, 1],
            id="ids are no numbers of names",
        ),
        pytest.param(results([0, 3]), numbered(0, 4), 4, [0, None, None, 1], id="ids are both, the same"),
        pytest.param(
            results(["8.jpg", "7.jpg"]), numbered(7, 2, pattern="in/{}.jpg"), 2, [1, 0],
            id="id is a name",
        ),
        pytest.param(
            results(["8.jpg"], "file_name"), numbered(7, 2, pattern="{}.jpg"), 2, [None, 0],
            id="file_name",
        ),
        pytest.param(results(["8.jpg", "7.jpg"]), None, 2, [1, 0], id="names, of a video"),
    ],
)  # fmt: skip
def test_every_frame_gets_its_own_boxes(
    content: Any, names: list[str] | None, count: int | None, expected: list[int | None], tmp_path: Path
) -> None:
    detect = CachedDetections.for_video(write(tmp_path, content), "clip", names, count)
    assert pictures(detect, len(expected)) == expected
    assert detect.warnings == []


@pytest.mark.parametrize(
    ("content", "names", "count", "why"),
    [
        (data_set(numbered(3, 4)), numbered(1, 4), 4, "2 of its 4 pictures are in the video by name"),
        (data_set(numbered(25, 4)), None, 29, "lists 4 pictures numbered 25 to 28, the video has 29 frames"),
        (data_set(numbered(1, 3, 2)), None, 6, "lists 3 pictures numbered 1 to 5, the video has 6 frames"),
        (
            data_set(numbered(0, 3, 2)), None, None,
            "numbered 0 to 4, the video has an unknown number of frames",
        ),
        (data_set(numbered(0, 30)), None, 20, "lists 30 pictures numbered 0 to 29, the video has 20 frames"),
        (data_set(list("abcd")), None, 5, "lists 4 pictures, the video has 5"),
        (data_set(["a/1.jpg", "b/1.jpg"]), ["in/1.jpg"], 1, "a/1.jpg and b/1.jpg could both be in/1.jpg"),
        (data_set(["1.jpg"]), ["a/1.jpg", "b/1.jpg"], 2, "1.jpg could be a/1.jpg and b/1.jpg"),
        (
            data_set(["a/1.jpg", "b/1.jpg"]), None, 1,
            r"lists pictures of 2 videos \(a, b\), not one alone called",
        ),
        (results([1, 2]), numbered(1, 3), 3, "image_id 1 may be picture 1 counted from 0, or 000001.jpg"),
        (results([139, 285]), None, 100, "its image ids, 139 to 285, are neither frames nor pictures"),
        (results([10003420000]), None, 100, "its image ids, 10003420000 to 10003420000, are neither"),
    ],
)  # fmt: skip
def test_what_is_ambiguous_is_refused(
    content: Any, names: list[str] | None, count: int | None, why: str, tmp_path: Path
) -> None:
    path = write(tmp_path, content)
    with pytest.raises(PoseTrackError, match=why) as error:
        CachedDetections.for_video(path, "clip", names, count)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("key", ["frame", "frame_id", "image_id"])
@pytest.mark.parametrize(
    ("numbers", "count", "expected", "said"),
    [
        ([1, 2, 3], 4, [None, 0, 1, 2], "1 to 3, are taken as counted from 0"),
        ([2, 3], 6, [None, None, 0, 1, None, None], "2 to 3, are taken as counted from 0"),
        ([1, 3], None, [None, 0, None, 1], "1 to 3, are taken as counted from 0"),
        ([1, 2, 4], 4, [0, 1, None, 2], "1 to 4, are taken as counted from 1"),  # there is no frame 4
        ([2, 4], 4, [None, 0, None, 1], "2 to 4, are taken as counted from 1"),
    ],
)
def test_numbers_that_may_count_from_0_or_1_are_said(
    numbers: list[int], count: int | None, expected: list[int | None], said: str, key: str, tmp_path: Path
) -> None:
    """Nobody in frame 0 of those that count from 0 looks like nobody in the last of those that do from 1."""
    detect = CachedDetections.for_video(write(tmp_path, results(numbers, key)), "clip", None, count)
    assert pictures(detect, len(expected)) == expected
    assert len(detect.warnings) == 1
    assert f"its frames, {said}" in detect.warnings[0]


def test_pictures_without_the_first_or_the_last_are_said(tmp_path: Path) -> None:
    """A list without the pictures where nobody is: 1 to 3 of 4."""
    detect = CachedDetections.for_video(write(tmp_path, data_set(numbered(1, 3))), "clip", None, 4)
    assert pictures(detect, 4) == [0, 1, 2, None]
    assert ["its pictures, 1 to 3, are taken as counted from 1" in said for said in detect.warnings] == [True]


@pytest.mark.parametrize("to", ["posetrack18", "coco", "coco-dataset"])
def test_what_was_exported_comes_back_frame_by_frame(to: str, tmp_path: Path) -> None:
    """Also where nobody is in the first frames, and over the pictures of a folder that count from 1."""

    def tracks(index: int) -> Tracks:
        poses = Poses(
            [[[3 + j, index + j] for j in range(17)]],
            [[0.9] * 17],
            [[0, 0, 5, index + 1]],
            [0.9],
            POSETRACK18,
        )
        return Tracks(poses, [1], [False], index, index / 25, (50, 140))

    clip = [Tracks.empty(POSETRACK18, 0, 0.0, (50, 140)), *map(tracks, (1, 2, 3))]
    EXPORTS[to](clip, tmp_path / "out.json", skeleton=POSETRACK18, source="clip.mp4")
    for names in (None, numbered(1, 4, pattern="in/{:03d}.png")):
        detect = CachedDetections.for_video(tmp_path / "out.json", "clip", names, 4)
        found = detect(frames(4))
        assert [len(d) for d in found] == [0, 1, 1, 1]
        if to != "posetrack18":  # whose boxes are those of the joints
            assert [d.boxes[0, 3].item() for d in found[1:]] == [2, 3, 4]
        assert detect.warnings == []


def test_a_genuine_posetrack18_file(tmp_path: Path) -> None:
    """frame_id is the image id there, and says nothing of the place in the video."""
    ids = [10003420000 + n for n in range(4)]
    content = data_set(numbered(0, 4, pattern="images/val/000342_mpii_test/{:06d}.jpg"), frame_id=ids)
    for image, box, identity in zip(content["images"], content["annotations"], ids, strict=True):
        image["id"] = box["image_id"] = identity
    for names in (None, numbered(0, 4, pattern="frames/{:06d}.jpg")):
        detect = CachedDetections.for_video(write(tmp_path, content), "clip", names, 4)
        assert pictures(detect, 4) == IN_ORDER


def test_boxes_are_clipped_sorted_and_weak_ones_left_out(tmp_path: Path) -> None:
    content = [
        {"frame": 2, "bbox": [1, 2, 3, 4], "score": 0.4, "category_id": 1},
        {"frame": 0, "bbox": [10, 20, 100, 5], "score": 0.9, "category_id": 1},
        {"frame": 2, "bbox": [5, 5, 10, 10], "score": 0.8},
        {"frame": 2, "bbox": [5, 5, 10, 10], "score": 0.99, "category_id": 3},  # a car
    ]
    path = write(tmp_path, content)
    first, second, third = CachedDetections.for_video(path, "clip")(frames(3))
    assert first.boxes.tolist() == [[10, 20, 50, 25]]  # cut off at the border of the frame
    assert len(second) == 0
    assert third.boxes.tolist() == [[5, 5, 15, 15], [1, 2, 4, 6]]
    assert third.scores.tolist() == pytest.approx([0.8, 0.4])
    strong = CachedDetections.for_video(path, "clip", min_score=0.5)(frames(3))
    assert [len(d) for d in strong] == [1, 0, 1]


@pytest.mark.parametrize(
    ("category", "categories", "taken", "said"),
    [
        (0, None, True, "category_id 0 is taken for people"),
        (0, [], True, "category_id 0 is taken for people"),
        (0, [{"id": 0, "name": "Person"}, {"id": 1, "name": "bicycle"}], True, None),
        (
            1, [{"id": 0, "name": "person"}, {"id": 1, "name": "bicycle"}], False,
            "no box for any of the 1 frames",
        ),
        (7, [{"id": 7, "name": "athlete"}], True, "its only category, athlete, is taken for people"),
    ],
)  # fmt: skip
def test_who_is_a_person(
    category: int, categories: Any, taken: bool, said: str | None, tmp_path: Path
) -> None:
    content = data_set(["1.jpg"])
    content["annotations"][0]["category_id"] = category
    content["categories"] = categories
    if categories is None:
        del content["categories"]
    detect = CachedDetections.for_video(write(tmp_path, content), "clip", None, 1)
    assert [len(d) for d in detect(frames(1))] == [int(taken)]
    assert len(detect.warnings) == (said is not None)
    assert said is None or said in detect.warnings[0]


def test_categories_without_people_are_refused(tmp_path: Path) -> None:
    content = data_set(["1.jpg"]) | {"categories": [{"id": 1, "name": "car"}, {"id": 2, "name": "x" * 999}]}
    with pytest.raises(PoseTrackError, match="no category is called person, only car, xxx") as error:
        CachedDetections.for_video(write(tmp_path, content), "clip", None, 1)
    assert len(str(error.value)) < len(str(tmp_path)) + 200


@pytest.mark.parametrize(
    ("content", "min_score", "warning"),
    [
        (results([7], "frame_index"), 0.0, "has no box for any of the 3 frames"),
        (results([2, 3], "frame_index"), 0.0, "has boxes up to frame 3, the video ends with frame 2"),
        (results([0, 1], "frame"), 0.95, "every box scores below 0.95, the least that counts"),
        ([entry(bbox=[0.2, 0.3, 0.1, 0.4])], 0.0, "no box covers a pixel of the 3 frames: give x, y"),
        ([entry(bbox=[50, 140, 9, 9])], 0.0, "no box covers a pixel"),
        (results([0], "frame"), 0.0, None),
    ],
)
def test_boxes_that_serve_nothing_are_said(
    content: Any, min_score: float, warning: str | None, tmp_path: Path
) -> None:
    detect = CachedDetections.for_video(write(tmp_path, content), "clip", min_score=min_score)
    detect(frames(3))
    assert [warning in said for said in detect.warnings] == [True] * (warning is not None)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "Invalid JSON: EOF while parsing an object at line 1 column 1"),
        ("[" * 100_000, "Invalid JSON: recursion limit exceeded"),
        ('"boxes"', "Input should be an object"),
        ({"images": []}, "annotations: Field required"),
        (
            {"images": [{"id": "x"}], "annotations": []},
            r"images\[0\].id: Input should be a valid integer, got 'x'",
        ),
        ({"images": [{"id": 1}, {"id": 1}], "annotations": []}, "images: the id 1 is used twice"),
        ({"images": [{"id": 10**30}], "annotations": []}, r"images\[0\].id: Input should be"),
        ({"images": [{}], "annotations": []}, r"images\[0\].id: missing"),
        (
            {"images": [{"id": 1, "file_name": "1" * 5000}], "annotations": []},
            r"images\[0\].file_name: .*at most 4096",
        ),
        ({"images": [{"id": 1}], "annotations": [entry()]}, r"annotations\[0\].image_id: missing"),
        (
            {"images": [{"id": 1}], "annotations": [entry(image_id=77)]},
            r"annotations\[0\].image_id: 77 is none of images",
        ),
        ([entry(), 7], r"\[1\]: Input should be an object, got 7"),
        ([entry(bbox=[1, 2, 3])], r"\[0\].bbox: List should have at least 4 items"),
        ([entry(bbox=[1, 2, float("nan"), 4])], r"\[0\].bbox\[2\]: Input should be a finite number, got nan"),
        ([entry(bbox=[1, 2, 10**400, 4])], r"\[0\].bbox\[2\]: Input should be"),
        ([entry(bbox=[1, 2, 1e308, 4])], r"\[0\].bbox\[2\]: Input should be less than or equal to 1000000"),
        ([entry(bbox=[1, 2, -3, 4])], "must not be negative"),
        ([{"frame": 0, "score": 1}], r"\[0\].bbox: Field required"),
        ([entry(), entry(score=1.5)], r"\[1\].score: Input should be less than or equal to 1, got 1.5"),
        ([entry(score=float("inf"))], r"\[0\].score: Input should be .*, got inf"),
        ([entry(score=True)], r"\[0\].score: Input should be a valid number, got True"),
        ([entry(frame=-1)], r"\[0\].frame: Input should be greater than or equal to 0, got -1"),
        ([entry(frame="3" * 5000)], r"\[0\].frame: Input should be a valid integer, got '333"),
        ([entry(frame=10**12)], r"\[0\].frame: Input should be less than 10000000"),
        ('[{"image_id": "\\ud800", "bbox": [1, 2, 3, 4]}]', "Invalid JSON: unexpected end of hex escape"),
        ([{"bbox": [1, 2, 3, 4], "score": 1}], r"\[0\] names no frame"),
        ([entry(), {"image_id": 1, "bbox": [1, 2, 3, 4]}], "some entries name their frame in another way"),
        ([entry()] * 1001, "1001 boxes of score 0 and more in frame 0, at most 1000"),
    ],
)  # fmt: skip
def test_errors_name_file_entry_and_field(tmp_path: Path, content: Any, message: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(PoseTrackError, match=message) as error:
        CachedDetections.for_video(path, "clip")
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < len(str(path)) + 300


def test_weak_boxes_may_be_many(tmp_path: Path) -> None:
    """20,000 proposals in a frame, as detectors write them before any threshold."""
    path = write(tmp_path, [entry(score=0.01)] * 20_000 + [entry()])
    (found,) = CachedDetections.for_video(path, "clip", min_score=0.4)(frames(1))
    assert len(found) == 1


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PoseTrackError, match=r"none.json: cannot be read: No such file"):
        CachedDetections.for_video(tmp_path / "none.json", "clip")


def test_a_sequence_of_a_file_of_many(tmp_path: Path) -> None:
    """By image id; where there is none (PoseTrack 2017), by the folder and name of the picture."""
    file = read_box_file(write(tmp_path, results([1005, 1007, 2003])))
    detect = CachedDetections.for_sequence(file, [1005, 1006, 1007], ["a/1.jpg", "a/2.jpg", "a/3.jpg"])
    assert pictures(detect, 3) == [0, None, 1]
    names = numbered(1, 2, pattern="bonn_5sec/000342_mpii/{:08d}.jpg")
    listed = ["000341_mpii/00000001.jpg", "000342_mpii/00000002.jpg", "x/000342_mpii/00000001.jpg"]
    for content in (results(listed, "file_name"), results(listed), data_set(listed)):
        detect = CachedDetections.for_sequence(read_box_file(write(tmp_path, content)), [-1, -1], names)
        assert pictures(detect, 2) == [2, 1]
    alone = read_box_file(write(tmp_path, results(["00000001.jpg"])))  # of which sequence?
    assert not CachedDetections.for_sequence(alone, [-1, -1], names).rows
    frame_numbers = read_box_file(write(tmp_path, results([0, 1], "frame")))  # would say the same of all
    assert not CachedDetections.for_sequence(frame_numbers, [-1, -1], names).rows
