"""Parts of pictures for classifiers."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from posetrack.datasets.imagenet import ImageData
from posetrack.datasets.people import Image
from posetrack.datasets.pictures import read_picture
from posetrack.training.examples.examples import Example, Examples
from posetrack.training.recipe import Recipe


class ImageExamples(Examples):
    """crops (H, W, 3) uint8 RGB and their labels: a random part of the picture, mirrored at random."""

    def __init__(self, recipe: Recipe, data: ImageData) -> None:
        super().__init__(recipe, [1.0] * len(data.pictures))
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
    k = min(W / size[0], H / size[1])  # too long for that: the largest part in the middle
    w, h = max(1, round(k * size[0])), max(1, round(k * size[1]))
    x, y = (W - w) // 2, (H - h) // 2
    return _resized(image[y : y + h, x : x + w], size)


def _resized(image: Image, size: tuple[int, int]) -> Image:
    smaller = image.shape[1] > size[0]
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size, interpolation=how), np.uint8)
