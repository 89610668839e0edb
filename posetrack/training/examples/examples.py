"""Training examples by the number of the picture in the run, and the batches that are made of them.

Example i of a run depends on the seed and on i alone, whoever makes it: any worker of any process, before or
after a kill. What cannot be read is replaced by another example and named in the batch.

    for batch in loader(examples, RankBatches(plan), workers=8): ...
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from posetrack.errors import InputError
from posetrack.training.plan import EpochOrder, RankBatches, WeightedDraws
from posetrack.training.recipe import Recipe
from posetrack.training.stop import ignore_stop_signals

Example = dict[str, Any]  # tensors, and under "lost" why another example was taken ("" if none was)
Batch = dict[str, Any]  # the same of several: tensors, and a list under "lost"
ATTEMPTS = 20  # examples in a row that may be unreadable before the run stops


class Examples(Dataset[Example]):
    """Examples by the number of the picture in the run."""

    def __init__(self, recipe: Recipe, weights: Sequence[float]) -> None:
        self.recipe, self.count = recipe, len(weights)
        weighted = recipe.order == "weights"
        self.draw = WeightedDraws(weights) if weighted else EpochOrder(len(weights), recipe.seed)

    def __getitem__(self, picture: int) -> Example:
        """
        Raises:
            InputError: nothing drawn can be read.
        """
        rng = np.random.default_rng((self.recipe.seed, picture))
        index, lost = self.draw(picture, rng), ""
        for _ in range(ATTEMPTS):
            try:
                return {**self.make(index, picture, rng), "lost": lost}
            except InputError as error:
                lost = lost or str(error)
                index = int(rng.integers(self.count))
        raise InputError(
            f"{ATTEMPTS} pictures in a row cannot be read, first {lost}: is the data still there?"
        )

    def make(self, index: int, picture: int, rng: np.random.Generator) -> Example:
        """Example `index` of the data as picture number `picture` of the run."""
        raise NotImplementedError

    def collate(self, examples: list[Example]) -> Batch:
        batch: Batch = default_collate(examples)
        return batch


def loader(examples: Examples, batches: RankBatches, workers: int, pin: bool = False) -> DataLoader[Example]:
    """Batches of examples in the order of `batches`, made ahead by worker processes; 0 makes them here.

    The workers ignore the signals by which a whole run is asked to stop.

    Args:
        pin: in memory from which a GPU copies while the CPU goes on.
    """
    if workers:
        cv2.setNumThreads(1)  # OpenCV's threads do not live on in forked workers, which would wait for them
    return DataLoader(
        examples,
        batch_sampler=batches,
        num_workers=workers,
        pin_memory=pin,
        collate_fn=examples.collate,
        worker_init_fn=_begin_worker,
        prefetch_factor=4 if workers else None,
    )


def _begin_worker(worker: int) -> None:
    cv2.setNumThreads(1)  # where workers are not forked
    ignore_stop_signals()


def tensors_of(batch: Batch) -> dict[str, Tensor]:
    return {key: value for key, value in batch.items() if isinstance(value, Tensor)}


def split(batch: dict[str, Tensor], parts: int) -> list[dict[str, Tensor]]:
    """A batch in equal parts, where every tensor has a row for each picture; one part is the batch itself."""
    if parts == 1:
        return [batch]
    size = len(next(iter(batch.values()))) // parts
    return [{k: v[i * size : (i + 1) * size] for k, v in batch.items()} for i in range(parts)]
