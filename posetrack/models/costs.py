"""What a network costs: parameters, and multiply-adds of one image, counted without computing anything.

    >>> measure("hrnet_w32", height=256, width=192)
    Costs(parameters=28536113, multiply_adds=7645003776, published_multiply_adds=7645003776)

The "GFLOPs" that the HRNet and SimpleBaseline papers print are multiply-adds divided by 1024**3, not
floating-point operations and not 1e9: 7.12 for the network above. Convolutions, transposed convolutions
and linear layers are counted; normalisation, activations, sums and upsampling are not.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from posetrack.models import create
from posetrack.models.meta import SkipBatchNorm


@dataclass(frozen=True)
class Costs:
    """Exact counts for one image."""

    parameters: int  # learnable ones
    multiply_adds: int
    # The authors' counter charges a transposed convolution the whole kernel for every *output* pixel,
    # although with stride s only 1/s**2 of its taps meet an input. Equal to multiply_adds for HRNet.
    published_multiply_adds: int

    @property
    def gflops(self) -> float:
        """As in the papers' tables: published multiply-adds / 2**30."""
        return self.published_multiply_adds / 2**30


def measure(network: str | nn.Module, height: int, width: int, keypoints: int = 17) -> Costs:
    """Count for an input of height x width pixels.

    Args:
        network: a name for `posetrack.models.create`, or any network that takes one (B, 3, H, W) tensor.
            Its own weights and mode stay as they are.
        keypoints: used with a name only.
    """
    if isinstance(network, str):
        network = create(network, keypoints, empty=True)
    counted: list[tuple[int, int]] = []  # (multiply-adds, published multiply-adds) of every layer that ran

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        counted.append(_multiply_adds(layer, inputs[0], output))

    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    tensors = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    training = [module for module in network.modules() if module.training]
    try:
        with torch.no_grad(), SkipBatchNorm():
            shapes = {name: tensor.to("meta") for name, tensor in tensors.items()}
            image = torch.empty(1, 3, height, width, device="meta")
            torch.func.functional_call(network.eval(), shapes, (image,))
    finally:
        for module in training:
            module.training = True
        for hook in hooks:
            hook.remove()
    return Costs(
        parameters=sum(p.numel() for p in network.parameters()),
        multiply_adds=sum(exact for exact, _ in counted),
        published_multiply_adds=sum(published for _, published in counted),
    )


def _multiply_adds(layer: nn.Module, x: Tensor, y: Tensor) -> tuple[int, int]:
    """Exact and published count of one layer: weights times the pixels that each weight meets."""
    if isinstance(layer, nn.ConvTranspose2d):
        taps = layer.weight[0].numel() * layer.in_channels  # of all kernels together
        return taps * x[0, 0].numel(), taps * y[0, 0].numel()
    if isinstance(layer, nn.Conv2d):
        exact = layer.weight.numel() * y[0, 0].numel()
    else:
        assert isinstance(layer, nn.Linear)
        exact = layer.weight.numel() * y[0].numel() // layer.out_features
    return exact, exact
