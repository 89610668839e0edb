"""Strangers are bodies, not rectangles; they hide what is behind them and nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from posetrack.datasets.people import Person
from posetrack.skeletons import COCO17, POSETRACK18
from posetrack.training.examples.occluders import BESIDE, beside, body, draw_occluder, has_body

RED, GREEN, BLUE = (200, 0, 0), (0, 200, 0), (0, 0, 200)
STANDING = {
    "nose": (50, 26), "head_bottom": (50, 34), "head_top": (50, 20), "left_shoulder": (58, 36),
    "right_shoulder": (42, 36), "left_elbow": (62, 50), "right_elbow": (38, 50), "left_wrist": (64, 62),
    "right_wrist": (36, 62), "left_hip": (55, 66), "right_hip": (45, 66), "left_knee": (55, 86),
    "right_knee": (45, 86), "left_ankle": (55, 106), "right_ankle": (45, 106),
}  # fmt: skip
SIZE = (100, 120)
STAY = np.array([[1.0, 0, 0], [0, 1, 0]])


def standing(skeleton=POSETRACK18, **changes) -> Person:
    known = [name for name in skeleton.keypoints if name in STANDING]
    points = np.array([STANDING.get(name, (0, 0)) for name in skeleton.keypoints], np.float32)
    labelled = np.array([name in known for name in skeleton.keypoints])
    nobody = np.zeros(len(skeleton), bool)
    return replace(Person("a", np.float32([34, 18, 66, 108]), points, labelled, nobody), **changes)


def plain(colour, size=SIZE) -> np.ndarray:
    return np.full((size[1], size[0], 3), colour, np.uint8)


def at(picture, x, y) -> tuple[int, ...]:
    return tuple(int(v) for v in picture[y, x])


@pytest.mark.parametrize("skeleton", [POSETRACK18, COCO17])
def test_a_body_covers_its_limbs_and_little_else(skeleton):
    person = standing(skeleton)
    shape = body(person.keypoints, person.labelled, skeleton, SIZE)
    assert shape.shape == (120, 100)
    limbs = [name for name in STANDING if name not in ("nose", "head_bottom", "head_top")]
    assert all(shape[STANDING[name][1], STANDING[name][0]] > 100 for name in limbs)
    assert shape[50, 50] == 255  # the trunk's middle
    assert 0 < (shape > 127).mean() < 0.3
    assert shape[:, :25].max() == shape[:, 75:].max() == 0
    assert (shape[27, 50] > 200) == (skeleton is POSETRACK18)  # COCO labels no head top


@pytest.mark.parametrize("missing", [["left_hip"], ["left_ankle", *list(STANDING)[5:10]]])
def test_too_few_joints_make_no_body(missing):
    person = standing()
    labelled = person.labelled.copy()
    labelled[[POSETRACK18.index(name) for name in missing]] = False
    assert not has_body(labelled, POSETRACK18)
    assert body(person.keypoints, labelled, POSETRACK18, SIZE) is None
    person = replace(person, labelled=labelled)
    picture = plain(RED)
    for before in (True, False):
        same = draw_occluder(
            picture, person.keypoints, labelled, POSETRACK18, (plain(GREEN), person), STAY, before
        )
        assert same is picture


def test_before_hides_the_person_and_behind_does_not():
    person = standing()
    own = (person.keypoints, person.labelled, POSETRACK18)
    aside = np.array([[1.0, 0, 14], [0, 1, 0]])
    before = draw_occluder(plain(RED), *own, (plain(GREEN), person), aside, in_front=True)
    behind = draw_occluder(plain(RED), *own, (plain(GREEN), person), aside, in_front=False)
    assert at(before, 57, 50) == GREEN  # in both trunks
    assert at(behind, 57, 50) == RED
    assert at(before, 69, 104) == at(behind, 69, 104) == GREEN  # the occluder's left foot alone
    assert at(before, 20, 50) == at(behind, 20, 50) == RED  # nobody
    np.testing.assert_array_equal(before[:, :40], behind[:, :40])


def test_what_a_occluders_photo_does_not_show_stays_as_it_was():
    person = standing()
    narrow = plain(GREEN)[:80]  # ends above the ankles
    drawn = draw_occluder(
        plain(BLUE), person.keypoints, person.labelled, POSETRACK18, (narrow, person), STAY, True
    )
    assert at(drawn, 50, 50) == GREEN
    assert at(drawn, 55, 100) == BLUE


def test_occluders_stand_beside_the_middle_on_both_sides():
    rng = np.random.default_rng(3)
    shifts = np.array([beside(STAY, SIZE, rng)[:, 2] / SIZE for _ in range(200)])
    assert 0.4 < (shifts[:, 0] > 0).mean() < 0.6
    assert BESIDE[0] <= abs(shifts[:, 0]).min() < abs(shifts[:, 0]).max() <= BESIDE[1]
    assert np.abs(shifts[:, 1]).max() < 0.3
