"""Training of the ImageNet classifiers that pose networks start from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from posetrack.datasets.pictures import read_picture
from posetrack.errors import InputError
from posetrack.evaluation.imagenet import Counts
from posetrack.pose.crop import normalise
from posetrack.training.data import ImageData, middle_part
from posetrack.training.module import Options, Training
from posetrack.training.plan import Plan
from posetrack.training.recipes import Recipe

CHUNK = 128  # pictures per forward pass of a validation


class ClassifierTraining(Training):
    """Learns classes from pictures; validates by top-1 and top-5 on the middle of each."""

    def __init__(
        self,
        recipe: Recipe,
        plan: Plan,
        network: nn.Module,
        options: Options,
        folder: Path,
        held_out: ImageData | None = None,
    ) -> None:
        super().__init__(recipe, plan, network, options, folder)
        self.held_out = held_out

    def amount(self, batch: Mapping[str, Tensor]) -> Tensor:
        return torch.tensor(float(len(batch["labels"])), device=batch["labels"].device)

    def loss(self, batch: Mapping[str, Tensor]) -> Tensor:
        inputs = normalise(batch["crops"])
        logits = self.network(inputs if self.options.channels_last else inputs.contiguous())
        return F.cross_entropy(logits.float(), batch["labels"])

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        if self.held_out is None:
            return {}
        network, size = self.best_network.eval(), (self.recipe.width, self.recipe.height)
        mine = self.held_out.pictures[self.trainer.global_rank :: self.trainer.world_size]
        counts, crops, labels = Counts(), [], []
        for n, (path, label) in enumerate(mine, 1):
            try:
                crops.append(middle_part(read_picture(path), size))
                labels.append(label)
            except InputError as error:
                self._name([str(error)])
            if crops and (len(crops) == CHUNK or n == len(mine)):
                logits = network(normalise(torch.from_numpy(np.stack(crops)).to(self.device)))
                counts.add(logits.float().cpu().numpy(), np.array(labels))
                crops, labels = [], []
        sums = torch.tensor([counts.pictures, counts.first, counts.among_five], device=self.device)
        counts.pictures, counts.first, counts.among_five = (int(n) for n in self._sum(sums))
        report = counts.report()
        return {"top1": report.top1, "top5": report.top5}
