"""SimpleBaseline (Xiao et al., ECCV 2018): ResNet and three transposed convolutions, with the official keys.

    SimpleBaseline(50, keypoints=17)
    SimpleBaseline(replace(R18, width=32, deconvolution=128), keypoints=17)     # narrower, for ablations

B batch, K keypoints, H x W input.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from posetrack.models.hrnet import Bottleneck, conv1x1, conv3x3, initialise

BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}  # bottlenecks in layer1..4, by depth


@dataclass(frozen=True)
class SimpleBaselineConfig:
    """The shape of a network. The defaults, with a depth's blocks, are the paper's."""

    blocks: tuple[int, int, int, int]  # residual blocks in layer1..4
    width: int = 64  # channels of the stem; the blocks of layer1..4 have this times 1, 2, 4, 8
    deconvolution: int = 256  # channels of each transposed convolution
    basic: bool = False  # blocks of two 3x3 convolutions, as in ResNet-18 and 34, in place of bottlenecks


R18 = SimpleBaselineConfig(blocks=(2, 2, 2, 2), basic=True)


class SimpleBaseline(nn.Module):
    """Image to heatmaps.

    forward: (B, 3, H, W), H and W multiples of 32 -> (B, K, H/4, W/4). The official weights of 2018
    were trained on BGR; those of mmpose, and ours, take RGB.

    Args:
        shape: the depth of the ResNet, one of `BLOCKS`, or any config.
    """

    def __init__(self, shape: int | SimpleBaselineConfig, keypoints: int) -> None:
        super().__init__()
        config = SimpleBaselineConfig(BLOCKS[shape]) if isinstance(shape, int) else shape
        block = StridedBlock if config.basic else Bottleneck
        C, D = config.width, config.deconvolution
        outputs = [C * 2**b * block.expansion for b in range(4)]  # of layer1..4
        self.conv1 = nn.Conv2d(3, C, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(C)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _layer(block, C, C, config.blocks[0], stride=1)
        self.layer2 = _layer(block, outputs[0], 2 * C, config.blocks[1], stride=2)
        self.layer3 = _layer(block, outputs[1], 4 * C, config.blocks[2], stride=2)
        self.layer4 = _layer(block, outputs[2], 8 * C, config.blocks[3], stride=2)
        self.deconv_layers = nn.Sequential(*_double(outputs[3], D), *_double(D, D), *_double(D, D))
        self.final_layer = nn.Conv2d(D, keypoints, 1)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))  # (B, C, H/4, W/4)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))  # (B, 8 C expansion, H/32, W/32)
        heatmaps: Tensor = self.final_layer(self.deconv_layers(x))
        return heatmaps


class StridedBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut, as HRNet's, but able to stride and to change the width."""

    expansion = 1

    def __init__(self, inputs: int, planes: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = conv3x3(inputs, planes, stride)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = conv3x3(planes, planes)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != planes:
            self.downsample = nn.Sequential(conv1x1(inputs, planes, stride), nn.BatchNorm2d(planes))

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        shortcut = x if self.downsample is None else self.downsample(x)
        y = self.bn2(self.conv2(y)).add_(shortcut)
        return F.relu(y, inplace=True)


def _layer(
    block: type[Bottleneck] | type[StridedBlock], inputs: int, planes: int, blocks: int, stride: int
) -> nn.Sequential:
    """Blocks in a row; the first one changes the width and takes the stride."""
    rest = (block(planes * block.expansion, planes) for _ in range(blocks - 1))
    return nn.Sequential(block(inputs, planes, stride), *rest)


def _double(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    """Twice the resolution."""
    deconvolution = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=False)
    return deconvolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
