"""Augmented training pictures of people; picture i of a run depends on the seed and on i alone.

A killed run can therefore go on as if it had never stopped, and no worker needs to know of any other.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from queue import Empty, Queue
from threading import Event, Thread

import numpy as np
from numpy.typing import NDArray

from posetrack.datasets.augment import (
    Appearance,
    Geometry,
    Size,
    apply_view,
    random_appearance,
    random_view,
)
from posetrack.datasets.people import Image, Person
from posetrack.skeletons import Skeleton


@dataclass(frozen=True)
class Sampling:
    skeleton: Skeleton
    batch: int
    geometry: Geometry = field(default_factory=Geometry)
    appearance: Appearance = field(default_factory=Appearance)
    pseudo_weight: float = 0.5  # of machine-made joints in the loss
    seed: int = 1


@dataclass(frozen=True, eq=False)
class Batch:
    first: int  # number of its first picture in the run
    size: Size
    crops: NDArray[np.uint8]  # (B, H, W, 3) RGB
    points: NDArray[np.float32]  # (B, K, 2) input pixels
    weights: NDArray[np.float32]  # (B, K); 0 where a joint has no label or lies outside


class Sampler:
    """Draws people by their weights."""

    def __init__(self, sampling: Sampling, people: Sequence[Person], images: Mapping[str, Image]) -> None:
        self.sampling, self.people, self.images = sampling, people, images
        self._ends = np.cumsum([person.weight for person in people])

    def picture(self, i: int, size: Size) -> tuple[Image, NDArray[np.float32], NDArray[np.float32]]:
        """Crop (H, W, 3), joints (K, 2) in its pixels and their weights (K,)."""
        sampling, rng = self.sampling, np.random.default_rng((self.sampling.seed, i))
        slot = int(np.searchsorted(self._ends, rng.random() * self._ends[-1], side="right"))
        person = self.people[min(slot, len(self.people) - 1)]
        image, skeleton = self.images[person.image], sampling.skeleton
        matrix, mirrored = random_view(person, skeleton, size, sampling.geometry, rng)
        crop, points, inside = apply_view(image, person, skeleton, matrix, mirrored, size)
        pseudo = person.pseudo[skeleton.flip_order] if mirrored else person.pseudo
        weights = (inside * np.where(pseudo, sampling.pseudo_weight, 1.0)).astype(np.float32)
        return random_appearance(crop, sampling.appearance, rng), points, weights

    def batch(self, first: int, size: Size) -> Batch:
        """Pictures first, first + 1, ..."""
        parts = [self.picture(first + i, size) for i in range(self.sampling.batch)]
        crops, points, weights = (np.stack(column) for column in zip(*parts, strict=True))
        return Batch(first, size, crops, points, weights)


class Prefetch:
    """Batches in order, made ahead by threads (OpenCV lets Python's lock go while it works)."""

    def __init__(self, sampler: Sampler, first: int, size: Size, threads: int = 1, ahead: int = 3) -> None:
        self.sampler, self.size = sampler, size
        self._stopped = Event()
        self._queues: list[Queue[Batch | Exception]] = [Queue(ahead) for _ in range(threads)]
        self._turn = itertools.cycle(self._queues)
        step = sampler.sampling.batch
        self._threads = [
            Thread(target=self._fill, args=(queue, first + t * step, threads * step), daemon=True)
            for t, queue in enumerate(self._queues)
        ]
        for thread in self._threads:
            thread.start()

    def next(self, size: Size) -> Batch:
        """The next batch; one that was made ahead at another size is made again."""
        self.size = size
        batch = next(self._turn).get()
        if isinstance(batch, Exception):
            raise batch
        return batch if batch.size == size else self.sampler.batch(batch.first, size)

    def stop(self) -> None:
        self._stopped.set()
        for queue, thread in zip(self._queues, self._threads, strict=True):
            while thread.is_alive():  # it may wait for room
                try:
                    queue.get(timeout=0.01)
                except Empty:
                    continue
            thread.join()

    def _fill(self, queue: Queue[Batch | Exception], first: int, step: int) -> None:
        for number in itertools.count(first, step):
            if self._stopped.is_set():
                return
            try:
                queue.put(self.sampler.batch(number, self.size))
            except Exception as error:  # raised again in `next`
                queue.put(error)
                return
