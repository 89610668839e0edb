"""Which pictures each step of a run takes: a function of the step alone, so that nothing else need be saved.

Pictures of a run are numbered through all epochs. Step s of batch B takes the numbers sB to sB + B - 1, and
of W processes each takes its own stretch of these: a run that was killed goes on at its step, and the number
of processes changes nothing.

    plan = Plan(examples=149_813, batch=128, epochs=210)
    plan.share(step=7, rank=1, ranks=4)     # range(928, 960)
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from posetrack.training.recipe import Recipe


@dataclass(frozen=True)
class Plan:
    """The length of a run. An epoch is as many pictures as there are examples, and may end within a step."""

    examples: int
    batch: int  # pictures of a step, over all processes
    epochs: float | None = None  # or
    minutes: float | None = None  # of wall clock, over all resumptions

    @classmethod
    def of(cls, recipe: Recipe, examples: int) -> Plan:
        epochs = recipe.epochs if recipe.pictures is None else recipe.pictures / examples
        return cls(examples, recipe.batch, epochs, recipe.minutes)

    @property
    def steps(self) -> int | None:
        """None where minutes decide."""
        return None if self.epochs is None else math.ceil(self.epochs * self.examples / self.batch - 1e-9)

    def progress(self, step: int, seconds: float) -> float:
        """Share of the run that is over before a step, after so many seconds of training; 1 at its end."""
        if self.steps is not None:
            return step / self.steps
        assert self.minutes is not None
        return min(1.0, seconds / (60 * self.minutes))

    def epoch(self, step: int) -> float:
        """Epochs that are over before a step."""
        return step * self.batch / self.examples

    def ends_epoch(self, step: int, every: float = 1.0) -> bool:
        """Whether another `every` epochs are over after `step` steps."""
        return math.floor(self.epoch(step) / every) > math.floor(self.epoch(step - 1) / every)

    def share(self, step: int, rank: int = 0, ranks: int = 1) -> range:
        """Numbers of the pictures that one of `ranks` processes takes; `ranks` divides the batch."""
        first = step * self.batch + rank * self.batch // ranks
        return range(first, first + self.batch // ranks)


@dataclass(frozen=True)
class RankBatches:
    """The batches of one process from step `first` on: a batch sampler for torch's DataLoader."""

    plan: Plan
    first: int = 0
    rank: int = 0
    ranks: int = 1

    def __iter__(self) -> Iterator[list[int]]:
        steps = itertools.count(self.first) if self.plan.steps is None else range(self.first, self.plan.steps)
        return (list(self.plan.share(step, self.rank, self.ranks)) for step in steps)


class EpochOrder:
    """Every example once an epoch, in another order each time."""

    def __init__(self, examples: int, seed: int) -> None:
        self.examples, self.seed = examples, seed
        self._epoch, self._order = -1, np.arange(0)

    def __call__(self, picture: int, rng: np.random.Generator) -> int:
        epoch, place = divmod(picture, self.examples)
        if epoch != self._epoch:
            self._order = np.random.default_rng((self.seed, epoch, 0)).permutation(self.examples)
            self._epoch = epoch
        return int(self._order[place])


class WeightedDraws:
    """Examples by their weights, with replacement."""

    def __init__(self, weights: Sequence[float]) -> None:
        self._ends = np.cumsum(weights)

    def __call__(self, picture: int, rng: np.random.Generator) -> int:
        slot = int(np.searchsorted(self._ends, rng.random() * self._ends[-1], side="right"))
        return min(slot, len(self._ends) - 1)
