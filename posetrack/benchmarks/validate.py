"""Accuracy of a pose network on held-out people, cropped from their labelled boxes as by the estimator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from posetrack.benchmarks.pck import Errors, joint_errors
from posetrack.datasets.people import HeldOut, Image, Person
from posetrack.errors import InputError
from posetrack.pose.crop import crop_affines, crop_cpu, crop_regions, heatmap_to_picture, normalise
from posetrack.pose.heatmap import Decoder, decode, merge_flipped, softmax_heatmaps
from posetrack.skeletons import Skeleton

CHUNK = 64  # people per forward pass


@dataclass(frozen=True)
class Decoding:
    """How heatmaps are made of a network's output, and joints of heatmaps; it depends on the training."""

    skeleton: Skeleton
    size: tuple[int, int]  # (width, height) of the input, pixels
    sigma: float  # of the training targets, heatmap pixels
    softmax: bool = True  # trained by cross-entropy: the output is logits
    decoder: Decoder = "dark"

    @property
    def udp(self) -> bool:
        return self.decoder == "udp"


def locate(
    network: nn.Module,
    people: Sequence[Person],
    images: Mapping[str, Image],
    decoding: Decoding,
    device: torch.device,
    flip: bool = False,
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[str]]:
    """Joints of people, each looked for in the labelled box.

    Returns:
        points (N, K, 2) in pixels of the pictures and scores (N, K), both NaN for people whose picture cannot
        be read, and the reasons of these.
    """
    network.eval()
    size, udp, K = decoding.size, decoding.udp, len(decoding.skeleton)
    points, scores, lost = np.full((len(people), K, 2), np.nan), np.full((len(people), K), np.nan), []
    for start in range(0, len(people), CHUNK):
        chunk = range(start, min(start + CHUNK, len(people)))
        regions = crop_regions(np.stack([people[i].box for i in chunk]), size[0] / size[1])
        crops, seen = [], np.ones(len(chunk), bool)
        for n, affine in enumerate(crop_affines(regions, size, udp)):
            try:
                crops.append(crop_cpu(images[people[chunk[n]].image], affine[None], size))
            except InputError as error:
                lost.append(str(error))
                seen[n] = False
        if crops:
            found, peaks, heatmap_size = _decode(network, torch.cat(crops), decoding, device, flip)
            points[start:][: len(chunk)][seen] = heatmap_to_picture(found, regions[seen], heatmap_size, udp)
            scores[start:][: len(chunk)][seen] = peaks
    return points, scores, lost


@torch.no_grad()
def _decode(
    network: nn.Module, crops: Tensor, decoding: Decoding, device: torch.device, flip: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[int, int]]:
    """Joints (N, K, 2) in heatmap pixels, their scores (N, K), and the heatmaps' (width, height)."""

    def heatmaps(inputs: Tensor) -> Tensor:
        output: Tensor = network(inputs).float()
        return softmax_heatmaps(output, decoding.sigma) if decoding.softmax else output

    inputs = normalise(crops.to(device))
    maps = heatmaps(inputs)
    if flip:
        order = torch.from_numpy(decoding.skeleton.flip_order).to(device)
        maps = merge_flipped(maps, heatmaps(inputs.flip(3)), order, shift=not decoding.udp)
    found = decode(maps, decoding.decoder, decoding.sigma)
    points, scores = (t.double().cpu().numpy() for t in found)
    return points, scores, (maps.shape[3], maps.shape[2])


def errors_of(points: NDArray[np.floating], held_out: HeldOut, skeleton: Skeleton) -> Errors:
    """How far joints (N, K, 2) are from the labels; people without finite points do not count."""
    labels = np.stack([person.keypoints for person in held_out.people]).astype(np.float64)
    labelled = np.stack([person.labelled for person in held_out.people])
    pseudo = np.stack([person.pseudo for person in held_out.people])
    counted = labelled & ~pseudo if held_out.human_only else labelled
    return joint_errors(points, labels, labelled, counted & np.isfinite(points).all(axis=2), skeleton)
