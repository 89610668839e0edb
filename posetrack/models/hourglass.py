"""Stacked hourglasses (Newell et al., ECCV 2016): down to 1/64 and up, over and over, each with its heatmaps.

    Hourglass(HourglassConfig(stacks=8), keypoints=17)

By the text of their paper, two 1x1 convolutions follow each hourglass; in bearpaw's code a residual block
stands before (`after=1`). The GFLOPs that the HRNet paper prints, 14.3 and 19.1, are those of the text; its
25.1 M parameters are neither's (23.7 M, 25.4 M). B batch, F features, K keypoints, H x W input.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from posetrack.errors import PoseTrackError


@dataclass(frozen=True)
class HourglassConfig:
    """The shape of a network. The defaults are the paper's."""

    stacks: int  # hourglasses in a row
    features: int = 256  # channels
    depth: int = 4  # halvings inside an hourglass
    after: int = 0  # residual blocks between an hourglass and its heatmaps


class Hourglass(nn.Module):
    """Image to heatmaps.

    forward: (B, 3, H, W), normalised RGB, H and W multiples of 4 * 2**depth -> (B, K, H/4, W/4). While it is
    trained, a list of the heatmaps of all stacks.
    """

    def __init__(self, config: HourglassConfig, keypoints: int) -> None:
        super().__init__()
        self.config = config
        D = config.features
        self.stem = nn.Sequential(
            nn.Conv2d(3, D // 4, 7, stride=2, padding=3), nn.BatchNorm2d(D // 4), nn.ReLU(inplace=True),
            Residual(D // 4, D // 2), nn.MaxPool2d(2), Residual(D // 2, D // 2), Residual(D // 2, D),
        )  # fmt: skip
        stacks, between = range(config.stacks), range(config.stacks - 1)
        self.stacks = nn.ModuleList(
            nn.Sequential(
                _Level(D, config.depth), *(Residual(D, D) for _ in range(config.after)),
                nn.Conv2d(D, D, 1), nn.BatchNorm2d(D), nn.ReLU(inplace=True),
            )
            for _ in stacks
        )  # fmt: skip
        heads = [nn.Conv2d(D, keypoints, 1) for _ in stacks]
        self.heads = nn.ModuleList(heads)
        self.features_on = nn.ModuleList(nn.Conv2d(D, D, 1) for _ in between)  # what the next stack is told
        self.heatmaps_on = nn.ModuleList(nn.Conv2d(keypoints, D, 1) for _ in between)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                assert module.bias is not None
                nn.init.zeros_(module.bias)
        for head in heads:
            nn.init.normal_(head.weight, std=0.001)  # training starts from flat heatmaps

    def forward(self, x: Tensor) -> Tensor | list[Tensor]:
        H, W = x.shape[2:]
        multiple = 4 * 2**self.config.depth
        if H % multiple or W % multiple:
            raise PoseTrackError(f"an input of {W}x{H}: this hourglass takes multiples of {multiple} pixels")
        x = self.stem(x)  # (B, F, H/4, W/4)
        heatmaps: list[Tensor] = []
        for n, (stack, head) in enumerate(zip(self.stacks, self.heads, strict=True)):
            features = stack(x)
            heatmaps.append(head(features))
            if n < len(self.features_on):
                x = x + self.features_on[n](features) + self.heatmaps_on[n](heatmaps[n])
        return heatmaps if self.training else heatmaps[-1]


class Residual(nn.Module):
    """1x1, 3x3 and 1x1 convolutions, each after normalisation and ReLU, and a shortcut."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        inner = outputs // 2
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, inner, 1)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, padding=1)
        self.bn3 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, outputs, 1)
        self.shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.relu(self.bn1(x)))
        y = self.conv2(F.relu(self.bn2(y)))
        y = self.conv3(F.relu(self.bn3(y)))
        return y + (x if self.shortcut is None else self.shortcut(x))  # type: ignore[no-any-return]


class _Level(nn.Module):
    """One halving of an hourglass: a branch that stays, and one that goes down, further down, and up."""

    def __init__(self, features: int, depth: int) -> None:
        super().__init__()
        self.stay = Residual(features, features)
        self.down = nn.Sequential(nn.MaxPool2d(2), Residual(features, features))
        self.inner = _Level(features, depth - 1) if depth > 1 else Residual(features, features)
        self.up = nn.Sequential(Residual(features, features), nn.Upsample(scale_factor=2, mode="nearest"))

    def forward(self, x: Tensor) -> Tensor:
        return self.stay(x) + self.up(self.inner(self.down(x)))  # type: ignore[no-any-return]
