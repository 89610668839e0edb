"""SimpleBaseline (Xiao et al., ECCV 2018): ResNet and three transposed convolutions, with the official keys.

B batch, K keypoints, H x W input.
"""

from __future__ import annotations

from torch import Tensor, nn

from posetrack.models.hrnet import bottlenecks, initialise

BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}  # bottlenecks in layer1..4, by depth


class SimpleBaseline(nn.Module):
    """Image to heatmaps.

    forward: (B, 3, H, W), H and W multiples of 32 -> (B, K, H/4, W/4). The official weights of 2018
    were trained on BGR; those of mmpose, and ours, take RGB.
    """

    def __init__(self, depth: int, keypoints: int) -> None:
        super().__init__()
        one, two, three, four = BLOCKS[depth]
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = bottlenecks(64, 64, one)
        self.layer2 = bottlenecks(256, 128, two, stride=2)
        self.layer3 = bottlenecks(512, 256, three, stride=2)
        self.layer4 = bottlenecks(1024, 512, four, stride=2)
        self.deconv_layers = nn.Sequential(*_double(2048, 256), *_double(256, 256), *_double(256, 256))
        self.final_layer = nn.Conv2d(256, keypoints, 1)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))  # (B, 64, H/4, W/4)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))  # (B, 2048, H/32, W/32)
        heatmaps: Tensor = self.final_layer(self.deconv_layers(x))
        return heatmaps


def _double(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    """Twice the resolution."""
    deconvolution = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=False)
    return deconvolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
