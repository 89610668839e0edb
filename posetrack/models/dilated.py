"""A ResNet whose last two stages are dilated, and a light way up: Figure 2 (d) of the HRNet paper.

    DilatedResNet(101, keypoints=16)

Table 4 has one such network (Insafutdinov et al., 42.6 M parameters). The paper does not draw its head: here
a 1x1 convolution on the map at 1/8, enlarged to 1/4, which costs next to nothing. B batch, K keypoints.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from posetrack.models.hrnet import initialise
from posetrack.models.resnet import BLOCKS, ResNetConfig, ResNetTrunk


@dataclass(frozen=True)
class DilatedConfig(ResNetConfig):
    """The shape of a network."""


class DilatedResNet(ResNetTrunk):
    """Image to heatmaps.

    forward: (B, 3, H, W), normalised RGB, H and W multiples of 8 -> (B, K, H/4, W/4).

    Args:
        shape: the depth of the ResNet, one of `BLOCKS`, or any config.
    """

    def __init__(self, shape: int | DilatedConfig, keypoints: int) -> None:
        config = DilatedConfig(BLOCKS[shape]) if isinstance(shape, int) else shape
        super().__init__(config, stride=8)
        self.final_layer = nn.Conv2d(config.outputs[3], keypoints, 1)
        self.enlarge = nn.Upsample(scale_factor=2, mode="bilinear")
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        heatmaps: Tensor = self.enlarge(self.final_layer(self.maps(x)[-1]))
        return heatmaps
