"""Which pictures a run draws, and that they depend on their number alone."""

from collections import Counter
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from posetrack.datasets.people import PoseData
from posetrack.datasets.pictures import Folder
from posetrack.errors import InputError
from posetrack.skeletons import POSETRACK18
from posetrack.training.data import (
    ImageExamples,
    PeopleExamples,
    loader,
    middle_part,
    random_part,
    read_image_folder,
    split,
)
from posetrack.training.light_pose import Recipe as LightPoseRecipe
from posetrack.training.plan import Permutations, Plan, Shares
from posetrack.training.recipes import LIGHT, RECIPES, Recipe
from posetrack.training.sampling import Sampler, Sampling
from tests.posetrack.training.stick_people import stick_people, write_jpegs

TINY = Recipe("tiny", "hrnet_light", "lspet", 32, 64, init="nothing", epochs=2, batch=4)
DATA = stick_people(6, side=48)


def examples(recipe=TINY, data=DATA):
    return PeopleExamples(recipe, Plan(len(data.people), recipe.batch, recipe.epochs), data)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 40), st.sampled_from([1, 2, 4, 12]), st.sampled_from([0.5, 1, 2.5]), st.data())
def test_processes_share_every_step_and_a_run_can_begin_at_any(people, batch, epochs, data):
    plan = Plan(people, batch, epochs)
    whole = list(Shares(plan))
    numbers = [i for step in whole for i in step]
    assert numbers == list(range(plan.steps * batch))
    assert epochs * people <= len(numbers) < epochs * people + batch
    ranks = data.draw(st.sampled_from([r for r in (1, 2, 4) if batch % r == 0]))
    first = data.draw(st.integers(0, plan.steps))
    parts = [list(Shares(plan, first, rank, ranks)) for rank in range(ranks)]
    assert [[i for part in step for i in part] for step in zip(*parts, strict=True)] == whole[first:]


def test_an_epoch_may_end_within_a_step():
    plan = Plan(examples=6, batch=4, epochs=2.5)  # 15 pictures in steps of 4: ends after 6 and 12 and with 16
    assert plan.steps == 4
    assert [plan.ends_epoch(step) for step in (1, 2, 3, 4)] == [False, True, True, True]
    assert [plan.ends_epoch(step, 2) for step in (1, 2, 3, 4)] == [False, False, True, True]
    assert plan.epoch(3) == 2


def test_every_epoch_shows_everybody_once_in_another_order():
    draw, rng = Permutations(10, seed=1), np.random.default_rng(0)
    epochs = [[draw(10 * e + i, rng) for i in range(10)] for e in range(3)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    assert [Permutations(10, seed=1)(i, rng) for i in range(10)] == epochs[0]
    assert [Permutations(10, seed=2)(i, rng) for i in range(10)] != epochs[0]


def test_workers_make_the_pictures_that_the_run_itself_would_make():
    shares = Shares(examples().plan, first=1)
    here, there = (list(loader(examples(), shares, workers)) for workers in (0, 2))
    assert len(here) == len(there) == 2
    for one, other in zip(here, there, strict=True):
        assert one["crops"].shape == (4, 64, 32, 3)
        assert all(torch.equal(one[key], other[key]) for key in ("crops", "points", "weights"))
    assert not torch.equal(here[0]["crops"], here[1]["crops"])


def test_light_draws_as_the_sampler_of_the_bundled_weights():
    people = [replace(p, weight=w) for p, w in zip(DATA.people, (1, 1.5, 2, 1, 1, 1), strict=True)]
    people[1] = replace(people[1], pseudo=people[1].labelled)
    data = replace(DATA, people=people)
    recipe = replace(LIGHT, first=())
    ours = examples(recipe, data)
    sampling = Sampling(POSETRACK18, batch=32, geometry=LightPoseRecipe().sampling.geometry)
    sampler = Sampler(sampling, people, data.pictures)
    for i in range(12):
        crop, points, weights, *_ = sampler.picture(i, (160, 224))
        example = ours[i]
        np.testing.assert_array_equal(example["crops"], crop)
        np.testing.assert_array_equal(example["points"], points)
        np.testing.assert_array_equal(example["weights"], weights)


def test_inputs_grow_when_the_recipe_says_so():
    recipe = replace(LIGHT, epochs=10, batch=6)  # 10 steps, the first 6 of them small
    ours = examples(recipe)
    assert [tuple(ours[6 * step]["crops"].shape[:2]) for step in (0, 5, 6, 9)] == [(128, 96)] * 2 + [
        (224, 160)
    ] * 2


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
    batch = {"crops": torch.arange(6).view(6, 1), "labels": torch.arange(6), "lost": [""] * 6}
    parts = split(batch, 3)
    assert [part["labels"].tolist() for part in parts] == [[0, 1], [2, 3], [4, 5]]
    assert parts[1].keys() == {"crops", "labels"}
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
    example = ImageExamples(recipe, Plan(2, 1, 1), data)[0]
    assert example["crops"].shape == (32, 32, 3)
    assert abs(int(example["crops"].float().mean()) - (50, 200)[example["labels"]]) < 3
    with pytest.raises(InputError, match=r"val: no such folder"):
        read_image_folder(tmp_path, "val")


def test_parts_of_pictures():
    ramp = np.tile(np.arange(256, dtype=np.uint8)[None, :, None], (256, 1, 3))  # the value is the column
    middle = middle_part(ramp, (224, 224))
    assert middle.shape == (224, 224, 3)
    assert (middle[0, 0, 0], middle[0, -1, 0]) == (16, 239)  # 224 of 256 columns, not resized
    rng, widths = np.random.default_rng(1), Counter()
    for _ in range(200):
        part = random_part(ramp, (32, 32), rng)
        share = (int(part[0, -1, 0]) - int(part[0, 0, 0])) / 255
        widths[round(share, 1)] += 1
    assert min(widths) <= 0.3  # 8 % of the area are 28 % of the width, if square
    assert max(widths) >= 0.9
    assert random_part(ramp[:4], (32, 32), rng).shape == (32, 32, 3)  # too long for any aspect
