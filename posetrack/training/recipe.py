"""What decides the result of a training but the data themselves and the number of processes: a `Recipe`."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from posetrack.models.shapes import Shape, name_of
from posetrack.skeletons import COCO17, MPII16, POSETRACK18, Skeleton
from posetrack.training.examples.augment import Appearance, Geometry
from posetrack.zoo.catalog import Decoder

UNCHANGED = Appearance(*[0.0] * 8)  # the paper's networks see the colours as they are
HRNET_COCO = Geometry(rotation=90, scale=0.35, shift=0)


@dataclass(frozen=True)
class Source:
    """A data set that a recipe learns from."""

    name: str  # see posetrack/training/sources.py
    share: float | None = None  # of all draws; None: what its people weigh beside those of its like
    optional: bool = False  # may be left out, with those after it, by naming no folder for it


@dataclass(frozen=True)
class Stage:
    """A stretch of a run with one input size."""

    until: float  # share of the run at which it ends
    width: int  # of the input, pixels
    height: int
    sigma: float  # of the targets, heatmap pixels

    @property
    def size(self) -> tuple[int, int]:
        return self.width, self.height


@dataclass(frozen=True)
class Recipe:
    """One experiment. The budget is epochs, pictures or minutes: one of the three."""

    name: str
    network: str | Shape  # a name of posetrack.models, the shape of a network, or "light_detector"
    data: tuple[Source, ...]  # learned together; the first one is validated on
    width: int  # of the input, pixels; a multiple of 32
    height: int
    task: Literal["pose", "detector", "classifier"] = "pose"
    stages: tuple[Stage, ...] = ()  # smaller inputs to begin with
    init: Literal["nothing", "imagenet", "pose"] = "imagenet"  # the weights that --init must name
    frozen: tuple[str, ...] = ()  # modules that stay as they are in a run that begins with weights
    he_draw: bool = False  # of initial values by He's rule; else N(0, 0.001), as officially

    sigma: float = 2.0  # of the targets, heatmap pixels
    targets: Literal["official", "unbiased"] = "official"  # centres rounded to pixels, or as they are (DARK)
    loss: Literal["mse", "ohkm", "cross_entropy"] = "mse"
    teacher_share: float = 0.0  # of a teacher's heatmaps in the targets, where --teacher names one
    absent_weight: float = 0.0  # in the loss, of joints known to be outside, whose maps are to be flat
    pseudo_weight: float = 1.0  # in the loss, of machine-made joints

    geometry: Geometry = HRNET_COCO
    appearance: Appearance = UNCHANGED
    edge_probability: float = 0.0  # that the photo ends within the person, as a frame may
    occluder_probability: float = 0.0  # that somebody else is drawn beside, half before or half behind
    order: Literal["epochs", "weights"] = "epochs"  # everybody once an epoch, or drawn by Person.weight
    box_growth: float | None = None  # PoseTrack: sides of a box over the extent of its joints

    epochs: float | None = 210
    pictures: int | None = None
    minutes: float | None = None
    batch: int = 128  # pictures of one step, over all processes
    optimiser: Literal["adam", "adamw", "muon", "sgd"] = "adam"
    learning_rate: float = 1e-3  # the highest
    milestones: tuple[int, ...] | None = (169, 199)  # epochs when it falls to a tenth; None: a cosine
    final_rate: float = 0.0  # where the cosine ends, as a share of the highest
    warm_up: int = 0  # pictures over which it rises from 0
    weight_decay: float = 0.0  # of convolutions, with adamw, muon and sgd
    max_gradient: float | None = None  # norm
    ema_decay: float | None = None  # per step, of the average that is validated and exported; None: none
    precision: Literal["32", "bf16"] = "32"  # of the network's arithmetic; weights stay in 32 bits
    half_precision: bool = False  # of the exported weights
    seed: int = 1

    def __post_init__(self) -> None:
        for stage in (*self.stages, self.stage(1.0)):
            if (stage.width % 32 or stage.height % 32) and self.task != "classifier":
                raise ValueError(f"an input of {stage.width}x{stage.height} is not a multiple of 32")
        if self.loss == "cross_entropy" and self.targets != "unbiased":
            raise ValueError("cross_entropy needs targets that sum to 1: targets='unbiased'")
        if sum(budget is not None for budget in (self.epochs, self.pictures, self.minutes)) != 1:
            raise ValueError("the budget of a recipe is epochs, pictures or minutes: give one of them")

    @property
    def sets(self) -> list[str]:
        """Names of the data sets, the one that is validated on first."""
        return [source.name for source in self.data]

    @property
    def decoder(self) -> Decoder:
        """How heatmaps are read that learned from these targets."""
        return "quarter" if self.targets == "official" else "dark"

    @property
    def skeleton(self) -> Skeleton:
        return {"coco": COCO17, "mpii": MPII16}.get(self.sets[0], POSETRACK18)

    @property
    def network_name(self) -> str:
        return self.network if isinstance(self.network, str) else name_of(self.network)

    def for_batch(self, batch: int) -> Recipe:
        """The same with steps of another size; with Muon the rate grows with the root of the size."""
        grown = (batch / self.batch) ** 0.5 if self.optimiser == "muon" else 1.0
        return replace(self, batch=batch, learning_rate=self.learning_rate * grown)

    def for_budget(
        self, epochs: float | None = None, pictures: int | None = None, minutes: float | None = None
    ) -> Recipe:
        """The same for another length of the run."""
        return replace(self, epochs=epochs, pictures=pictures, minutes=minutes)

    def stage(self, progress: float) -> Stage:
        """Input and targets after the share `progress` of the run."""
        last = Stage(1.0, self.width, self.height, self.sigma)
        return next((s for s in self.stages if progress < s.until), last)

    def rate(self, progress: float, epoch: float, pictures: int) -> float:
        """Learning rate of a step.

        Args:
            progress: share of the run that is over before it.
            epoch: epochs that are over before it.
            pictures: that the run has seen after it.
        """
        warm = min(1.0, pictures / self.warm_up) if self.warm_up else 1.0
        if self.milestones is not None:
            return self.learning_rate * warm * 0.1 ** sum(epoch >= milestone for milestone in self.milestones)
        cosine = 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
        return self.learning_rate * warm * (self.final_rate + (1 - self.final_rate) * cosine)
