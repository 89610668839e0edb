from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posetrack.boxes import clip_and_sort, iou, nms
from posetrack.detectors.batches import group_by_size


def test_clip_and_sort_clips_drops_and_sorts() -> None:
    boxes = np.array(
        [
            [-5, -5, 10, 10],  # half outside
            [50, 20, 60, 30],  # left of it nothing: the frame is 50 wide
            [10, 5, 20, 200],  # taller than the frame
            [7, 7, 7, 9],  # no width
        ],
        np.float32,
    )
    found = clip_and_sort(boxes, np.array([0.5, 0.9, 0.7, 0.8], np.float32), (50, 40))
    assert found.boxes.tolist() == [[10, 5, 20, 40], [0, 0, 10, 10]]
    assert found.scores.tolist() == pytest.approx([0.7, 0.5])


def test_clip_and_sort_of_nobody_is_empty() -> None:
    assert len(clip_and_sort(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), (50, 40))) == 0


def test_iou_by_hand() -> None:
    a = np.array([[0, 0, 10, 10]], np.float32)
    b = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [0, 0, 10, 5], [20, 20, 30, 30], [3, 3, 3, 3]], np.float32)
    assert iou(a, b)[0].tolist() == pytest.approx([1, 50 / 150, 0.5, 0, 0])


def test_nms_is_greedy() -> None:
    # a chain: 0 overlaps 1 and 1 overlaps 2 by 5/15 each, 0 and 2 are apart. 1 goes for 0, so 2 stays.
    boxes = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10]], np.float32)
    assert nms(boxes, np.array([0.9, 0.8, 0.7]), 0.3).tolist() == [0, 2]
    assert nms(boxes, np.array([0.8, 0.9, 0.7]), 0.3).tolist() == [1]
    assert nms(boxes, np.array([0.7, 0.8, 0.9]), 0.4).tolist() == [2, 1, 0]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 12), st.floats(0.1, 0.9), st.integers(0, 10_000))
def test_nms_keeps_exactly_what_no_better_kept_box_covers(n: int, threshold: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    low = random.uniform(0, 20, (n, 2))
    boxes = np.concatenate([low, low + random.uniform(1, 20, (n, 2))], 1).astype(np.float32)
    scores = random.permutation(n).astype(np.float32)
    kept = nms(boxes, scores, threshold)
    overlap = iou(boxes, boxes) > threshold
    for i in range(n):
        better = [k for k in kept if scores[k] > scores[i]]
        assert (i in kept) == (not overlap[i, better].any())


@pytest.mark.parametrize(
    ("device", "groups"),
    [("cpu", [[0], [1], [2], [3]]), ("cuda", [[0, 2], [1], [3]])],
)
def test_frames_share_a_forward_only_on_an_accelerator(device: str, groups: list[list[int]]) -> None:
    assert group_by_size([(64, 48), (48, 64), (64, 48), (32, 32)], device) == groups
