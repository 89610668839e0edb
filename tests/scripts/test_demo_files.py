"""The clip that ships with the package, and its truth."""

import json
from collections import Counter
from pathlib import Path

import av
import numpy as np
import pytest

from posetrack.evaluation import evaluate_posetrack
from posetrack.skeletons import POSETRACK18

DEMO = Path(__file__).resolve().parents[2] / "posetrack/demo"
FRAMES, SIZE = 210, (1280, 720)


@pytest.fixture(scope="module")
def truth():
    return json.loads((DEMO / "demo_truth.json").read_text())


def joints_of(annotation):
    return np.array(annotation["keypoints"], float).reshape(17, 3)


def test_the_clip_decodes():
    with av.open(str(DEMO / "demo.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert stream.average_rate == 30
        frames = [(f.width, f.height, round(f.time * 30)) for f in container.decode(stream)]
    assert frames == [(*SIZE, number) for number in range(FRAMES)]
    assert (DEMO / "demo.mp4").stat().st_size <= 2_000_000


def test_truth_is_in_posetrack_form(truth):
    (category,) = truth["categories"]
    assert tuple(category["keypoints"]) == POSETRACK18.keypoints
    assert [i["id"] for i in truth["images"]] == list(range(10000010000, 10000010000 + FRAMES))
    assert all(i["is_labeled"] and i["nframes"] == FRAMES for i in truth["images"])
    identities = Counter((a["image_id"], a["track_id"]) for a in truth["annotations"])
    assert set(identities.values()) == {1}  # nobody twice in a frame
    assert {a["track_id"] for a in truth["annotations"]} == {1, 2, 3, 4}
    assert len({a["id"] for a in truth["annotations"]}) == len(truth["annotations"])


def test_joints_lie_within_boxes_and_picture(truth):
    for annotation in truth["annotations"]:
        joints = joints_of(annotation)
        assert set(joints[:, 2]) <= {0, 1}
        there = joints[joints[:, :2].any(axis=1), :2]
        assert len(there) >= 4
        x, y, width, height = annotation["bbox"]
        assert (there >= np.array([x, y]) - 0.15).all()  # rounded to 0.1
        assert (there <= np.array([x + width, y + height]) + 0.15).all()
        assert x >= -0.5
        assert y >= -0.5
        assert x + width <= SIZE[0] - 0.4
        assert y + height <= SIZE[1] - 0.4
        hx, hy, head_width, head_height = annotation["bbox_head"]
        top = joints[POSETRACK18.index("head_top"), :2]
        if top.any():
            assert (
                np.abs(top - [hx + head_width / 2, hy + head_height / 2]) <= [head_width, head_height]
            ).all()
        assert head_height < height


def test_people_cross_come_and_go_and_nobody_jumps(truth):
    first = truth["images"][0]["id"]
    frames = {
        t: [a["image_id"] - first for a in truth["annotations"] if a["track_id"] == t] for t in range(1, 5)
    }
    assert max(frames[1]) < FRAMES - 20  # leaves
    assert min(frames[2]) > 5  # enters
    hidden = [
        (joints_of(a)[:, :2].any(axis=1) & (joints_of(a)[:, 2] == 0)).sum() for a in truth["annotations"]
    ]
    assert sum(n >= 9 for n in hidden) >= 10  # most of a person behind another
    by_place = {(a["track_id"], a["image_id"]): joints_of(a) for a in truth["annotations"]}
    for (track, image), now in by_place.items():
        before = by_place.get((track, image - 1))
        if before is not None:
            both = now[:, :2].any(axis=1) & before[:, :2].any(axis=1)
            # a swinging foot does 5 m/s: 17 cm in a frame, 60 px at 3.7 m
            assert np.linalg.norm(now[both, :2] - before[both, :2], axis=1).max(initial=0) < 60


def test_truth_scores_full_marks_against_itself(truth, tmp_path):
    for folder in ("truth", "answer"):
        (tmp_path / folder).mkdir()
        for annotation in truth["annotations"]:
            annotation["scores"] = [1.0] * 17 if folder == "answer" else []
        (tmp_path / folder / "000001_mpii_test.json").write_text(json.dumps(truth))
    report = evaluate_posetrack(tmp_path / "truth", tmp_path / "answer")
    summary = report.to_json()
    assert summary["ap"]["total"] == pytest.approx(100)
    assert summary["mota"]["total"] == pytest.approx(100)
    assert summary["labelled_frames"] == FRAMES
