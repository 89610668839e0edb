"""A widened network computes what the narrow one does, and its doubled channels can part."""

from dataclasses import replace

import torch

from posetrack.models.hrnet import HRNet, HRNetConfig
from posetrack.training.widen import fits_when_widened, widened

NARROW = HRNetConfig(width=4, modules=(1, 1, 1), blocks=1, stem=8, bottleneck=4, bottlenecks=1)
WIDE = replace(NARROW, width=8, stem=16, bottleneck=8)


def networks():
    torch.manual_seed(0)
    narrow, wide = HRNet(NARROW, 5), HRNet(WIDE, 5)
    for module in narrow.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.5, 0.5)
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 1.5)
    torch.nn.init.normal_(narrow.final_layer.weight)
    return narrow, wide


def test_the_same_function_and_channels_that_part():
    narrow, wide = networks()
    wide.load_state_dict(widened(narrow.state_dict(), wide.state_dict()))
    pictures = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected = narrow.eval()(pictures)
        torch.testing.assert_close(wide.eval()(pictures), expected, rtol=1e-4, atol=1e-4 * expected.std())
    wide.train()(pictures).square().mean().backward()
    gradient = wide.stage2[0].branches[0][0].conv1.weight.grad
    first, second = gradient.chunk(2)
    assert (first - second).abs().mean() > 0.1 * first.abs().mean()


def test_what_does_not_fit():
    narrow, wide = (network.state_dict() for network in networks())
    assert fits_when_widened(narrow, wide)
    assert not fits_when_widened(wide, narrow)
    assert not fits_when_widened({"another.weight": torch.zeros(1)}, wide)
