"""Accuracy of a pose network on held-out people, cropped from their labelled boxes as by the estimator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from posetrack.datasets.people import HeldOut
from posetrack.pose.crop import crop_affines, crop_cpu, crop_regions, heatmap_to_picture, normalise
from posetrack.pose.heatmap import decode_dark, merge_flipped, softmax_heatmaps
from posetrack.skeletons import Skeleton
from posetrack.training.pck import Errors, joint_errors

CHUNK = 64  # people per forward pass


@dataclass(frozen=True, eq=False)
class Predictions:
    """Joints of N held-out people, in pixels of their pictures."""

    points: NDArray[np.float64]  # (N, K, 2)
    scores: NDArray[np.float64]  # (N, K) heights of the heatmaps' peaks
    scales: NDArray[np.float64]  # (N,) picture pixels per heatmap pixel
    errors: Errors


def predict(
    network: nn.Module,
    held_out: HeldOut,
    skeleton: Skeleton,
    size: tuple[int, int],
    sigma: float,
    device: torch.device,
    flip: bool = False,
    bfloat16: bool = False,
) -> Predictions:
    """Joints of every held-out person, by a network that puts out logits.

    Args:
        size: (width, height) of its input.
        sigma: of its training targets, heatmap pixels.
        flip: also look at the mirrored crop.
    """
    network.eval()
    order = torch.from_numpy(skeleton.flip_order).to(device)

    def heatmaps(crops: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
            return softmax_heatmaps(network(crops), sigma)

    people = held_out.people
    regions = crop_regions(np.stack([person.box for person in people]), size[0] / size[1])
    affines = crop_affines(regions, size)
    parts = []
    for start in range(0, len(people), CHUNK):
        chunk = range(start, min(start + CHUNK, len(people)))
        crops = torch.cat(
            [crop_cpu(held_out.images[people[i].image], affines[i : i + 1], size) for i in chunk]
        )
        with torch.inference_mode():
            inputs = normalise(crops.to(device))
            maps = heatmaps(inputs)
            if flip:
                maps = merge_flipped(maps, heatmaps(inputs.flip(3)), order)
            parts.append([t.double().cpu().numpy() for t in decode_dark(maps, sigma)])
    points, scores = (np.concatenate(column) for column in zip(*parts, strict=True))
    heatmap_size = (size[0] // 4, size[1] // 4)
    points = heatmap_to_picture(points, regions, heatmap_size)
    labels = np.stack([person.keypoints for person in people]).astype(np.float64)
    labelled = np.stack([person.labelled for person in people])
    pseudo = np.stack([person.pseudo for person in people])
    counted = labelled & ~pseudo if held_out.human_only else labelled
    errors = joint_errors(points, labels, labelled, counted, skeleton)
    return Predictions(points, scores, regions[:, 2] / heatmap_size[0], errors)


def validate(
    network: nn.Module,
    sets: Sequence[HeldOut],
    skeleton: Skeleton,
    size: tuple[int, int],
    sigma: float,
    device: torch.device,
    bfloat16: bool = False,
) -> dict[str, float]:
    """PCK@0.2 of every set, percent, plain and with the mirrored crop."""
    result = {}
    for held_out in sets:
        for flip, suffix in ((False, ""), (True, "_flip")):
            found = predict(network, held_out, skeleton, size, sigma, device, flip, bfloat16)
            result[f"pck_{held_out.name}{suffix}"] = round(found.errors.pck(), 2)
    return result
