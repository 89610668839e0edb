"""What the ablation study compares: a narrow HRNet, one setting of it changed at a time, and SimpleBaseline.

The narrow network has the paper's modules (1, 4, 3), so that its exchanges are those of Table 6: 8, 3 or 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import nn

from posetrack.models.hrnet import HRNet, HRNetConfig
from posetrack.models.simple_baseline import R18, SimpleBaseline, SimpleBaselineConfig

NARROW = HRNetConfig(width=16, modules=(1, 4, 3), blocks=1, stem=32, bottleneck=32, bottlenecks=2)
BASELINE = replace(R18, width=32, deconvolution=116)  # within 1 % of NARROW's multiply-adds at 64 x 96
SIZE = (64, 96)  # width, height of the input


@dataclass(frozen=True)
class Variant:
    network: HRNetConfig | SimpleBaselineConfig = NARROW
    size: tuple[int, int] = SIZE  # width, height; multiples of 32
    rank: int = 0  # see in_order

    def build(self, keypoints: int) -> nn.Module:
        if isinstance(self.network, HRNetConfig):
            return HRNet(self.network, keypoints)
        return SimpleBaseline(self.network, keypoints)

    @property
    def stride(self) -> int:
        """Input pixels per heatmap pixel."""
        return 4 * 2**self.network.heatmap_branch if isinstance(self.network, HRNetConfig) else 4


VARIANTS = {
    "HRNet": Variant(),
    "final exchange only": Variant(replace(NARROW, exchange="final")),
    "SimpleBaseline": Variant(BASELINE),
    "across-stage exchange": Variant(replace(NARROW, exchange="across")),
    "heatmaps at 1/8": Variant(replace(NARROW, heatmap_branch=1), rank=1),
    "heatmaps at 1/16": Variant(replace(NARROW, heatmap_branch=2), rank=1),
    "heatmaps at 1/32": Variant(replace(NARROW, heatmap_branch=3), rank=1),
    "all branches from the start": Variant(replace(NARROW, all_branches=True), rank=1),
    "HRNet, 32x64": Variant(size=(32, 64), rank=1),
    "SimpleBaseline, 32x64": Variant(BASELINE, (32, 64), rank=1),
    "final exchange only, width 18": Variant(replace(NARROW, exchange="final", width=18), rank=2),
    "HRNet, 96x128": Variant(size=(96, 128), rank=2),
    "SimpleBaseline, 96x128": Variant(BASELINE, (96, 128), rank=2),
}


def in_order(names: Sequence[str], seeds: Sequence[int]) -> list[tuple[str, int]]:
    """Every variant with every seed, such that a study that is cut short has its first questions answered.

    A variant of rank r waits until those of rank 0 are r seeds ahead.
    """
    pairs = [(place + VARIANTS[name].rank, name, seed) for place, seed in enumerate(seeds) for name in names]
    pairs.sort(key=lambda pair: (pair[0], VARIANTS[pair[1]].rank))
    return [(name, seed) for _, name, seed in pairs]
