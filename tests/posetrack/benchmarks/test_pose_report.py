"""The model card's tables on a handful of joints."""

from dataclasses import replace

import numpy as np
import pytest

from posetrack.benchmarks import pose_report
from posetrack.benchmarks.pck import Errors
from posetrack.benchmarks.validate import Predictions
from posetrack.datasets.people import HeldOut, Person
from posetrack.skeletons import POSETRACK18

K = len(POSETRACK18)
NONE = np.full((2, K), np.nan)


def errors(**distances):
    """Two people; a joint's distances in torso lengths."""
    table = NONE.copy()
    for name, values in distances.items():
        table[:, POSETRACK18.index(name)] = values
    return Errors(table, np.repeat(table[..., None], 2, axis=2))


SOME = errors(nose=(0.1, 0.3), left_wrist=(0.2, np.nan), right_wrist=(0.5, 0.0))


def test_by_joint_puts_sides_together():
    assert pose_report.by_joint(SOME, POSETRACK18) == {"nose": 50.0, "wrist": pytest.approx(200 / 3)}


def test_by_pose_and_by_size():
    def someone(shoulder, hip, box):
        keypoints, labelled = np.zeros((K, 2), np.float32), np.zeros(K, bool)
        for name, point in (("left_shoulder", shoulder), ("left_hip", hip)):
            keypoints[POSETRACK18.index(name)], labelled[POSETRACK18.index(name)] = point, True
        return Person("a", np.array(box, np.float32), keypoints, labelled, np.zeros(K, bool))

    held_out = HeldOut(
        "two", [someone((5, 1), (5, 9), (0, 0, 30, 79)), someone((5, 9), (5, 1), (0, 0, 80, 10))], {}
    )
    poses = pose_report.by_pose(SOME, held_out, POSETRACK18)
    assert poses["upright"] == (1, pytest.approx(200 / 3))
    assert poses["inverted"] == (1, 50.0)
    assert poses["bent"][0] == 0
    assert np.isnan(poses["bent"][1])
    assert pose_report.by_size(SOME, held_out, (0, 80, 160)) == {
        (0, 80): (1, pytest.approx(200 / 3)),
        (80, 160): (1, 50.0),
    }


def test_thresholds():
    scores = np.zeros((2, K))
    scores[:, POSETRACK18.index("nose")] = (0.9, 0.4)  # hit, miss
    scores[:, POSETRACK18.index("left_wrist")] = (0.3, 0.99)  # hit, without label
    scores[:, POSETRACK18.index("right_wrist")] = (0.2, 0.6)  # miss, hit
    chosen = pose_report.thresholds(scores, SOME, (0.0, 0.3, 0.5))
    assert chosen == {0.0: (60.0, 60.0), 0.3: (75.0, 60.0), 0.5: (100.0, 40.0)}


def test_bias_is_the_median_offset_of_the_hits_in_heatmap_pixels():
    scattered = errors(nose=(0.1, 0.1), left_knee=(0.9, 0.9))
    offsets = scattered.offsets.copy()
    offsets[:, POSETRACK18.index("nose")] = [[2.0, -4.0], [6.0, -8.0]]
    found = Predictions(
        np.zeros((2, K, 2)), np.zeros((2, K)), np.array([2.0, 4.0]), replace(scattered, offsets=offsets)
    )
    np.testing.assert_allclose(pose_report.bias(found), [1.25, -2.0])  # 2 / 2 and 6 / 4, -4 / 2 and -8 / 4


def test_swapped_sides_are_told_from_other_errors():
    labels = np.zeros((2, K, 2))
    for i in range(K):
        labels[:, i] = (10.0 * i, 7.0 * (i % 3))
    points = np.stack([labels[0, POSETRACK18.flip_order], labels[1] + [40.0, 0.0]])  # exchanged; shifted
    offsets = points - labels
    found = Predictions(
        points, np.ones((2, K)), np.ones(2), Errors(np.linalg.norm(offsets, axis=-1) / 50, offsets)
    )
    assert pose_report.swapped(found, POSETRACK18) == 50.0
