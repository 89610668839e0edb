"""What rounding costs: weights in 16 or 8 bits, arithmetic in bfloat16. Against the weights as they ship."""

from __future__ import annotations

import copy
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import nn

from light.markdown import table
from light.parts import SETS, Parts
from posetrack import presets
from posetrack.benchmarks.validate import predict
from posetrack.commands.convert import convert_checkpoint as convert
from posetrack.runtime.folding import for_inference
from posetrack.skeletons import POSETRACK18


def precision(parts: Parts) -> str:
    """Markdown."""
    shipped = parts.pose_weights
    with TemporaryDirectory() as folder:
        small = Path(folder, "int8.safetensors")
        convert(shipped, small, "int8", [])
        rounded = for_inference(presets.pose_network(presets.LIGHT, small)[0])
        size = small.stat().st_size
    rows = [
        _row(parts, "float16", shipped.stat().st_size, "float32", parts.network),
        _row(parts, "float16", shipped.stat().st_size, "bfloat16", copy.deepcopy(parts.network).bfloat16()),
        _row(parts, "int8", size, "float32", rounded),
        _row(parts, "int8", size, "bfloat16", copy.deepcopy(rounded).bfloat16()),
    ]
    return table(["weights", "MB", "arithmetic", *(SETS[h.name] for h in parts.held_out)], rows)


def _row(parts: Parts, weights: str, size: int, arithmetic: str, network: nn.Module) -> list[object]:
    dtype = getattr(torch, arithmetic)
    pck = [
        predict(
            _Cast(network, dtype), h, POSETRACK18, parts.size, parts.settings.sigma, torch.device("cpu")
        ).errors.pck()
        for h in parts.held_out
    ]
    return [weights, f"{size / 1e6:.1f}", arithmetic, *(f"{value:.2f}" for value in pck)]


class _Cast(nn.Module):
    """The network with its input in its own precision."""

    def __init__(self, network: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.network, self.dtype = network, dtype

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        heatmaps: torch.Tensor = self.network(x.to(self.dtype))
        return heatmaps
