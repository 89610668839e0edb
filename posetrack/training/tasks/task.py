"""What a network is to learn: the interface between the loop and the tasks beside this file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from posetrack.training.examples.examples import Examples
from posetrack.training.ranks import Ranks
from posetrack.training.recipe import Recipe, Stage

Network = Callable[..., Any]  # an nn.Module, perhaps wrapped for several processes


@dataclass
class Validation:
    """How well a network does; the first value decides which checkpoint is the best."""

    values: dict[str, float] = field(default_factory=dict)
    pictures: dict[str, NDArray[np.uint8]] = field(default_factory=dict)  # (H, W, 3) RGB, for TensorBoard
    lost: list[str] = field(default_factory=list)  # why some people or pictures do not count


class Task(ABC):
    """One kind of training: its network, examples, loss and accuracy."""

    first_and_last: tuple[str, ...] = ()  # names of modules whose kernels Muon leaves to AdamW
    began_with_weights = False  # set by the loop
    fixed_shapes = True  # every batch of a stage has the same shapes: it divides, and a GPU can replay a step

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe

    @property
    @abstractmethod
    def size(self) -> int:
        """Examples of an epoch."""

    @abstractmethod
    def create(self) -> nn.Module:
        """A network with initial values."""

    @abstractmethod
    def load(self, network: nn.Module, weights: Path) -> None:
        """Begin with the weights of a file.

        Raises:
            PoseTrackError: they do not fit.
        """

    @abstractmethod
    def examples(self, stage: Stage) -> Examples: ...

    @abstractmethod
    def amount(self, batch: Mapping[str, Tensor]) -> Tensor:
        """What the loss is a mean over, such as the number of pictures; it adds up over batches."""

    @abstractmethod
    def loss(self, network: Network, batch: Mapping[str, Tensor], stage: Stage, step: int) -> Tensor:
        """Mean loss of some examples in a step, counted from 0."""

    @abstractmethod
    def validate(self, network: nn.Module, stage: Stage, ranks: Ranks) -> Validation:
        """Accuracy on held-out data; runs on all processes, each of which may do a part."""

    def facts(self) -> dict[str, str]:
        """What a user of the weights must know beside what the recipe says."""
        return {}
