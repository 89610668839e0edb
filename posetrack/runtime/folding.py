"""A network made ready to run, not to train: batch normalisation folded into the convolutions before it.

Where none is before it, as in the residual blocks of an hourglass, a multiplication and a sum remain.

>>> network = for_inference(network, "cpu")
"""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from posetrack.runtime.process import claim_process

Network = TypeVar("Network", bound=nn.Module)
Convolution = nn.Conv2d | nn.ConvTranspose2d


def for_inference(network: Network, device: torch.device | str = "cpu") -> Network:
    """A copy in evaluation mode, folded, without gradients, in channels-last order, on the device.

    Equal to the original in evaluation mode up to rounding. The state-dict keys are no longer the
    official ones, so load weights before. Folding relies on a batch normalisation that is registered right
    after a convolution being fed by it, which holds for all networks of `posetrack.models`.
    """
    claim_process()
    folded = copy.deepcopy(network).eval().requires_grad_(False)
    for parent in list(folded.modules()):
        _fold_children(parent)
    folded.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return folded.to(device)


def _fold_children(parent: nn.Module) -> None:
    children = list(parent.named_children())
    for (_, before), (name, after) in pairwise([("", parent), *children]):
        if isinstance(after, nn.BatchNorm2d):
            if isinstance(before, Convolution):
                _fold(before, after)
            setattr(parent, name, nn.Identity() if isinstance(before, Convolution) else _Affine(after))


class _Affine(nn.Module):
    """What a batch normalisation does to each channel of (B, C, H, W) in evaluation mode."""

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        self.scale = nn.Parameter(scale[:, None, None], requires_grad=False)
        self.shift = nn.Parameter((norm.bias - norm.running_mean * scale)[:, None, None], requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale + self.shift


def _fold(convolution: Convolution, norm: nn.BatchNorm2d) -> None:
    """Let the convolution do what the normalisation after it did."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    convolution.weight, convolution.bias = fuse_conv_bn_weights(
        convolution.weight,
        convolution.bias,
        norm.running_mean,
        norm.running_var,
        norm.eps,
        norm.weight,
        norm.bias,
        transpose=isinstance(convolution, nn.ConvTranspose2d),
    )
