"""What all measurements share: the networks, the held-out people, and how often to look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import nn

from posetrack import zoo
from posetrack.benchmarks.validate import Predictions, predict
from posetrack.datasets.boxes import Picture, read_pictures
from posetrack.datasets.lspet import read_held_out
from posetrack.datasets.people import HeldOut
from posetrack.detectors.light import LightDetector
from posetrack.pose.estimator import HeatmapEstimator, PoseSettings
from posetrack.pose.networks import load_network
from posetrack.runtime.calibration import Calibration
from posetrack.runtime.folding import for_inference
from posetrack.skeletons import POSETRACK18

LEAST = 0.05  # detector score that anything here looks at
SETS = {"lspet": "athletes", "others": "bystanders"}


@dataclass
class Parts:
    """The networks under test and the data to test them on; pictures are decoded once."""

    data: Path  # of the data pack
    pose_weights: Path
    detector_weights: Path
    every: int  # of the held-out people and pictures, one in so many is looked at where a table allows it

    def __post_init__(self) -> None:
        network, self.settings = load_network("light", self.pose_weights, decoder="dark")
        self.network: nn.Module = for_inference(network, "cpu")
        self.facts = zoo.read_metadata(self.pose_weights)
        self.settings = replace(self.settings, calibration=None)
        self.held_out: Sequence[HeldOut] = read_held_out(self.data / "lspet")

    @property
    def size(self) -> tuple[int, int]:
        return self.settings.input_size

    def estimator(self, calibration: Calibration | None = None, **changes: object) -> HeatmapEstimator:
        settings: PoseSettings = replace(self.settings, calibration=calibration, **changes)  # type: ignore[arg-type]
        return HeatmapEstimator.fast(self.network, settings)

    def detector(self, long_side: int | None = None, calibration: Calibration | None = None) -> LightDetector:
        detector = LightDetector(self.detector_weights, score_threshold=LEAST, long_side=long_side)
        detector.calibration = calibration
        return detector

    def predict(
        self, held_out: HeldOut, size: tuple[int, int] | None = None, flip: bool = False
    ) -> Predictions:
        found = predict(
            self.network,
            held_out,
            POSETRACK18,
            size or self.size,
            self.settings.sigma,
            torch.device("cpu"),
            flip,
        )
        return replace(found, scores=np.clip(found.scores, 0, 1))

    @cached_property
    def plain(self) -> dict[str, Predictions]:
        """Of every held-out person, as the network ships."""
        return {held_out.name: self.predict(held_out) for held_out in self.held_out}

    def photos(self, every: int = 1) -> list[Picture]:
        """Validation photos with the boxes of the teacher and, one per photo, of human labels."""
        folder = self.data / "lspet"
        return read_pictures([folder / "val.tar"], folder / "person_boxes_val.json")[::every]


def some(held_out: HeldOut, every: int) -> HeldOut:
    """One in so many people."""
    return replace(held_out, people=held_out.people[::every])
