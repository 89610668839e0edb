"""HRNet-W*-C, the ImageNet classifiers whose trunks the pose networks start from, with the official keys.

Source: the README of HRNet-Image-Classification. B batch, H x W input.
"""

from __future__ import annotations

from torch import Tensor, nn

from posetrack.models.hrnet import Bottleneck, HRNetConfig, HRNetTrunk, bottlenecks

PLANES = (32, 64, 128, 256)  # inner channels of the bottleneck on each branch: 128, 256, 512, 1024 leave it

# The two small networks of the README; the others are HRNetConfig(width).
W18_SMALL_V1 = HRNetConfig(width=16, modules=(1, 1, 1), blocks=2, bottleneck=32, bottlenecks=1)
W18_SMALL_V2 = HRNetConfig(width=18, modules=(1, 3, 2), blocks=2, bottlenecks=2)


class HRNetClassifier(HRNetTrunk):
    """Image to class scores, from all four branches.

    forward: (B, 3, H, W), normalised RGB, H and W multiples of 32 -> (B, classes) logits.
    """

    def __init__(self, config: HRNetConfig, classes: int = 1000) -> None:
        super().__init__(config, rows=range(4))
        outer = [planes * Bottleneck.expansion for planes in PLANES]
        self.incre_modules = nn.ModuleList(
            bottlenecks(width, planes, 1) for width, planes in zip(config.widths, PLANES, strict=True)
        )
        self.downsamp_modules = nn.ModuleList(
            _conv_bn_relu(outer[b], outer[b + 1], 3, stride=2) for b in range(3)
        )
        self.final_layer = _conv_bn_relu(outer[3], 2048, 1)
        self.classifier = nn.Linear(2048, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        widened = [block(y) for block, y in zip(self.incre_modules, self.maps(x), strict=True)]
        y = widened[0]
        for halve, lower in zip(self.downsamp_modules, widened[1:], strict=True):
            y = lower + halve(y)
        y = self.final_layer(y).mean(dim=(2, 3))  # (B, 2048)
        logits: Tensor = self.classifier(y)
        return logits


def _conv_bn_relu(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """With a bias in front of the batch normalisation, as in the official head."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))
