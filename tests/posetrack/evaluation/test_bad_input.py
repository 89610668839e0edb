"""What is wrong with the input is said in one line that names file, frame and field."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from posetrack.errors import PoseTrackError
from posetrack.evaluation import evaluate_posetrack
from posetrack.results.annotations import Annotations18
from posetrack.results.formats import to_2017
from tests.posetrack.evaluation.worlds import Json, file, person, write

TRUTH = file([[person(0, 100, 100, score=None), person(1, 300, 100, score=None)] for _ in range(3)])


def answer() -> Json:
    return file([[person(0, 100, 100), person(1, 300, 100)] for _ in range(3)])


def changed(change: Callable[[Json], object]) -> Json:
    content = json.loads(json.dumps(answer()))
    change(content)
    return content


@dataclass
class Case:
    name: str
    predictions: Json | str
    message: str


P2 = "p/000000.json: frame 1 (000001.jpg): annotations[2]"
CASES = [
    Case(
        "other number of frames",
        changed(lambda c: c["images"].pop() and c.update(annotations=c["annotations"][:4])),
        "p/000000.json: images: 2 frames, the ground truth has 3; answer every frame",
    ),
    Case(
        "an id twice in a frame", changed(lambda c: c["annotations"][3].update(track_id=0)),
        "p/000000.json: frame 1 (000001.jpg): annotations[3].track_id: 0 is used twice in this frame; "
        "give every person an own id",
    ),
    Case(
        "NaN coordinate", changed(lambda c: c["annotations"][2]["keypoints"].__setitem__(4, float("nan"))),
        f"{P2}.keypoints[4]: Input should be a finite number, got nan",
    ),
    Case(
        "infinite score", changed(lambda c: c["annotations"][2]["scores"].__setitem__(4, float("inf"))),
        f"{P2}.scores[4]: Input should be a finite number, got inf",
    ),
    Case(
        "text for a number", changed(lambda c: c["annotations"][2].update(track_id="7")),
        f"{P2}.track_id: Input should be a valid integer, got '7'",
    ),
    Case(
        "no track id", changed(lambda c: c["annotations"][2].pop("track_id")),
        f"{P2}.track_id: Field required",
    ),
    Case(
        "joints left out", changed(lambda c: c["annotations"][2].update(keypoints=[1, 2, 1])),
        f"{P2}.keypoints: 3 numbers, expected 45: x, y, visibility of every joint",
    ),
    Case(
        "scores for some joints", changed(lambda c: c["annotations"][2].update(scores=[0.5] * 17)),
        f"{P2}.scores: 17 scores, expected 15, one for every joint",
    ),
    Case(
        "unknown joint", changed(lambda c: c["categories"][0]["keypoints"].__setitem__(0, "right_toe")),
        "p/000000.json: categories[0].keypoints: missing right_ankle; unknown right_toe: name the 15 joints "
        "of PoseTrack (and the ears), or the 17 of COCO",
    ),
    Case(
        "no categories", changed(lambda c: c.pop("categories")),
        "p/000000.json: categories: Field required",
    ),
    Case(
        "unknown image", changed(lambda c: c["annotations"][2].update(image_id=5)),
        "p/000000.json: annotations[2].image_id: 5 is the id of no image of this file",
    ),
    Case(
        "an image twice",
        changed(lambda c: c["images"][2].update(id=c["images"][1]["id"]) or c.update(annotations=[])),
        "p/000000.json: frame 2 (000002.jpg): images[2].id: 10000010001 is used twice; ids must be unique",
    ),
    Case("cut off", json.dumps(answer())[:700], "p/000000.json: Invalid JSON: EOF while parsing"),
    Case("another kind of file", "[]", "p/000000.json: Input should be an object, got []"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_one_line(case: Case, tmp_path: Path) -> None:
    truth, predictions = write(tmp_path / "gt", [TRUTH]), write(tmp_path / "p", [answer()])
    content = case.predictions if isinstance(case.predictions, str) else json.dumps(case.predictions)
    (predictions / "000000.json").write_text(content)
    with pytest.raises(PoseTrackError) as caught:
        evaluate_posetrack(truth, predictions)
    assert str(caught.value).startswith(case.message)
    assert "\n" not in str(caught.value)


def test_faults_of_the_ground_truth_are_named_as_well(tmp_path: Path) -> None:
    broken = json.loads(json.dumps(TRUTH))
    del broken["annotations"][4]["bbox_head"]
    truth, predictions = write(tmp_path / "gt", [broken]), write(tmp_path / "p", [answer()])
    with pytest.raises(PoseTrackError) as caught:
        evaluate_posetrack(truth, predictions)
    line = "frame 2 (000002.jpg): annotations[4].bbox_head: missing; ground truth needs the head box"
    assert str(caught.value) == f"gt/000000.json: {line}"


def test_faults_of_2017_files(tmp_path: Path) -> None:
    joint = {"id": [15], "x": [1], "y": [1], "score": [0.5]}
    frame = {
        "image": [{"name": "v/00000001.jpg"}],
        "annorect": [{"track_id": [0], "annopoints": [{"point": [joint]}]}],
    }
    truth = write(tmp_path / "gt", [TRUTH])
    (tmp_path / "p").mkdir()
    for change, line in (
        ({}, "id: 15 is an unknown joint; PoseTrack 2017 has 0 to 14"),
        ({"x": [float("nan")]}, "x[0]: Input should be a finite number"),
        ({"y": []}, "y: List should have at least 1 item"),
    ):
        joint.update(id=[15] if not change else [3], x=[1], y=[1])
        joint.update(change)
        (tmp_path / "p" / "000000.json").write_text(json.dumps({"annolist": [frame]}))
        with pytest.raises(PoseTrackError) as caught:
            evaluate_posetrack(truth, tmp_path / "p")
        place = "p/000000.json: frame 0 (00000001.jpg): annolist[0].annorect[0].annopoints[0].point[0]"
        assert str(caught.value).startswith(f"{place}.{line}")


def test_missing_and_empty_folders_and_files(tmp_path: Path) -> None:
    truth, predictions = write(tmp_path / "gt", [TRUTH, TRUTH]), write(tmp_path / "p", [answer()])
    (tmp_path / "empty").mkdir()
    for folders, line in (
        ((truth, tmp_path / "none"), f"{tmp_path / 'none'}: no such folder"),
        ((truth, tmp_path / "empty"), f"{tmp_path / 'empty'}: no .json file in this folder"),
        ((tmp_path / "empty", predictions), f"{tmp_path / 'empty'}: no .json file in this folder"),
        ((truth, predictions), f"{predictions / '000001.json'}: no such prediction file"),
    ):
        with pytest.raises(PoseTrackError) as caught:
            evaluate_posetrack(*folders)
        assert str(caught.value).startswith(line)


def test_mixed_years_are_evaluated_with_a_warning(tmp_path: Path) -> None:
    from posetrack.results.annotations import read_annotations, write_annotations
    from posetrack.results.formats import to_2017

    truth, predictions = write(tmp_path / "gt", [TRUTH, TRUTH]), write(tmp_path / "p", [answer(), answer()])
    old = predictions / "000001.json"
    write_annotations(to_2017(read_annotations(old)), old)
    report = evaluate_posetrack(truth, predictions)
    assert report.totals["ap"] == pytest.approx(100)
    assert report.warnings == (
        "p/000001.json: annolist: a file of 2017 among files of 2018; PoseTrack takes one format for all",
    )


def test_ids_that_no_integer_holds_and_crowds_that_no_memory_holds(tmp_path: Path) -> None:
    good = file([[person(0, 100, 100)]] * 3)
    strange = file([[person(10**30, 100, 100)]] * 3)
    truth = write(tmp_path / "gt", [good])
    with pytest.raises(PoseTrackError, match=r"track_id: Input should be .*, got 10000000000000") as caught:
        evaluate_posetrack(truth, write(tmp_path / "strange", [strange]))
    assert len(str(caught.value)) < 300
    old = write(tmp_path / "old", [])
    content = to_2017(Annotations18.model_validate(good)).model_dump(exclude_unset=True)
    content["annolist"][0]["annorect"][0]["track_id"] = [10**30]
    (old / "000000.json").write_text(json.dumps(content))
    with pytest.raises(PoseTrackError, match=r"annorect\[0\].track_id\[0\]: Input should be"):
        evaluate_posetrack(truth, old)
    crowd = file([[person(n, 100, 100) for n in range(2300)]])
    folder = write(tmp_path / "crowd", [crowd])
    with pytest.raises(PoseTrackError, match="are 5290000 pairs in common frames, more than the 5000000"):
        evaluate_posetrack(folder, folder)


@pytest.mark.parametrize("sign", [1, -1])
def test_any_number_will_do_as_an_id(sign: int, tmp_path: Path) -> None:
    """Ids of 62 bits, and another one for every pose: as 0 and 1, which are right in every frame."""
    frames = [[person(sign * (2**62 + 50 * t + n), 100 + 200 * n, 100) for n in (0, 1)] for t in range(60)]
    few = [[person(n, 100 + 200 * n, 100) for n in (0, 1)] for _ in range(60)]
    folder = write(tmp_path / "p", [file(frames)])
    assert evaluate_posetrack(folder, folder).totals["idf1"] == 100
    report = evaluate_posetrack(write(tmp_path / "gt", [file(few)]), folder)
    # one frame of 59 counted for each of two people is under the id that is taken for theirs
    assert report.totals["idf1"] == pytest.approx(100 / 59)
