"""Hourglass, CPN and the dilated ResNet: what they cost, what they put out, whose weights they begin with."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision.models.resnet import Bottleneck, ResNet

from posetrack import models
from posetrack.errors import PoseTrackError
from posetrack.models.costs import measure
from posetrack.models.cpn import CPN, CPNConfig
from posetrack.models.dilated import DilatedConfig, DilatedResNet
from posetrack.models.hourglass import Hourglass, HourglassConfig
from posetrack.models.shapes import name_of
from posetrack.zoo import init_from_imagenet
from posetrack.zoo.loading import describe

SMALL = (2, 1, 1, 2)  # blocks of layer1..4


# Tables 1 and 4, millions of parameters and GFLOPs as printed; where ours are others, they stand behind.
@pytest.mark.parametrize(
    ("name", "keypoints", "size", "printed", "ours"),
    [
        ("hourglass_8", 17, (256, 192), ("25.1", "14.3"), ("23.7", "14.3")),
        ("hourglass_8", 16, (256, 256), ("25.1", "19.1"), ("23.7", "19.1")),
        (name_of(HourglassConfig(8, after=1)), 17, (256, 192), ("25.1", "14.3"), ("25.4", "19.2")),
        ("cpn_r50", 17, (256, 192), ("27.0", "6.20"), ("27.0", "6.15")),
        ("dilated_r101", 16, (256, 256), ("42.6", "41.2"), ("42.5", "41.3")),
    ],
)
def test_costs_beside_the_printed_ones(
    name: str, keypoints: int, size: tuple[int, int], printed: tuple[str, str], ours: tuple[str, str]
) -> None:
    costs = measure(name, *size, keypoints)
    digits = len(printed[1].partition(".")[2])
    assert (f"{costs.parameters / 1e6:.1f}", f"{costs.gflops:.{digits}f}") == ours


NETWORKS = {
    "hourglass": (HourglassConfig(stacks=3, features=16, depth=2), 3),
    "cpn": (CPNConfig(SMALL, width=8, features=16), 5),
    "dilated": (DilatedConfig(SMALL, width=8), 1),
}


@pytest.mark.parametrize("family", NETWORKS)
def test_all_heatmaps_in_training_and_the_last_alone_afterwards(family: str) -> None:
    """Every one of them at a quarter of the input, and every weight learns from them."""
    config, count = NETWORKS[family]
    torch.manual_seed(0)
    network, image = models.create(name_of(config), 5), torch.randn(2, 3, 64, 96)
    output = network(image)
    stages = output if isinstance(output, list) else [output]
    assert [maps.shape for maps in stages] == [(2, 5, 16, 24)] * count
    torch.stack(stages).square().sum().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []
    with torch.no_grad():
        used = network.eval()(image)
    assert used.shape == (2, 5, 16, 24)


def test_an_hourglass_hands_its_heatmaps_on() -> None:
    """What the first stack says reaches the last, not the other way round."""
    torch.manual_seed(0)
    network, image = Hourglass(HourglassConfig(3, 16, 2), 5), torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        before = network(image)
        network.heads[1].bias.add_(1.0)
        after = network(image)
    assert [torch.equal(b, a) for b, a in zip(before, after, strict=True)] == [True, False, False]


def test_an_input_that_cannot_be_halved_is_refused() -> None:
    with pytest.raises(PoseTrackError, match="an input of 48x64: this hourglass takes multiples of 32"):
        Hourglass(HourglassConfig(1, 8, 3), 5)(torch.zeros(1, 3, 64, 48))


def test_the_dilated_trunk_is_torchvisions() -> None:
    """Same keys, same features, from weights that torchvision drew: published ones begin it likewise."""
    torch.manual_seed(0)
    reference = ResNet(Bottleneck, list(SMALL), replace_stride_with_dilation=[False, True, True]).eval()
    network = DilatedResNet(DilatedConfig(SMALL), 5).eval()
    assert init_from_imagenet(network, reference.state_dict()) == ["final_layer.weight", "final_layer.bias"]
    image = torch.randn(1, 3, 64, 64)
    features: list[torch.Tensor] = []
    reference.layer4.register_forward_hook(lambda *_: features.append(_[2]))
    with torch.inference_mode():
        reference(image)
        found = network.maps(image)[-1]
    assert found.shape == (1, 2048, 8, 8)
    torch.testing.assert_close(found, features[0])


def test_the_pyramid_begins_with_a_resnet() -> None:
    reference = ResNet(Bottleneck, list(SMALL)).state_dict()
    network = CPN(CPNConfig(SMALL, features=8), 5)
    kept = init_from_imagenet(network, reference)
    assert {key.split(".")[0] for key in kept} == {
        "laterals", "ups", "guesses", "refine", "merge", "final_layer"
    }  # fmt: skip
    assert torch.equal(network.layer3[0].conv2.weight, reference["layer3.0.conv2.weight"])


@pytest.mark.parametrize("name", ["cpn_r50", "dilated_r101", "hourglass_2"])
def test_weights_are_recognised(name: str) -> None:
    assert describe(models.create(name, 16, empty=True).state_dict()) == f"{name} with 16 keypoints"


def test_a_convolution_before_the_enlarging_does_what_one_after_it_does() -> None:
    """Bilinear weights sum to one, so CPN's cheaper order changes nothing."""
    torch.manual_seed(0)
    convolution, enlarge = nn.Conv2d(6, 4, 1), nn.Upsample(scale_factor=2, mode="bilinear")
    image = torch.randn(1, 6, 5, 7)
    torch.testing.assert_close(enlarge(convolution(image)), convolution(enlarge(image)))
