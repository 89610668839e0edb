"""Exponential moving average of a network's weights, the copy that is validated and exported."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn


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
        averages, values = self.network.state_dict(), network.state_dict()
        floats = [name for name, value in values.items() if value.is_floating_point()]
        torch._foreach_lerp_([averages[n] for n in floats], [values[n] for n in floats], 1 - decay)
        counters = [name for name, value in values.items() if not value.is_floating_point()]
        if counters:
            torch._foreach_copy_([averages[n] for n in counters], [values[n] for n in counters])

    def state_dict(self) -> dict[str, object]:
        return {"steps": self.steps, "network": self.network.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.steps = state["steps"]
        self.network.load_state_dict(state["network"])
