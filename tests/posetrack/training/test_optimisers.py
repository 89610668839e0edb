"""Muon: singular values, one step worked out, AdamW for the rest, exact resumption."""

import io

import pytest
import torch
from torch import nn

from posetrack.training.optimisers import Muon, orthogonalise


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, bias=False)
        self.tall = nn.Conv2d(4, 24, 1, bias=False)  # (24, 4) as a matrix
        self.bn = nn.BatchNorm2d(24)
        self.wide = nn.Conv2d(24, 6, 3, bias=False)  # (6, 216)
        self.final_layer = nn.Conv2d(6, 2, 1)

    def forward(self, x):
        return self.final_layer(self.wide(self.bn(self.tall(self.conv1(x)))))


@pytest.fixture
def network():
    torch.manual_seed(1)
    return Small()


def learn(network, optimiser, steps, seed=0):
    pictures = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        optimiser.zero_grad()
        network(torch.randn(2, 3, 7, 7, generator=pictures)).square().mean().backward()
        optimiser.step()


@pytest.mark.parametrize(("rows", "columns"), [(8, 8), (4, 40), (16, 144), (40, 4), (128, 16)])
def test_singular_values_become_about_one(rows, columns):
    torch.manual_seed(rows)
    steps = orthogonalise(torch.randn(3, rows, columns) * 1e-3)  # whatever their size
    assert steps.shape == (3, rows, columns)
    assert steps.dtype == torch.float32
    values = torch.linalg.svdvals(steps)
    # A square matrix can have a value so near zero that five rounds do not lift it.
    lowest = values.sort().values[:, 1:] if rows == columns else values
    assert lowest.min() > 0.6
    assert values.max() < 1.25


def test_a_kernel_of_zeros_stays_where_it_is():
    assert torch.equal(orthogonalise(torch.zeros(1, 4, 9)), torch.zeros(1, 4, 9))


@pytest.mark.parametrize(("name", "scale"), [("wide", 1.0), ("tall", (24 / 4) ** 0.5)])
def test_one_step_by_hand(network, name, scale):
    optimiser = Muon(network, ("conv1", "final_layer"), lr=0.1, momentum=0.0, weight_decay=0.5)
    kernel = getattr(network, name).weight
    before = kernel.detach().clone()
    learn(network, optimiser, steps=1)
    U, S, Vh = torch.linalg.svd(kernel.grad.flatten(1), full_matrices=False)
    change = kernel.detach() - before * (1 - 0.1 * 0.5)
    seen = U.T @ change.flatten(1) @ Vh.T / (-0.1 * scale)  # the step U V', between these vectors: diagonal
    strong = int((0.1 * S.max() < S).sum())  # directions that are more than rounding
    assert strong > 1
    seen = seen[:strong, :strong]
    assert seen.diagonal().min() > 0.6
    assert seen.diagonal().max() < 1.25
    assert (seen - seen.diagonal().diag()).abs().max() < 0.05  # bfloat16, where the CPU multiplies it


def test_momentum_looks_ahead(network):
    optimiser = Muon(network, ("conv1", "final_layer"), lr=0.0, momentum=0.75)
    kernel = network.wide.weight
    learn(network, optimiser, steps=1)
    first = kernel.grad.clone()
    learn(network, optimiser, steps=1, seed=1)
    expected = 0.75 * (0.25 * first) + 0.25 * kernel.grad
    torch.testing.assert_close(optimiser.state[kernel]["momentum"], expected)


def test_the_step_is_of_the_momentum_ahead(network):
    optimiser = Muon(network, ("conv1", "final_layer"), lr=0.1, momentum=0.75)
    kernel = network.wide.weight
    learn(network, optimiser, steps=1)
    first, before = kernel.grad.clone(), kernel.detach().clone()
    learn(network, optimiser, steps=1, seed=1)
    kept = 0.75 * (0.25 * first) + 0.25 * kernel.grad
    ahead = 0.25 * kernel.grad + 0.75 * kept  # not `kept` itself, as without Nesterov
    expected = orthogonalise(ahead.flatten(1)[None])[0]
    scale = max(1.0, expected.shape[0] / expected.shape[1]) ** 0.5
    step = (before - kernel.detach()).flatten(1) / (0.1 * scale)
    torch.testing.assert_close(step, expected, rtol=0.02, atol=0.02)
    assert (step - orthogonalise(kept.flatten(1)[None])[0]).abs().max() > 0.05


def test_everything_else_is_left_to_adamw(network):
    def others(module):
        chosen = [(n, p) for n, p in module.named_parameters() if n.startswith(("conv1", "bn", "final"))]
        kernels, vectors = ([p for _, p in chosen if (p.ndim > 1) == many] for many in (True, False))
        return dict(chosen), [
            {"params": kernels, "weight_decay": 0.3},
            {"params": vectors, "weight_decay": 0.0},
        ]

    optimiser = Muon(network, ("conv1", "final_layer"), lr=0.2, weight_decay=0.3, adam_share=0.05)
    twin = Small()
    twin.load_state_dict(network.state_dict())
    names, groups = others(twin)
    adamw = torch.optim.AdamW(groups, lr=0.2 * 0.05, betas=(0.9, 0.999), eps=1e-8, fused=True)
    own, _ = others(network)
    for step in range(3):
        learn(network, optimiser, steps=1, seed=step)
        for name, parameter in own.items():  # the same gradients, though the other layers moved
            names[name].grad = parameter.grad.clone()
        adamw.step()
        for name, parameter in own.items():
            assert torch.equal(parameter, names[name]), name


def test_a_resumed_optimiser_goes_on_bitwise(network):
    whole = Muon(network, ("conv1", "final_layer"), lr=0.05, weight_decay=0.1)
    learn(network, whole, steps=2)
    file = io.BytesIO()
    torch.save({"network": network.state_dict(), "optimiser": whole.state_dict()}, file)
    learn(network, whole, steps=2, seed=1)

    file.seek(0)
    state = torch.load(file, weights_only=True)
    again = Small()
    again.load_state_dict(state["network"])
    resumed = Muon(again, ("conv1", "final_layer"), lr=9.0)  # settings come from the file
    resumed.load_state_dict(state["optimiser"])
    learn(again, resumed, steps=2, seed=1)
    for name, value in network.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


def test_parameters_without_gradient_are_left_alone(network):
    before = {name: value.clone() for name, value in network.state_dict().items()}
    Muon(network, ("conv1", "final_layer"), lr=0.1).step()
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
