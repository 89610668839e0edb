"""The networks against the official key lists, and the ablation switches against the paper."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import resnet50, resnet101, resnet152

from posetrack import models
from posetrack.errors import PoseTrackError
from posetrack.models.hrnet import LIGHT, W32, HRNet, HRNetConfig
from posetrack.models.meta import SkipBatchNorm, SkipInit

from .official_keys import Shapes, hrnet_classifier, hrnet_pose

TINY = HRNetConfig(width=4, modules=(1, 2, 2), blocks=1, stem=8, bottleneck=4, bottlenecks=1)


def shapes_of(network: nn.Module) -> Shapes:
    return {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}


def parameters(shapes: Shapes) -> int:
    """Learnable ones: all but the buffers of batch normalisation."""
    buffers = ("running_mean", "running_var", "num_batches_tracked")
    return sum(math.prod(shape) for key, shape in shapes.items() if not key.endswith(buffers))


@pytest.mark.parametrize(("width", "keypoints"), [(32, 17), (48, 16)])
def test_hrnet_has_the_official_entries(width: int, keypoints: int) -> None:
    official = hrnet_pose(width, keypoints)
    assert len(official) == 1754
    assert shapes_of(models.create(f"hrnet_w{width}", keypoints, empty=True)) == official


@pytest.mark.parametrize("width", [18, 48])
def test_classifiers_have_the_official_entries(width: int) -> None:
    assert shapes_of(models.create(f"hrnet_w{width}_c", empty=True)) == hrnet_classifier(width)


@pytest.mark.parametrize(("depth", "trunk"), [(50, resnet50), (101, resnet101), (152, resnet152)])
def test_simple_baseline_is_a_torchvision_trunk_with_the_official_head(depth: int, trunk: type) -> None:
    with torch.device("meta"), SkipInit():
        official = {k: s for k, s in shapes_of(trunk()).items() if not k.startswith("fc.")}
    for layer, inputs in ((0, 2048), (3, 256), (6, 256)):
        official[f"deconv_layers.{layer}.weight"] = (inputs, 256, 4, 4)
        for kind in ("weight", "bias", "running_mean", "running_var"):
            official[f"deconv_layers.{layer + 1}.{kind}"] = (256,)
        official[f"deconv_layers.{layer + 1}.num_batches_tracked"] = ()
    official |= {"final_layer.weight": (17, 256, 1, 1), "final_layer.bias": (17,)}
    assert shapes_of(models.create(f"simple_baseline_r{depth}", empty=True)) == official


def test_simple_baseline_computes_what_torchvision_does() -> None:
    """The trunk of a fresh network, run by torchvision's own code, gives the same features."""
    network = models.create("simple_baseline_r50", 17).eval()
    for module in network.modules():  # as drawn, nothing would survive fifty layers
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    reference = resnet50().eval()
    reference.load_state_dict(network.state_dict(), strict=False)
    reference.avgpool = reference.fc = nn.Identity()
    network.deconv_layers = network.final_layer = nn.Identity()
    with torch.inference_mode():
        image = torch.randn(1, 3, 64, 32)
        torch.testing.assert_close(network(image).flatten(1), reference(image))


@pytest.mark.parametrize("name", ["hrnet_light", "simple_baseline_r50", "hrnet_w18_small_v1_c"])
def test_networks_put_out_heatmaps_at_a_quarter_or_class_scores(name: str) -> None:
    with torch.no_grad(), SkipBatchNorm():
        output = models.create(name, 15, empty=True)(torch.empty(2, 3, 128, 96, device="meta"))
    assert output.shape == ((2, 1000) if name.endswith("_c") else (2, 15, 32, 24))


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(PoseTrackError, match=r"no network 'hrnet_w33'; choose one of cpn_r101, .*hrnet_w32,"):
        models.create("hrnet_w33")


def test_a_fresh_network_does_not_know_the_answer() -> None:
    """Convolutions come from N(0, 0.001): the heatmaps of an untrained network are nearly zero."""
    torch.manual_seed(0)
    with torch.inference_mode():
        assert models.create("hrnet_light")(torch.randn(2, 3, 64, 64)).abs().max() < 0.1


# --- ablations ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("exchange", "fusions", "kept"),
    [
        ("all", 8, [(2, 0), (3, 0), (3, 1), (3, 2), (3, 3), (4, 0), (4, 1), (4, 2)]),
        ("across", 3, [(2, 0), (3, 3), (4, 2)]),
        ("final", 1, [(4, 2)]),
    ],
)
def test_exchange_counts_are_those_of_table_6(
    exchange: str, fusions: int, kept: list[tuple[int, int]]
) -> None:
    with torch.device("meta"), SkipInit():
        shapes = shapes_of(HRNet(replace(W32, exchange=exchange), 17))
    found = {tuple(key.split(".")[:2]) for key in shapes if "fuse_layers" in key}
    assert len(found) == fusions
    expected = {
        key: shape
        for key, shape in hrnet_pose(32, 17).items()
        if "fuse_layers" not in key or key.startswith(tuple(f"stage{s}.{m}." for s, m in kept))
    }
    assert shapes == expected  # nothing else changes, so an official checkpoint minus its exchanges fits


# Does a change in a lower branch reach branch 0 of a later module? TINY has stages of 1, 2 and 2 modules.
SAME_STAGE = ("stage3.0.branches.1", "stage3.1.branches.0")  # only an exchange inside the stage carries it
NEXT_STAGE = ("stage3.1.branches.1", "stage4.0.branches.0")  # the exchange at the end of the stage does
LAST_MODULE = ("stage4.0.branches.3", "stage4.1.branches.0")


@pytest.mark.parametrize(
    ("exchange", "path", "reaches"),
    [
        ("all", SAME_STAGE, True),
        ("all", NEXT_STAGE, True),
        ("all", LAST_MODULE, True),
        ("across", SAME_STAGE, False),
        ("across", NEXT_STAGE, True),
        ("across", LAST_MODULE, False),
        ("final", SAME_STAGE, False),
        ("final", NEXT_STAGE, False),
        ("final", LAST_MODULE, False),
    ],
)
def test_branches_exchange_where_the_switch_says(exchange: str, path: tuple[str, str], reaches: bool) -> None:
    source, target = path
    network = lively(HRNet(replace(TINY, exchange=exchange), 2))
    before = input_of(network, target)
    with torch.no_grad():
        for parameter in network.get_submodule(source).parameters():
            parameter.add_(0.5)
    assert (not torch.equal(before, input_of(network, target))) == reaches


@pytest.mark.parametrize("exchange", ["all", "across", "final"])
def test_every_branch_reaches_the_heatmaps(exchange: str) -> None:
    """Even with the final exchange alone: that is what it is there for."""
    network = lively(HRNet(replace(TINY, exchange=exchange), 2))
    network(torch.randn(1, 3, 64, 64)).square().sum().backward()
    unused = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert unused == []


def test_all_branches_from_the_start_keep_depth_and_fusions() -> None:
    with torch.device("meta"), SkipInit():
        plain, wide = (HRNet(replace(W32, branches=counts), 17) for counts in ((2, 3, 4), (4, 4, 4)))
    assert [len(stage) for stage in (wide.stage2, wide.stage3, wide.stage4)] == [1, 4, 3]
    assert [len(module.branches) for stage in (wide.stage2, wide.stage3) for module in stage] == [4] * 5
    ours, theirs = shapes_of(wide), shapes_of(plain)
    assert {key: ours.get(key) for key in theirs if not key.startswith(("transition2", "transition3"))} == {
        key: shape for key, shape in theirs.items() if not key.startswith(("transition2", "transition3"))
    }
    assert not any(key.startswith(("transition2", "transition3")) for key in ours)  # no branch left to open
    assert ours["transition1.3.2.0.weight"] == (256, 256, 3, 3)  # three halvings of the 256-channel map
    assert parameters(ours) == 58_906_097


@pytest.mark.parametrize(("branch", "size"), [(0, (16, 24)), (1, (8, 12)), (2, (4, 6)), (3, (2, 3))])
def test_heatmaps_can_come_from_any_resolution(branch: int, size: tuple[int, int]) -> None:
    config = replace(TINY, heatmap_branch=branch)
    network = lively(HRNet(config, 3))
    heatmaps = network(torch.randn(1, 3, 64, 96))
    assert heatmaps.shape == (1, 3, *size)
    rows = {key.split(".")[3] for key in network.state_dict() if key.startswith("stage4.1.fuse_layers")}
    assert rows == {str(branch)}  # the key of an ImageNet classifier's row of the same branch


def test_without_lower_branches_nothing_is_exchanged() -> None:
    network = lively(HRNet(replace(TINY, branches=(1, 1, 1)), 2))
    assert not any("fuse_layers" in key or "branches.1" in key for key in network.state_dict())
    network.train()(torch.randn(2, 3, 64, 64)).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in network.parameters())


@pytest.mark.parametrize("branch", range(4))
def test_a_network_of_all_heatmaps_gives_each_that_a_network_of_one_would(branch: int) -> None:
    """In training all four, in use the chosen one; its parts are those of the network that has it alone."""
    config = replace(TINY, all_heatmaps=True, heatmap_branch=branch)
    network = lively(HRNet(config, 3))
    image = torch.randn(1, 3, 64, 96)
    own = {f"final_layer.{branch}.{name}": f"final_layer.{name}" for name in ("weight", "bias")}
    alone = HRNet(replace(config, all_heatmaps=False), 3).eval()
    rest = alone.load_state_dict({own.get(k, k): v for k, v in network.state_dict().items()}, strict=False)
    assert rest.missing_keys == []
    with torch.no_grad():
        torch.testing.assert_close(network(image), alone(image), rtol=0, atol=0)
        maps = network.train()(image.repeat(2, 1, 1, 1))
    assert [tuple(some.shape) for some in maps] == [(2, 3, 16 >> b, 24 >> b) for b in range(4)]


@pytest.mark.parametrize(
    "setting",
    [
        {"exchange": "none"},
        {"heatmap_branch": 4},
        {"heatmap_branch": 1, "branches": (1, 1, 1)},
        {"branches": (4, 3, 4)},
        {"branches": (2, 3)},
    ],
)
def test_an_impossible_setting_is_refused(setting: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        replace(LIGHT, **setting)


def lively(network: HRNet) -> HRNet:
    """Weights large enough for changes to be seen at the far end."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    return network.eval()


def input_of(network: HRNet, name: str) -> Tensor:
    """What the named part gets when the network sees a fixed image."""
    seen: list[Tensor] = []
    hook = network.get_submodule(name).register_forward_pre_hook(
        lambda _, inputs: seen.append(inputs[0].clone())
    )
    torch.manual_seed(1)
    with torch.no_grad():
        network(torch.randn(1, 3, 64, 64))
    hook.remove()
    return seen[0]
