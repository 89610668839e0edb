"""HRNet for pose estimation (Sun et al., CVPR 2019, section 3), with the state-dict keys of the official release.

The network keeps a 1/4-resolution branch from end to end, adds a branch of half the resolution and
twice the width in every stage, and lets all branches exchange after every module. Only the highest
resolution feeds the heatmaps.

B batch, C width, K keypoints, H x W input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class HRNetConfig:
    """The shape of a network. The defaults, with a width, are the paper's."""

    width: int  # C: channels of the 1/4-resolution branch; branch b has C * 2**b
    modules: tuple[int, int, int] = (1, 4, 3)  # exchange modules in stages 2, 3, 4
    blocks: int = 4  # residual blocks per branch and module
    stem: int = 64  # channels of the two stride-2 convolutions
    bottleneck: int = 64  # inner channels of stage 1; its output has four times as many
    bottlenecks: int = 4  # residual blocks of stage 1


W32 = HRNetConfig(width=32)
W48 = HRNetConfig(width=48)


def conv3x3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)


def conv1x1(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 1, stride, bias=False)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(channels, channels)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = conv3x3(channels, channels)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(y)).add_(x))


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions and a shortcut; puts out four times `planes` channels."""

    expansion = 4

    def __init__(self, inputs: int, planes: int, stride: int = 1) -> None:
        super().__init__()
        outputs = planes * self.expansion
        self.conv1 = conv1x1(inputs, planes)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = conv3x3(planes, planes, stride)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = conv1x1(planes, outputs)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(conv1x1(inputs, outputs, stride), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        shortcut = x if self.downsample is None else self.downsample(x)
        return self.relu(self.bn3(self.conv3(y)).add_(shortcut))


def conv_bn_relu(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(conv3x3(inputs, outputs, stride), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class ExchangeModule(nn.Module):
    """Residual blocks on every branch, then an exchange: each output sums all branches at its own resolution."""

    def __init__(self, widths: Sequence[int], blocks: int, outputs: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(nn.Sequential(*(BasicBlock(c) for _ in range(blocks))) for c in widths)
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(_exchange(widths, i, j) for j in range(len(widths))) for i in range(outputs)
        )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, inputs: list[Tensor]) -> list[Tensor]:
        x = [branch(y) for branch, y in zip(self.branches, inputs, strict=True)]
        outputs = []
        for row in self.fuse_layers:
            total = row[0](x[0])
            for exchange, y in zip(row[1:], x[1:], strict=True):
                total = total + exchange(y)
            outputs.append(self.relu(total))
        return outputs


def _exchange(widths: Sequence[int], i: int, j: int) -> nn.Module:
    """From branch j to the resolution of branch i: 1x1 and upsampling, identity, or strided 3x3 convolutions."""
    if j == i:
        return nn.Identity()
    if j > i:
        return nn.Sequential(
            conv1x1(widths[j], widths[i]),
            nn.BatchNorm2d(widths[i]),
            nn.Upsample(scale_factor=2 ** (j - i), mode="nearest"),
        )
    steps: list[nn.Module] = [conv_bn_relu(widths[j], widths[j], 2) for _ in range(i - j - 1)]
    last = nn.Sequential(conv3x3(widths[j], widths[i], 2), nn.BatchNorm2d(widths[i]))  # no ReLU before the sum
    return nn.Sequential(*steps, last)


class HRNet(nn.Module):
    """Image to heatmaps.

    forward: (B, 3, H, W), normalised RGB, H and W multiples of 32 -> (B, K, H/4, W/4).
    """

    def __init__(self, config: HRNetConfig, keypoints: int) -> None:
        super().__init__()
        self.config = config
        widths = [config.width * 2**b for b in range(4)]
        self.conv1 = conv3x3(3, config.stem, 2)
        self.bn1 = nn.BatchNorm2d(config.stem)
        self.conv2 = conv3x3(config.stem, config.stem, 2)
        self.bn2 = nn.BatchNorm2d(config.stem)
        self.relu = nn.ReLU(inplace=True)
        inner, outer = config.bottleneck, config.bottleneck * Bottleneck.expansion
        self.layer1 = nn.Sequential(
            Bottleneck(config.stem, inner), *(Bottleneck(outer, inner) for _ in range(config.bottlenecks - 1))
        )
        self.transition1 = nn.ModuleList(
            [conv_bn_relu(outer, widths[0], 1), nn.Sequential(conv_bn_relu(outer, widths[1], 2))]
        )
        self.stage2 = self._stage(widths[:2], config.modules[0], config.blocks, outputs=2)
        self.transition2 = self._new_branch(widths[:3])
        self.stage3 = self._stage(widths[:3], config.modules[1], config.blocks, outputs=3)
        self.transition3 = self._new_branch(widths)
        self.stage4 = self._stage(widths, config.modules[2], config.blocks, outputs=1)
        self.final_layer = nn.Conv2d(widths[0], keypoints, 1)
        self._initialise()

    @staticmethod
    def _stage(widths: Sequence[int], modules: int, blocks: int, outputs: int) -> nn.Sequential:
        """`outputs` counts the branches that leave the last module; the others put out all of theirs."""
        return nn.Sequential(
            *(
                ExchangeModule(widths, blocks, outputs if m == modules - 1 else len(widths))
                for m in range(modules)
            )
        )

    @staticmethod
    def _new_branch(widths: Sequence[int]) -> nn.ModuleList:
        """The existing branches pass through; the new one comes from the lowest resolution."""
        passing = [nn.Identity() for _ in widths[:-1]]
        return nn.ModuleList([*passing, nn.Sequential(conv_bn_relu(widths[-2], widths[-1], 2))])

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=0.001)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))  # (B, stem, H/4, W/4)
        x = self.layer1(x)
        maps: list[Tensor] = [layer(x) for layer in self.transition1]
        maps = self.stage2(maps)
        maps = [*maps, self.transition2[-1](maps[-1])]
        maps = self.stage3(maps)
        maps = [*maps, self.transition3[-1](maps[-1])]
        maps = self.stage4(maps)  # [(B, C, H/4, W/4)]
        heatmaps: Tensor = self.final_layer(maps[0])
        return heatmaps
