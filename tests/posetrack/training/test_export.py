"""Weights of every network family as a recipe exports them: the tracker builds the same network from them."""

import json
from dataclasses import replace

import pytest
import torch

from posetrack import models, zoo
from posetrack.datasets.names import TRAINING
from posetrack.errors import PoseTrackError
from posetrack.models.cpn import CPNConfig
from posetrack.models.dilated import DilatedConfig
from posetrack.models.hourglass import HourglassConfig
from posetrack.models.hrnet import LIGHT as SMALL
from posetrack.models.hrnet import HRNetConfig
from posetrack.models.shapes import name_of
from posetrack.models.simple_baseline import R18
from posetrack.pose.networks import load_network
from posetrack.skeletons import SKELETONS
from posetrack.training.export import origin_of, trained
from posetrack.training.recipes import LIGHT, RECIPES
from posetrack.training.tasks.pose import PoseTask
from tests.posetrack.training.stick_people import stick_people

NARROW = HRNetConfig(width=4, modules=(1, 1, 1), blocks=1, stem=8, bottleneck=4, bottlenecks=1)
COCO = RECIPES["coco_w32_256x192"]
LIGHT_DATA = (
    "Leeds Sports Pose Extended, images 1-9000 and 2,974 everyday photos of COCO, MPII, Pascal VOC, "
    "Stanford 40 and Human-Parts and rendered people"
)


@pytest.mark.parametrize(
    "recipe",
    [
        LIGHT,
        replace(COCO, network=NARROW),
        replace(RECIPES["mpii_w32_256x256"], network=replace(NARROW, exchange="final")),
        replace(RECIPES["posetrack_w48"], network=replace(NARROW, branches=(4, 4, 4))),
        replace(RECIPES["ablation_w32_map_16"], network=replace(NARROW, heatmap_branch=2)),
        replace(RECIPES["ablation_w32_maps"], network=replace(NARROW, heatmap_branch=1, all_heatmaps=True)),
        replace(COCO, network=replace(R18, width=8, deconvolution=8)),
        replace(COCO, network=HourglassConfig(stacks=2, features=8, depth=2)),
        replace(RECIPES["coco_cpn_r50_256x192_ohkm"], network=CPNConfig((1, 1, 1, 1), 8, features=8)),
        replace(RECIPES["mpii_dilated_r101_256x256"], network=DilatedConfig((1, 1, 1, 1), 8)),
    ],
    ids=[
        "light",
        "coco",
        "mpii, exchange",
        "posetrack, branches",
        "lower map",
        "all maps",
        "simple baseline",
        "hourglass",
        "cpn",
        "dilated",
    ],
)
def test_the_tracker_takes_what_a_recipe_exports(recipe, tmp_path):
    network = models.create(recipe.network_name, len(recipe.skeleton)).eval()
    path = tmp_path / "weights.safetensors"
    facts = PoseTask(recipe, stick_people(1, recipe.skeleton)).facts()
    trained(recipe, network, path, 1234, {"pck": 50.0}, facts)
    loaded, settings = load_network("light", path)
    assert settings.skeleton is SKELETONS[recipe.skeleton.name]
    assert settings.input_size == (recipe.width, recipe.height)
    assert (settings.sigma, settings.softmax) == (recipe.sigma, recipe.loss == "cross_entropy")
    inputs = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected, found = network(inputs), loaded.eval()(inputs)
    torch.testing.assert_close(found, expected, rtol=1e-2 if recipe.half_precision else 0, atol=1e-4)
    facts = zoo.read_metadata(path)
    assert (facts["recipe"], facts["pictures"]) == (recipe.name, "1234")
    assert facts["validation"] == '{"pck": 50.0}'


def exported(recipe, path, origin=None):
    """The metadata of an untrained network as a recipe would export it."""
    recipe = replace(recipe, network=NARROW, half_precision=False)
    network = models.create(name_of(NARROW), len(recipe.skeleton))
    facts = PoseTask(recipe, stick_people(1, recipe.skeleton)).facts() | (origin or {})
    trained(recipe, network, path, 64, {"pck_lspet": 61.25, "pck_others": 70.5}, facts)
    return zoo.read_metadata(path)


def test_weights_say_what_they_learned_from_and_what_binds_them(tmp_path):
    facts = exported(LIGHT, tmp_path / "light.safetensors")
    assert facts["trained_on"] == LIGHT_DATA
    assert (facts["edge_probability"], facts["occluder_probability"]) == ("0.25", "0.2")
    assert facts["licence"] == "trained on photos for research use only"
    assert facts["unlabelled"] == "left_ear,right_ear"
    assert json.loads(facts["validation"]) == {"pck_lspet": 61.25, "pck_others": 70.5}
    assert "began_with" not in facts

    facts = exported(RECIPES["coco_ai_challenger_w48_384x288"], tmp_path / "both.safetensors")
    assert facts["trained_on"] == "COCO train2017 and AI Challenger human keypoints, training split"
    assert not {"licence", "unlabelled", "began_with"} & facts.keys()  # nothing is claimed of other sets


def test_every_data_set_of_a_recipe_has_a_name():
    assert {name for recipe in RECIPES.values() for name in recipe.sets} == set(TRAINING)


def test_what_binds_weights_binds_those_that_began_with_them(tmp_path):
    exported(LIGHT, tmp_path / "light.safetensors")
    origin = origin_of(tmp_path / "light.safetensors")
    facts = exported(RECIPES["posetrack_w48"], tmp_path / "tuned.safetensors", origin=origin)
    assert facts["began_with"] == f"light.safetensors, trained on {LIGHT_DATA}, 64 pictures"
    assert facts["trained_on"] == "PoseTrack 2018, training split"
    assert facts["licence"] == "trained on photos for research use only"
    facts = exported(LIGHT, tmp_path / "again.safetensors", origin=origin)
    assert facts["licence"] == "trained on photos for research use only"  # said once
    assert origin_of(tmp_path / "resnet50.pth") == {"began_with": "resnet50.pth"}
    published = "hrnet_w32-36af842e.pth"  # of the catalogue
    said = f"{published}, trained on ImageNet, training split"
    assert origin_of(tmp_path / published) == {"began_with": said}


def test_names_of_shapes():
    assert name_of(HRNetConfig(32)) == 'hrnet:{"width": 32}'
    assert name_of(SMALL).startswith('hrnet:{"width": 16, "modules": [1, 2, 2]')
    for shape in (replace(NARROW, exchange="across"), R18):
        same = models.create(name_of(shape), 3)
        assert [p.shape for p in same.parameters()] == [
            p.shape for p in models.create(name_of(shape), 3, empty=True).parameters()
        ]
    for wrong in ('hrnet:{"width"', 'hrnet:{"breadth": 3}', "hrnet:3"):
        with pytest.raises(PoseTrackError, match=r"describes no network.*give the fields of HRNetConfig"):
            models.create(wrong)
    with pytest.raises(PoseTrackError, match="there is no network 'mynet:3'"):
        models.create("mynet:3")


def test_weights_that_are_no_numbers_are_not_written(tmp_path):
    network = models.create(name_of(NARROW), 17)
    network.conv1.weight.data[0] = float("nan")
    with pytest.raises(
        PoseTrackError, match=r"weights cannot be written \(1 tensors are not finite, such as conv1"
    ):
        trained(replace(COCO, network=NARROW), network, tmp_path / "w.safetensors", 1, {}, {})
    assert not list(tmp_path.iterdir())
