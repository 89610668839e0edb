"""The bundled light detector: scenes, the loss of assignment.py, AP at IoU 0.5 on held-out photos."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor, nn

from posetrack import zoo
from posetrack.benchmarks.detector import compare
from posetrack.datasets.boxes import BoxData, Picture
from posetrack.detectors.light import LightDetector, LightNetwork
from posetrack.training import export
from posetrack.training.examples.scenes import SceneExamples
from posetrack.training.ranks import Ranks
from posetrack.training.recipe import Recipe, Stage
from posetrack.training.tasks.assignment import Targets, detection_loss
from posetrack.training.tasks.task import Network, Task, Validation

WARM_STEPS = 1500  # over which the predictions get their say in the assignment
LOWEST_SCORE = 0.05  # of boxes that are validated
SCORE_THRESHOLD = 0.5  # of the exported detector, when nobody says otherwise


class DetectorTask(Task):
    first_and_last = ("stem", "score", "sides")
    fixed_shapes = False  # a batch's boxes are as many as its people

    def __init__(self, recipe: Recipe, data: Sequence[BoxData], held_out: Sequence[Picture] = ()) -> None:
        """`held_out`: photos with the scored boxes of everybody in them."""
        super().__init__(recipe)
        self.data, self.held_out = data, held_out

    @property
    def size(self) -> int:
        return sum(len(data.pictures) for data in self.data)

    def create(self) -> LightNetwork:
        network = LightNetwork()
        initialise(network)
        return network

    def load(self, network: nn.Module, weights: Path) -> None:
        zoo.load_into(network, zoo.read_checkpoint(weights), str(weights))

    def examples(self, stage: Stage) -> SceneExamples:
        return SceneExamples(self.recipe, self.data)

    def amount(self, batch: Mapping[str, Tensor]) -> Tensor:
        return torch.tensor(float(len(batch["images"])), device=batch["images"].device)

    def loss(self, network: Network, batch: Mapping[str, Tensor], stage: Stage, step: int) -> Tensor:
        images = batch["images"].permute(0, 3, 1, 2)  # (B, 3, H, W), channels last
        height, width = images.shape[2:]
        logits, predicted = network(images.float() / 255)
        targets = Targets(batch["boxes"], batch["soft"], batch["scene"])
        # Trained weights know where people are: their predictions count at once.
        prediction_weight = 1.0 if self.began_with_weights else min(1.0, (step + 1) / WARM_STEPS)
        with torch.autocast(images.device.type, enabled=False):
            return detection_loss(logits, predicted, targets, height, width, prediction_weight)

    def validate(self, network: nn.Module, stage: Stage, ranks: Ranks) -> Validation:
        """By the first process, of the detector as it would be exported."""
        if not ranks.is_first or not self.held_out:
            return Validation()
        with TemporaryDirectory() as folder:
            path = Path(folder, "detector.safetensors")
            export.write(export.half_precision(network), path, self.facts())
            found = compare(LightDetector(path, ranks.device, LOWEST_SCORE), self.held_out)
        recall, false = found.at(SCORE_THRESHOLD)
        return Validation(
            {
                "ap50": round(100 * found.ap50, 2),
                "recall": round(100 * recall, 2),
                "false_boxes": round(false, 3),
            }
        )

    def facts(self) -> dict[str, str]:
        return {
            "input_long_side": str(max(self.recipe.width, self.recipe.height)),
            "score_threshold": str(SCORE_THRESHOLD),
            "settings": json.dumps(asdict(self.recipe)),
        }


def initialise(network: LightNetwork) -> None:
    """Kaiming for ReLU; scores begin at 1 %, boxes at four strides to every side."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    for heads, bias in ((network.score, -math.log(99)), (network.sides, 2.0)):
        for head in heads:
            assert isinstance(head, nn.Conv2d)
            assert head.bias is not None
            nn.init.normal_(head.weight, std=0.01)
            nn.init.constant_(head.bias, bias)
