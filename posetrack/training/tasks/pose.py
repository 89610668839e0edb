"""Heatmap networks: learned from crops of people, validated by PCK@0.2 on held-out people in their boxes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from posetrack import models, zoo
from posetrack.benchmarks.validate import Decoding, errors_of, locate
from posetrack.datasets.people import HeldOut, PoseData
from posetrack.drawing.overlay import overlay
from posetrack.errors import PoseTrackError
from posetrack.pose.crop import crop_affines, crop_cpu, crop_regions, normalise
from posetrack.training.examples.people import PeopleExamples
from posetrack.training.ranks import Ranks
from posetrack.training.recipe import Recipe, Stage
from posetrack.training.tasks.losses import (
    distillation_targets,
    gaussian_targets,
    joints_mse,
    joints_ohkm,
    official_targets,
    spatial_cross_entropy,
    unbiased_targets,
)
from posetrack.training.tasks.task import Network, Task, Validation
from posetrack.training.tasks.teacher import Teacher
from posetrack.types import Poses, Tracks

SHOWN = 16  # people in the picture of predictions
Benchmark = Callable[[nn.Module], dict[str, float]]  # official numbers of a network, the one to go by first


class PoseTask(Task):
    first_and_last = ("conv1", "final_layer")

    def __init__(
        self,
        recipe: Recipe,
        data: PoseData,
        held_out: Sequence[HeldOut] = (),
        teacher: Teacher | None = None,
        benchmark: Benchmark | None = None,
    ) -> None:
        """
        Args:
            teacher: its heatmaps are a part of the targets, by `Recipe.teacher_share`.
            benchmark: also run by every validation, and decides which weights are the best.

        Raises:
            PoseTrackError: the data have other joints than the recipe, or it wants no teacher.
        """
        super().__init__(recipe)
        if data.skeleton != recipe.skeleton:
            raise PoseTrackError(
                f"{data.name} has the joints of {data.skeleton.name}, but the recipe {recipe.name} those of "
                f"{recipe.skeleton.name}: choose the data set '{recipe.sets[0]}'"
            )
        if teacher is not None and (recipe.loss != "cross_entropy" or not recipe.teacher_share):
            raise PoseTrackError(f"the recipe {recipe.name} learns from labels alone: leave --teacher out")
        self.data, self.held_out, self.teacher, self.benchmark = data, held_out, teacher, benchmark

    @property
    def size(self) -> int:
        return len(self.data.people)

    def create(self) -> nn.Module:
        network = models.create(self.recipe.network_name, len(self.recipe.skeleton))
        if self.recipe.he_draw:
            initialise(network)
        return network

    def load(self, network: nn.Module, weights: Path) -> None:
        state = zoo.read_checkpoint(weights)
        if self.recipe.init == "imagenet":
            zoo.init_from_imagenet(network, state, str(weights))
        else:
            zoo.load_into(network, state, str(weights))

    def examples(self, stage: Stage) -> PeopleExamples:
        return PeopleExamples(self.recipe, stage, self.data)

    def amount(self, batch: Mapping[str, Tensor]) -> Tensor:
        weights = batch["weights"]
        if self.recipe.loss != "cross_entropy":
            return weights.new_tensor(float(len(weights)))
        return weights.sum() + self.recipe.absent_weight * batch["absent"].sum()

    def loss(self, network: Network, batch: Mapping[str, Tensor], stage: Stage, step: int) -> Tensor:
        inputs = normalise(batch["crops"])  # (B, 3, H, W), channels last
        output = network(inputs)
        maps = output if isinstance(output, list) else [output]
        # Of several, each with the sigma of its scale, only the last is learned by its hardest keypoints.
        kind = "mse" if self.recipe.loss == "ohkm" else self.recipe.loss
        kinds = [kind] * (len(maps) - 1) + [self.recipe.loss]
        sigmas = [stage.sigma * heatmaps.shape[3] / maps[0].shape[3] for heatmaps in maps]
        parts = zip(maps, kinds, sigmas, strict=True)
        return torch.stack([self._compare(inputs, *part, batch) for part in parts]).sum()

    def _compare(
        self, inputs: Tensor, heatmaps: Tensor, kind: str, sigma: float, batch: Mapping[str, Tensor]
    ) -> Tensor:
        """Loss of one of the network's outputs (B, K, h, w)."""
        W, (h, w) = inputs.shape[3], heatmaps.shape[2:]
        points, weights = batch["points"] * (w / W), batch["weights"]  # heatmap pixels
        if kind == "cross_entropy":
            targets, weights = self._distribution(inputs, points, batch, (w, h), sigma)
            with torch.autocast(heatmaps.device.type, enabled=False):
                return spatial_cross_entropy(heatmaps, targets, weights)
        draw = official_targets if self.recipe.targets == "official" else unbiased_targets
        compare = joints_mse if kind == "mse" else joints_ohkm
        with torch.autocast(heatmaps.device.type, enabled=False):
            return compare(heatmaps, *draw(points, weights, (w, h), sigma))

    def _distribution(
        self, inputs: Tensor, points: Tensor, batch: Mapping[str, Tensor], size: tuple[int, int], sigma: float
    ) -> tuple[Tensor, Tensor]:
        """Targets (B, K, h, w) that sum to 1, and weights (B, K)."""
        weights, absent = batch["weights"], batch["absent"]
        targets = gaussian_targets(points, size, sigma)
        if self.teacher is not None:
            share = self.recipe.teacher_share * self.teacher.trusted(absent, batch["crowded"])
            heatmaps = self.teacher.heatmaps(inputs, sigma)
            targets, weights = distillation_targets(targets, weights, heatmaps, sigma, share)
        if self.recipe.absent_weight:
            targets = torch.where(absent[..., None, None], 1 / math.prod(size), targets)
            weights = torch.where(absent, self.recipe.absent_weight, weights)
        return targets, weights

    def decoding(self, stage: Stage) -> Decoding:
        """How the network's output is read."""
        softmax = self.recipe.loss == "cross_entropy"
        decoder = "quarter" if self.recipe.targets == "official" else "dark"
        return Decoding(self.recipe.skeleton, stage.size, stage.sigma, softmax, decoder)  # type: ignore[arg-type]

    def validate(self, network: nn.Module, stage: Stage, ranks: Ranks) -> Validation:
        result = Validation()
        if self.benchmark is not None and ranks.is_first:
            result.values |= self.benchmark(network)
        for held_out in self.held_out:
            points, scores, lost = self._locate(network, held_out, self.decoding(stage), ranks)
            errors = errors_of(points, held_out, self.recipe.skeleton)
            result.values[f"pck_{held_out.name}"] = round(errors.pck(), 2)
            result.lost += lost
            if ranks.is_first:
                picture = grid(held_out, points, scores, self.decoding(stage))
                result.pictures[f"predictions/{held_out.name}"] = picture
        return result

    def _locate(
        self, network: nn.Module, held_out: HeldOut, decoding: Decoding, ranks: Ranks
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], list[str]]:
        """Joints (N, K, 2), scores (N, K) and what was lost; each process looks at its share of people."""
        mine = held_out.people[ranks.rank :: ranks.size]
        parts = ranks.gather(locate(network, mine, held_out.images, decoding, ranks.device))
        N, K = len(held_out.people), len(self.recipe.skeleton)
        points, scores, lost = np.empty((N, K, 2)), np.empty((N, K)), []
        for rank, (some_points, some_scores, some_lost) in enumerate(parts):
            points[rank :: ranks.size], scores[rank :: ranks.size] = some_points, some_scores
            lost += some_lost
        return points, scores, lost

    def facts(self) -> dict[str, str]:
        recipe = self.recipe
        labelled = np.any([person.labelled for person in self.data.people], axis=0)
        unlabelled = [k for k, seen in zip(recipe.skeleton.keypoints, labelled, strict=True) if not seen]
        return {
            "skeleton": recipe.skeleton.name,
            "sigma": str(recipe.sigma),
            "heatmap": "softmax" if recipe.loss == "cross_entropy" else "gaussian",
            **({"unlabelled": ",".join(unlabelled)} if unlabelled else {}),
            **({"edge_probability": str(recipe.edge_probability)} if recipe.edge_probability else {}),
            **(
                {"occluder_probability": str(recipe.occluder_probability)}
                if recipe.occluder_probability
                else {}
            ),
        }


def initialise(network: nn.Module) -> None:
    """He initialisation, but a small last layer, so that training starts from flat heatmaps."""
    for name, module in network.named_modules():
        if name.startswith("final_layer") and isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, std=0.01)
        elif isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def grid(
    held_out: HeldOut,
    points: NDArray[np.float64],
    scores: NDArray[np.float64],
    decoding: Decoding,
    columns: int = 8,
) -> NDArray[np.uint8]:
    """The first people as the network saw them, with the joints that it found; black where unreadable."""
    people, (width, height) = held_out.people[:SHOWN], decoding.size
    affines = crop_affines(
        crop_regions(np.stack([person.box for person in people]), width / height), decoding.size
    )
    rows = -(-len(people) // columns)
    picture = np.zeros((rows * height, min(columns, len(people)) * width, 3), np.uint8)
    for n, (person, affine) in enumerate(zip(people, affines, strict=True)):
        if not np.isfinite(points[n]).all():
            continue
        crop = crop_cpu(held_out.images[person.image], affine[None], decoding.size).numpy()[0]
        places = points[n] @ affine[:, :2].T + affine[:, 2]
        box = [[0, 0, width, height]]
        poses = Poses(places[None], scores[n].clip(0, 1)[None], box, [1.0], decoding.skeleton)
        top, left = n // columns * height, n % columns * width
        picture[top : top + height, left : left + width] = overlay(
            crop, Tracks(poses, [1], [False], 0, 0.0, decoding.size), labels=False
        )
    return picture
