"""A network made ready to run, not to train: batch normalisation folded into the convolutions before it.

>>> network = for_inference(network, "cpu")
"""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import TypeVar

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from posetrack.runtime.process import claim_process

Network = TypeVar("Network", bound=nn.Module)
Convolution = nn.Conv2d | nn.ConvTranspose2d


def for_inference(network: Network, device: torch.device | str = "cpu") -> Network:
    """A copy in evaluation mode, folded, without gradients, in channels-last order, on the device.

    Equal to the original in evaluation mode up to rounding. The state-dict keys are no longer the
    official ones, so load weights before. Folding relies on every batch normalisation being registered
    right after the convolution that feeds it, which holds for all networks of `posetrack.models`.
    """
    claim_process()
    folded = copy.deepcopy(network).eval().requires_grad_(False)
    for parent in list(folded.modules()):
        _fold_children(parent)
    left = [name for name, module in folded.named_modules() if isinstance(module, nn.BatchNorm2d)]
    if left:
        raise ValueError(f"no convolution stands right before the batch normalisation {', '.join(left)}")
    folded.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return folded.to(device)


def _fold_children(parent: nn.Module) -> None:
    children = list(parent.named_children())
    for (_, before), (name, after) in pairwise(children):
        if isinstance(before, Convolution) and isinstance(after, nn.BatchNorm2d):
            _fold(before, after)
            setattr(parent, name, nn.Identity())


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
