"""HRNet for pose estimation (Sun et al., CVPR 2019, section 3), with the official state-dict keys.

The network keeps a 1/4-resolution branch from end to end, adds a branch of half the resolution and
twice the width in every stage, and lets all branches exchange after every module. Only the highest
resolution feeds the heatmaps. The paper's ablations are settings of `HRNetConfig`, not other networks:

    HRNet(replace(W32, exchange="final"), keypoints=17)     # Table 6 (a)

B batch, C width, K keypoints, H x W input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
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
    # Ablations. Table 6: exchange after every module, only where a stage ends, or only at the very end.
    exchange: Literal["all", "across", "final"] = "all"
    # Section 4.4, resolution maintenance: (4, 4, 4) has all branches from stage 2 on, (1, 1, 1) no lower one.
    branches: tuple[int, int, int] = (2, 3, 4)  # side by side in stages 2, 3, 4; never fewer than before
    heatmap_branch: int = 0  # Figure 5: heatmaps from branch 0..3, at 1/4, 1/8, 1/16 or 1/32 of the input
    all_heatmaps: bool = False  # Figure 5 as one network: all branches learn them, `heatmap_branch` is used

    def __post_init__(self) -> None:
        if self.exchange not in ("all", "across", "final"):
            raise ValueError(f"exchange is {self.exchange!r}, expected 'all', 'across' or 'final'")
        growing = [1, *self.branches, 4]
        if len(self.branches) != 3 or growing != sorted(growing):
            raise ValueError(f"branches is {self.branches}, expected three numbers that rise from 1 to 4")
        if self.heatmap_branch not in range(self.branches[2]):
            raise ValueError(f"heatmap_branch is {self.heatmap_branch}, expected 0 to {self.branches[2] - 1}")

    @property
    def widths(self) -> tuple[int, int, int, int]:
        """Channels of the four branches, highest resolution first."""
        return self.width, 2 * self.width, 4 * self.width, 8 * self.width

    def exchanges(self, stage: int, module: int) -> bool:
        """Whether the branches exchange after this module (counted from 0) of stage 2, 3 or 4."""
        last = module == self.modules[stage - 2] - 1
        wanted = self.exchange == "all" or (last and (self.exchange == "across" or stage == 4))
        return wanted and self.branches[stage - 2] > 1


W32 = HRNetConfig(width=32)
W48 = HRNetConfig(width=48)
LIGHT = HRNetConfig(width=16, modules=(1, 2, 2), blocks=2, stem=32, bottleneck=32, bottlenecks=2)


def conv3x3(inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, padding=dilation, dilation=dilation, bias=False)


def conv1x1(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 1, stride, bias=False)


def conv_bn_relu(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(conv3x3(inputs, outputs, stride), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(channels, channels)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = conv3x3(channels, channels)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y)).add_(x)
        return F.relu(y, inplace=True)


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions and a shortcut; puts out `expansion` times `planes` channels."""

    expansion = 4

    def __init__(
        self, inputs: int, planes: int, stride: int = 1, dilation: int = 1, expansion: int = expansion
    ) -> None:
        super().__init__()
        outputs = planes * expansion
        self.conv1 = conv1x1(inputs, planes)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = conv3x3(planes, planes, stride, dilation)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = conv1x1(planes, outputs)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(conv1x1(inputs, outputs, stride), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)
        shortcut = x if self.downsample is None else self.downsample(x)
        y = self.bn3(self.conv3(y)).add_(shortcut)
        return F.relu(y, inplace=True)


def bottlenecks(inputs: int, planes: int, blocks: int, stride: int = 1) -> nn.Sequential:
    """Bottlenecks in a row; the first one changes the width and takes the stride."""
    rest = (Bottleneck(planes * Bottleneck.expansion, planes) for _ in range(blocks - 1))
    return nn.Sequential(Bottleneck(inputs, planes, stride), *rest)


class ExchangeModule(nn.Module):
    """Residual blocks on every branch, then an exchange: each output sums all branches at its own resolution.

    `rows` lists the branches that are put out. If it is empty there is no exchange: all pass as they are.
    """

    def __init__(self, widths: Sequence[int], blocks: int, rows: Sequence[int]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(nn.Sequential(*(BasicBlock(c) for _ in range(blocks))) for c in widths)
        self.fuse_layers = nn.ModuleDict(
            {str(i): nn.ModuleList(_exchange(widths, i, j) for j in range(len(widths))) for i in rows}
        )

    def forward(self, inputs: list[Tensor]) -> list[Tensor]:
        x = [branch(y) for branch, y in zip(self.branches, inputs, strict=True)]
        outputs = [_sum(list(row.children()), x) for row in self.fuse_layers.values()]
        return outputs or x


def _sum(row: list[nn.Module], x: list[Tensor]) -> Tensor:
    total: Tensor = row[0](x[0])
    for exchange, y in zip(row[1:], x[1:], strict=True):
        total = total + exchange(y)
    return F.relu(total, inplace=True)


def _exchange(widths: Sequence[int], i: int, j: int) -> nn.Module:
    """From branch j to the resolution of branch i: 1x1 and upsampling, nothing, or strided 3x3s."""
    if j == i:
        return nn.Identity()
    if j > i:
        return nn.Sequential(
            conv1x1(widths[j], widths[i]),
            nn.BatchNorm2d(widths[i]),
            nn.Upsample(scale_factor=2 ** (j - i), mode="nearest"),
        )
    steps: list[nn.Module] = [conv_bn_relu(widths[j], widths[j], 2) for _ in range(i - j - 1)]
    last = nn.Sequential(
        conv3x3(widths[j], widths[i], 2), nn.BatchNorm2d(widths[i])
    )  # no ReLU: a sum follows
    return nn.Sequential(*steps, last)


def _transition(before: Sequence[int], after: Sequence[int]) -> nn.ModuleList:
    """One layer per branch of the next stage: branches that exist pass, new ones halve the lowest one."""
    layers: list[nn.Module] = []
    for branch, width in enumerate(after):
        halvings = branch + 1 - len(before)
        if halvings > 0:
            steps = [conv_bn_relu(before[-1], before[-1], 2) for _ in range(halvings - 1)]
            layers.append(nn.Sequential(*steps, conv_bn_relu(before[-1], width, 2)))
        elif before[branch] != width:  # only after stage 1
            layers.append(conv_bn_relu(before[branch], width, 1))
        else:
            layers.append(nn.Identity())
    return nn.ModuleList(layers)


class HRNetTrunk(nn.Module):
    """Image to the maps of the branches in `rows`, which the heads of the subclasses read."""

    def __init__(self, config: HRNetConfig, rows: Sequence[int]) -> None:
        super().__init__()
        self.config = config
        outer = config.bottleneck * Bottleneck.expansion
        two, three, four = (config.widths[:count] for count in config.branches)
        self.conv1 = conv3x3(3, config.stem, 2)
        self.bn1 = nn.BatchNorm2d(config.stem)
        self.conv2 = conv3x3(config.stem, config.stem, 2)
        self.bn2 = nn.BatchNorm2d(config.stem)
        self.layer1 = bottlenecks(config.stem, config.bottleneck, config.bottlenecks)
        self.transition1 = _transition([outer], two)
        self.stage2 = self._stage(2, range(len(two)))
        self.transition2 = _transition(two, three)
        self.stage3 = self._stage(3, range(len(three)))
        self.transition3 = _transition(three, four)
        self.stage4 = self._stage(4, rows)

    def _stage(self, stage: int, rows: Sequence[int]) -> nn.Sequential:
        """`rows` are the branches that leave the last module; the others put out all of theirs."""
        config, count = self.config, self.config.modules[stage - 2]
        widths = config.widths[: config.branches[stage - 2]]
        every = range(len(widths))
        wanted = [
            (rows if m == count - 1 else every) if config.exchanges(stage, m) else () for m in range(count)
        ]
        return nn.Sequential(*(ExchangeModule(widths, config.blocks, r) for r in wanted))

    def maps(self, x: Tensor) -> list[Tensor]:
        """(B, 3, H, W) -> for every branch b in `rows`: (B, C * 2**b, H / 4 / 2**b, W / 4 / 2**b)."""
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = F.relu(self.bn2(self.conv2(x)), inplace=True)  # (B, stem, H/4, W/4)
        maps: list[Tensor] = [self.layer1(x)]
        stages = (
            (self.transition1, self.stage2),
            (self.transition2, self.stage3),
            (self.transition3, self.stage4),
        )
        for transition, stage in stages:
            # A new branch grows from the lowest resolution there is.
            maps = stage([layer(maps[min(b, len(maps) - 1)]) for b, layer in enumerate(transition)])
        return maps


class HRNet(HRNetTrunk):
    """Image to heatmaps.

    forward: (B, 3, H, W), normalised RGB, H and W multiples of 32 -> (B, K, H/4, W/4); with another
    `heatmap_branch` b: (B, K, H / 4 / 2**b, W / 4 / 2**b). With `all_heatmaps`, a list of those of all
    branches while it is trained.
    """

    def __init__(self, config: HRNetConfig, keypoints: int) -> None:
        rows = range(config.branches[2]) if config.all_heatmaps else [config.heatmap_branch]
        super().__init__(config, rows)
        heads = [nn.Conv2d(config.widths[branch], keypoints, 1) for branch in rows]
        self.final_layer = nn.ModuleList(heads) if config.all_heatmaps else heads[0]
        initialise(self)

    def forward(self, x: Tensor) -> Tensor | list[Tensor]:
        maps = self.maps(x)
        if not self.config.all_heatmaps:
            heatmaps: Tensor = self.final_layer(maps[0])
            return heatmaps
        heads = list(self.final_layer.children())
        if self.training:
            return [head(features) for head, features in zip(heads, maps, strict=True)]
        used: Tensor = heads[self.config.heatmap_branch](maps[self.config.heatmap_branch])
        return used


def initialise(network: nn.Module) -> None:
    """Draw the convolutions from N(0, 0.001), as the official pose networks do before loading ImageNet's."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, std=0.001)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
