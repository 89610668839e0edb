"""Batch normalisation over all processes' pictures on the CPU, where torch's SyncBatchNorm does not run."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class GlobalBatchNorm(nn.BatchNorm2d):
    """BatchNorm2d whose statistics are those of the whole batch, equally divided over the processes."""

    def forward(self, x: Tensor) -> Tensor:
        ranks = torch.distributed.get_world_size()
        if not self.training or ranks == 1:
            return super().forward(x)
        values = x.float()
        mean = _sum(values.mean(dim=(0, 2, 3))) / ranks
        centred = values - mean[:, None, None]
        variance = _sum(centred.square().mean(dim=(0, 2, 3))) / ranks
        self._remember(mean.detach(), variance.detach(), ranks * x.numel() // x.shape[1])
        scale: Tensor = self.weight * torch.rsqrt(variance + self.eps)
        output: Tensor = centred * scale[:, None, None] + self.bias[:, None, None]
        return output.to(x.dtype)

    def _remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * count / (count - 1), self.momentum)


class _Sum(torch.autograd.Function):
    """Over the processes. Every process's loss depends on the sum, so gradients are summed as well."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        total = value.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        torch.distributed.all_reduce(total)
        return total


def _sum(value: Tensor) -> Tensor:
    total: Tensor = _Sum.apply(value)  # type: ignore[no-untyped-call]
    return total


def share_statistics(network: nn.Module) -> None:
    """Exchange every BatchNorm2d of the network for a GlobalBatchNorm with the same tensors."""
    for name, child in network.named_children():
        if type(child) is nn.BatchNorm2d:
            shared = GlobalBatchNorm(child.num_features, child.eps, child.momentum)
            shared.weight, shared.bias = child.weight, child.bias
            shared.running_mean, shared.running_var = child.running_mean, child.running_var
            shared.num_batches_tracked = child.num_batches_tracked
            setattr(network, name, shared)
        else:
            share_statistics(child)
