"""Targets and cross-entropy worked by hand."""

import math

import numpy as np
import pytest
import torch

from posetrack.training.tasks.losses import (
    gaussian_targets,
    joints_mse,
    joints_ohkm,
    official_targets,
    spatial_cross_entropy,
    unbiased_targets,
)


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


def drawn_one_by_one(points, weights, size, sigma):
    """The official definition, joint by joint: a square about the rounded centre, pasted where it fits."""
    (w, h), reach = size, int(3 * sigma)
    target, weights = np.zeros((len(points), h, w)), weights.copy()
    for k, (x, y) in enumerate(points):
        mx, my = int(x + 0.5), int(y + 0.5)
        left, top, right, bottom = mx - reach, my - reach, mx + reach + 1, my + reach + 1
        if left >= w or top >= h or right < 0 or bottom < 0:
            weights[k] = 0
            continue
        if weights[k] <= 0.5:
            continue
        for row in range(max(top, 0), min(bottom, h)):
            for column in range(max(left, 0), min(right, w)):
                square = (column - mx) ** 2 + (row - my) ** 2
                target[k, row, column] = math.exp(-square / (2 * sigma**2))
    return target, weights


@pytest.mark.parametrize("sigma", [1, 2, 3])
def test_official_targets_match_a_loop_over_the_definition(sigma):
    w, h = 12, 16
    rng = np.random.default_rng(sigma)
    points = rng.uniform(-12, 28, (400, 2))
    # On borders, halves and just inside or outside of them, where rounding decides.
    edges = [-3 * sigma - 1.5, -3 * sigma - 0.6, -3 * sigma - 0.4, -0.9, -0.5, 0, 0.49, 0.5]
    points[:128] = rng.choice([*edges, w - 1, w - 0.5, w + 3 * sigma - 0.5, h + 3 * sigma - 0.51], (128, 2))
    weights = rng.choice([0.0, 1.0], 400, p=[0.1, 0.9])
    expected, expected_weights = drawn_one_by_one(points, weights, (w, h), sigma)
    target, kept = official_targets(torch.tensor(points[None]), torch.tensor(weights[None]), (w, h), sigma)
    np.testing.assert_array_equal(kept[0].numpy(), expected_weights)
    np.testing.assert_allclose(target[0].numpy(), expected, atol=1e-12)
    assert 100 < expected_weights.sum() < 300  # the draw has both kinds


def test_unbiased_targets_keep_the_centre():
    points = torch.tensor([[[3.25, 5.6], [40.0, 5.0], [3.0, 3.0]]], dtype=torch.float64)
    target, weights = unbiased_targets(points, torch.tensor([[1.0, 1.0, 0.0]]), (12, 16), 2.0)
    assert weights.tolist() == [[1, 0, 0]]
    assert target[0, 0, 6, 3].item() == pytest.approx(math.exp(-(0.25**2 + 0.4**2) / 8))
    assert target[0, 1:].abs().sum() == 0


def test_joints_mse_by_hand():
    heatmaps, targets = torch.zeros(2, 2, 1, 2), torch.zeros(2, 2, 1, 2)
    heatmaps[0, 0], targets[0, 0] = torch.tensor([3.0, 1.0]), torch.tensor([1.0, 1.0])  # error 2, squared 4
    heatmaps[1, 1] = 100.0  # of no weight
    loss = joints_mse(heatmaps, targets, torch.tensor([[1.0, 1.0], [1.0, 0.0]]))
    # First joint: 0.5 x mean over 2 pictures x 2 pixels of (4, 0, 0, 0) = 0.5; second 0; mean of both 0.25.
    assert loss.item() == pytest.approx(0.25)


def test_hard_keypoints_are_the_eight_worst_of_each_person():
    """Errors 1 to 10 squared and halved: of ten joints those of 3 to 10 count, their mean."""
    heatmaps = torch.arange(1, 11).float()[None, :, None, None].expand(1, 10, 4, 4)
    expected = sum(0.5 * n**2 for n in range(3, 11)) / 8
    assert joints_ohkm(heatmaps, torch.zeros(1, 10, 4, 4), torch.ones(1, 10)).item() == pytest.approx(
        expected
    )
    without_label = torch.ones(1, 10).index_fill(1, torch.tensor([9]), 0)
    expected = sum(0.5 * n**2 for n in range(2, 10)) / 8
    assert joints_ohkm(heatmaps, torch.zeros(1, 10, 4, 4), without_label).item() == pytest.approx(expected)
