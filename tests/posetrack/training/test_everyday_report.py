"""OKS of everyday people, against numbers worked out by hand and pycocotools."""

import math

import numpy as np
import pytest

from posetrack.datasets.people import Person
from posetrack.skeletons import POSETRACK18
from posetrack.training.everyday_report import (
    AREA,
    SHARED,
    SLOTS,
    EverydaySet,
    evaluate,
    kinds_of,
    mean_over_labelled,
    oks,
)

K = len(POSETRACK18)
SIZE = (400, 300)  # of the photo, pixels


def person(box, joints=SHARED, image="a"):
    """Joints in the middle of the box."""
    labelled = np.array([name in joints for name in POSETRACK18.keypoints])
    x1, y1, x2, y2 = box
    points = np.full((K, 2), [(x1 + x2) / 2, (y1 + y2) / 2], np.float32) * labelled[:, None]
    return Person(image, np.array(box, np.float32), points, labelled, np.zeros(K, bool))


def joints_of(people):
    return np.stack([p.keypoints[SLOTS] for p in people]).astype(float)


def everyday(*people):
    return EverydaySet([], people, {}, {"all": np.ones(len(people), bool)})


def test_thirteen_joints_are_shared():
    assert SHARED[:3] == ("nose", "left_shoulder", "right_shoulder")
    assert len(SHARED) == 13


def test_a_nose_that_is_one_kappa_root_area_away_has_oks_of_exp_minus_half():
    somebody = person((100, 100, 200, 200), joints=("nose",))
    away = 2 * 0.026 * math.sqrt(AREA * 100 * 100)
    points = joints_of([somebody]) + np.array([away, 0])
    similarity = oks(points, [somebody])
    assert similarity[0, 0] == pytest.approx(math.exp(-0.5), abs=1e-6)
    assert np.isnan(similarity[0, 1:]).all()
    assert mean_over_labelled(similarity)[0] == pytest.approx(math.exp(-0.5), abs=1e-6)


def test_exact_joints_reach_everything_and_far_ones_nothing():
    people = [person((10, 10, 60, 110)), person((100, 10, 150, 110)), person((10, 10, 60, 90), image="b")]
    exact = joints_of(people)
    scores = np.ones((3, 13))
    assert evaluate(exact, scores, everyday(*people)).coco.ap == pytest.approx(100)
    one_missed = exact.copy()
    one_missed[2] += 500
    scores[2] = 0.5  # the last of three: precision 1 up to a recall of 2/3, that is 67 of 101 steps
    result = evaluate(one_missed, scores, everyday(*people))
    assert result.coco.ap == pytest.approx(100 * 67 / 101, abs=1e-6)
    assert result.by_kind()["all"] == pytest.approx(2 / 3)
    assert result.found()["wrist"] == pytest.approx(100 * 2 / 3)


@pytest.mark.parametrize(
    ("somebody", "others", "kinds"),
    [
        (person((50, 50, 100, 200)), (), {"whole and alone"}),
        (person((50, 50, 100, 200)), ((60, 60, 100, 200),), set()),  # covered by somebody
        (person((50, 50, 100, 200), joints=SHARED[:7]), (), {"1 to 7 joints"}),
        (person((50, 50, 100, 200), joints=("left_ear",)), (), set()),  # none of the 13
        (person((1, 50, 100, 200), joints=SHARED[:8]), (), {"at the edge"}),
        (person((50, 50, 100, 299), joints=SHARED[:8]), (), {"at the edge"}),
        (person((50, 50, 150, 120), joints=SHARED[:8]), (), {"wider than tall"}),
        (person((50, 50, 80, 110), joints=SHARED[:8]), (), {"small"}),
    ],
)
def test_kinds_of_people(somebody, others, kinds):
    found = kinds_of(somebody, SIZE, [np.array(box, np.float32) for box in others])
    assert {kind for kind, member in found.items() if member} == kinds | {"all"}
