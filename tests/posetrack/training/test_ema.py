"""The average follows its formula, statistics included."""

import pytest
import torch
from torch import nn

from posetrack.training.ema import WeightAverage


def test_average_by_hand():
    network = nn.BatchNorm1d(1)
    average = WeightAverage(network, decay=0.25)
    with torch.no_grad():
        network.weight.fill_(3.0)
        network.running_mean.fill_(8.0)
        network.num_batches_tracked.fill_(5)
    average.update(network)  # first step: decay (1 + 1) / (10 + 1) = 2/11, below 0.25
    assert average.network.weight.item() == pytest.approx(3 - 2 * 2 / 11)
    assert average.network.running_mean.item() == pytest.approx(8 * 9 / 11)
    assert average.network.num_batches_tracked.item() == 5
    average.update(network)  # 3 / 12 = 0.25
    assert average.network.weight.item() == pytest.approx(3 - 2 * 2 / 11 * 0.25)
    average.update(network)  # 4 / 13 is more than 0.25
    assert average.network.weight.item() == pytest.approx(3 - 2 * 2 / 11 * 0.25**2)
    assert not any(p.requires_grad for p in average.network.parameters())
