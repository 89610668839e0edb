"""The network's view of a person: the box at the input's aspect, 1.25 times its size, as in HRNet's lib.

Source: the official affine (centre, scale = size / 200 x 1.25), which is a similarity: with
k = out_width / (enlarged box width) a picture point (x, y) lands at (k (x - cx) + W/2, k (y - cy) + H/2).
UDP (Huang et al., CVPR 2020) counts the steps between pixels instead of the pixels: W - 1 for W, H - 1 for H.
Then the mirror image of a crop is the crop of the mirror image, and a heatmap needs no shift.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

PADDING = 1.25
MEAN = (0.485, 0.456, 0.406)  # RGB, of ImageNet
STD = (0.229, 0.224, 0.225)


def crop_regions(boxes: NDArray[np.floating], aspect: float) -> NDArray[np.float64]:
    """The picture region that each crop shows.

    Args:
        boxes: (N, 4) x1, y1, x2, y2.
        aspect: input width / height.

    Returns:
        (N, 4) centre x, centre y, width, height: the box grown on its short side to the aspect, times 1.25.
    """
    boxes = boxes.astype(np.float64)
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    width, height = np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-3).T
    width = np.maximum(width, height * aspect)
    size = np.stack([width, width / aspect], axis=1) * PADDING
    return np.concatenate([centre, size], axis=1)


def crop_affines(
    regions: NDArray[np.float64], size: tuple[int, int], udp: bool = False
) -> NDArray[np.float64]:
    """Matrices from picture pixels to pixels of the crop (or of the heatmap, given its size).

    Args:
        regions: (N, 4) of crop_regions.
        size: (width, height) of the crop.
        udp: count the steps between pixels; x and y are then scaled a little differently.

    Returns:
        (N, 2, 3), without rotation.
    """
    k, middle = _scales(regions, size, udp)
    affines = np.zeros((len(regions), 2, 3))
    affines[:, [0, 1], [0, 1]] = k
    affines[:, :, 2] = middle - k * regions[:, :2]
    return affines


def heatmap_to_picture(
    points: NDArray[np.floating], regions: NDArray[np.float64], size: tuple[int, int], udp: bool = False
) -> NDArray[np.float64]:
    """Heatmap coordinates (N, K, 2) to picture pixels; `size` is the heatmap's (width, height)."""
    k, middle = _scales(regions, size, udp)
    moved: NDArray[np.float64] = (points - middle) / k[:, None] + regions[:, None, :2]
    return moved


def _scales(
    regions: NDArray[np.float64], size: tuple[int, int], udp: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Crop pixels per picture pixel (N, 2), and the crop pixel (2,) where a region's centre lands."""
    lengths = np.array(size, np.float64)
    if udp:
        return (lengths - 1) / regions[:, 2:], (lengths - 1) / 2
    return (lengths[0] / regions[:, [2]]).repeat(2, axis=1), lengths / 2


def crop_cpu(image: NDArray[np.uint8], affines: NDArray[np.float64], size: tuple[int, int]) -> Tensor:
    """Crops by OpenCV, bilinear, black outside the picture.

    Returns:
        (N, H, W, 3) uint8 for size = (W, H).
    """
    crops = np.empty((len(affines), size[1], size[0], 3), np.uint8)
    for crop, affine in zip(crops, affines, strict=True):
        cv2.warpAffine(image, affine, size, dst=crop, flags=cv2.INTER_LINEAR)
    return torch.from_numpy(crops)


def crop_on_device(
    images: Tensor, owners: Tensor, affines: NDArray[np.float64], size: tuple[int, int]
) -> Tensor:
    """Crops of a stack of pictures by one gather, wherever the stack lives: bilinear, black outside.

    Args:
        images: (B, H, W, 3) uint8.
        owners: (N,) int64, the picture of each crop, on the same device.
        affines: (N, 2, 3), without rotation.
        size: (w, h) of the crops.

    Returns:
        (N, h, w, 3) float32 in 0..255, half a grey level from crop_cpu on average (OpenCV rounds positions to
        1/32 pixel and values to whole levels).
    """
    _, H, W, _ = images.shape
    columns = (np.arange(size[0]) - affines[:, 0, 2:]) / affines[:, 0, :1]  # (N, w) picture x of each column
    rows = (np.arange(size[1]) - affines[:, 1, 2:]) / affines[:, 1, 1:2]  # (N, h)
    x = torch.from_numpy(columns).to(images.device, torch.float32)
    y = torch.from_numpy(rows).to(images.device, torch.float32)
    x0, y0 = x.floor(), y.floor()
    total: Tensor | None = None
    for dy in (0, 1):
        yi = y0 + dy
        wy = (1 - (y - yi).abs()) * ((yi >= 0) & (yi < H))  # (N, h)
        for dx in (0, 1):
            xi = x0 + dx
            wx = (1 - (x - xi).abs()) * ((xi >= 0) & (xi < W))  # (N, w)
            pixels = images[
                owners[:, None, None],
                yi.clamp(0, H - 1).long()[:, :, None],
                xi.clamp(0, W - 1).long()[:, None, :],
            ]  # (N, h, w, 3)
            part = pixels * (wy[:, :, None] * wx[:, None, :])[..., None]
            total = part if total is None else total + part
    assert total is not None
    return total


def crop_each_on_device(
    images: Sequence[Tensor], owners: NDArray[np.integer], affines: NDArray[np.float64], size: tuple[int, int]
) -> Tensor:
    """crop_on_device for pictures that may differ in size, in one gather per size.

    Args:
        images: B tensors (H, W, 3) uint8, all on one device.
        owners: (N,) the picture of each crop.
    """
    alike: dict[tuple[int, ...], list[int]] = {}
    for index, image in enumerate(images):
        alike.setdefault(tuple(image.shape), []).append(index)
    parts, rows = [], []
    for members in alike.values():
        place = np.full(len(images), -1)
        place[members] = np.arange(len(members))
        mine = np.flatnonzero(place[owners] >= 0)
        stack = torch.stack([images[index] for index in members])
        within = torch.from_numpy(place[owners[mine]]).to(stack.device)
        parts.append(crop_on_device(stack, within, affines[mine], size))
        rows.append(mine)
    if len(parts) == 1:
        return parts[0]
    order = torch.from_numpy(np.argsort(np.concatenate(rows))).to(parts[0].device)
    return torch.cat(parts)[order]


def normalise(crops: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """(N, H, W, 3) in 0..255 to (N, 3, H, W) with ImageNet mean and deviation taken out, channels last."""
    mean, scale = _statistics(crops.device)
    return ((crops.float() - mean) * scale).to(dtype).permute(0, 3, 1, 2)


@cache  # made anew, the numbers would stop a GPU's queue at every call
def _statistics(device: torch.device) -> tuple[Tensor, Tensor]:
    """What to subtract from and to multiply with grey levels of 0..255, each (3,)."""
    with torch.inference_mode(False):  # kept for training, too
        return torch.tensor(MEAN, device=device) * 255, 1 / (torch.tensor(STD, device=device) * 255)
