"""Which pictures a run draws, and that they depend on their number alone."""

import itertools
from collections import Counter
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from posetrack.datasets.concatenate import concatenate
from posetrack.datasets.imagenet import read_image_folder
from posetrack.datasets.people import PoseData
from posetrack.datasets.pictures import Folder
from posetrack.errors import InputError
from posetrack.skeletons import POSETRACK18
from posetrack.training.examples.augment import Geometry
from posetrack.training.examples.examples import loader, split
from posetrack.training.examples.images import ImageExamples, random_part
from posetrack.training.examples.people import PeopleExamples
from posetrack.training.plan import EpochOrder, Plan, RankBatches
from posetrack.training.recipe import Recipe, Source
from posetrack.training.recipes import RECIPES
from tests.posetrack.training.stick_people import stick_people, write_jpegs

TINY = Recipe("tiny", "hrnet_light", (Source("lspet"),), 32, 64, init="nothing", epochs=2, batch=4)
DATA = stick_people(6, side=48)


def examples(recipe=TINY, data=DATA):
    return PeopleExamples(recipe, recipe.stage(1.0), data)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 40), st.sampled_from([1, 2, 4, 12]), st.sampled_from([0.5, 1, 2.5]), st.data())
def test_processes_share_every_step_and_a_run_can_begin_at_any(people, batch, epochs, data):
    plan = Plan(people, batch, epochs)
    whole = list(RankBatches(plan))
    numbers = [i for step in whole for i in step]
    assert numbers == list(range(plan.steps * batch))
    assert epochs * people <= len(numbers) < epochs * people + batch
    ranks = data.draw(st.sampled_from([r for r in (1, 2, 4) if batch % r == 0]))
    first = data.draw(st.integers(0, plan.steps))
    parts = [list(RankBatches(plan, first, rank, ranks)) for rank in range(ranks)]
    assert [[i for part in step for i in part] for step in zip(*parts, strict=True)] == whole[first:]


def test_an_epoch_may_end_within_a_step():
    plan = Plan(examples=6, batch=4, epochs=2.5)  # 15 pictures in steps of 4: ends after 6 and 12 and with 16
    assert plan.steps == 4
    assert [plan.ends_epoch(step) for step in (1, 2, 3, 4)] == [False, True, True, False]
    assert [plan.ends_epoch(step, 2) for step in (1, 2, 3, 4)] == [False, False, True, False]
    assert plan.epoch(3) == 2
    assert [plan.progress(step, seconds=99) for step in (0, 1, 4)] == [0, 0.25, 1]


def test_a_budget_is_epochs_pictures_or_minutes():
    by_pictures = Plan.of(TINY.for_budget(pictures=10), examples=6)
    assert (by_pictures.steps, by_pictures.progress(1, 0)) == (3, 1 / 3)
    by_minutes = Plan.of(TINY.for_budget(minutes=2), examples=6)
    assert by_minutes.steps is None
    assert [by_minutes.progress(99, seconds) for seconds in (0, 30, 200)] == [0, 0.25, 1]
    assert list(itertools.islice(RankBatches(by_minutes, first=9), 2)) == [[36, 37, 38, 39], [40, 41, 42, 43]]


def test_every_epoch_shows_everybody_once_in_another_order():
    draw, rng = EpochOrder(10, seed=1), np.random.default_rng(0)
    epochs = [[draw(10 * e + i, rng) for i in range(10)] for e in range(3)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    assert [EpochOrder(10, seed=1)(i, rng) for i in range(10)] == epochs[0]
    assert [EpochOrder(10, seed=2)(i, rng) for i in range(10)] != epochs[0]


def test_workers_make_the_pictures_that_the_run_itself_would_make():
    batches = RankBatches(Plan.of(TINY, 6), first=1)
    here, there = (list(loader(examples(), batches, workers)) for workers in (0, 2))
    assert len(here) == len(there) == 2
    for one, other in zip(here, there, strict=True):
        assert one["crops"].shape == (4, 64, 32, 3)
        assert all(torch.equal(one[key], other[key]) for key in ("crops", "points", "weights"))
    assert not torch.equal(here[0]["crops"], here[1]["crops"])


WEIGHTED = replace(
    TINY, order="weights", loss="cross_entropy", targets="unbiased", pseudo_weight=0.25,
    geometry=Geometry(rotation=0, scale=0, shift=0, half_body_probability=0),
)  # fmt: skip


def test_pictures_of_a_seed_show_the_same_at_every_size():
    """Twice the side: joints at twice their places, but for a pixel, since a mirrored x goes to W - 1 - x."""
    small, large = (examples(replace(TINY, width=width, height=2 * width)) for width in (32, 64))
    for i in range(8):
        torch.testing.assert_close(small[i]["points"] * 2, large[i]["points"], atol=1.1, rtol=0)


def test_machine_made_joints_weigh_less_also_when_mirrored():
    shoulder = POSETRACK18.index("left_shoulder")
    people = [replace(person, pseudo=np.arange(17) == shoulder) for person in DATA.people]
    ours = examples(WEIGHTED, replace(DATA, people=people))
    light = {int(np.flatnonzero(ours[i]["weights"] == 0.25)[0]) for i in range(12)}
    assert light == {shoulder, shoulder + 1}  # the left one is the machine's; mirrored, it is the right one


def test_joints_beyond_an_edge_are_known_to_be_absent():
    people = [replace(person, labelled=(np.arange(17) != 0) & person.labelled) for person in DATA.people]
    data = replace(DATA, people=people)
    ours, absent = examples(replace(WEIGHTED, edge_probability=1.0), data), 0
    for i in range(20):
        example = ours[i]
        unlabelled = ~example["absent"] & (example["weights"] == 0)
        assert np.flatnonzero(unlabelled).tolist() == [0, 3, 4]  # nose and ears, also in the mirror
        absent += int(example["absent"].sum())
    assert 20 < absent < 20 * 13
    assert not any(examples(WEIGHTED, data)[i]["absent"].any() for i in range(20))


def test_somebody_beside_changes_pixels_and_no_label():
    alone, crowd, some = (examples(replace(WEIGHTED, occluder_probability=p)) for p in (0.0, 1.0, 0.5))
    assert not any(alone[i]["crowded"] for i in range(20))
    assert {bool(some[i]["crowded"]) for i in range(20)} == {True, False}
    changed = 0
    for i in range(20):
        assert crowd[i]["crowded"]
        assert torch.equal(crowd[i]["points"], alone[i]["points"])
        assert torch.equal(crowd[i]["weights"], alone[i]["weights"])
        changed += not torch.equal(crowd[i]["crops"], alone[i]["crops"])
    assert changed > 15


def test_sets_get_their_share_of_the_draws():
    """Weights 1 and 3 of the first set, which so has 4 of 4 / (1 - 0.2) = 5; the second has a fifth."""
    first, second = stick_people(2, seed=1), replace(stick_people(4, seed=2), name="more")
    first = replace(
        first, people=[replace(p, weight=w) for p, w in zip(first.people, (1.0, 3.0), strict=True)]
    )
    data = concatenate([first, second], [None, 0.2])
    assert [person.weight for person in data.people] == pytest.approx([1, 3, 0.25, 0.25, 0.25, 0.25])
    both = concatenate([first, second], [0.5, 0.5])
    assert [person.weight for person in both.people] == pytest.approx([1 / 8, 3 / 8] + [1 / 8] * 4)
    assert data.pictures["more/000003.jpg"] is second.pictures["000003.jpg"]


def test_joints_outside_count_only_where_a_target_can_reach_in():
    x1, y1, x2, y2 = DATA.people[0].box
    person = replace(DATA.people[0], box=np.array([x1, y1, x2, y1 + (y2 - y1) / 3], np.float32))  # no legs
    data = replace(DATA, people=[person])
    still = replace(TINY, geometry=replace(TINY.geometry, rotation_probability=0, half_body_probability=0))
    squared, entropy = (
        examples(replace(still, loss=loss, targets=targets), data)[0]["weights"]
        for loss, targets in (("mse", "official"), ("cross_entropy", "unbiased"))
    )
    assert squared.sum() == person.labelled.sum()  # the targets sort out
    assert 0 < entropy.sum() < squared.sum()


def test_what_cannot_be_read_is_replaced_and_named(tmp_path):
    write_jpegs(DATA, tmp_path)
    lazy = PoseData("sticks", POSETRACK18, DATA.people, Folder(tmp_path, DATA.pictures))
    good = [examples(data=lazy)[i] for i in range(6)]
    (tmp_path / "000002.jpg").write_bytes(b"\xff\xd8 cut off")
    found = [examples(data=lazy)[i] for i in range(6)]
    lost = [i for i in range(6) if found[i]["lost"]]
    assert len(lost) == 1  # in each epoch everybody comes once
    assert "000002.jpg" in found[lost[0]]["lost"]
    assert all(torch.equal(found[i]["crops"], good[i]["crops"]) for i in range(6) if i not in lost)
    assert torch.equal(
        found[lost[0]]["crops"], examples(data=lazy)[lost[0]]["crops"]
    )  # always by the same one
    for path in tmp_path.iterdir():
        path.unlink()
    with pytest.raises(InputError, match=r"20 pictures in a row cannot be read.*is the data still there"):
        examples(data=lazy)[0]


def test_batches_are_split_into_equal_parts():
    batch = {"crops": torch.arange(6).view(6, 1), "labels": torch.arange(6)}
    parts = split(batch, 3)
    assert [part["labels"].tolist() for part in parts] == [[0, 1], [2, 3], [4, 5]]
    assert parts[1]["crops"].tolist() == [[2], [3]]


def test_an_image_folder(tmp_path):
    for name, colour in (("n02", 200), ("n01", 50)):
        (tmp_path / "train" / name).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "train" / name / "a.JPEG"), np.full((40, 60, 3), colour, np.uint8))
    (tmp_path / "train/n03").mkdir()
    data = read_image_folder(tmp_path, "train")
    assert data.classes == ["n01", "n02", "n03"]  # sorted by name: 50 is class 0
    assert [(path.parent.name, label) for path, label in data.pictures] == [("n01", 0), ("n02", 1)]
    assert data.lost == [f"{tmp_path}/train/n03: a class without pictures"]
    recipe = replace(RECIPES["imagenet_w32_c"], width=32, height=32)
    example = ImageExamples(recipe, data)[0]
    assert example["crops"].shape == (32, 32, 3)
    assert abs(int(example["crops"].float().mean()) - (50, 200)[example["labels"]]) < 3
    with pytest.raises(InputError, match=r"val: no such folder"):
        read_image_folder(tmp_path, "val")


def test_parts_of_pictures():
    ramp = np.tile(np.arange(256, dtype=np.uint8)[None, :, None], (256, 1, 3))  # the value is the column
    rng, widths = np.random.default_rng(1), Counter()
    for _ in range(200):
        part = random_part(ramp, (32, 32), rng)
        share = (int(part[0, -1, 0]) - int(part[0, 0, 0])) / 255
        widths[round(share, 1)] += 1
    assert min(widths) <= 0.3  # 8 % of the area are 28 % of the width, if square
    assert max(widths) >= 0.9
    assert random_part(ramp[:4], (32, 32), rng).shape == (32, 32, 3)  # too long for any aspect
