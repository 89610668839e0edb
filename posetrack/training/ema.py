"""Exponential moving average of a network's weights, the copy that is validated and exported."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


class WeightAverage:
    """average <- d average + (1 - d) weights; d rises to `decay`, so that the first steps are forgotten soon.

    Batch-norm statistics are averaged with the weights; counters are copied.
    """

    def __init__(self, network: nn.Module, decay: float = 0.998) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay
        self.steps = 0

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        averages, values = _tensors(self.network), _tensors(network)
        torch._foreach_lerp_(averages[0], values[0], 1 - decay)
        if averages[1]:
            torch._foreach_copy_(averages[1], values[1])

    def state_dict(self) -> dict[str, object]:
        return {"steps": self.steps, "network": self.network.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.steps = state["steps"]
        self.network.load_state_dict(state["network"])


def _tensors(network: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
    """Weights and statistics, and counters. Quicker than state_dict, which names and detaches each."""
    floats: list[Tensor] = []
    counters: list[Tensor] = []
    for tensor in itertools.chain(network.parameters(), network.buffers()):
        (floats if tensor.is_floating_point() else counters).append(tensor)
    return floats, counters
