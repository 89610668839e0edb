"""What a pose network is asked for: Gaussian targets, and the loss that compares heatmaps with them.

The paper's networks learn by the squared error against `official_targets` (or `unbiased_targets`, DARK's).
Cross-entropy, for the bundled network, treats every heatmap as one distribution over places (softmax over
h x w). At small budgets it learns several times faster than the mean squared error, whose gradient the empty
background drowns.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def gaussian_targets(points: Tensor, size: tuple[int, int], sigma: float) -> Tensor:
    """Normalised Gaussians about un-rounded centres (the unbiased targets of DARK).

    Args:
        points: (B, K, 2) x, y in heatmap pixels.
        size: (w, h) of the heatmap.
        sigma: heatmap pixels.

    Returns:
        (B, K, h, w), each summing to 1.
    """
    w, h = size
    x = torch.arange(w, dtype=points.dtype, device=points.device)
    y = torch.arange(h, dtype=points.dtype, device=points.device)
    # A separable softmax instead of exp and a division: a centre far outside cannot give 0 / 0.
    row = torch.softmax(-((x - points[..., :1]) ** 2) / (2 * sigma**2), dim=-1)  # (B, K, w)
    column = torch.softmax(-((y - points[..., 1:]) ** 2) / (2 * sigma**2), dim=-1)  # (B, K, h)
    return column[..., :, None] * row[..., None, :]


def spatial_cross_entropy(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Mean over weighted joints of the cross-entropy between the target and the softmax over all places.

    Args:
        logits: (B, K, h, w).
        targets: (B, K, h, w), each summing to 1.
        weights: (B, K); 0 for joints without label.

    Returns:
        A scalar in nats; 0 where no joint has weight.
    """
    surprise = -torch.log_softmax(logits.flatten(2).float(), dim=-1)  # (B, K, h w)
    losses = (targets.flatten(2) * surprise).sum(dim=-1)  # (B, K)
    return (losses * weights).sum() / weights.sum().clamp(min=1e-6)


def distillation_targets(
    targets: Tensor, weights: Tensor, teacher_heatmaps: Tensor, sigma: float, share: Tensor
) -> tuple[Tensor, Tensor]:
    """Labels mixed with the heatmaps of a teacher that looked at both the crop and its mirror image.

    One look of the student so comes nearer to two of the teacher; a doubtful label counts for less, and
    joints without label are learned where the teacher is sure (a peak of at least 0.5).

    Args:
        targets: (B, K, h, w), each summing to 1.
        weights: (B, K); 0 for joints without label.
        teacher_heatmaps: (B, K, h, w) of `softmax_heatmaps`, with the same sigma.
        share: (B,) of the teacher in the targets of labelled joints, and its weight elsewhere.

    Returns:
        Targets and weights.
    """
    peak = teacher_heatmaps.amax(dim=(2, 3))
    soft = teacher_heatmaps / (2 * math.pi * sigma**2)
    labelled, share = weights > 0, share[:, None].to(targets.dtype)
    part = torch.where(labelled, share, 1.0)[..., None, None]
    return targets.lerp(soft, part), torch.where(labelled, weights, share * (peak >= 0.5))


def official_targets(
    points: Tensor, weights: Tensor, size: tuple[int, int], sigma: float
) -> tuple[Tensor, Tensor]:
    """Gaussians with peak 1 about rounded centres, cut off at 3 sigma, as HRNet's code draws them.

    Args:
        points: (B, K, 2) x, y in heatmap pixels.
        weights: (B, K); at most 0.5 means not to draw.
        size: (w, h) of the heatmap.
        sigma: heatmap pixels.

    Returns:
        Targets (B, K, h, w), and the weights, 0 where the square of the Gaussian misses the heatmap. As
        officially, a square that ends right at the left or upper border counts as a hit: an empty target.
    """
    w, h = size
    reach = round(3 * sigma)
    centre = (points + 0.5).trunc()  # towards zero, as int() does
    missed = (centre - reach >= points.new_tensor([w, h])) | (centre + reach + 1 < 0)
    weights = weights * ~missed.any(dim=-1)
    x = torch.arange(w, dtype=points.dtype, device=points.device) - centre[..., :1]  # (B, K, w)
    y = torch.arange(h, dtype=points.dtype, device=points.device) - centre[..., 1:]  # (B, K, h)
    row = torch.exp(-(x**2) / (2 * sigma**2)) * (x.abs() <= reach)
    column = torch.exp(-(y**2) / (2 * sigma**2)) * (y.abs() <= reach) * (weights > 0.5)[..., None]
    return column[..., :, None] * row[..., None, :], weights


def unbiased_targets(
    points: Tensor, weights: Tensor, size: tuple[int, int], sigma: float
) -> tuple[Tensor, Tensor]:
    """As official_targets, but about the centres as they are and without an end: the targets of DARK."""
    w, h = size
    _, weights = official_targets(points, weights, size, sigma)
    x = torch.arange(w, dtype=points.dtype, device=points.device) - points[..., :1]
    y = torch.arange(h, dtype=points.dtype, device=points.device) - points[..., 1:]
    row = torch.exp(-(x**2) / (2 * sigma**2))
    column = torch.exp(-(y**2) / (2 * sigma**2)) * (weights > 0.5)[..., None]
    return column[..., :, None] * row[..., None, :], weights


def joints_mse(heatmaps: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Half the mean squared error over joints, pictures and pixels; joints without weight count as exact.

    Args:
        heatmaps, targets: (B, K, h, w).
        weights: (B, K), multiplied with both before the square.
    """
    difference = (heatmaps.float() - targets) * weights[..., None, None]
    return 0.5 * difference.square().mean()


HARD_KEYPOINTS = 8  # of each person, as in HRNet's code


def joints_ohkm(heatmaps: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """As joints_mse, but of every picture's 8 worst joints alone: hard keypoint mining of CPN (CVPR 2018)."""
    difference = (heatmaps.float() - targets) * weights[..., None, None]
    losses = 0.5 * difference.square().mean(dim=(2, 3))  # (B, K)
    return losses.topk(HARD_KEYPOINTS, dim=1).values.mean()
