"""The ResNets that SimpleBaseline, CPN and the dilated network begin with, under torchvision's keys.

Source: He et al. (CVPR 2016), with the stride on the 3x3 convolution of a bottleneck. B batch, H x W input.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from posetrack.models.hrnet import Bottleneck, conv1x1, conv3x3

BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}  # bottlenecks in layer1..4, by depth


@dataclass(frozen=True)
class ResNetConfig:
    """The shape of a trunk. The defaults, with a depth's blocks, are the paper's."""

    blocks: tuple[int, int, int, int]  # residual blocks in layer1..4
    width: int = 64  # channels of the stem; the blocks of layer1..4 have this times 1, 2, 4, 8
    basic: bool = False  # blocks of two 3x3 convolutions, as in ResNet-18 and 34, in place of bottlenecks

    @property
    def outputs(self) -> list[int]:
        """Channels that leave layer1..4."""
        expansion = (StridedBlock if self.basic else Bottleneck).expansion
        return [self.width * 2**b * expansion for b in range(4)]


class StridedBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut, as HRNet's, but able to stride and to change the width."""

    expansion = 1

    def __init__(self, inputs: int, planes: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.conv1 = conv3x3(inputs, planes, stride, dilation)
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


class ResNetTrunk(nn.Module):
    """Image to the four feature maps, which the heads of the subclasses read.

    Args:
        stride: of the last map: 32, or 8, where layer3 and layer4 keep the resolution of layer2 and spread
            the taps of their 3x3 convolutions instead.
    """

    layer1: nn.Sequential
    layer2: nn.Sequential
    layer3: nn.Sequential
    layer4: nn.Sequential

    def __init__(self, config: ResNetConfig, stride: int = 32) -> None:
        super().__init__()
        C, outputs = config.width, config.outputs
        self.conv1 = nn.Conv2d(3, C, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(C)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        now, dilation = 4, 1
        for n, (inputs, blocks) in enumerate(zip([C, *outputs], config.blocks, strict=False), start=1):
            step = 2 if n > 1 and now < stride else 1
            first = dilation  # as in torchvision, a layer's first block still has the spread before it
            dilation *= 2 if n > 1 and step == 1 else 1
            now *= step
            layer = _layer(config.basic, inputs, C * 2 ** (n - 1), blocks, step, (first, dilation))
            setattr(self, f"layer{n}", layer)

    def maps(self, x: Tensor) -> list[Tensor]:
        """(B, 3, H, W) -> (B, C, H / 4, W / 4) and the others, each of half the resolution unless dilated."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        maps = []
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            maps.append(x)
        return maps


def _layer(
    basic: bool, inputs: int, planes: int, blocks: int, stride: int, dilations: tuple[int, int]
) -> nn.Sequential:
    """Blocks in a row; the first one changes the width and takes the stride, and has its own dilation."""
    block = StridedBlock if basic else Bottleneck
    rest = (block(planes * block.expansion, planes, 1, dilations[1]) for _ in range(blocks - 1))
    return nn.Sequential(block(inputs, planes, stride, dilations[0]), *rest)
