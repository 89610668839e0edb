"""Kernels as whole numbers of eight bits: half the size of float16, for a loss that has to be measured.

Each output channel of a convolution has its own step, its largest weight over 127 (symmetric, no offset), in
a tensor beside the kernel. Everything else is float16. `read_checkpoint` gives kernels back as float32.

    >>> save_file(pack(network.state_dict()), "network.safetensors")
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

STEP = "::int8_step"  # after the kernel's key; no module can have such a name


def pack(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Kernels (out, in, h, w) as int8 and their steps (out,) float32; other floats as float16."""
    packed = {}
    for key, tensor in state.items():
        if tensor.is_floating_point() and tensor.ndim == 4:
            kernel = tensor.float()
            step = kernel.flatten(1).abs().amax(dim=1) / 127
            safe = torch.where(step > 0, step, torch.ones_like(step))  # a channel of zeros
            packed[key] = (kernel / safe[:, None, None, None]).round().to(torch.int8).contiguous()
            packed[key + STEP] = step
        elif tensor.is_floating_point():
            packed[key] = tensor.to(torch.float16, copy=True).contiguous()
        else:
            packed[key] = tensor.clone().contiguous()
    return packed


def unpack(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What `pack` was given, rounded; a state without int8 kernels comes back as it is."""
    return {
        key: tensor.float() * state[key + STEP][:, None, None, None] if key + STEP in state else tensor
        for key, tensor in state.items()
        if not key.endswith(STEP)
    }
