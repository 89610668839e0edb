"""Tracks in every format, read back by whoever reads that format."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posetrack.errors import PoseTrackError
from posetrack.evaluation import evaluate_posetrack
from posetrack.results.annotations import Annotations17, read_annotations, write_annotations
from posetrack.results.check import check_submission
from posetrack.results.export import EXPORTS
from posetrack.results.formats import to_2017
from posetrack.results.posetrack import export_posetrack, read_posetrack
from posetrack.skeletons import COCO17, POSETRACK17, POSETRACK18, Skeleton
from posetrack.types import Poses, Tracks
from tests.posetrack.evaluation.worlds import file, person, write

SIZE = (640, 480)


def tracks(index: int, ids: list[int], skeleton: Skeleton = POSETRACK18) -> Tracks:
    """Person i stands at (100 i, 50) with joint j at (+3 j, +2.5 j), joint scores 0.5, 0.52, 0.54 ..."""
    K = len(skeleton)
    j = np.arange(K)
    points = np.array([np.stack([100.1 * i + 3 * j, 50 + 2.5 * j], 1) for i in ids]).reshape(-1, K, 2)
    scores = np.tile(0.5 + 0.02 * j, (len(ids), 1))
    boxes = [[100.1 * i, 50, 100.1 * i + 60, 110.5] for i in ids]
    poses = Poses(points, scores, boxes, [0.9] * len(ids), skeleton)
    return Tracks(poses, ids, [i == 3 for i in ids], index, index / 25, SIZE)


CLIP = [tracks(0, [7, 3]), tracks(1, []), tracks(2, [3, 11])]
WEAK_NOSE = [tracks(0, [7, 3]), tracks(1, []), tracks(2, [3, 11])]
for _frame in WEAK_NOSE:
    _frame.poses.keypoint_scores[:, 0] = 0  # no position, whatever stands in its place


def load(path: Path) -> Any:
    return json.loads(path.read_text())


def test_posetrack18(tmp_path: Path) -> None:
    export_posetrack(CLIP, tmp_path / "clip.json", source="clips/my walk.mp4")
    content = load(tmp_path / "clip.json")
    assert [image["file_name"] for image in content["images"]] == [
        f"images/my walk/00000{t}.jpg" for t in range(3)
    ]
    assert content["categories"][0]["keypoints"] == list(POSETRACK18.keypoints)
    people = content["annotations"]
    assert [(p["image_id"], p["track_id"]) for p in people] == [(1, 6), (1, 2), (3, 2), (3, 10)]
    assert len({p["id"] for p in people}) == 4
    assert people[0]["keypoints"][:6] == [700.7, 50, 1, 703.7, 52.5, 1]
    assert people[0]["keypoints"][9:15] == [0] * 6  # ears are no joints of PoseTrack
    assert people[0]["scores"][:5] == [0.5, 0.52, 0.54, 0, 0]
    # the extent of the 15 joints and 15 % of it on each side
    assert people[0]["bbox"] == pytest.approx([700.7 - 7.2, 50 - 6, 1.3 * 48, 1.3 * 40], abs=2e-3)
    assert [p.field for p in check_submission(tmp_path)] == ["images[0].file_name"]  # right but for its name


@pytest.mark.parametrize("year", [2017, 2018])
@pytest.mark.parametrize("to", ["posetrack17", "posetrack18"])
def test_an_annotation_file_is_answered_frame_by_frame(to: str, year: int, tmp_path: Path) -> None:
    """5 frames listed, 3 tracked: every entry is answered under its own name, and the rules are kept."""
    annotations = write(tmp_path / "gt", [file([[person(0, 100, 100)]] * 5, "000342_mpii_test")])
    asked = annotations / "000000.json"
    if year == 2017:
        write_annotations(to_2017(read_annotations(asked)), asked)
    (tmp_path / "p").mkdir()
    export: Any = EXPORTS[to]
    export(CLIP, tmp_path / "p" / "000000.json", skeleton=POSETRACK18, annotation=asked, joint_score=0.53)
    assert check_submission(tmp_path / "p", annotations) == []
    answer = read_annotations(tmp_path / "p" / "000000.json")
    if isinstance(answer, Annotations17):
        assert to == "posetrack17"
        listed = [[rect.track_id[0] for rect in frame.annorect] for frame in answer.annolist]
        joints = [
            point.id[0] for point in answer.annolist[0].annorect[0].annopoints[0].point or [] if point.id
        ]
    else:
        listed = [
            [p.track_id for p in answer.annotations if p.image_id == image.id] for image in answer.images
        ]
        assert [image.id for image in answer.images] == [10003420000 + t for t in range(5)]
        kept = np.array(answer.annotations[0].keypoints).reshape(17, 3).any(axis=1)
        joints = [POSETRACK17.index(joint) for joint in np.array(POSETRACK18.keypoints)[kept]]
    assert listed == [[6, 2], [], [2, 10], [], []]
    # scores 0.5 and 0.52 of nose and head_bottom lie below the threshold
    assert sorted(joints) == sorted(
        set(range(15)) - {POSETRACK17.index("nose"), POSETRACK17.index("head_bottom")}
    )


def test_poses_without_a_joint_left_are_not_written(tmp_path: Path) -> None:
    export_posetrack(CLIP, tmp_path / "a.json", joint_score=0.99)
    assert load(tmp_path / "a.json")["annotations"] == []


def test_rescored_joints(tmp_path: Path) -> None:
    export_posetrack(CLIP, tmp_path / "a.json", rescore=True, joint_score=0.53)
    assert load(tmp_path / "a.json")["annotations"][0]["scores"][:6] == [0, 0, 0.486, 0, 0, 0.54]


def test_coco_poses_get_neck_and_head_top(tmp_path: Path) -> None:
    export_posetrack([tracks(0, [1], COCO17)], tmp_path / "a.json", skeleton=COCO17)
    (written,) = load(tmp_path / "a.json")["annotations"]
    joint = dict(
        zip(POSETRACK18.keypoints, np.array(written["keypoints"]).reshape(17, 3).tolist(), strict=True)
    )
    shoulders = [(115.1, 62.5), (118.1, 65)]
    neck = [(shoulders[0][0] + shoulders[1][0]) / 2, (shoulders[0][1] + shoulders[1][1]) / 2]
    assert joint["head_bottom"] == pytest.approx([*neck, 1], abs=1e-4)
    assert joint["head_top"] == pytest.approx([2 * 100.1 - neck[0], 2 * 50 - neck[1], 1], abs=1e-4)
    assert written["scores"][1:3] == pytest.approx([0.61, 0.61])


def test_too_many_tracks_and_another_video(tmp_path: Path) -> None:
    with pytest.raises(PoseTrackError, match="1001 tracks in one sequence; PoseTrack takes 1000"):
        export_posetrack(
            [tracks(t, list(range(1 + 91 * t, 92 + 91 * t))) for t in range(11)], tmp_path / "a.json"
        )
    asked = write(tmp_path / "gt", [file([[person(0, 100, 100)]] * 2)]) / "000000.json"
    with pytest.raises(PoseTrackError, match="lists 2 frames, the tracks go on to frame 2"):
        export_posetrack(CLIP, tmp_path / "a.json", annotation=asked)
    assert not list(tmp_path.glob("*a.json*"))


def test_posetrack_files_come_back_as_tracks(tmp_path: Path) -> None:
    export_posetrack(CLIP, tmp_path / "a.json")
    back = read_posetrack(tmp_path / "a.json", size=SIZE)
    assert [t.ids.tolist() for t in back] == [[7, 3], [], [3, 11]]
    assert back[2].time == 0.08
    assert back[2].size == SIZE
    ears = [POSETRACK18.index("left_ear"), POSETRACK18.index("right_ear")]
    kept = np.delete(np.arange(17), ears)
    for first, again in zip(CLIP, back, strict=True):
        np.testing.assert_array_equal(again.poses.keypoints[:, kept], first.poses.keypoints[:, kept])
        np.testing.assert_array_equal(
            again.poses.keypoint_scores[:, kept], first.poses.keypoint_scores[:, kept]
        )
        assert not again.poses.keypoint_scores[:, ears].any()
        np.testing.assert_array_equal(again.poses.scores, first.poses.scores)


@pytest.mark.parametrize("joints", [COCO17, POSETRACK17, POSETRACK18], ids=lambda s: s.name)
def test_predictions_in_any_joint_set_are_evaluated_by_name(joints: Skeleton, tmp_path: Path) -> None:
    """The same person as 15, 17 or COCO joints, in reversed order; COCO lacks only the two head joints."""
    names = list(reversed(joints.keypoints))
    truth = file([[person(0, 100, 100, score=None)]] * 3)
    place = dict(zip(POSETRACK17.keypoints, ([100 + 3 * j, 100 + 2 * j, 1] for j in range(15)), strict=True))
    body = {
        "keypoints": [v for name in names for v in place.get(name, [0, 0, 0])],
        "scores": [0.5] * len(names),
        "track_id": 4,
    }
    answer = {
        "images": truth["images"],
        "annotations": [{**body, "image_id": image["id"]} for image in truth["images"]],
        "categories": [{"name": "person", "keypoints": names}],
    }
    report = evaluate_posetrack(write(tmp_path / "gt", [truth]), write(tmp_path / "p", [answer]))
    ap = dict(zip(POSETRACK17.keypoints, report.scores["ap"].tolist(), strict=True))
    if joints is COCO17:
        # the rule puts the neck between the shoulders (j = 8.5 instead of 12): 10.5 and 7 px off, too far
        assert (ap.pop("head_bottom"), ap.pop("head_top")) == (0, 0)
    assert list(ap.values()) == pytest.approx([100] * len(ap))


def test_coco(tmp_path: Path) -> None:
    from pycocotools.coco import COCO

    EXPORTS["coco"](CLIP, tmp_path / "a.json", skeleton=POSETRACK18)
    truth = COCO()
    truth.dataset = {"images": [{"id": t} for t in range(3)], "annotations": [], "categories": [{"id": 1}]}
    truth.createIndex()
    results = truth.loadRes(str(tmp_path / "a.json"))
    assert [(e["image_id"], e["track_id"]) for e in results.dataset["annotations"]] == [
        (0, 7),
        (0, 3),
        (2, 3),
        (2, 11),
    ]
    first = load(tmp_path / "a.json")[0]
    assert first["bbox"] == [700.7, 50, 60, 60.5]
    assert first["score"] == 0.9
    keypoints = dict(zip(COCO17.keypoints, np.array(first["keypoints"]).reshape(17, 3).tolist(), strict=True))
    assert keypoints["nose"] == [700.7, 50, 0.5]
    assert keypoints["left_eye"] == [0, 0, 0]  # PoseTrack has no eyes
    assert keypoints["left_ear"] == pytest.approx([709.7, 57.5, 0.56])


def test_coco_dataset(tmp_path: Path) -> None:
    """As an annotation tool sees it: pictures with names and sizes, a category with joints, ids from 1."""
    from pycocotools.coco import COCO

    EXPORTS["coco-dataset"](CLIP, tmp_path / "a.json", skeleton=POSETRACK18, source="clip.mp4")
    data = COCO(str(tmp_path / "a.json"))
    assert [(i["id"], i["file_name"]) for i in data.dataset["images"]] == [
        (1, "frame_000000.jpg"), (2, "frame_000001.jpg"), (3, "frame_000002.jpg"),
    ]  # fmt: skip
    assert {(i["width"], i["height"]) for i in data.dataset["images"]} == {(640, 480)}
    people = data.dataset["annotations"]
    assert [(p["id"], p["image_id"], p["track_id"]) for p in people] == [
        (1, 1, 7), (2, 1, 3), (3, 3, 3), (4, 3, 11),
    ]  # fmt: skip
    assert people[0]["keypoints"][:6] == [700.7, 50, 2, 703.7, 52.5, 2]
    assert (people[0]["bbox"], people[0]["area"], people[0]["num_keypoints"]) == (
        [700.7, 50, 60, 60.5],
        3630,
        17,
    )
    (category,) = data.loadCats(data.getCatIds(catNms=["person"]))
    assert category["keypoints"] == list(POSETRACK18.keypoints)
    assert category["skeleton"][0] == [3, 1]  # from head_top to nose, counted from 1
    EXPORTS["coco-dataset"](WEAK_NOSE, tmp_path / "b.json", skeleton=POSETRACK18)
    assert load(tmp_path / "b.json")["annotations"][0]["keypoints"][:3] == [0, 0, 0]


@pytest.mark.parametrize("to", list(EXPORTS))
def test_no_number_without_end_is_written(to: str, tmp_path: Path) -> None:
    """A joint that flow carried away is no joint; a box that is nowhere is refused, not written as NaN."""
    astray = tracks(0, [1])
    astray.poses.keypoints[0, 3] = np.inf
    astray.poses.keypoints[0, 4, 1] = np.nan
    EXPORTS[to]([astray], tmp_path / "a", skeleton=POSETRACK18)
    text = (tmp_path / "a").read_bytes().lower()
    assert to == "parquet" or (b"inf" not in text.replace(b'"info"', b"") and b"nan" not in text)


def test_a_person_keeps_their_number_where_the_format_has_it(tmp_path: Path) -> None:
    """PoseTrack counts from 0 to 999; only beyond that people are renumbered, in the order of their ids."""
    export_posetrack([tracks(0, [1000, 1])], tmp_path / "a.json")
    assert [p["track_id"] for p in load(tmp_path / "a.json")["annotations"]] == [999, 0]
    export_posetrack([tracks(0, [5, 1001])], tmp_path / "b.json")
    assert [p["track_id"] for p in load(tmp_path / "b.json")["annotations"]] == [0, 1]


def test_a_last_frame_too_far_off_costs_no_memory(tmp_path: Path) -> None:
    with pytest.raises(
        PoseTrackError, match="frame 9999999: a PoseTrack file lists every frame up to the last"
    ):
        export_posetrack([tracks(0, [1]), tracks(9_999_999, [1])], tmp_path / "a.json")


def test_mot(tmp_path: Path) -> None:
    EXPORTS["mot"](CLIP, tmp_path / "a.txt", skeleton=POSETRACK18)
    assert (tmp_path / "a.txt").read_text().splitlines() == [
        "1,7,701.7,51.0,60.0,60.5,0.9,-1,-1,-1",
        "1,3,301.3,51.0,60.0,60.5,0.9,-1,-1,-1",
        "3,3,301.3,51.0,60.0,60.5,0.9,-1,-1,-1",
        "3,11,1102.1,51.0,60.0,60.5,0.9,-1,-1,-1",
    ]


def test_csv(tmp_path: Path) -> None:
    EXPORTS["csv"](WEAK_NOSE, tmp_path / "a.csv", skeleton=POSETRACK18)
    with (tmp_path / "a.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["frame"], row["id"], row["propagated"]) for row in rows] == [
        ("0", "7", "0"), ("0", "3", "1"), ("2", "3", "1"), ("2", "11", "0"),
    ]  # fmt: skip
    assert len(rows[0]) == 9 + 3 * 17
    assert (rows[0]["nose_x"], rows[0]["nose_y"], rows[0]["nose_score"]) == ("", "", "0.0")
    assert (rows[0]["head_bottom_x"], rows[0]["head_bottom_score"]) == ("703.7", "0.52")
    assert (rows[2]["time"], rows[2]["x2"], rows[2]["score"]) == ("0.08", "360.3", "0.9")


def test_parquet(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    EXPORTS["parquet"](WEAK_NOSE, tmp_path / "a.parquet", skeleton=POSETRACK18, source="clip.mp4")
    table = pq.read_table(tmp_path / "a.parquet")
    assert table["frame"].to_pylist() == [0, 0, 2, 2]
    assert table["id"].to_pylist() == [7, 3, 3, 11]
    assert table["propagated"].to_pylist() == [False, True, True, False]
    assert table["nose_x"].to_pylist() == [None] * 4
    np.testing.assert_allclose(table["head_bottom_x"].to_numpy(), [703.7, 303.3, 303.3, 1104.1], rtol=1e-6)
    assert table.schema.field("score").type == "float"
    assert table.schema.metadata[b"source"] == b"clip.mp4"


@pytest.mark.parametrize("to", list(EXPORTS))
def test_nobody_at_all(to: str, tmp_path: Path) -> None:
    EXPORTS[to]([tracks(0, []), tracks(1, [])], tmp_path / "a", skeleton=POSETRACK18)
    EXPORTS[to]([], tmp_path / "b", skeleton=POSETRACK18)
    assert (tmp_path / "a").exists()
    assert (tmp_path / "b").exists()
