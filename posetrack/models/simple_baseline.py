"""SimpleBaseline (Xiao et al., ECCV 2018): ResNet and three transposed convolutions, with the official keys.

    SimpleBaseline(50, keypoints=17)
    SimpleBaseline(replace(R18, width=32, deconvolution=128), keypoints=17)     # narrower, for ablations

B batch, K keypoints, H x W input.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from posetrack.models.hrnet import initialise
from posetrack.models.resnet import BLOCKS, ResNetConfig, ResNetTrunk


@dataclass(frozen=True)
class SimpleBaselineConfig(ResNetConfig):
    """The shape of a network. The defaults, with a depth's blocks, are the paper's."""

    deconvolution: int = 256  # channels of each transposed convolution


R18 = SimpleBaselineConfig(blocks=(2, 2, 2, 2), basic=True)


class SimpleBaseline(ResNetTrunk):
    """Image to heatmaps.

    forward: (B, 3, H, W), H and W multiples of 32 -> (B, K, H/4, W/4). The official weights of 2018
    were trained on BGR; those of mmpose, and ours, take RGB.

    Args:
        shape: the depth of the ResNet, one of `BLOCKS`, or any config.
    """

    def __init__(self, shape: int | SimpleBaselineConfig, keypoints: int) -> None:
        config = SimpleBaselineConfig(BLOCKS[shape]) if isinstance(shape, int) else shape
        super().__init__(config)
        D = config.deconvolution
        self.deconv_layers = nn.Sequential(*_double(config.outputs[3], D), *_double(D, D), *_double(D, D))
        self.final_layer = nn.Conv2d(D, keypoints, 1)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        heatmaps: Tensor = self.final_layer(self.deconv_layers(self.maps(x)[-1]))
        return heatmaps


def _double(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    """Twice the resolution."""
    deconvolution = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=False)
    return deconvolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
