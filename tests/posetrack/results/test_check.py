"""`check_submission` finds what the server would refuse, and says what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from posetrack.errors import PoseTrackError
from posetrack.results.annotations import read_annotations, write_annotations
from posetrack.results.check import check_submission
from posetrack.results.formats import to_2017
from tests.posetrack.evaluation.worlds import Json, file, person, write


def video() -> Json:
    return file([[person(0, 100, 100), person(999, 300, 100)] for _ in range(3)])


def person_at(index: int, **fields: Any) -> Callable[[Json], None]:
    return lambda content: content["annotations"][index].update(fields)


FRAME_0, FRAME_1, FRAME_2 = (f"p/000000.json: frame {t} (00000{t}.jpg)" for t in range(3))
OUTSIDE = "outside 0 to 999; number the tracks anew in every sequence"
CASES: list[tuple[str, Callable[[Json], Any], list[str]]] = [
    ("right", lambda c: None, []),
    (
        "id of 1000",
        person_at(2, track_id=1000),
        [f"{FRAME_1}: annotations[2].track_id: 1000 is {OUTSIDE}"],
    ),
    (
        "an id twice and a negative one",
        lambda c: [person_at(1, track_id=0)(c), person_at(5, track_id=-1)(c)],
        [f"{FRAME_0}: annotations[1].track_id: 0 is used twice in this frame; give every person an own id",
         f"{FRAME_2}: annotations[5].track_id: -1 is {OUTSIDE}"],
    ),
    (
        "scores missing in two poses",
        lambda c: [person_at(i, scores=[])(c) for i in (3, 4)],
        [f"{FRAME_1}: annotations[3].scores: missing (in 2 poses); without scores every joint counts as "
         "-9999, which ruins AP"],
    ),
    (
        "a frame left out",
        lambda c: [c["images"].pop(), c["annotations"].__delitem__(slice(4, 6))],
        ["p/000000.json: images: 2 frames, the annotation file has 3; answer every frame, empty ones too"],
    ),
    (
        "frames in another order",
        lambda c: c["images"].reverse(),
        [f"{FRAME_0}: images[0]: is images/val/000001_mpii_test/000002.jpg, the annotation file has "
         "images/val/000001_mpii_test/000000.jpg in this place; keep its order"],
    ),
    (
        "every broken number",
        lambda c: [c["annotations"][i]["keypoints"].__setitem__(0, float("nan")) for i in (0, 5)],
        [f"{FRAME_0}: annotations[0].keypoints[0]: Input should be a finite number, got nan",
         f"{FRAME_2}: annotations[5].keypoints[0]: Input should be a finite number, got nan"],
    ),
    (
        "another category",
        lambda c: c["categories"][0].update(name="dog"),
        ["p/000000.json: categories[0].name: 'dog' instead of 'person'"],
    ),
    (
        "frames of another video",
        lambda c: [image.update(file_name=f"clip/{t:06d}.jpg") for t, image in enumerate(c["images"])],
        [f"{FRAME_0}: images[0].file_name: clip/000000.jpg is none like "
         ".../000342_mpii_test/000012.jpg"],
    ),
    (
        "no joint names",
        lambda c: c["categories"][0].pop("keypoints"),
        ["p/000000.json: categories[0].keypoints: Field required"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change", "lines"), CASES, ids=[case[0] for case in CASES])
def test_problems(name: str, change: Callable[[Json], Any], lines: list[str], tmp_path: Path) -> None:
    content = json.loads(json.dumps(video()))
    change(content)
    annotations = write(tmp_path / "gt", [file([[person(0, 100, 100, score=None)]] * 3)])
    problems = check_submission(write(tmp_path / "p", [content]), annotations)
    assert [str(problem) for problem in problems] == lines


def test_coco_joints_and_2017_files_are_checked_as_well(tmp_path: Path) -> None:
    folder = write(tmp_path / "p", [video()])
    path = folder / "000000.json"
    write_annotations(to_2017(read_annotations(path)), path)
    assert check_submission(folder) == []
    content = json.loads(path.read_text())
    del content["annolist"][2]["annorect"][0]["annopoints"][0]["point"][4]["score"]
    content["annolist"][2]["annorect"][1]["track_id"] = [0]
    path.write_text(json.dumps(content))
    assert [problem.field for problem in check_submission(folder)] == [
        "annolist[2].annorect[1].track_id",
        "annolist[2].annorect[0].scores",
    ]


def test_missing_strange_and_mixed_files(tmp_path: Path) -> None:
    folder = write(tmp_path / "p", [video(), video(), video()])
    annotations = write(tmp_path / "gt", [video(), video(), video()])
    (folder / "000002.json").rename(folder / "000009.json")
    old = folder / "000001.json"
    write_annotations(to_2017(read_annotations(old)), old)
    assert [str(problem) for problem in check_submission(folder, annotations)] == [
        "p/000001.json: annolist: a file of 2017 among files of 2018; use one format for all",
        "p/000002.json: missing; every annotation file needs its answer",
        "p/000009.json: answers no annotation file; remove it",
    ]


def test_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(PoseTrackError, match=r"no \.json file in this folder"):
        check_submission(tmp_path)
