"""PoseTrack files of every year: read and written again they hold the same; broken ones are named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posetrack.errors import PoseTrackError
from posetrack.results.annotations import (
    Annotations17,
    Annotations18,
    BrokenFile,
    read_annotations,
    write_annotations,
)
from posetrack.results.formats import to_2017, to_2018
from posetrack.skeletons import POSETRACK17, POSETRACK18

KEYPOINTS = [621, 471, 1, 542.2835693, 599.2855835, 1, 457.787323, 347.6607971, 1, *[0] * 42]
FILE18: dict[str, Any] = {
    "images": [
        {
            "has_no_densepose": True, "is_labeled": True, "nframes": 2,
            "file_name": "images/val/003418_mpii_test/000000.jpg",
            "frame_id": 10034180000, "vid_id": "003418", "id": 10034180000, "width": 1920,
            "ignore_regions_x": [[211, 252.5, 240]], "ignore_regions_y": [[100, 101, 130.25]],
        },
        {
            "has_no_densepose": True, "is_labeled": False, "nframes": 2,
            "file_name": "images/val/003418_mpii_test/000001.jpg",
            "frame_id": 10034180001, "vid_id": "003418", "id": 10034180001,
            "ignore_regions_x": [], "ignore_regions_y": [],
        },
    ],
    "annotations": [
        {
            "bbox_head": [346, 337, 296.1, 237.3], "keypoints": KEYPOINTS, "track_id": 0,
            "image_id": 10034180000, "bbox": [214.25, 15.0, 1358.5, 1092.0], "scores": [], "category_id": 1,
            "id": 1003418000000,
            "iscrowd": False, "person_id": 1024, "note": {"any": [None, "thing"]},
        },
        {
            "keypoints": KEYPOINTS, "track_id": 7, "image_id": 10034180000, "scores": [0.5] * 3 + [0] * 14,
            "category_id": 1, "id": 1003418000001, "score": 0.25,
        },
    ],
    "categories": [
        {"supercategory": "person", "id": 1, "name": "person", "keypoints": list(POSETRACK18.keypoints),
         "skeleton": [[16, 14], [14, 12]]},
    ],
    "info": "kept",
}  # fmt: skip
POINTS17 = [
    {"id": [0], "x": [394], "y": [173.25], "score": [0.7]},
    {"id": [13], "x": [400], "y": [100], "score": [0.8], "is_visible": [1]},
]
FILE17: dict[str, Any] = {
    "annolist": [
        {
            "image": [{"name": "images/bonn_5sec/000342_mpii/00000001.jpg"}],
            "imgnum": [1],
            "is_labeled": [1],
            "ignore_regions": [
                {"point": [{"x": [1], "y": [2]}, {"x": [3.5], "y": [4]}, {"x": [5], "y": [9]}]},
            ],
            "annorect": [
                {
                    "x1": [625], "y1": [94], "x2": [681], "y2": [178], "score": [0.9], "track_id": [3],
                    "vidx": [342], "annopoints": [{"point": POINTS17}],
                },
                {"track_id": [4], "annopoints": []},
            ],
        },
        {"image": [{"name": "images/bonn_5sec/000342_mpii/00000002.jpg"}], "annorect": []},
    ]
}  # fmt: skip


@pytest.mark.parametrize(("content", "kind"), [(FILE18, Annotations18), (FILE17, Annotations17)])
def test_reading_and_writing_changes_nothing(content: dict[str, Any], kind: type, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(content))
    file = read_annotations(tmp_path / "a.json")
    assert isinstance(file, kind)
    write_annotations(file, tmp_path / "deep" / "b.json")
    text = (tmp_path / "deep" / "b.json").read_text()
    assert json.loads(text) == content
    assert "621.0" not in text  # whole numbers stay whole


def test_a_2018_file_survives_2017(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(FILE18))
    file = read_annotations(tmp_path / "a.json")
    old = to_2017(file)
    frame = old.annolist[0]
    assert frame.image[0].name == "images/val/003418_mpii_test/000000.jpg"
    assert [
        point.model_dump(exclude_unset=True) for point in frame.annorect[1].annopoints[0].point or []
    ] == [
        {"id": [12], "x": [542.2835693], "y": [599.2855835], "is_visible": [1], "score": [0.5]},
        {"id": [13], "x": [621], "y": [471], "is_visible": [1], "score": [0.5]},
        {"id": [14], "x": [457.787323], "y": [347.6607971], "is_visible": [1], "score": [0.5]},
    ]
    assert (frame.annorect[0].x2, frame.annorect[0].y2) == ([642.1], [574.3])
    assert json.loads(to_2018(old).model_dump_json(exclude_unset=True)) == FILE18


def test_a_2017_file_survives_2018(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(FILE17))
    new = to_2018(read_annotations(tmp_path / "a.json"))
    assert [image.id for image in new.images] == [10003420001, 10003420002]
    assert [image.is_labeled for image in new.images] == [True, False]
    assert new.categories[0].keypoints == list(POSETRACK18.keypoints)
    assert new.annotations[0].bbox_head == [625, 94, 56, 84]
    assert new.annotations[0].keypoints[:3] == [400, 100, 1]  # the nose comes first
    again = json.loads(to_2017(new).model_dump_json(exclude_unset=True))
    for frame, original in zip(again["annolist"], FILE17["annolist"], strict=True):
        assert frame["image"] == original["image"]
        assert frame["ignore_regions"] == original.get("ignore_regions", [])
        for rect, first in zip(frame["annorect"], original["annorect"], strict=True):
            points = [p for part in first["annopoints"] for p in part["point"]]
            expected = [{**p, "is_visible": [1]} for p in points]  # a joint without flag counts as visible
            assert rect["annopoints"][0]["point"] == expected
            assert {k: v for k, v in rect.items() if k in first and k != "annopoints"} == {
                k: v for k, v in first.items() if k != "annopoints"
            }


coordinates = st.floats(-500, 5000).map(lambda x: round(x, 4))
joints = st.one_of(st.just((0.0, 0.0, 0)), st.tuples(coordinates, coordinates, st.just(1)))
poses = st.lists(joints, min_size=15, max_size=15)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(poses, max_size=3), min_size=1, max_size=3), st.permutations(POSETRACK17.keypoints))
def test_any_file_survives_the_other_format(frames: list[list[Any]], names: list[str]) -> None:
    images = [
        {"file_name": f"images/v/{t:06d}.jpg", "id": t + 1, "is_labeled": True} for t in range(len(frames))
    ]
    people = [
        {
            "image_id": t + 1, "id": 100 * t + n, "track_id": n, "category_id": 1,
            "keypoints": [value for joint in pose for value in joint],
            "scores": [0.5 * bool(v) for *_, v in pose],
            "bbox_head": [1.1, 2.2, 3.3, 4.4], "bbox": [1.0, 2.0, 3.0, 4.0],
        }
        for t, frame in enumerate(frames) for n, pose in enumerate(frame)
    ]  # fmt: skip
    for person in people:
        if not any(person["keypoints"]):
            person["scores"] = []  # a pose without joints has no scores to carry over
    for image in images:
        image |= {"frame_id": image["id"], "vid_id": "v", "nframes": len(frames)}
        image |= {"ignore_regions_x": [], "ignore_regions_y": []}
    content = {
        "images": images,
        "annotations": people,
        "categories": [{"name": "person", "keypoints": names}],
    }
    file = Annotations18.model_validate_json(json.dumps(content))
    assert json.loads(to_2018(to_2017(file)).model_dump_json(exclude_unset=True)) == content


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "x/a.json: Invalid JSON: EOF while parsing a value"),
        ("{", "x/a.json: Invalid JSON"),
        ("{}", "x/a.json: images: Field required (and 2 more faults in this file)"),
        ('{"annolist": 3}', "x/a.json: annolist: Input should be a valid array, got 3"),
        ('{"annolist": [{"image": [], "annorect": []}]}', "x/a.json: annolist[0].image: List should have"),
        (
            '{"images": [{"file_name": "v/000007.jpg", "id": "x"}], "annotations": [], '
            '"categories": [{"keypoints": []}]}',
            "x/a.json: frame 0 (000007.jpg): images[0].id: Input should be a valid integer, got 'x'",
        ),
    ],
)  # fmt: skip
def test_broken_files_are_named(text: str, line: str, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a.json").write_text(text)
    with pytest.raises(BrokenFile) as caught:
        read_annotations(tmp_path / "x" / "a.json")
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(PoseTrackError, match=r"a\.json: cannot be read: No such file"):
        read_annotations(tmp_path / "a.json")
