"""Parameters and multiply-adds against the published tables and the official code's own count."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import nn

from posetrack import models
from posetrack.models.costs import measure
from posetrack.training.recipes import RECIPES


@cache
def network(name: str, keypoints: int = 17) -> nn.Module:
    return models.create(name, keypoints, empty=True)


# From an instance of the official model: multiply-adds in 1e9, and / 2**30 as the paper prints them.
@pytest.mark.parametrize(
    ("name", "keypoints", "parameters", "height", "width", "billions", "gflops"),
    [
        ("hrnet_w32", 17, 28_536_113, 256, 192, 7.645, 7.12),
        ("hrnet_w32", 17, 28_536_113, 384, 288, 17.201, 16.02),
        ("hrnet_w32", 16, 28_536_080, 256, 256, 10.193, 9.49),
        ("hrnet_w48", 17, 63_595_745, 256, 192, 15.692, 14.61),
        ("hrnet_w48", 17, 63_595_745, 384, 288, 35.307, 32.88),
        ("hrnet_w48", 16, 63_595_696, 256, 256, 20.922, 19.49),
    ],
)
def test_hrnet_costs_what_the_official_model_does(
    name: str, keypoints: int, parameters: int, height: int, width: int, billions: float, gflops: float
) -> None:
    costs = measure(network(name, keypoints), height, width)
    assert costs.parameters == parameters
    assert costs.multiply_adds / 1e9 == pytest.approx(billions, abs=5e-4)
    assert costs.gflops == pytest.approx(gflops, abs=5.1e-3)


# Figure 6 sweeps the input size.
@pytest.mark.parametrize(
    ("height", "width", "w32", "w48"),
    [(128, 96, 1.78, 3.65), (192, 128, 3.56, 7.31), (320, 224, 10.38, 21.31), (352, 256, 13.05, 26.79)],
)
def test_hrnet_at_other_sizes(height: int, width: int, w32: float, w48: float) -> None:
    assert measure(network("hrnet_w32"), height, width).gflops == pytest.approx(w32, abs=5.1e-3)
    assert measure(network("hrnet_w48"), height, width).gflops == pytest.approx(w48, abs=5.1e-3)


# Tables 1 and 4. Parameters as printed, in millions; the printed GFLOPs lie within 1.1 % of their counter's.
@pytest.mark.parametrize(
    ("depth", "millions", "height", "width", "gflops"),
    [
        (50, 34.0, 256, 192, 8.90),
        (101, 53.0, 256, 192, 12.4),
        (152, 68.6, 256, 192, 15.7),
        (152, 68.6, 384, 288, 35.6),
        (152, 68.6, 256, 256, 20.9),
    ],
)
def test_simple_baseline_costs_what_its_paper_says(
    depth: int, millions: float, height: int, width: int, gflops: float
) -> None:
    costs = measure(network(f"simple_baseline_r{depth}"), height, width)
    assert round(costs.parameters / 1e6, 1) == millions
    assert costs.gflops == pytest.approx(gflops, rel=0.011)


# The README of HRNet-Image-Classification, 224 x 224.
@pytest.mark.parametrize(
    ("name", "millions", "gflops"),
    [
        ("hrnet_w18_c", 21.3, 3.99),
        ("hrnet_w30_c", 37.7, 7.55),
        ("hrnet_w32_c", 41.2, 8.31),
        ("hrnet_w40_c", 57.6, 11.8),
        ("hrnet_w44_c", 67.1, 13.9),
        ("hrnet_w48_c", 77.5, 16.1),
        ("hrnet_w64_c", 128.1, 26.9),
        ("hrnet_w18_small_v1_c", 13.2, 1.49),
        ("hrnet_w18_small_v2_c", 15.6, 2.42),
    ],
)
def test_classifiers_cost_what_their_readme_says(name: str, millions: float, gflops: float) -> None:
    costs = measure(network(name), 224, 224)
    assert round(costs.parameters / 1e6, 1) == millions
    assert float(f"{costs.gflops:.3g}") == gflops


# Beside W32's 28.5 M and 7.12: its widths and depth with four branches at once, and what costs as much.
@pytest.mark.parametrize(
    ("recipe", "parameters", "gflops"),
    [
        ("ablation_all_branches", 58_906_097, 9.62),
        ("ablation_all_branches_narrow", 29_766_867, 7.22),
        ("ablation_one_branch", 2_474_738, 7.06),
        ("ablation_w32_maps", 29_313_764, 7.20),
    ],
)
def test_networks_of_the_ablations(recipe: str, parameters: int, gflops: float) -> None:
    costs = measure(network(RECIPES[recipe].network_name), 256, 192)
    assert (costs.parameters, round(costs.gflops, 2)) == (parameters, gflops)


def test_the_light_network() -> None:
    costs = measure("hrnet_light", 256, 192)
    assert (costs.parameters, costs.multiply_adds) == (2_484_257, 745_144_320)


@pytest.mark.parametrize(
    ("layer", "exact", "published"),
    [
        (nn.Conv2d(3, 5, 3, padding=1), 3 * 5 * 9 * 48, 3 * 5 * 9 * 48),
        (nn.Conv2d(3, 6, 3, stride=2, padding=1, groups=3), 6 * 9 * 12, 6 * 9 * 12),
        # A pixel meets every tap once, so 48 input pixels count; the authors count the 192 output pixels.
        (nn.ConvTranspose2d(3, 5, 4, stride=2, padding=1), 3 * 5 * 16 * 48, 3 * 5 * 16 * 192),
        (nn.Sequential(nn.Flatten(), nn.Linear(144, 7)), 144 * 7, 144 * 7),
        (nn.Sequential(nn.Upsample(scale_factor=2), nn.BatchNorm2d(3), nn.ReLU()), 0, 0),
    ],
    ids=["convolution", "grouped and strided", "transposed", "linear", "uncounted"],
)
def test_counts_worked_out_by_hand(layer: nn.Module, exact: int, published: int) -> None:
    costs = measure(layer, height=6, width=8)
    assert (costs.multiply_adds, costs.published_multiply_adds) == (exact, published)


def test_measuring_leaves_the_network_as_it_was() -> None:
    net = models.create("hrnet_light")
    net.layer1.eval()
    before = {key: tensor.clone() for key, tensor in net.state_dict().items()}
    measure(net, 64, 64)
    assert net.training
    assert not net.layer1[0].bn1.training
    assert net.stage2[0].branches[0][0].bn1.training
    assert all(torch.equal(tensor, before[key]) for key, tensor in net.state_dict().items())
    assert not any(module._forward_hooks for module in net.modules())
