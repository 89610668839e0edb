"""Trained weights as one file: safetensors, with what a user must know of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn


def half_precision(network: nn.Module) -> dict[str, Tensor]:
    """The state dict with float16 in place of float32, without batch-norm's step counters."""
    return {
        name: value.detach().to("cpu", torch.float16).contiguous()
        for name, value in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }


def full_precision(network: nn.Module) -> dict[str, Tensor]:
    """The state dict as it is, on the CPU, without batch-norm's step counters."""
    return {
        name: value.detach().to("cpu").contiguous()
        for name, value in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }


def write(state: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str]) -> None:
    """A safetensors file, whole or not at all.

    Raises:
        ValueError: a weight is not finite, which in half precision means too large.
    """
    unfit = [name for name, value in state.items() if not torch.isfinite(value).all()]
    if unfit:
        raise ValueError(f"{len(unfit)} tensors are not finite, such as {', '.join(unfit[:3])}")
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(save(dict(state), dict(metadata)))
    os.replace(temporary, path)
