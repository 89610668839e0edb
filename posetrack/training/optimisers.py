"""Muon: momentum whose step is made orthogonal, for convolutions; AdamW for everything else.

Every matrix of weights moves by about the same amount in all its directions, also in those that the gradient
hardly touches. Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024), whose
polynomial this uses; a kernel (out, in, h, w) counts as the matrix (out, in h w).

    optimiser = Muon(network, first_and_last=("conv1", "final_layer"))
    for group in optimiser.param_groups: group["lr"] = 0.01
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from posetrack.runtime.precision import multiplies_bfloat16
from posetrack.training.recipe import Recipe

POLYNOMIAL = (3.4445, -4.7750, 2.0315)  # five rounds bring singular values to between 0.7 and 1.2
ROUNDS = 5


def make_optimiser(
    recipe: Recipe, network: nn.Module, first_and_last: tuple[str, ...] = ()
) -> torch.optim.Optimizer:
    """The optimiser that a recipe names; `first_and_last` as for `Muon`."""
    rate, decay = recipe.learning_rate, recipe.weight_decay
    if recipe.optimiser == "muon":
        return Muon(network, first_and_last, rate, weight_decay=decay)
    parameters = list(network.parameters())
    groups: list[dict[str, Any]] = [
        {"params": [p for p in parameters if p.ndim > 1]},
        {
            "params": [p for p in parameters if p.ndim <= 1],
            "weight_decay": decay if recipe.optimiser == "sgd" else 0.0,
        },
    ]
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(groups, rate, momentum=0.9, nesterov=True, weight_decay=decay)
    kind = torch.optim.AdamW if recipe.optimiser == "adamw" else torch.optim.Adam
    return kind(groups, rate, weight_decay=decay, fused=True)


class Muon(torch.optim.Optimizer):
    """One learning rate for all groups, a tensor for CUDA graphs; AdamW takes `adam_share` of it."""

    def __init__(
        self,
        network: nn.Module,
        first_and_last: tuple[str, ...],
        lr: float = 0.02,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        adam_share: float = 0.1,
    ) -> None:
        """
        Args:
            first_and_last: names of modules whose convolutions go to AdamW, too: those that see pixels and
                those that give the result, where no direction may be taken for as good as another.
            momentum: share of the old step that stays.
            weight_decay: of convolutions, times the learning rate.
        """
        named = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
        hidden = [p for name, p in named if p.ndim == 4 and not name.startswith(first_and_last)]
        chosen = {id(p) for p in hidden}
        others = [p for _, p in named if id(p) not in chosen]
        groups = [
            {"params": hidden, "weight_decay": weight_decay, "orthogonal": True},
            {"params": [p for p in others if p.ndim > 1], "weight_decay": weight_decay, "orthogonal": False},
            {"params": [p for p in others if p.ndim <= 1], "weight_decay": 0.0, "orthogonal": False},
        ]
        defaults = {"lr": lr, "momentum": momentum, "adam_share": adam_share}
        super().__init__([group for group in groups if group["params"]], defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            if group["orthogonal"]:
                self._orthogonal_step(group)
            else:
                self._adam_step(group)
        return loss

    def _orthogonal_step(self, group: dict[str, Any]) -> None:
        kernels = [p for p in group["params"] if p.grad is not None]
        if not kernels:
            return
        gradients = [p.grad for p in kernels]
        for p in kernels:
            if not self.state[p]:
                self.state[p] = {"momentum": torch.zeros_like(p)}
        momenta = [self.state[p]["momentum"] for p in kernels]
        # Lists of tensors at once: on a GPU most of a small network's time is the start of its many kernels.
        torch._foreach_lerp_(momenta, gradients, 1 - group["momentum"])
        ahead = torch._foreach_lerp(gradients, momenta, group["momentum"])  # Nesterov
        torch._foreach_mul_(kernels, 1 - group["lr"] * group["weight_decay"])
        alike: dict[torch.Size, list[tuple[Tensor, Tensor]]] = defaultdict(list)
        for p, direction in zip(kernels, ahead, strict=True):
            alike[p.shape].append((p, direction.flatten(1)))
        for shape, pairs in alike.items():  # kernels of one shape in one product
            steps = orthogonalise(torch.stack([matrix for _, matrix in pairs]))  # (n, out, in h w)
            scale = max(1.0, steps.shape[1] / steps.shape[2]) ** 0.5
            steps = (steps * (-group["lr"] * scale)).view(-1, *shape)
            torch._foreach_add_([p for p, _ in pairs], list(steps))

    def _adam_step(self, group: dict[str, Any]) -> None:
        parameters = [p for p in group["params"] if p.grad is not None]
        for p in parameters:
            if not self.state[p]:
                self.state[p] = {
                    "exp_avg": torch.zeros_like(p),
                    "exp_avg_sq": torch.zeros_like(p),
                    "step": torch.zeros((), dtype=torch.float32, device=p.device),
                }
        states = [self.state[p] for p in parameters]
        adamw(
            parameters,
            [p.grad for p in parameters],
            [s["exp_avg"] for s in states],
            [s["exp_avg_sq"] for s in states],
            [],
            [s["step"] for s in states],
            fused=True,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=group["lr"] * group["adam_share"],
            weight_decay=group["weight_decay"],
            eps=1e-8,
            maximize=False,
        )


def orthogonalise(matrices: Tensor) -> Tensor:
    """The nearest matrices with equal singular values, roughly: U V' of U S V', by Newton-Schulz rounds.

    Args:
        matrices: (n, rows, columns).

    Returns:
        The same shape, float32; singular values between about 0.7 and 1.2.
    """
    a, b, c = POLYNOMIAL
    tall = matrices.shape[1] > matrices.shape[2]
    X = matrices.mT if tall else matrices
    X = X / (X.norm(dim=(1, 2), keepdim=True) + 1e-12)
    if multiplies_bfloat16(X.device):
        X = X.bfloat16()
    for _ in range(ROUNDS):
        gram = X @ X.mT
        X = a * X + (b * gram + c * (gram @ gram)) @ X
    result: Tensor = (X.mT if tall else X).float()
    return result
