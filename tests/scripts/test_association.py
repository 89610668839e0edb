"""The simulated worlds of scripts/association: a system without errors is perfect; errors cost."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from posetrack.skeletons import POSETRACK18
from scripts.association.__main__ import curve, settings_table
from scripts.association.noise import PAPER, Noise, episodes
from scripts.association.study import LITERAL, PRESETS, Result, one_at_a_time, run, steps
from scripts.association.videos import Video, read_video
from scripts.association.worlds import World
from trackers.flow_tracker import FlowTrackerSettings

FRAMES = 12


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Video:
    """Two people, 40 px apart, who walk 6 px a frame; the second one's wrist is hidden."""
    shape = np.random.default_rng(0).uniform((-15, -60), (15, 60), (17, 2))
    shape[[POSETRACK18.index("head_bottom"), POSETRACK18.index("head_top")]] = [[0, -50], [0, -70]]
    unlabelled = [POSETRACK18.index(name) for name in ("nose", "left_ear", "right_ear")]
    images, annotations = [], []
    for t in range(FRAMES):
        name = f"images/train/000001_test/{t:06}.jpg"
        images.append({"file_name": name, "id": 10000010000 + t, "is_labeled": True})
        for person in range(2):
            joints = np.ones((17, 3))
            joints[:, :2] = shape + np.array([100 + 40 * person + 6 * t, 200])
            joints[unlabelled] = 0
            x, y = joints[POSETRACK18.index("head_top"), :2]
            annotations.append(
                {
                    "image_id": 10000010000 + t,
                    "track_id": person,
                    "keypoints": joints.ravel().tolist(),
                    "bbox_head": [x - 12, y, 24.0, 26.0],
                    "occluded": [10] if person else [],
                }
            )
    categories = [{"name": "person", "keypoints": list(POSETRACK18.keypoints)}]
    path = tmp_path_factory.mktemp("tracks") / "000001_test.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return read_video(path)


def silent(**changes: float) -> Noise:
    """A system without errors, and then some."""
    perfect = {f.name: 0.0 for f in fields(PAPER)} | {
        "missed_frames": 4, "box_score": 0.9, "joint_score": 0.9, "detector_nms": 0.9, "output_score": 0.4,
    }  # fmt: skip
    return replace(PAPER, **perfect | changes)


def test_annotations_as_arrays(video: Video) -> None:
    assert video.points.shape == (FRAMES, 2, 17, 2)
    assert video.known.sum() == FRAMES * 2 * 14
    assert np.argwhere(video.occluded)[:, 1:].tolist() == [[1, 10]] * FRAMES
    np.testing.assert_allclose(video.head, 0.6 * np.hypot(24, 26), rtol=1e-6)


def test_without_errors_everything_is_found(video: Video) -> None:
    world = World(video, silent(), seed=0)
    settings = FlowTrackerSettings(nms_iou=0.9)  # the two overlap
    result = run(settings, [world])
    assert (result.map, result.mota, result.idf1, result.hota) == pytest.approx((100, 100, 100, 100))
    assert (result.switches, result.tracks) == (0, 2)


def test_what_the_detector_misses_is_missed_but_for_boxes_from_flow(video: Video) -> None:
    half = silent(missed=0.4, missed_frames=2)
    worlds = [World(video, half, seed) for seed in range(6)]
    alone, helped = (
        run(FlowTrackerSettings(nms_iou=0.9, propagate=propagate), worlds) for propagate in (False, True)
    )
    found = np.mean([len(seen) for world in worlds for seen in world.seen]) / 2
    assert found == pytest.approx(0.6, abs=0.15)
    assert alone.map == pytest.approx(100 * found, abs=2)  # what is found is right
    assert helped.map > alone.map + 15  # all but people missed from the first frame on


def test_who_is_just_like_nobody_has_a_new_identity_in_every_frame(video: Video) -> None:
    worlds = [World(video, silent(jitter=0.01), 0)]
    assert run(FlowTrackerSettings(nms_iou=0.9, threshold=1.0), worlds).tracks == 2 * FRAMES


def test_flow_moves_what_lies_on_a_limb_and_loses_the_rest(video: Video) -> None:
    world = World(video, silent(), 0)
    knee = video.points[3, 0, POSETRACK18.index("left_knee")]
    far = np.array([700, 500], np.float32)
    points, visible = world.motion(4).move(np.stack([knee, far]))
    np.testing.assert_allclose(points, [knee + np.array([6, 0]), far], atol=1e-4)
    assert visible.tolist() == [True, False]
    assert world.motion(0).cut


def test_errors_last_as_long_as_they_should() -> None:
    share, length = 0.2, 5.0
    state = episodes(np.random.default_rng(1), np.full((4000, 10), share), length)
    assert state.mean() == pytest.approx(share, abs=0.02)
    begins = (state[1:] & ~state[:-1]).sum()
    assert state.sum() / begins == pytest.approx(length, rel=0.1)


def test_steps_go_from_the_papers_words_to_the_preset() -> None:
    for settings in PRESETS.values():
        rows = list(steps(settings).values())
        assert rows[1] == replace(settings, **LITERAL)
        assert rows[-1] == settings
        assert all(a != b for a, b in pairwise(rows))


def test_the_document_names_the_settings_of_the_presets() -> None:
    text = (Path(__file__).parents[2] / "docs" / "association.md").read_text()
    assert settings_table() in text, "run python -m scripts.association presets"


def test_curves_are_differences_to_the_chosen_value() -> None:
    def result(mota: float) -> Result:
        return Result(map=0, mota=mota, idf1=0, hota=0, switches=0, tracks=0)

    rows = {"chosen": [result(60), result(62)], "threshold 0.1": [result(58), result(62)], "nms_iou 0.5": []}
    x, mean, spread = curve(rows, "threshold", 0.15, "mota")
    assert (x, mean) == ([0.1, 0.15], [-1, 0])
    assert spread == pytest.approx([2**0.5, 0])  # -2 and 0
    assert {"threshold 0.1", "chosen"} <= one_at_a_time(PRESETS["paper"]).keys()
