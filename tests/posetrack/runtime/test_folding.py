"""Folding changes the speed of a network and nothing else."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from posetrack import models
from posetrack.runtime.folding import for_inference


@pytest.mark.parametrize("name", ["hrnet_light", "simple_baseline_r50", "hrnet_w18_small_v1_c"])
def test_a_folded_network_puts_out_the_same(name: str) -> None:
    network = trained(models.create(name, 17))
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    folded = for_inference(network)
    image = torch.randn(2, 3, 64, 96)
    with torch.inference_mode():
        expected, found = network(image), folded(image)
    assert (found - expected).abs().max() < 1e-4 * expected.abs().max()
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    assert not any(parameter.requires_grad for parameter in folded.parameters())
    assert folded.conv1.weight.is_contiguous(memory_format=torch.channels_last)
    assert all(torch.equal(tensor, before[key]) for key, tensor in network.state_dict().items())


def test_a_network_that_is_not_in_evaluation_mode_folds_as_if_it_were() -> None:
    network = trained(models.create("hrnet_light", 17)).train()
    image = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        found = for_inference(network)(image)
        expected = network.eval()(image)
    assert (found - expected).abs().max() < 1e-4 * expected.abs().max()


def test_a_normalisation_without_convolution_before_it_stays_what_it_is() -> None:
    """As in the residual blocks of an hourglass."""
    torch.manual_seed(0)
    network = trained(nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)))
    folded, image = for_inference(network), torch.randn(2, 3, 8, 8)
    with torch.inference_mode():
        torch.testing.assert_close(folded(image), network(image), rtol=1e-4, atol=1e-5)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())


def trained(network: nn.Module) -> nn.Module:
    """Weights and statistics as uneven as training leaves them."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(module.weight)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.3, 1.2)
            nn.init.normal_(module.bias, std=0.3)
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(std=0.5)
            module.running_var.uniform_(0.3, 3)
    return network.eval()
