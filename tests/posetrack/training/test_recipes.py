"""The recipes against the settings of the paper and of the official files, and their schedules."""

from dataclasses import replace

import pytest

from posetrack import models
from posetrack.models.shapes import name_of
from posetrack.skeletons import COCO17, MPII16, POSETRACK18
from posetrack.training.recipe import Source, Stage
from posetrack.training.recipes import LIGHT, LIGHT_DETECTOR, RECIPES

# network, height, width, sigma, rotation (deviation), scale, half body, batch, rate, milestones, epochs, init
NONE = "nothing"
PAPER = {
    "coco_w32_256x192": ("hrnet_w32", 256, 192, 2, 45, 0.35, 0.3, 128, 1e-3, (169, 199), 210, "imagenet"),
    "coco_w32_256x192_scratch": ("hrnet_w32", 256, 192, 2, 45, 0.35, 0.3, 128, 1e-3, (169, 199), 210, NONE),
    "coco_w32_384x288": ("hrnet_w32", 384, 288, 3, 45, 0.35, 0.3, 128, 1e-3, (169, 199), 210, "imagenet"),
    "coco_w48_256x192": ("hrnet_w48", 256, 192, 2, 45, 0.35, 0.3, 128, 1e-3, (169, 199), 210, "imagenet"),
    "coco_w48_384x288": ("hrnet_w48", 384, 288, 3, 45, 0.35, 0.3, 96, 1e-3, (169, 199), 210, "imagenet"),
    "coco_r50_256x192": ("sb_r50", 256, 192, 2, 40, 0.3, 0, 128, 1e-3, (89, 119), 140, "imagenet"),
    "coco_r152_384x288": ("sb_r152", 384, 288, 3, 40, 0.3, 0, 128, 1e-3, (89, 119), 140, "imagenet"),
    "mpii_w32_256x256": ("hrnet_w32", 256, 256, 2, 30, 0.25, 0, 128, 1e-3, (169, 199), 210, "imagenet"),
    "mpii_r101_256x256": ("sb_r101", 256, 256, 2, 30, 0.25, 0, 128, 1e-3, (89, 119), 140, "imagenet"),
    "posetrack_w48": ("hrnet_w48", 384, 288, 3, 45, 0.35, 0.3, 96, 1e-4, (9, 14), 20, "pose"),
    "posetrack17_w48": ("hrnet_w48", 384, 288, 3, 45, 0.35, 0.3, 96, 1e-4, (9, 14), 20, "pose"),
    "posetrack17_r152": ("sb_r152", 384, 288, 3, 40, 0.3, 0, 128, 1e-4, (9, 14), 20, "pose"),
    "posetrack_r152": ("sb_r152", 384, 288, 3, 40, 0.3, 0, 128, 1e-4, (9, 14), 20, "pose"),
    "posetrack17_r50": ("sb_r50", 256, 192, 2, 40, 0.3, 0, 128, 1e-4, (9, 14), 20, "pose"),
}  # fmt: skip


@pytest.mark.parametrize("name", PAPER)
def test_settings_of_the_paper(name):
    r = RECIPES[name]
    found = (
        r.network.replace("simple_baseline", "sb"), r.height, r.width, r.sigma,
        r.geometry.rotation / 2, r.geometry.scale,
        r.geometry.half_body_probability, r.batch, r.learning_rate, r.milestones, r.epochs, r.init,
    )  # fmt: skip
    assert found == PAPER[name]
    assert (r.targets, r.loss, r.optimiser, r.weight_decay, r.geometry.shift) == (
        "official",
        "mse",
        "adam",
        0,
        0,
    )


def test_imagenet_follows_the_code():
    r = RECIPES["imagenet_w48_c"]
    assert (r.network, r.width, r.optimiser, r.batch, r.learning_rate) == (
        "hrnet_w48_c",
        224,
        "sgd",
        256,
        0.1,
    )
    assert (r.epochs, r.milestones, r.weight_decay) == (100, (29, 59, 89), 1e-4)


def test_every_recipe_has_a_network_a_skeleton_and_its_own_name():
    skeletons = {"coco": COCO17, "mpii": MPII16, "imagenet": POSETRACK18}
    for name, recipe in RECIPES.items():
        assert recipe.name == name
        assert recipe.skeleton == skeletons.get(recipe.sets[0], POSETRACK18)
    for network in {recipe.network_name for recipe in RECIPES.values()} - {"light_detector"}:
        assert sum(p.numel() for p in models.create(network, empty=True).parameters()) > 1e5


def test_ablations_change_one_thing():
    scratch = RECIPES["coco_w32_256x192_scratch"]
    shapes = {
        "ablation_exchange_final": 'hrnet:{"width": 32, "exchange": "final"}',
        "ablation_exchange_across": 'hrnet:{"width": 32, "exchange": "across"}',
        "ablation_exchange_all": 'hrnet:{"width": 32}',
        "ablation_all_branches": 'hrnet:{"width": 32, "branches": [4, 4, 4]}',
        "ablation_all_branches_narrow": 'hrnet:{"width": 22, "bottlenecks": 12, "branches": [4, 4, 4]}',
        "ablation_one_branch": 'hrnet:{"width": 59, "branches": [1, 1, 1]}',
    }
    for name, shape in shapes.items():
        assert name_of(RECIPES[name].network) == shape
        assert replace(RECIPES[name], name=scratch.name, network=scratch.network) == scratch
    sizes = {(RECIPES[f"ablation_{n}_{s}"].sigma) for n in ("w32", "r50") for s in ("128x96", "384x288")}
    assert sizes == {1, 3}  # as the code at the sizes that it has


def test_posetrack_boxes_are_grown_by_15_percent_in_every_recipe():
    recipes = [recipe for recipe in RECIPES.values() if recipe.sets[0].startswith("posetrack")]
    assert {recipe.box_growth for recipe in recipes} == {1.15}
    assert {recipe.sets[0] for recipe in recipes} == {"posetrack17", "posetrack18"}


def test_additional_data_change_nothing_else():
    alone, both = RECIPES["coco_w48_384x288"], RECIPES["coco_ai_challenger_w48_384x288"]
    assert replace(both, name=alone.name, data=(Source("coco"),)) == alone
    assert both.sets == ["coco", "ai_challenger"]


def test_learning_rates_fall_when_the_official_loop_lets_them():
    """Its scheduler steps before each epoch: 0-based epochs 169 and 199 are the first at the lower rates."""
    recipe = RECIPES["coco_w32_256x192"]
    rates = [recipe.rate(0, epoch, 10**6) for epoch in (0, 168.99, 169, 198.99, 199, 209.9)]
    assert rates == pytest.approx([1e-3, 1e-3, 1e-4, 1e-4, 1e-5, 1e-5])
    assert RECIPES["posetrack_w48"].rate(0, 9, 10**6) == pytest.approx(1e-5)


def test_the_cosine_and_the_warm_up_of_the_light_networks():
    assert LIGHT.rate(0, 0, 200) == pytest.approx(0.008 * 0.1)  # a tenth of the warm-up's 2 000 pictures
    assert LIGHT.rate(0.5, 75, 10**6) == pytest.approx(0.004)
    assert LIGHT.rate(1, 150, 10**6) == pytest.approx(0)
    assert LIGHT_DETECTOR.rate(1, 0, 10**6) == pytest.approx(0.012 / 100)  # it ends at a hundredth
    assert [LIGHT.stage(p) for p in (0, 0.59)] == [Stage(0.6, 128, 192, 1.4)] * 2
    assert [LIGHT.stage(p) for p in (0.6, 1)] == [Stage(1.0, 160, 224, 1.75)] * 2


def test_larger_steps_go_with_a_higher_rate_of_muon_alone():
    assert LIGHT.for_batch(256).learning_rate == pytest.approx(0.016)  # four times the pictures
    assert RECIPES["coco_w32_256x192"].for_batch(512).learning_rate == 1e-3


def test_recipes_that_cannot_be():
    with pytest.raises(ValueError, match="144x224 is not a multiple of 32"):
        replace(LIGHT, width=144)
    with pytest.raises(ValueError, match="144x192 is not a multiple of 32"):
        replace(LIGHT, stages=(Stage(0.5, 144, 192, 1.5),))
    with pytest.raises(ValueError, match="cross_entropy needs targets that sum to 1"):
        replace(LIGHT, targets="official")
    for budget in ({}, {"minutes": 3, "pictures": 100}):
        with pytest.raises(ValueError, match="the budget of a recipe is epochs, pictures or minutes"):
            LIGHT.for_budget(**budget)
