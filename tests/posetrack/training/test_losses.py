"""Targets and cross-entropy worked by hand."""

import math

import pytest
import torch

from posetrack.training.losses import gaussian_targets, spatial_cross_entropy


def test_targets_are_distributions_about_the_unrounded_centre():
    points = torch.tensor([[[3.25, 5.6], [0.0, 0.0]]], dtype=torch.float64)
    target = gaussian_targets(points, (12, 16), 1.0)
    assert target.shape == (1, 2, 16, 12)
    torch.testing.assert_close(target.sum((2, 3)), torch.ones(1, 2, dtype=torch.float64))
    y, x = torch.meshgrid(torch.arange(16.0), torch.arange(12.0), indexing="ij")
    mean = torch.stack([(target[0, 0] * x).sum(), (target[0, 0] * y).sum()])
    torch.testing.assert_close(mean, torch.tensor([3.25, 5.6], dtype=torch.float64), atol=0.01, rtol=0)
    # One pixel from the centre (0, 0) the Gaussian has fallen by exp(-1/2).
    assert target[0, 1, 0, 1] / target[0, 1, 0, 0] == pytest.approx(math.exp(-0.5))


def test_a_centre_far_outside_gives_no_nan():
    target = gaussian_targets(torch.tensor([[[-1e4, 1e4]]]), (12, 16), 1.0)
    assert target[0, 0, 15, 0] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("logits", "target", "expected"),
    [
        ([0.0, 0, 0, 0], [1.0, 0, 0, 0], math.log(4)),  # no idea: log of the number of places
        ([0.0, 0, 0, 0], [0.25, 0.25, 0.25, 0.25], math.log(4)),
        ([math.log(3), 0, 0, 0], [1.0, 0, 0, 0], math.log(2)),  # 3 / (3 + 1 + 1 + 1)
        ([math.log(3), 0, 0, 0], [0.5, 0.5, 0, 0], (math.log(2) + math.log(6)) / 2),
    ],
)
def test_cross_entropy_by_hand(logits, target, expected):
    shape = (1, 1, 2, 2)
    loss = spatial_cross_entropy(
        torch.tensor(logits).view(shape), torch.tensor(target).view(shape), torch.ones(1, 1)
    )
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_unlabelled_joints_do_not_count():
    logits = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(1), requires_grad=True)
    targets = gaussian_targets(torch.full((2, 3, 2), 1.5), (4, 4), 1.0)
    weights = torch.tensor([[1.0, 0, 0.5], [0, 0, 0]])
    loss = spatial_cross_entropy(logits, targets, weights)
    one = spatial_cross_entropy(logits[:1, :1], targets[:1, :1], torch.ones(1, 1))
    other = spatial_cross_entropy(logits[:1, 2:], targets[:1, 2:], torch.ones(1, 1))
    torch.testing.assert_close(loss, (one + 0.5 * other) / 1.5)
    loss.backward()
    assert (logits.grad[:, 1] == 0).all()
    assert (logits.grad[1] == 0).all()
    assert spatial_cross_entropy(logits, targets, torch.zeros(2, 3)).item() == 0
