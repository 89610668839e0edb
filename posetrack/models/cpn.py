"""The cascaded pyramid network (Chen et al., CVPR 2018): a feature pyramid, and a net that refines it.

    CPN(50, keypoints=17)

GlobalNet guesses heatmaps at every level of the pyramid; RefineNet looks at all levels together, at the
resolution of the finest. The 1x1 convolution of a step up is done before the enlarging, at a quarter of the
cost and to the same effect. B batch, K keypoints, H x W input.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from posetrack.models.hrnet import Bottleneck, conv1x1
from posetrack.models.resnet import BLOCKS, ResNetConfig, ResNetTrunk


@dataclass(frozen=True)
class CPNConfig(ResNetConfig):
    """The shape of a network. The defaults, with a depth's blocks, are the paper's."""

    features: int = 256  # channels of the pyramid


class CPN(ResNetTrunk):
    """Image to heatmaps.

    forward: (B, 3, H, W), normalised RGB, H and W multiples of 32 -> (B, K, H/4, W/4). While it is trained,
    a list of five of these: GlobalNet's of every level, the coarsest first, enlarged, then the refined.

    Args:
        shape: the depth of the ResNet, one of `BLOCKS`, or any config.
    """

    def __init__(self, shape: int | CPNConfig, keypoints: int) -> None:
        config = CPNConfig(BLOCKS[shape]) if isinstance(shape, int) else shape
        super().__init__(config)
        D, levels = config.features, range(4)  # from the coarsest, of stride 32, to the finest, of stride 4
        self.laterals = nn.ModuleList(_reduce(inputs, D) for inputs in reversed(config.outputs))
        self.ups = nn.ModuleList(
            nn.Sequential(conv1x1(D, D), nn.BatchNorm2d(D), _enlarge(2)) for _ in levels[:-1]
        )
        self.guesses = nn.ModuleList(
            nn.Sequential(_reduce(D, D), nn.Conv2d(D, keypoints, 3, padding=1), _enlarge(2 ** (3 - level)))
            for level in levels
        )
        self.refine = nn.ModuleList(
            nn.Sequential(*(_bottleneck(D, D) for _ in range(3 - level)), _enlarge(2 ** (3 - level)))
            for level in levels
        )
        self.merge = _bottleneck(4 * D, D)
        self.final_layer = nn.Conv2d(D, keypoints, 3, padding=1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                if module.bias is not None:  # a convolution that puts out heatmaps: flat to begin with
                    nn.init.normal_(module.weight, std=0.001)
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor | list[Tensor]:
        pyramid: list[Tensor] = []
        for level, (lateral, features) in enumerate(zip(self.laterals, reversed(self.maps(x)), strict=True)):
            y = lateral(features)
            pyramid.append(y + self.ups[level - 1](pyramid[-1]) if pyramid else y)
        refined = torch.cat([r(y) for r, y in zip(self.refine, pyramid, strict=True)], dim=1)
        heatmaps: Tensor = self.final_layer(self.merge(refined))
        if not self.training:
            return heatmaps
        return [*(guess(y) for guess, y in zip(self.guesses, pyramid, strict=True)), heatmaps]


def _reduce(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(conv1x1(inputs, outputs), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


def _enlarge(factor: int) -> nn.Module:
    return nn.Upsample(scale_factor=factor, mode="bilinear") if factor > 1 else nn.Identity()


def _bottleneck(inputs: int, outputs: int) -> Bottleneck:
    """With half of its outputs inside."""
    return Bottleneck(inputs, outputs // 2, expansion=2)
