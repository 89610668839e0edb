"""The main path on a drawn world: three-dot people who walk, a detector that misses some of them."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn

import flow
from posetrack.errors import PoseTrackError
from posetrack.pipeline import PoseTracker, batched, hide_outside_frame
from posetrack.pose.estimator import HeatmapEstimator, PoseSettings
from posetrack.skeletons import Skeleton
from posetrack.types import Detections, Frame, Poses, Tracks
from trackers.flow_tracker import FlowTracker, FlowTrackerSettings

DOTS = Skeleton("dots", ("red", "green", "blue"), (), (0.1, 0.1, 0.1))
SHAPE = np.array([[0, -30], [-14, 0], [14, 30]], np.float32)
W, H, T = 320, 160, 24
BACKGROUND = np.random.default_rng(1).integers(0, 40, (H, W, 3), np.uint8)


class ColourNetwork(nn.Module):
    """Heatmap k says how much more of colour k than of the others there is."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
        std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
        image = x * std + mean
        return nn.functional.avg_pool2d(2 * image - image.sum(1, keepdim=True), 5, 4, padding=2)


def places(index: int) -> np.ndarray:
    """Hips of the people at frame `index`: one walks right, one left; (P, 2)."""
    return np.array([[40 + 4 * index, 60], [280 - 4 * index, 90]], np.float32)


def picture(index: int) -> Frame:
    image = BACKGROUND.copy()
    rows, columns = np.mgrid[:H, :W]
    for hip in places(index):
        for joint, (x, y) in enumerate(hip + SHAPE):
            disc = (columns - x) ** 2 + (rows - y) ** 2 < 49
            image[disc] = np.eye(3, dtype=np.uint8)[joint] * 255
    return Frame(image, index, index / 25)


class ForgetfulDetector:
    """Knows where everybody is, but misses person 0 in every third frame and all in frame 10."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def __call__(self, frames: Sequence[Frame]) -> list[Detections]:
        self.batches.append(len(frames))
        return [self.one(frame.index) for frame in frames]

    def one(self, index: int) -> Detections:
        seen = [p for p in range(2) if not (p == 0 and index % 3 == 2) and index != 10]
        boxes = [[*(places(index)[p] + [-20, -40]), *(places(index)[p] + [20, 40])] for p in seen]
        return Detections(boxes, [0.9 - 0.1 * p for p in seen])


def system(flow_name: str, **changes: object) -> PoseTracker:
    return PoseTracker(
        ForgetfulDetector(),
        HeatmapEstimator(ColourNetwork(), PoseSettings(DOTS, (48, 64))),
        flow.create(flow_name),
        FlowTracker(FlowTrackerSettings(**changes)),  # type: ignore[arg-type]
    )


def run(tracker: PoseTracker, batch_size: int) -> list[Tracks]:
    return list(tracker.track((picture(i) for i in range(T)), batch_size))


@pytest.mark.parametrize("flow_name", ["lucas_kanade", "dis:fast"])
def test_tracks_are_identical_for_every_batch_size(flow_name: str) -> None:
    tracker = system(flow_name)
    one = run(tracker, 1)
    assert any(t.propagated.any() for t in one)  # the second look is part of what is compared
    for size in (4, 16):
        other = run(tracker, size)  # the same object: a second video starts afresh
        assert len(other) == T
        for a, b in zip(one, other, strict=True):
            assert (a.index, a.time, a.size) == (b.index, b.time, b.size)
            np.testing.assert_array_equal(a.ids, b.ids)
            np.testing.assert_array_equal(a.propagated, b.propagated)
            np.testing.assert_array_equal(a.poses.keypoints, b.poses.keypoints)
            np.testing.assert_array_equal(a.poses.keypoint_scores, b.poses.keypoint_scores)
            np.testing.assert_array_equal(a.poses.scores, b.poses.scores)


def test_flow_finds_whom_the_detector_missed() -> None:
    tracks = run(system("lucas_kanade"), 4)
    for t in tracks:
        assert sorted(t.ids.tolist()) == [1, 2]
        truth = places(t.index)[t.ids - 1]
        np.testing.assert_allclose(t.poses.keypoints, truth[:, None] + SHAPE, atol=4)
    missed = [t.index for t in tracks if t.propagated.any()]
    assert missed == [i for i in range(T) if i % 3 == 2 or i == 10]


def test_without_propagation_they_are_missed() -> None:
    tracks = run(system("lucas_kanade", propagate=False), 4)
    assert [len(t) for t in tracks] == [0 if i == 10 else 1 if i % 3 == 2 else 2 for i in range(T)]
    assert {int(i) for t in tracks for i in t.ids} == {1, 2}  # the memory bridges the gaps


def test_joints_beyond_the_frame_come_out_as_unseen() -> None:
    # Joints at the first and the last pixel's centre and edge are in; half a pixel beyond, they are not.
    points = [[[0, 0], [99, 49], [-0.4, 20]], [[99.4, 49.4], [99.6, 20], [50, -0.6]]]
    poses = Poses(points, np.full((2, 3), 0.9), [[0, 0, 99, 49]] * 2, [0.8, 0.7], DOTS)
    out = hide_outside_frame(Tracks(poses, [3, 5], [False, True], 7, 0.28, (100, 50)))
    np.testing.assert_allclose(out.poses.keypoint_scores, [[0.9, 0.9, 0.9], [0.9, 0, 0]])
    np.testing.assert_allclose(out.poses.keypoints[1], [[99.4, 49.4], [0, 0], [0, 0]], atol=1e-5)
    assert (out.ids.tolist(), out.index, out.size) == ([3, 5], 7, (100, 50))
    np.testing.assert_array_equal(out.poses.scores, poses.scores)


def test_the_tracker_itself_knows_joints_beyond_the_frame() -> None:
    """Who walks out of view keeps joints to be matched by: the same tracks, shown otherwise."""

    def walk(within: bool) -> list[Tracks]:
        tracker = system("lucas_kanade")
        tracker.hide_outside_frame = within
        cut = (Frame(np.ascontiguousarray(picture(i).image[:, 60:]), i, i / 25) for i in range(T))
        tracker.detector = Shifted()
        return list(tracker.track(cut))

    whole, shown = walk(False), walk(True)
    beyond = [bool((t.poses.keypoints[..., 0] < -0.5).any()) for t in whole]
    assert any(beyond)
    assert not all(beyond)
    for a, b in zip(whole, shown, strict=True):
        np.testing.assert_array_equal(a.ids, b.ids)
        np.testing.assert_array_equal(hide_outside_frame(a).poses.keypoints, b.poses.keypoints)
        np.testing.assert_array_equal(hide_outside_frame(a).poses.keypoint_scores, b.poses.keypoint_scores)


class Shifted(ForgetfulDetector):
    """In a picture whose left 60 columns are cut away."""

    def one(self, index: int) -> Detections:
        seen = super().one(index)
        return Detections(seen.boxes - np.array([60, 0, 60, 0], np.float32), seen.scores)


def test_frames_travel_with_their_tracks_and_arrays_are_frames() -> None:
    pictures = [picture(i).image for i in range(5)]
    pairs = list(system("lucas_kanade").follow(pictures, 2))
    assert [(f.index, f.time, t.index, t.time) for f, t in pairs] == [
        (i, i / 25, i, i / 25) for i in range(5)
    ]
    assert all(frame.image is image for (frame, _), image in zip(pairs, pictures, strict=True))
    with pytest.raises(ValueError, match=r"picture 0 is an array \(4, 4\) of float64"):
        list(system("lucas_kanade").track([np.zeros((4, 4))]))  # type: ignore[list-item]


def test_an_empty_video() -> None:
    assert list(system("lucas_kanade").track([])) == []


def test_stages_are_timed() -> None:
    tracker = system("lucas_kanade")
    run(tracker, 4)
    assert tracker.clock.frames == T
    assert set(tracker.clock.milliseconds()) == {"flow", "detector", "pose", "tracker"}
    assert all(ms > 0 for ms in tracker.clock.milliseconds().values())
    assert tracker.detector.batches == [4] * 6  # type: ignore[attr-defined]


def test_batched() -> None:
    frames = [Frame(np.zeros((2, 2, 3), np.uint8), i, 0.0) for i in range(5)]
    assert [[f.index for f in batch] for batch in batched(frames, 2)] == [[0, 1], [2, 3], [4]]


def test_a_tracker_knows_one_video_at_a_time() -> None:
    """Two threads with one each are right; who shares one is told, and the newer video is not disturbed."""
    alone = [tracks.poses.keypoints.tolist() for tracks in run(system("dis:fast"), 1)]
    with ThreadPoolExecutor() as threads:
        for tracks in threads.map(run, [system("dis:fast"), system("dis:fast")], [1, 4]):
            assert [t.poses.keypoints.tolist() for t in tracks] == alone
    shared = system("dis:fast")
    older = shared.track(picture(i) for i in range(T))
    next(older)
    newer = shared.track(picture(i) for i in range(T))
    found = [next(newer)]
    with pytest.raises(PoseTrackError, match="has begun another video, and knows one at a time"):
        next(older)
    assert [tracks.poses.keypoints.tolist() for tracks in (*found, *newer)] == alone


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_a_copy_of_a_tracker_that_has_begun_a_video_finds_the_same(
    copied: Callable[[PoseTracker], PoseTracker],
) -> None:
    begun = system("lucas_kanade")
    video = begun.track(picture(i) for i in range(T))
    next(video)
    other = run(copied(begun), 1)
    rest = [*video]  # goes on beside its copy
    assert [t.poses.keypoints.tolist() for t in other[1:]] == [t.poses.keypoints.tolist() for t in rest]
