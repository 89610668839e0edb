"""The narrow variants of SimpleBaseline; test_networks.py and test_costs.py hold the official networks."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn
from torchvision.models import resnet18

from posetrack.models.costs import measure
from posetrack.models.simple_baseline import BLOCKS, R18, SimpleBaseline, SimpleBaselineConfig
from posetrack.runtime.folding import for_inference

TINY = replace(R18, blocks=(1, 1, 1, 1), width=4, deconvolution=8)


def test_the_trunk_of_r18_is_torchvisions() -> None:
    """Same keys, same shapes, same features."""
    torch.manual_seed(0)
    network = SimpleBaseline(R18, 17).eval()
    for module in network.modules():  # as drawn, nothing would survive the layers
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    reference = resnet18().eval()
    lost = reference.load_state_dict(network.state_dict(), strict=False)
    assert set(lost.missing_keys) == {"fc.weight", "fc.bias"}
    assert {key.split(".")[0] for key in lost.unexpected_keys} == {"deconv_layers", "final_layer"}
    reference.avgpool = reference.fc = nn.Identity()
    network.deconv_layers = network.final_layer = nn.Identity()
    with torch.inference_mode():
        image = torch.randn(1, 3, 64, 32)
        torch.testing.assert_close(network(image).flatten(1), reference(image))


def test_a_depth_is_a_config_with_the_defaults() -> None:
    with torch.device("meta"):
        by_depth = SimpleBaseline(50, 17).state_dict()
        by_config = SimpleBaseline(SimpleBaselineConfig(BLOCKS[50]), 17).state_dict()
    assert {k: v.shape for k, v in by_depth.items()} == {k: v.shape for k, v in by_config.items()}


# An input of 32 x 64, so H/4 x W/4 is 8 x 16 = 128 pixels, then 32, 8, 2. Weights x pixels, by hand.
STEM = 3 * 4 * 49 * 512  # at half the input's sides
BASIC = (
    2 * 4 * 4 * 9 * 128  # layer1: two 3x3 from 4 to 4
    + (4 * 8 * 9 + 8 * 8 * 9 + 4 * 8) * 32  # layer2: 4 to 8, and a shortcut
    + (8 * 16 * 9 + 16 * 16 * 9 + 8 * 16) * 8
    + (16 * 32 * 9 + 32 * 32 * 9 + 16 * 32) * 2
)
BOTTLENECKS = (
    (4 * 4 + 4 * 4 * 9 + 4 * 16 + 4 * 16) * 128  # layer1: 1x1, 3x3, 1x1 to 16 channels, and a shortcut
    + 16 * 8 * 128 + (8 * 8 * 9 + 8 * 32 + 16 * 32) * 32  # layer2: the 3x3 strides, not the 1x1 before it
    + 32 * 16 * 32 + (16 * 16 * 9 + 16 * 64 + 32 * 64) * 8
    + 64 * 32 * 8 + (32 * 32 * 9 + 32 * 128 + 64 * 128) * 2
)  # fmt: skip


@pytest.mark.parametrize(("basic", "trunk", "features"), [(True, BASIC, 32), (False, BOTTLENECKS, 128)])
def test_costs_of_a_narrow_network(basic: bool, trunk: int, features: int) -> None:
    network = SimpleBaseline(replace(TINY, basic=basic), 5)
    head = 16 * (features * 8 * 2 + 8 * 8 * 8 + 8 * 8 * 32) + 8 * 5 * 128  # 4x4 kernels meet input pixels
    assert measure(network, 32, 64).multiply_adds == STEM + trunk + head


def test_a_narrow_network_folds_trains_and_keeps_its_resolution() -> None:
    torch.manual_seed(0)
    network = SimpleBaseline(TINY, 5)
    image = torch.randn(2, 3, 64, 96)
    heatmaps = network(image)
    assert heatmaps.shape == (2, 5, 16, 24)
    heatmaps.square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in network.parameters())
    for module in network.eval().modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(module.weight)
    with torch.inference_mode():
        expected, found = network(image), for_inference(network)(image)
    assert (found - expected).abs().max() < 1e-4 * expected.abs().max()
