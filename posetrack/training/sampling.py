"""Augmented training pictures of people; picture i of a run depends on the seed and on i alone.

A killed run can therefore go on as if it had never stopped, and no worker needs to know of any other.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from posetrack.datasets.augment import (
    Appearance,
    Geometry,
    Size,
    apply_view,
    random_appearance,
    random_edge,
    random_view,
)
from posetrack.datasets.people import Image, Person
from posetrack.datasets.strangers import beside, draw_stranger
from posetrack.skeletons import Skeleton


@dataclass(frozen=True)
class Sampling:
    skeleton: Skeleton
    batch: int
    geometry: Geometry = field(default_factory=Geometry)
    appearance: Appearance = field(default_factory=Appearance)
    pseudo_weight: float = 0.5  # of machine-made joints in the loss
    edge_probability: float = 0.0  # that the photo ends within the person, as a frame may
    stranger_probability: float = 0.0  # that somebody else is drawn beside, half before or half behind
    seed: int = 1


WHOLE = Geometry(half_body_probability=0)  # how strangers are drawn


@dataclass(frozen=True, eq=False)
class Batch:
    crops: Tensor  # (B, H, W, 3) uint8 RGB
    points: Tensor  # (B, K, 2) input pixels
    weights: Tensor  # (B, K); 0 where a joint has no label or lies outside
    absent: Tensor  # (B, K) bool; labelled, but outside the crop or beyond the photo's edge
    crowded: Tensor  # (B,) bool; somebody else was drawn beside

    def pin_memory(self) -> Batch:
        """In memory from which a GPU copies while the CPU goes on; DataLoader calls this by name."""
        return Batch(*(part.pin_memory() for part in self.parts()))

    def to(self, device: torch.device) -> Batch:
        return Batch(*(part.to(device, non_blocking=True) for part in self.parts()))

    def parts(self) -> tuple[Tensor, ...]:
        return self.crops, self.points, self.weights, self.absent, self.crowded


class Picture(NamedTuple):
    """One of a batch."""

    crop: Image  # (H, W, 3)
    points: NDArray[np.float32]  # (K, 2)
    weights: NDArray[np.float32]  # (K,)
    absent: NDArray[np.bool_]  # (K,)
    crowded: np.bool_


class Sampler:
    """Draws people by their weights."""

    def __init__(self, sampling: Sampling, people: Sequence[Person], images: Mapping[str, Image]) -> None:
        self.sampling, self.people, self.images = sampling, people, images
        self._ends = np.cumsum([person.weight for person in people])

    def picture(self, i: int, size: Size) -> Picture:
        sampling, rng = self.sampling, np.random.default_rng((self.sampling.seed, i))
        person = self._somebody(rng)
        image, skeleton = self.images[person.image], sampling.skeleton
        known = person.labelled
        if sampling.edge_probability and rng.random() < sampling.edge_probability:
            image, person = random_edge(image, person, rng)
        matrix, mirrored = random_view(person, skeleton, size, sampling.geometry, rng)
        crop, points, inside = apply_view(image, person, skeleton, matrix, mirrored, size)
        crowded = bool(sampling.stranger_probability) and rng.random() < sampling.stranger_probability
        if crowded:
            other, before = self._somebody(rng), bool(rng.random() < 0.5)
            view, _ = random_view(other, skeleton, size, WHOLE, rng)
            view = beside(view, size, rng)
            photo = self.images[other.image]
            crop = draw_stranger(crop, points, inside, skeleton, (photo, other), view, before)
        worth = person.worth
        if worth is None:
            worth = np.where(person.pseudo, sampling.pseudo_weight, 1.0).astype(np.float32)
        outside = known if person.beyond is None else known | person.beyond
        if mirrored:
            worth, outside = worth[skeleton.flip_order], outside[skeleton.flip_order]
        weights = (inside * worth).astype(np.float32)
        crop = random_appearance(crop, sampling.appearance, rng)
        return Picture(crop, points, weights, outside & ~inside, np.bool_(crowded))

    def _somebody(self, rng: np.random.Generator) -> Person:
        slot = int(np.searchsorted(self._ends, rng.random() * self._ends[-1], side="right"))
        return self.people[min(slot, len(self.people) - 1)]

    def batch(self, first: int, size: Size) -> Batch:
        """Pictures first, first + 1, ..."""
        parts = [self.picture(first + i, size) for i in range(self.sampling.batch)]
        return Batch(*(torch.from_numpy(np.stack(column)) for column in zip(*parts, strict=True)))


class Prefetch:
    """Batches in order, made ahead by forked processes that share the photos; with none, made when asked for.

    Not by threads: they would wait for one another, as much of the making is Python's.
    """

    def __init__(self, sampler: Sampler, first: int, processes: int = 0, pinned: bool = False) -> None:
        """`first` is the number of the next picture; `pinned`: for a GPU."""
        self.sampler, self.first, self.processes, self.pinned = sampler, first, processes, pinned
        self.size: Size | None = None
        self._batches: Iterator[Batch] = iter(())

    def next(self, size: Size) -> Batch:
        """The next batch. At a new size the processes begin anew: what they made ahead is of the old one."""
        if size != self.size:
            self.stop()
            self.size, self._batches = size, iter(self._loader(size))
        batch = next(self._batches)
        self.first += self.sampler.sampling.batch
        return batch

    def stop(self) -> None:
        """End the processes."""
        self.size, self._batches = None, iter(())

    def _loader(self, size: Size) -> DataLoader[Batch]:
        if self.processes:
            cv2.setNumThreads(1)  # its threads do not live on in forked processes, which would wait for them
        return DataLoader(
            _Numbered(self.sampler, size),
            batch_size=None,  # an example is a whole batch, known by the number of its first picture
            sampler=itertools.count(self.first, self.sampler.sampling.batch),
            num_workers=self.processes,
            prefetch_factor=3 if self.processes else None,
            multiprocessing_context="fork" if self.processes else None,
            collate_fn=_as_it_is,
            pin_memory=self.pinned,
        )


class _Numbered(Dataset[Batch]):
    def __init__(self, sampler: Sampler, size: Size) -> None:
        self.sampler, self.size = sampler, size

    def __getitem__(self, first: int) -> Batch:
        return self.sampler.batch(first, self.size)


def _as_it_is(batch: Any) -> Any:
    return batch
