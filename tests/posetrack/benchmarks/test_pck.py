"""PCK in worlds of a few joints. The torso of every person is 50 long, so a fifth of it is 10."""

import numpy as np
import pytest

from posetrack.benchmarks.pck import joint_errors
from posetrack.skeletons import POSETRACK18

K = len(POSETRACK18)
TORSO = {"left_shoulder": (130, 100), "right_hip": (100, 140)}
OTHER_TORSO = {"right_shoulder": (100, 100), "left_hip": (130, 140)}


def world(*people):
    labels, labelled = np.zeros((len(people), K, 2)), np.zeros((len(people), K), bool)
    for i, points in enumerate(people):
        for name, point in points.items():
            labels[i, POSETRACK18.index(name)], labelled[i, POSETRACK18.index(name)] = point, True
    return labels, labelled


@pytest.mark.parametrize(
    ("people", "moved", "expected"),
    [
        ([TORSO], {}, 100.0),
        ([TORSO | {"nose": (120, 80)}], {"nose": (10, 0)}, 100.0),  # just within
        ([TORSO | {"nose": (120, 80)}], {"nose": (10.1, 0)}, 200 / 3),
        ([TORSO | {"nose": (120, 80)}], {"nose": (7, 7.2)}, 200 / 3),  # 10.04
        ([OTHER_TORSO | {"nose": (120, 80)}], {"nose": (9.9, 0)}, 100.0),  # the other diagonal serves
        ([TORSO, {"nose": (120, 80)}], {"nose": (99, 0)}, 100.0),  # no torso: left out
        ([TORSO, {"nose": (120, 80)} | OTHER_TORSO], {"nose": (99, 0)}, 80.0),  # 4 of 5 joints
    ],
)
def test_total(people, moved, expected):
    labels, labelled = world(*people)
    points = labels.copy()
    for name, offset in moved.items():
        points[:, POSETRACK18.index(name)] += offset
    assert joint_errors(points, labels, labelled, labelled, POSETRACK18).pck() == pytest.approx(expected)


def test_joints_machine_made_do_not_count_but_serve_the_torso():
    labels, labelled = world(TORSO | {"nose": (120, 80)})
    counted = labelled & (np.arange(K) == POSETRACK18.index("nose"))
    errors = joint_errors(labels + np.array([3.0, -4.0]), labels, labelled, counted, POSETRACK18)
    assert np.isfinite(errors.distances).sum() == 1
    assert np.nanmax(errors.distances) == pytest.approx(0.1)  # 5 of 50


def test_nobody_counts():
    labels, labelled = world({"nose": (1, 1)})
    assert np.isnan(joint_errors(labels, labels, labelled, labelled, POSETRACK18).pck())
