"""Training of heatmap networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from posetrack.benchmarks.validate import Reading, errors_of, locate
from posetrack.datasets.people import HeldOut
from posetrack.drawing.overlay import overlay
from posetrack.pose.crop import crop_affines, crop_cpu, crop_regions, normalise
from posetrack.training.losses import (
    gaussian_targets,
    joints_mse,
    official_targets,
    spatial_cross_entropy,
    unbiased_targets,
)
from posetrack.training.module import Options, Training
from posetrack.training.plan import Plan
from posetrack.training.recipes import Recipe
from posetrack.types import Poses, Tracks

SHOWN = 16  # people in the picture of predictions


class PoseTraining(Training):
    """Learns joints from crops; validates by PCK@0.2 on held-out people, found in their labelled boxes."""

    def __init__(
        self,
        recipe: Recipe,
        plan: Plan,
        network: nn.Module,
        options: Options,
        folder: Path,
        held_out: Sequence[HeldOut] = (),
    ) -> None:
        super().__init__(recipe, plan, network, options, folder)
        self.held_out = held_out

    @property
    def reading(self) -> Reading:
        """How the network's output is read at this point of the run."""
        recipe = self.recipe
        stage = recipe.stage((self.step - 1) / self.plan.steps)
        softmax = recipe.loss == "cross_entropy"
        decoder = "quarter" if recipe.targets == "official" else "dark"
        return Reading(recipe.skeleton, (stage.width, stage.height), stage.sigma, softmax, decoder)  # type: ignore[arg-type]

    def amount(self, batch: Mapping[str, Tensor]) -> Tensor:
        weights = batch["weights"]
        return (
            weights.sum() if self.recipe.loss == "cross_entropy" else weights.new_tensor(float(len(weights)))
        )

    def loss(self, batch: Mapping[str, Tensor]) -> Tensor:
        inputs = normalise(batch["crops"])  # (B, 3, H, W), channels last
        heatmaps: Tensor = self.network(inputs if self.options.channels_last else inputs.contiguous())
        W, (h, w) = inputs.shape[3], heatmaps.shape[2:]
        sigma = self.recipe.stage(self.step / self.plan.steps).sigma
        points, weights = batch["points"] * (w / W), batch["weights"]  # heatmap pixels
        with torch.autocast(heatmaps.device.type, enabled=False):
            if self.recipe.loss == "cross_entropy":
                return spatial_cross_entropy(heatmaps, gaussian_targets(points, (w, h), sigma), weights)
            draw = official_targets if self.recipe.targets == "official" else unbiased_targets
            return joints_mse(heatmaps, *draw(points, weights, (w, h), sigma))

    def validate(self) -> dict[str, float]:
        result = {}
        for held_out in self.held_out:
            points, scores = self._locate(held_out)
            errors = errors_of(points, held_out, self.recipe.skeleton)
            result[f"pck_{held_out.name}"] = round(errors.pck(), 2)
            if self.is_first:
                self.show(f"predictions/{held_out.name}", grid(held_out, points, scores, self.reading))
        return result

    def _locate(self, held_out: HeldOut) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Joints (N, K, 2) and scores (N, K) of held-out people; each process looks at its share of them."""
        rank, ranks = self.trainer.global_rank, self.trainer.world_size
        mine = held_out.people[rank::ranks]
        part = locate(self.best_network, mine, held_out.images, self.reading, self.device)
        parts = [part]
        if ranks > 1:
            parts = [part] * ranks
            torch.distributed.all_gather_object(parts, part)
        points, scores = (np.empty((len(held_out.people), *p.shape[1:])) for p in part[:2])
        for r, (some_points, some_scores, lost) in enumerate(parts):
            points[r::ranks], scores[r::ranks] = some_points, some_scores
            self._name(lost)
        return points, scores


def grid(
    held_out: HeldOut,
    points: NDArray[np.float64],
    scores: NDArray[np.float64],
    reading: Reading,
    columns: int = 8,
) -> NDArray[np.uint8]:
    """The first people as the network saw them, with the joints that it found; black where unreadable."""
    people, (width, height) = held_out.people[:SHOWN], reading.size
    affines = crop_affines(
        crop_regions(np.stack([person.box for person in people]), width / height), reading.size
    )
    rows = -(-len(people) // columns)
    picture = np.zeros((rows * height, min(columns, len(people)) * width, 3), np.uint8)
    for n, (person, affine) in enumerate(zip(people, affines, strict=True)):
        if not np.isfinite(points[n]).all():
            continue
        crop = crop_cpu(held_out.images[person.image], affine[None], reading.size).numpy()[0]
        places = points[n] @ affine[:, :2].T + affine[:, 2]
        box = [[0, 0, width, height]]
        poses = Poses(places[None], scores[n].clip(0, 1)[None], box, [1.0], reading.skeleton)
        top, left = n // columns * height, n % columns * width
        picture[top : top + height, left : left + width] = overlay(
            crop, Tracks(poses, [1], [False], 0, 0.0, reading.size), labels=False
        )
    return picture
