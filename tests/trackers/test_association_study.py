"""The simulated worlds of scripts/study_association.py: a system without errors is perfect; errors cost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posetrack.skeletons import POSETRACK18
from trackers.flow_tracker import FlowTracker, FlowTrackerSettings

SCRIPTS = Path(__file__).parents[2] / "scripts"
FRAMES = 12


@pytest.fixture(scope="module")
def study() -> Iterator[Any]:
    """The modules behind the script, which are not part of the packages."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SCRIPTS))
        from association import noise, scoring, videos, worlds

        yield {"noise": noise, "scoring": scoring, "videos": videos, "worlds": worlds}


@pytest.fixture(scope="module")
def video(study: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
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
    return study["videos"].read_video(path)


def silent(study: Any, **changes: float) -> Any:
    """A system without errors, and then some."""
    perfect = {f.name: 0.0 for f in fields(study["noise"].PAPER)} | {
        "missed_frames": 4, "box_score": 0.9, "joint_score": 0.9, "detector_nms": 0.9, "output_score": 0.4,
    }  # fmt: skip
    return replace(study["noise"].PAPER, **perfect | changes)


def test_annotations_as_arrays(video: Any) -> None:
    assert video.points.shape == (FRAMES, 2, 17, 2)
    assert video.known.sum() == FRAMES * 2 * 14
    assert np.argwhere(video.occluded)[:, 1:].tolist() == [[1, 10]] * FRAMES
    np.testing.assert_allclose(video.head, 0.6 * np.hypot(24, 26), rtol=1e-6)


def test_without_errors_everything_is_found(study: Any, video: Any) -> None:
    world = study["worlds"].World(video, silent(study), seed=0)
    settings = FlowTrackerSettings(nms_iou=0.9)  # the two overlap
    result = study["scoring"].run(lambda: FlowTracker(settings), [world])
    assert (result.map, result.mota, result.idf1, result.hota) == pytest.approx((100, 100, 100, 100))
    assert (result.switches, result.tracks) == (0, 2)


def test_what_the_detector_misses_is_missed_but_for_boxes_from_flow(study: Any, video: Any) -> None:
    half = silent(study, missed=0.4, missed_frames=2)
    worlds = [study["worlds"].World(video, half, seed) for seed in range(6)]
    alone, helped = (
        study["scoring"].run(
            lambda p=propagate: FlowTracker(FlowTrackerSettings(nms_iou=0.9, propagate=p)), worlds
        )
        for propagate in (False, True)
    )
    found = np.mean([len(seen) for world in worlds for seen in world.seen]) / 2
    assert found == pytest.approx(0.6, abs=0.15)
    assert alone.map == pytest.approx(100 * found, abs=2)  # what is found is right
    assert helped.map > alone.map + 15  # all but people missed from the first frame on


def test_perfect_identities_are_perfect(study: Any, video: Any) -> None:
    worlds = [study["worlds"].World(video, silent(study, jitter=0.01), 0)]
    forgetful = FlowTrackerSettings(nms_iou=0.9, threshold=1.0)  # nobody is just as before: all ids are new
    lost = study["scoring"].run(lambda: FlowTracker(forgetful), worlds)
    assert lost.tracks == 2 * FRAMES
    assert study["scoring"].run(lambda: FlowTracker(forgetful), worlds, perfect_ids=True).idf1 == 100


def test_flow_moves_what_lies_on_a_limb_and_loses_the_rest(study: Any, video: Any) -> None:
    world = study["worlds"].World(video, silent(study), 0)
    knee = video.points[3, 0, POSETRACK18.index("left_knee")]
    far = np.array([700, 500], np.float32)
    points, visible = world.motion(4).move(np.stack([knee, far]))
    np.testing.assert_allclose(points, [knee + np.array([6, 0]), far], atol=1e-4)
    assert visible.tolist() == [True, False]
    assert world.motion(0).cut


def test_errors_last_as_long_as_they_should(study: Any) -> None:
    share, length = 0.2, 5.0
    state = study["noise"].episodes(np.random.default_rng(1), np.full((4000, 10), share), length)
    assert state.mean() == pytest.approx(share, abs=0.02)
    begins = (state[1:] & ~state[:-1]).sum()
    assert state.sum() / begins == pytest.approx(length, rel=0.1)
