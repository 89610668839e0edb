"""The pictures all variants of one seed see, in one order; and the held-out people, cropped once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from posetrack.training.sampling import Sampler, Sampling
from torch import Tensor

from posetrack.benchmarks.pck import joint_errors
from posetrack.datasets.lspet import Lspet
from posetrack.datasets.people import HeldOut
from posetrack.pose.crop import crop_affines, crop_cpu, crop_regions, heatmap_to_picture
from posetrack.skeletons import POSETRACK18
from posetrack.training.examples.augment import Appearance, Geometry

# A pass or two over the people: little can be learned by heart, so more augmentation would only slow.
GEOMETRY = Geometry(rotation=20.0, scale=0.15, shift=0.05, half_body_probability=0.0)
APPEARANCE = Appearance(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, eq=False)
class Pictures:
    crops: Tensor  # (N, H, W, 3) uint8
    points: Tensor  # (N, K, 2) input pixels
    weights: Tensor  # (N, K)


def training_pictures(data: Lspet, count: int, size: tuple[int, int], seed: int) -> Pictures:
    """The first `count` pictures of a seed. At every size they show the same people, turned the same way."""
    sampling = Sampling(POSETRACK18, batch=count, geometry=GEOMETRY, appearance=APPEARANCE, seed=seed)
    batch = Sampler(sampling, data.people, data.images).batch(0, size)
    return Pictures(batch.crops, batch.points, batch.weights)


@dataclass(frozen=True, eq=False)
class Examination:
    """Held-out people as a network of one input size sees them."""

    name: str
    held_out: HeldOut
    crops: Tensor  # (N, H, W, 3) uint8
    regions: NDArray[np.float64]  # (N, 4) of the pictures, as crop_regions gives them

    def pck(self, points: Tensor, heatmap: tuple[int, int]) -> float:
        """PCK@0.2, percent, of joints (N or 1, K, 2) in pixels of a heatmap of (width, height)."""
        people = self.held_out.people
        found = heatmap_to_picture(points.double().numpy(), self.regions, heatmap)
        labels = np.stack([person.keypoints for person in people]).astype(np.float64)
        labelled = np.stack([person.labelled for person in people])
        pseudo = np.stack([person.pseudo for person in people])
        counted = labelled & ~pseudo if self.held_out.human_only else labelled
        return joint_errors(found, labels, labelled, counted, POSETRACK18).pck()

    def floor(self) -> float:
        """PCK@0.2, percent, of a guess that is blind to the picture: each joint's mean place in the crops."""
        people, (_, H, W, _) = self.held_out.people, self.crops.shape
        labelled = np.stack([person.labelled for person in people])[..., None]  # (N, K, 1)
        offsets = np.stack([person.keypoints for person in people]) - self.regions[:, None, :2]
        places = offsets * (W / self.regions[:, 2])[:, None, None] + np.array([W, H]) / 2  # in the crop
        mean = (places * labelled).sum(axis=0) / np.maximum(labelled.sum(axis=0), 1)  # (K, 2)
        return self.pck(torch.from_numpy(mean[None]), (W, H))


def examination(name: str, held_out: HeldOut, size: tuple[int, int]) -> Examination:
    people = held_out.people
    regions = crop_regions(np.stack([person.box for person in people]), size[0] / size[1])
    affines = crop_affines(regions, size)
    crops = [
        crop_cpu(held_out.images[person.image], affines[i : i + 1], size) for i, person in enumerate(people)
    ]
    return Examination(name, held_out, torch.cat(crops), regions)
