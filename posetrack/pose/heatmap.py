"""Joint positions from heatmaps: flip test; peaks with a quarter-pixel shift (HRNet), by DARK or as for UDP.

B people, K keypoints, h x w heatmap. All functions run where their input lives. What they say of a person
does not depend on the others, so there is no matrix product, which sums more rows in another order.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from posetrack.zoo.catalog import Decoder as Decoder


def decode(heatmaps: Tensor, decoder: Decoder, sigma: float) -> tuple[Tensor, Tensor]:
    """Joints (B, K, 2) in heatmap pixels and their scores (B, K): one of the three functions below."""
    if decoder == "dark":
        return decode_dark(heatmaps, sigma)
    return decode_udp(heatmaps) if decoder == "udp" else decode_quarter(heatmaps)


def merge_flipped(heatmaps: Tensor, mirrored: Tensor, flip_order: Tensor, shift: bool = True) -> Tensor:
    """Mean of the heatmaps of a picture and of its mirror image.

    Args:
        heatmaps: (B, K, h, w).
        mirrored: (B, K, h, w), output for the mirrored crops.
        flip_order: (K,) int64, Skeleton.flip_order.
        shift: move the mirrored maps right by one pixel first (SHIFT_HEATMAP): strided convolutions
            align to the left, so the mirror of a mirror sits one heatmap pixel off. Column 0 stays. Not for
            UDP, whose crops are symmetric.
    """
    back = mirrored.flip(3)[:, flip_order]
    if shift:
        back = torch.cat([back[..., :1], back[..., :-1]], dim=3)
    return (heatmaps + back) * 0.5


def zoomed(heatmaps: Tensor, factor: float, udp: bool = False) -> Tensor:
    """Heatmaps (B, K, h, w) of regions `factor` times as large, as seen in the regions; 0 beyond their edge.

    Both have their centre at (w / 2, h / 2), as the affine of a crop; UDP at ((w - 1) / 2, (h - 1) / 2).
    """
    if factor == 1:
        return heatmaps
    h, w = heatmaps.shape[2:]
    x, y = (
        ((torch.arange(n, device=heatmaps.device) - (n - udp) / 2) / factor + (n - udp) / 2) * 2 / (n - 1) - 1
        for n in (w, h)
    )  # places in the larger region, of which -1 and 1 are the outermost pixels
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=2)  # (h, w, 2)
    return F.grid_sample(heatmaps, grid.expand(len(heatmaps), h, w, 2), align_corners=True)


def softmax_heatmaps(logits: Tensor, sigma: float) -> Tensor:
    """Heatmaps of a network trained by spatial cross-entropy against Gaussians of `sigma` heatmap pixels.

    Softmax over each map, scaled such that a joint known for certain gives the familiar Gaussian with peak 1.
    """
    probability = logits.float().flatten(2).softmax(dim=2).view(logits.shape)
    return probability * (2 * math.pi * sigma**2)


def peaks(heatmaps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Column (B, K), row (B, K), both int64, and value (B, K) of each map's highest pixel."""
    w = heatmaps.shape[3]
    values, flat = heatmaps.flatten(2).max(dim=2)
    return flat % w, flat // w, values


def decode_quarter(heatmaps: Tensor) -> tuple[Tensor, Tensor]:
    """Peak of every heatmap, moved a quarter pixel towards its higher neighbour.

    Args:
        heatmaps: (B, K, h, w), any float type.

    Returns:
        points (B, K, 2) float32 as x, y in heatmap pixels, and scores (B, K): the peak values.
        A heatmap without a positive value gives the point (0, 0) and its peak as score.
        Peaks in the two outermost columns or rows are not moved (official: 1 < p < size - 1).
    """
    heatmaps = heatmaps.float()
    h, w = heatmaps.shape[2:]
    x, y, scores = peaks(heatmaps)
    padded = F.pad(heatmaps, (1, 1, 1, 1))
    inner = (x > 1) & (x < w - 1) & (y > 1) & (y < h - 1)
    dx = _at(padded, x + 2, y + 1) - _at(padded, x, y + 1)
    dy = _at(padded, x + 1, y + 2) - _at(padded, x + 1, y)
    shift = torch.stack([dx, dy], dim=2).sign() * 0.25 * inner[..., None]
    points = torch.stack([x, y], dim=2) + shift
    return points * (scores > 0)[..., None], scores


def decode_dark(heatmaps: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
    """Peak of every heatmap, moved to the top of the Gaussian that fits it: one Newton step on the logarithm.

    Args:
        heatmaps: (B, K, h, w), any float type.
        sigma: of the training target, heatmap pixels; sets the smoothing kernel (11 for 2, 17 for 3).

    Returns:
        As decode_quarter; the scores are the peaks of the maps as given, before smoothing.
    """
    heatmaps = heatmaps.float()
    h, w = heatmaps.shape[2:]
    x, y, scores = peaks(heatmaps)
    with torch.autocast(heatmaps.device.type, enabled=False):  # bfloat16 would round the points
        log = _smooth_about(heatmaps, x, y, sigma).clamp_min(1e-10).log()  # (B, K, 5, 5)
    inner = (x > 1) & (x < w - 2) & (y > 1) & (y < h - 2)

    def at(i: int, j: int) -> Tensor:
        return log[:, :, 2 + j, 2 + i]

    dx, dy = (at(1, 0) - at(-1, 0)) / 2, (at(0, 1) - at(0, -1)) / 2
    dxx = (at(2, 0) - 2 * at(0, 0) + at(-2, 0)) / 4
    dyy = (at(0, 2) - 2 * at(0, 0) + at(0, -2)) / 4
    dxy = (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / 4
    points = torch.stack([x, y], dim=2) + _newton(dx, dy, dxx, dyy, dxy, inner)
    return points * (scores > 0)[..., None], scores


UDP_KERNEL = 11  # pixels; mmpose's networks of 384x288, too, though their sigma is 3


def decode_udp(heatmaps: Tensor) -> tuple[Tensor, Tensor]:
    """Peak of every heatmap, moved by a Newton step as mmpose does for UDP (refine_keypoints_dark_udp).

    Unlike DARK it smooths always by the same kernel, differentiates among direct neighbours, and also moves
    peaks at the border, beyond which the last pixels are repeated.

    Args:
        heatmaps: (B, K, h, w), any float type.

    Returns:
        As decode_quarter; the scores are the peaks of the maps as given, before smoothing.
    """
    heatmaps = heatmaps.float()
    x, y, scores = peaks(heatmaps)
    with torch.autocast(heatmaps.device.type, enabled=False):
        reach = UDP_KERNEL // 2
        kernel = _gaussian(UDP_KERNEL, heatmaps.device)
        smooth = _weigh(_weigh(F.pad(heatmaps, (reach,) * 4), kernel, dim=2), kernel, dim=3)
        # A map without a positive value is not read, so what it is scaled to does not matter.
        scale = scores / smooth.amax(dim=(2, 3)).clamp_min(1e-10)
        log = (smooth * scale[..., None, None]).clamp(1e-3, 50).log()
    padded = F.pad(log, (1, 1, 1, 1), mode="replicate")

    def at(i: int, j: int) -> Tensor:
        return _at(padded, x + 1 + i, y + 1 + j)

    dx, dy = (at(1, 0) - at(-1, 0)) / 2, (at(0, 1) - at(0, -1)) / 2
    tiny = torch.finfo(torch.float32).eps  # where the map is flat there is no step, but 0 / tiny
    dxx = at(1, 0) - 2 * at(0, 0) + at(-1, 0) + tiny
    dyy = at(0, 1) - 2 * at(0, 0) + at(0, -1) + tiny
    dxy = (at(1, 1) - at(1, 0) - at(0, 1) + 2 * at(0, 0) - at(-1, 0) - at(0, -1) + at(-1, -1)) / 2
    points = torch.stack([x, y], dim=2) + _newton(dx, dy, dxx, dyy, dxy)
    return points * (scores > 0)[..., None], scores


def _newton(
    dx: Tensor, dy: Tensor, dxx: Tensor, dyy: Tensor, dxy: Tensor, allowed: Tensor | bool = True
) -> Tensor:
    """-H^-1 g (B, K, 2) of gradients and Hessians; no step where H has no inverse or none is allowed."""
    determinant = dxx * dyy - dxy * dxy
    curved = (determinant != 0) & allowed
    safe = torch.where(curved, determinant, torch.ones_like(determinant))
    step = torch.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy], dim=2)
    return step * (curved / safe)[..., None]


def _at(maps: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Values (B, K) of maps (B, K, h, w) at one pixel each."""
    return maps.flatten(2).gather(2, (y * maps.shape[3] + x)[..., None])[..., 0]


def _smooth_about(heatmaps: Tensor, x: Tensor, y: Tensor, sigma: float) -> Tensor:
    """(B, K, 5, 5) pixels about (x, y) of the blurred maps; kernel and deviation as DARK's code chooses them.

    DARK then scales each map to its old peak; a step on the logarithm is the same without.
    """
    size = int(6 * sigma - 1) | 1  # 11 for sigma 2, 17 for sigma 3
    kernel = _gaussian(size, heatmaps.device)
    reach = size // 2 + 2  # pixels to each side that the blurred ones depend on
    padded = F.pad(heatmaps, (reach, reach, reach, reach))
    steps = torch.arange(2 * reach + 1, device=heatmaps.device)
    places = (y[..., None, None] + steps[:, None]) * padded.shape[3] + x[..., None, None] + steps
    windows = padded.flatten(2).gather(2, places.flatten(2)).view(places.shape)  # (B, K, size + 4, size + 4)
    return _weigh(_weigh(windows, kernel, dim=2), kernel, dim=3)


def _gaussian(size: int, device: torch.device) -> Tensor:
    """(size,) taps that sum to 1."""
    deviation = 0.3 * ((size - 1) * 0.5 - 1) + 0.8  # OpenCV's rule for a kernel of this size
    taps = torch.arange(size, device=device, dtype=torch.float32) - size // 2
    kernel = torch.exp(-(taps**2) / (2 * deviation**2))
    return kernel / kernel.sum()


def _weigh(windows: Tensor, kernel: Tensor, dim: int) -> Tensor:
    """Sums of `len(kernel)` neighbours along one dimension, one tap after the other; no padding."""
    left = windows.shape[dim] - len(kernel) + 1
    total = kernel[0] * windows.narrow(dim, 0, left)
    for i in range(1, len(kernel)):
        total = total + kernel[i] * windows.narrow(dim, i, left)
    return total
