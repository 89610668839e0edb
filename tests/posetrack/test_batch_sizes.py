"""A crowded clip, tracked with every batch size: not one digit differs."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import flow
import posetrack
from posetrack.detectors.light import LightDetector
from posetrack.pipeline import PoseTracker
from posetrack.pose.estimator import HeatmapEstimator
from posetrack.pose.networks import load_network
from posetrack.presets import LIGHT
from posetrack.runtime.compiled import without_openvino
from posetrack.runtime.precision import multiplies_bfloat16
from posetrack.types import Frame, Tracks
from trackers.flow_tracker import FlowTracker

DEMO = Path(posetrack.__file__).parent / "demo"
T, SIZE = 9, (1024, 448)  # a batch of 16 is the whole clip
ROWS, COLUMNS = 2, 8


def cut_out(frame: Frame, box: list[float]) -> NDArray[np.uint8]:
    x, y, w, h = (int(value) for value in box)
    return frame.image[max(y - 12, 0) : y + h + 12, max(x - 12, 0) : x + w + 12]


@pytest.fixture(scope="module")
def crowd() -> list[Frame]:
    """The demo clip's people at many moments, 16 in a frame, who walk in rows and hide each other in part."""
    with (DEMO / "demo_truth.json").open() as file:
        truth = json.load(file)
    numbers = {image["id"]: n for n, image in enumerate(truth["images"])}
    boxes: dict[int, list[list[float]]] = {}
    for person in truth["annotations"]:
        if person["bbox"][3] > 2 * person["bbox"][2]:
            boxes.setdefault(numbers[person["image_id"]], []).append(person["bbox"])
    film = list(islice(posetrack.read_video(DEMO / "demo.mp4"), 80))
    chosen = [n for n in sorted(boxes) if n + T < len(film)]
    pictures = [cv2.resize(film[0].image, SIZE) for _ in range(T)]
    for slot in range(ROWS * COLUMNS):
        row, column = divmod(slot, COLUMNS)
        start = chosen[slot * len(chosen) // (ROWS * COLUMNS)]
        for t, picture in enumerate(pictures):
            seen = boxes.get(start + t) or boxes[start]
            part = cut_out(film[start + t], seen[slot % len(seen)])
            height = 190 + 25 * row
            part = np.asarray(cv2.resize(part, (max(60, part.shape[1] * height // part.shape[0]), height)))
            x, y = 12 + 120 * column + 4 * t * (-1) ** row, 20 + 180 * row
            room = picture[y : y + height, max(x, 0) : x + part.shape[1]]
            room[:] = part[: room.shape[0], : room.shape[1]]
    return [Frame(picture, t, t / 30) for t, picture in enumerate(pictures)]


def system() -> PoseTracker:
    network, settings = load_network("light")
    small = replace(settings, input_size=(128, 160))  # less than half of the work
    return PoseTracker(
        LightDetector(score_threshold=LIGHT.detector_score),
        HeatmapEstimator.fast(network, small),
        flow.create("lucas_kanade"),
        FlowTracker(LIGHT.tracker),
    )


def digits(tracks: Tracks) -> list[NDArray[Any]]:
    poses = tracks.poses
    return [
        tracks.ids, tracks.propagated, poses.keypoints, poses.keypoint_scores, poses.boxes, poses.scores
    ]  # fmt: skip


@pytest.mark.parametrize("bfloat16", [True, False], ids=["bfloat16", "float32"])
@pytest.mark.parametrize("openvino", [True, False], ids=["openvino", "torch"])
def test_a_crowd_is_the_same_for_every_batch_size(
    crowd: list[Frame], openvino: bool, bfloat16: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if openvino:
        pytest.importorskip("openvino")
    if bfloat16 and not multiplies_bfloat16("cpu"):
        pytest.skip("this CPU does not multiply bfloat16")
    for module in ("posetrack.detectors.light", "posetrack.pose.estimator"):
        monkeypatch.setattr(f"{module}.multiplies_bfloat16", lambda _: bfloat16)
    with nullcontext() if openvino else without_openvino():
        tracker = system()
    if not (openvino and bfloat16):  # the others are slow: half of the crowd
        crowd = [replace(frame, image=frame.image[:, : SIZE[0] // 2].copy()) for frame in crowd]
    alone = list(tracker.track(crowd, batch_size=1))
    assert min(len(tracks) for tracks in alone) > (12 if openvino and bfloat16 else 6)
    assert any(tracks.propagated.any() for tracks in alone)  # the second look is compared, too
    for size in (2, 4, 8, 16):
        for a, b in zip(alone, tracker.track(crowd, size), strict=True):
            for one, other in zip(digits(a), digits(b), strict=True):
                np.testing.assert_array_equal(one, other)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_a_gpu_a_crowd_differs_by_the_documented_rounding_at_most(crowd: list[Frame]) -> None:
    network, settings = load_network("light")
    estimator = HeatmapEstimator.fast(network, settings, "cuda")
    people = LightDetector()(crowd)
    together = estimator(crowd, people)
    for frame, seen, poses in zip(crowd, people, together, strict=True):
        alone = estimator([frame], [seen])[0]
        assert np.abs(alone.keypoint_scores - poses.keypoint_scores).max() <= 0.1
        sure = np.minimum(alone.keypoint_scores, poses.keypoint_scores) > 0.5
        heatmap_pixel = 1.25 * (seen.boxes[:, 3] - seen.boxes[:, 1]) / 64
        moved = np.linalg.norm(alone.keypoints - poses.keypoints, axis=2) / heatmap_pixel[:, None]
        assert np.quantile(moved[sure], 0.99) <= 0.25
