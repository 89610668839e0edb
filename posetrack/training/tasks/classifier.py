"""ImageNet classifiers, from which pose networks start; validated by top-1 and top-5 as by the benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from posetrack import models, zoo
from posetrack.benchmarks.imagenet import centre_crop
from posetrack.datasets.imagenet import ImageData
from posetrack.errors import InputError
from posetrack.evaluation.imagenet import Counts
from posetrack.pose.crop import normalise
from posetrack.training.examples.images import ImageExamples
from posetrack.training.ranks import Ranks
from posetrack.training.recipe import Recipe, Stage
from posetrack.training.tasks.task import Network, Task, Validation

CHUNK = 128  # pictures per forward pass of a validation
CLASSES = 1000  # of ImageNet


class ClassifierTask(Task):
    def __init__(self, recipe: Recipe, data: ImageData, held_out: ImageData | None = None) -> None:
        super().__init__(recipe)
        self.data, self.held_out = data, held_out

    @property
    def size(self) -> int:
        return len(self.data.pictures)

    def create(self) -> nn.Module:
        network = models.create(self.recipe.network_name)
        if (classes := len(self.data.classes)) != CLASSES:
            network.classifier = nn.Linear(2048, classes)
        return network

    def load(self, network: nn.Module, weights: Path) -> None:
        zoo.load_into(network, zoo.read_checkpoint(weights), str(weights))

    def examples(self, stage: Stage) -> ImageExamples:
        return ImageExamples(self.recipe, self.data)

    def amount(self, batch: Mapping[str, Tensor]) -> Tensor:
        return torch.tensor(float(len(batch["labels"])), device=batch["labels"].device)

    def loss(self, network: Network, batch: Mapping[str, Tensor], stage: Stage, step: int) -> Tensor:
        logits = network(normalise(batch["crops"]))
        return F.cross_entropy(logits.float(), batch["labels"])

    @torch.no_grad()
    def validate(self, network: nn.Module, stage: Stage, ranks: Ranks) -> Validation:
        result = Validation()
        if self.held_out is None:
            return result
        network.eval()
        side = min(stage.size)
        mine = self.held_out.pictures[ranks.rank :: ranks.size]
        counts, crops, labels = Counts(), [], []
        for n, (path, label) in enumerate(mine, 1):
            try:
                crops.append(centre_crop(path, side))
                labels.append(label)
            except InputError as error:
                result.lost.append(str(error))
            if crops and (len(crops) == CHUNK or n == len(mine)):
                inputs = torch.stack(crops).to(ranks.device)
                counts.add(network(inputs).float().cpu().numpy(), np.array(labels))
                crops, labels = [], []
        parts = ranks.gather((counts.pictures, counts.first, counts.among_five))
        counts.pictures, counts.first, counts.among_five = (
            sum(column) for column in zip(*parts, strict=True)
        )
        report = counts.report()
        result.values = {"top1": report.top1, "top5": report.top5}
        return result
