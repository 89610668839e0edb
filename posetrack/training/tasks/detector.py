"""The bundled light detector: scenes, the loss of assignment.py, AP at IoU 0.5 on held-out photos."""

from __future__ import annotations

import json
import math
import re
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
from posetrack.training.tasks.assignment import Targets, TeacherCells, detection_loss
from posetrack.training.tasks.rtmdet import RtmdetTeacher
from posetrack.training.tasks.task import Network, Task, Validation

DEPTHS = (1, 2, 4, 3)  # residual convolutions at strides 4, 8, 16, 32: deep where cells are few
WARM_STEPS = 1500  # over which the predictions get their say in the assignment
LOWEST_SCORE = 0.05  # of boxes that are validated
SCORE_THRESHOLD = 0.5  # of the exported detector, when nobody says otherwise


class DetectorTask(Task):
    first_and_last = ("stem", "score", "sides")
    fixed_shapes = False  # a batch's boxes are as many as its people

    def __init__(
        self,
        recipe: Recipe,
        data: Sequence[BoxData],
        held_out: Sequence[Picture] = (),
        teacher: RtmdetTeacher | None = None,
    ) -> None:
        """
        Args:
            held_out: photos with the scored boxes of everybody in them.
            teacher: sees every scene, too, and says of each cell what it makes of it.
        """
        super().__init__(recipe)
        self.data, self.held_out, self.teacher = data, held_out, teacher

    @property
    def size(self) -> int:
        return sum(len(data.pictures) for data in self.data)

    def create(self) -> LightNetwork:
        network = LightNetwork(depths=DEPTHS)
        initialise(network)
        return network

    def load(self, network: nn.Module, weights: Path) -> None:
        zoo.load_into(network, deepened(zoo.read_checkpoint(weights), network), str(weights))

    def examples(self, stage: Stage) -> SceneExamples:
        return SceneExamples(self.recipe, stage, self.data)

    def amount(self, batch: Mapping[str, Tensor]) -> Tensor:
        return torch.tensor(float(len(batch["images"])), device=batch["images"].device)

    def loss(self, network: Network, batch: Mapping[str, Tensor], stage: Stage, step: int) -> Tensor:
        images = batch["images"].permute(0, 3, 1, 2)  # (B, 3, H, W), channels last
        height, width = images.shape[2:]
        logits, predicted = network(images.float() / 255)
        targets = Targets(batch["boxes"], batch["soft"], batch["scene"])
        # Trained weights know where people are: their predictions count at once.
        prediction_weight = 1.0 if self.began_with_weights else min(1.0, (step + 1) / WARM_STEPS)
        cells = None if self.teacher is None else self._cells(self.teacher, batch["images"])
        with torch.autocast(images.device.type, enabled=False):
            return detection_loss(logits, predicted, targets, height, width, prediction_weight, cells)

    def _cells(self, teacher: RtmdetTeacher, images: Tensor) -> TeacherCells:
        scores, boxes = teacher.dense(images.cpu().numpy(), centred=True)
        device = images.device
        return TeacherCells(
            torch.from_numpy(scores).to(device), torch.from_numpy(boxes).to(device), self.recipe.teacher_share
        )

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
            "depths": json.dumps(DEPTHS),
            "input_long_side": str(max(self.recipe.width, self.recipe.height)),
            "score_threshold": str(SCORE_THRESHOLD),
            "settings": json.dumps(asdict(self.recipe)),
        }


def deepened(weights: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """With the network's own values for residual convolutions that shallower weights lack, at a tenth.

    Not at zero: a ReLU passes no gradient there, and they would never learn.
    """
    lacking = {
        name: value * 0.1 if name.endswith(".1.weight") else value
        for name, value in network.state_dict().items()
        if name not in weights and re.search(r"^stage\d+\.1\.steps\.\d+\.", name)
    }
    return dict(weights) | lacking


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
