"""Cases of scores: halves calibrated on each other, sets that weigh the same, persons by their joints."""

import numpy as np
import pytest

from posetrack.benchmarks.scores import Cases, FoundPeople, half_of, share_right
from posetrack.datasets.people import Person
from posetrack.runtime.calibration import Calibration
from posetrack.skeletons import POSETRACK18

K = len(POSETRACK18)


def cases(scores, right, half, weight=1.0):
    n = len(scores)
    return Cases(np.array(scores), np.array(right, float), np.full(n, weight), np.array(half))


def test_halves_are_calibrated_on_each_other():
    # Half 0 says 0.5 where half of the cases are right; half 1 says 0.5 and 0.8, and three of four are right.
    scores = [0.5, 0.5, 0.8, 0.8] * 2 + [0.5] * 4 + [0.8] * 4
    right = [0, 1, 1, 1] + [0, 1, 1, 1] + [1, 1, 1, 0] * 2
    both = cases(scores, right, [0] * 8 + [1] * 8)
    crossed = both.crossed()
    other = cases(scores[8:], right[8:], [1] * 8).fit()
    np.testing.assert_array_equal(crossed[:8], both.calibrated(other)[:8])


def test_sets_weigh_the_same():
    together = Cases.concatenate([cases([0.5] * 4, [0, 0, 0, 0], [0] * 4), cases([0.5], [1], [1])])
    assert np.average(together.right, weights=together.weights) == pytest.approx(0.5)
    assert together.reliability().ece == pytest.approx(0)


def test_any_stride_leaves_photos_in_both_halves():
    for stride in (1, 2, 8, 20):
        shares = np.mean([half_of(f"im{n:05d}.jpg") for n in range(9001, 9501, stride)])
        assert 0.25 < shares < 0.75


def test_a_person_is_worth_the_share_of_right_joints():
    keypoints, labelled = np.zeros((K, 2), np.float32), np.zeros(K, bool)
    for name, place in (("left_shoulder", (0, 0)), ("right_hip", (0, 50)), ("nose", (0, -20))):
        keypoints[POSETRACK18.index(name)], labelled[POSETRACK18.index(name)] = place, True
    pseudo = np.arange(K) == POSETRACK18.index("nose")
    person = Person("a.jpg", np.zeros(4, np.float32), keypoints, labelled, pseudo)
    found = keypoints.copy()
    found[POSETRACK18.index("right_hip")] += (0, 11)  # 0.22 torso
    assert share_right(found, person, human_only=True, skeleton=POSETRACK18) == 0.5
    assert share_right(found, person, human_only=False, skeleton=POSETRACK18) == pytest.approx(2 / 3)


def test_person_scores_by_what_is_calibrated():
    people = FoundPeople(*(np.array([v]) for v in (0.8, 0.5, 0.6, 1.0)), np.array([0]))
    products = [c.scores[0] for c in people.cases(Calibration(0.5, 0.0)).values()]  # 0.8 is 2/3
    assert products == pytest.approx([0.4, 0.4])
