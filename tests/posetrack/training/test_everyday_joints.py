"""Which joints of a teacher are believed, and how often people of each part are drawn."""

from dataclasses import replace

import numpy as np
import pytest

from posetrack.datasets.people import Person, PoseData
from posetrack.errors import PoseTrackError
from posetrack.skeletons import POSETRACK18
from posetrack.training.examples.augment import Geometry
from posetrack.training.examples.people import PeopleExamples
from posetrack.training.recipe import Recipe, Source
from posetrack.training.tasks.everyday_joints import (
    HEADS,
    Trust,
    agreement,
    difficulty,
    taught,
    with_heads,
    with_opinion,
)
from posetrack.training.tasks.teacher_joints import Opinions, read_opinions, write_opinions

K = len(POSETRACK18)
SIZE = (200, 200)  # of the photo
PHOTO = np.zeros((200, 200, 3), np.uint8)
TRUST = Trust(least_score=0.4, agreement=0.5, weight=0.5, joints=5, beyond_score=0.2)


def slots(*names):
    return [POSETRACK18.index(name) for name in names]


def person(*labelled, box=(50, 50, 100, 150), pseudo=()):
    """Joint k is at (60 + 2 k, 60 + 4 k), where it has a label."""
    known = np.isin(np.arange(K), slots(*labelled, *pseudo))
    machine = np.isin(np.arange(K), slots(*pseudo))
    return Person("a", np.array(box, np.float32), PLACES * known[:, None], known, machine)


PLACES = np.stack([60 + 2 * np.arange(K), 60 + 4 * np.arange(K)], axis=1).astype(np.float32)
HUMAN = ("left_shoulder", "right_shoulder", "left_hip")
SURE = np.full(K, 0.8, np.float32)


def test_joints_that_no_human_labelled_come_from_the_teacher_by_their_score():
    scores = np.where(np.arange(K) == POSETRACK18.index("left_knee"), 0.3, 0.8)
    learned = with_opinion(person(*HUMAN), PLACES + 1, scores, SIZE, TRUST)
    human, doubtful = slots(*HUMAN), slots("left_knee")
    rest = [k for k in range(K) if k not in human + doubtful]
    assert (learned.keypoints[human] == PLACES[human]).all()  # a human's stay
    assert (learned.keypoints[rest] == PLACES[rest] + 1).all()
    assert learned.worth[human] == pytest.approx(1)
    assert learned.worth[rest] == pytest.approx(0.5 * 0.8)
    assert not learned.labelled[doubtful].any()
    assert learned.pseudo.tolist() == [k in rest for k in range(K)]


def test_a_teacher_that_sees_somebody_else_is_not_believed():
    before = person(*HUMAN, pseudo=("nose",))
    kept = with_opinion(before, PLACES + 60, SURE, SIZE, TRUST)
    assert (kept.labelled == before.labelled).all()
    assert kept.worth[slots("nose")] == pytest.approx(0.5)


def test_a_machine_made_joint_gives_way_to_the_teachers():
    learned = with_opinion(person(*HUMAN, pseudo=("nose",)), PLACES + 1, SURE, SIZE, TRUST)
    assert learned.keypoints[0].tolist() == [61, 61]


def test_somebody_without_human_joints_needs_enough_that_the_teacher_is_sure_of():
    scores = np.where(np.arange(K) < 5, 0.8, 0.1)
    assert with_opinion(person(), PLACES, scores, SIZE, TRUST).labelled.sum() == 5
    assert with_opinion(person(), PLACES, np.where(np.arange(K) < 4, 0.8, 0.1), SIZE, TRUST) is None


def test_joints_beyond_the_frame_are_to_be_flat_where_it_cuts_a_person_off():
    scores = np.where(np.isin(np.arange(K), slots("left_ankle", "right_ankle")), 0.1, 0.8)
    at_edge = person(*HUMAN, box=(50, 50, 100, 199))
    learned = with_opinion(at_edge, PLACES, scores, SIZE, TRUST)
    assert np.nonzero(learned.beyond)[0].tolist() == slots("left_ankle", "right_ankle")
    assert with_opinion(person(*HUMAN), PLACES, scores, SIZE, TRUST).beyond is None


def test_agreement_is_the_mean_oks():
    somebody = person(*HUMAN)
    assert agreement(somebody, PLACES, somebody.labelled) == pytest.approx(1)
    assert np.isnan(agreement(somebody, PLACES, np.zeros(K, bool)))


def test_somebody_who_is_found_already_is_drawn_less_often():
    somebody = person(*HUMAN)
    assert difficulty(somebody, PLACES) == pytest.approx(0.3)
    assert difficulty(somebody, PLACES + 1000) == pytest.approx(1.3)
    assert difficulty(person("left_ear"), PLACES) == pytest.approx(0.3)  # nothing to judge by


@pytest.mark.parametrize(("apart", "believed"), [(0, 0.8), (1000, 0.0)])
def test_heads_of_ones_own_count_where_nose_and_shoulders_agree(apart, believed):
    scores = np.where(np.isin(np.arange(K), HEADS), 0, 0.8).astype(np.float32)
    told = Opinions(PLACES[None], scores[None])
    own = Opinions(PLACES[None] + apart, SURE[None])
    both = with_heads(told, own)
    assert both.scores[0, HEADS] == pytest.approx(believed)
    assert (both.points[0, HEADS] == PLACES[HEADS] + apart).all()
    others = [k for k in range(K) if k not in HEADS]
    assert (both.points[0, others] == PLACES[others]).all()


def test_heads_do_not_count_where_the_teacher_sees_neither_nose_nor_shoulders():
    told = Opinions(PLACES[None], np.zeros((1, K), np.float32))
    assert with_heads(told, Opinions(PLACES[None], SURE[None])).scores[0, HEADS] == pytest.approx(0)


def test_groups_keep_their_part_of_the_draws_whoever_is_left_out():
    """Of two people with boxes only one is believed: it is drawn as often as both before."""
    people = [replace(person(*HUMAN), image="coco/a"), replace(person(*HUMAN), image="coco/a")]
    people += [replace(person(), image="voc/a"), replace(person(), image="voc/a")]
    data = PoseData("everyday", POSETRACK18, people, dict.fromkeys(("coco/a", "voc/a"), PHOTO))
    scores = np.full((4, K), 0.8, np.float32)
    scores[3] = 0.1
    own = Opinions(np.stack([PLACES, PLACES + 1000, PLACES, PLACES]), np.zeros((4, K), np.float32))
    learned = taught(data, Opinions(np.stack([PLACES] * 4), scores), own, TRUST)
    # The network finds the first already: 0.3 beside 1.3 of the same two draws.
    assert [p.weight for p in learned.people] == pytest.approx([2 * 0.3 / 1.6, 2 * 1.3 / 1.6, 2])


@pytest.mark.parametrize("mirror", [0.0, 1.0])
def test_pictures_carry_worth_and_what_lies_beyond_through_a_mirror(mirror):
    left, right = slots("left_wrist", "right_wrist")
    worth = np.where(np.arange(K) == left, 0.25, 1).astype(np.float32)
    somebody = person(*POSETRACK18.keypoints)
    somebody.labelled[right] = False
    somebody = replace(somebody, worth=worth, beyond=np.arange(K) == right)
    still = Geometry(0, 0, 0, 0, mirror, 0)
    recipe = Recipe("one", "hrnet_light", (Source("lspet"),), 96, 128, loss="cross_entropy",
                    targets="unbiased", geometry=still)  # fmt: skip
    data = PoseData("one", POSETRACK18, [somebody], {"a": PHOTO})
    example = PeopleExamples(recipe, recipe.stage(0.0), data)[0]
    if mirror:
        left, right = right, left
    assert example["weights"][left].numpy() == pytest.approx(0.25)
    assert example["weights"][right] == 0
    assert np.flatnonzero(example["absent"]).tolist() == [right]


def test_opinions_are_kept_for_the_people_they_are_about(tmp_path):
    told = Opinions(np.full((3, K, 2), 7.25, np.float32), np.full((3, K), 0.5, np.float32))
    write_opinions(tmp_path / "a.npz", told)
    again = read_opinions(tmp_path / "a.npz", 3)
    assert (again.points == told.points).all()
    assert (again.scores == told.scores).all()
    with pytest.raises(PoseTrackError, match="about 3 people, not 4"):
        read_opinions(tmp_path / "a.npz", 4)
    with pytest.raises(PoseTrackError, match="holds no opinions"):
        read_opinions(tmp_path / "b.npz", 3)
