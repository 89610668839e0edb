"""Training examples by their number: crops of people for heatmap networks, pictures for classifiers.

Picture i of a run depends on the seed and on i alone, whoever makes it: any worker of any process, before or
after a kill. What cannot be read is replaced by another example and named in the batch.

    people = PeopleExamples(recipe, plan, read_coco(root, "train"))
    for batch in loader(people, Shares(plan), workers=8): ...
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from posetrack.datasets.people import Image, PoseData
from posetrack.datasets.pictures import read_picture
from posetrack.errors import InputError
from posetrack.training.augment import apply_view, random_appearance, random_view
from posetrack.training.plan import Permutations, Plan, Shares, WeightedDraws
from posetrack.training.recipes import Recipe
from posetrack.training.stop import ignore_signals

Example = dict[str, Any]  # tensors, and under "lost" why another example was taken ("" if none was)
ATTEMPTS = 20  # examples in a row that may be unreadable before the run stops


class Examples(Dataset[Example]):
    """Examples by the number of the picture in the run."""

    def __init__(self, recipe: Recipe, plan: Plan, weights: Sequence[float]) -> None:
        self.recipe, self.plan = recipe, plan
        weighted = recipe.draws == "weighted"
        self._draw = WeightedDraws(weights) if weighted else Permutations(len(weights), recipe.seed)

    def __getitem__(self, picture: int) -> Example:
        """
        Raises:
            InputError: nothing drawn can be read.
        """
        rng = np.random.default_rng((self.recipe.seed, picture))
        index, lost = self._draw(picture, rng), ""
        for _ in range(ATTEMPTS):
            try:
                return {**self.make(index, picture, rng), "lost": lost}
            except InputError as error:
                lost = lost or str(error)
                index = int(rng.integers(self.plan.examples))
        raise InputError(
            f"{ATTEMPTS} pictures in a row cannot be read, first {lost}: is the data still there?"
        )

    def make(self, index: int, picture: int, rng: np.random.Generator) -> Example:
        raise NotImplementedError


class PeopleExamples(Examples):
    """crops (H, W, 3) uint8 RGB, points (K, 2) in its pixels, weights (K,) of the joints in the loss."""

    def __init__(self, recipe: Recipe, plan: Plan, data: PoseData) -> None:
        super().__init__(recipe, plan, [person.weight for person in data.people])
        self.data = data
        # The squared error's targets decide which joints matter: a Gaussian may reach in from outside.
        self._margin = 0.0 if recipe.loss == "cross_entropy" else np.inf

    def make(self, index: int, picture: int, rng: np.random.Generator) -> Example:
        recipe, person, skeleton = self.recipe, self.data.people[index], self.data.skeleton
        stage = recipe.stage(picture // self.plan.batch / self.plan.steps)
        size, image = (stage.width, stage.height), self.data.pictures[person.image]
        matrix, mirrored = random_view(person, skeleton, size, recipe.geometry, rng)
        crop, points, inside = apply_view(image, person, skeleton, matrix, mirrored, size, self._margin)
        pseudo = person.pseudo[skeleton.flip_order] if mirrored else person.pseudo
        weights = (inside * np.where(pseudo, recipe.pseudo_weight, 1.0)).astype(np.float32)
        crop = random_appearance(crop, recipe.appearance, rng)
        return {
            "crops": torch.from_numpy(crop),
            "points": torch.from_numpy(points),
            "weights": torch.from_numpy(weights),
        }


@dataclass(frozen=True)
class ImageData:
    """One split of a classification data set."""

    name: str
    classes: Sequence[str]
    pictures: Sequence[tuple[Path, int]]  # file and class
    lost: Sequence[str] = ()


def read_image_folder(root: Path, split: str) -> ImageData:
    """A folder per class below root/split, as ImageNet is laid out for torchvision; classes in sorted order.

    Raises:
        InputError: no such folder, or no pictures in it.
    """
    folder = root / split
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give the root of train/ and val/, a folder per class")
    classes = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
    pictures, lost = [], []
    for label, name in enumerate(classes):
        files = sorted(path for path in (folder / name).rglob("*") if path.suffix.lower() in SUFFIXES)
        pictures += [(path, label) for path in files]
        if not files:
            lost.append(f"{folder / name}: a class without pictures")
    if not pictures:
        raise InputError(f"{folder}: no pictures in the folders of its {len(classes)} classes")
    return ImageData(f"{root.name} {split}", classes, pictures, lost)


SUFFIXES = frozenset((".jpeg", ".jpg", ".png", ".bmp", ".webp", ".ppm"))


class ImageExamples(Examples):
    """crops (H, W, 3) uint8 RGB and their label: a random part of the picture, mirrored at random."""

    def __init__(self, recipe: Recipe, plan: Plan, data: ImageData) -> None:
        super().__init__(recipe, plan, [1.0] * len(data.pictures))
        self.data = data

    def make(self, index: int, picture: int, rng: np.random.Generator) -> Example:
        path, label = self.data.pictures[index]
        crop = random_part(read_picture(path), (self.recipe.width, self.recipe.height), rng)
        if rng.random() < 0.5:
            crop = np.ascontiguousarray(crop[:, ::-1])
        return {"crops": torch.from_numpy(crop), "labels": label}


def random_part(image: Image, size: tuple[int, int], rng: np.random.Generator) -> Image:
    """A part of 8 to 100 % of the area and an aspect of 3:4 to 4:3, resized: Inception's augmentation."""
    H, W = image.shape[:2]
    for _ in range(10):
        area = H * W * rng.uniform(0.08, 1)
        aspect = np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3)))
        w, h = round(np.sqrt(area * aspect)), round(np.sqrt(area / aspect))
        if 0 < w <= W and 0 < h <= H:
            x, y = int(rng.integers(W - w + 1)), int(rng.integers(H - h + 1))
            return _resized(image[y : y + h, x : x + w], size)
    return middle_part(image, size)  # a picture too long for that


def middle_part(image: Image, size: tuple[int, int]) -> Image:
    """The middle 7/8 of the picture's short side, for size 224 of 256, as classifiers are tested."""
    H, W = image.shape[:2]
    k = min(W / size[0], H / size[1]) * 7 / 8
    w, h = max(1, round(k * size[0])), max(1, round(k * size[1]))
    x, y = (W - w) // 2, (H - h) // 2
    return _resized(image[y : y + h, x : x + w], size)


def _resized(image: Image, size: tuple[int, int]) -> Image:
    smaller = image.shape[1] > size[0]
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size, interpolation=how), np.uint8)


def loader(
    examples: Examples, shares: Shares, workers: int, pin: bool = False, steadfast: bool = False
) -> DataLoader[Example]:
    """Batches of examples in the order of `shares`, made ahead by worker processes; 0 makes them here."""
    if workers:
        cv2.setNumThreads(1)  # OpenCV's threads do not live on in forked workers, which would wait for them
    return DataLoader(
        examples,
        batch_sampler=shares,
        num_workers=workers,
        pin_memory=pin,
        worker_init_fn=_serve_to_the_end if steadfast else _serve,
        prefetch_factor=4 if workers else None,
    )


def _serve(worker: int) -> None:
    """Begin a worker process."""
    cv2.setNumThreads(1)  # where workers are not forked


def _serve_to_the_end(worker: int) -> None:
    """As _serve, deaf to the signals by which the whole run is asked to stop."""
    _serve(worker)
    ignore_signals()


def split(batch: Example, parts: int) -> list[dict[str, Tensor]]:
    """The tensors of a batch in equal parts."""
    tensors = {key: value for key, value in batch.items() if isinstance(value, Tensor)}
    size = len(next(iter(tensors.values()))) // parts
    return [{k: v[i * size : (i + 1) * size] for k, v in tensors.items()} for i in range(parts)]
