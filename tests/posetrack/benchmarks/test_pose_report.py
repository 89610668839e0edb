"""The model card's tables on a handful of joints."""

import numpy as np
import pytest

from posetrack.benchmarks import pose_report
from posetrack.benchmarks.pck import Errors
from posetrack.datasets.people import HeldOut, Person
from posetrack.skeletons import POSETRACK18

K = len(POSETRACK18)
NONE = np.full((2, K), np.nan)


def errors(**distances):
    """Two people; a joint's distances in torso lengths."""
    table = NONE.copy()
    for name, values in distances.items():
        table[:, POSETRACK18.index(name)] = values
    return Errors(table)


SOME = errors(nose=(0.1, 0.3), left_wrist=(0.2, np.nan), right_wrist=(0.5, 0.0))


def test_by_joint_puts_sides_together():
    assert pose_report.by_joint(SOME, POSETRACK18) == {"nose": 50.0, "wrist": pytest.approx(200 / 3)}


def test_by_pose():
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
