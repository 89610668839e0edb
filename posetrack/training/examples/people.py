"""Crops of people for heatmap networks.

crop = PeopleExamples(recipe, recipe.stage(0.0), read_coco(root, "train"))[0]
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from posetrack.datasets.people import Image, PoseData
from posetrack.skeletons import Skeleton
from posetrack.training.examples.augment import (
    Geometry,
    apply_view,
    random_appearance,
    random_edge,
    random_view,
)
from posetrack.training.examples.examples import Example, Examples
from posetrack.training.examples.occluders import beside, draw_occluder
from posetrack.training.plan import WeightedDraws
from posetrack.training.recipe import Recipe, Stage

WHOLE = Geometry(half_body_probability=0)  # how occluders are drawn


class PeopleExamples(Examples):
    """One person each.

    crops     (H, W, 3) uint8 RGB
    points    (K, 2) input pixels
    weights   (K,) of the joints in the loss; 0 where a joint has no label or lies outside
    absent    (K,) bool: labelled, but outside the crop or beyond the photo's edge
    crowded   bool: somebody else was drawn beside
    """

    def __init__(self, recipe: Recipe, stage: Stage, data: PoseData) -> None:
        weights = [person.weight for person in data.people]
        super().__init__(recipe, weights)
        self.stage, self.data, self._somebody = stage, data, WeightedDraws(weights)
        # The squared error's targets decide which joints matter: a Gaussian may reach in from outside.
        self._margin = 0.0 if recipe.loss == "cross_entropy" else np.inf

    def make(self, index: int, picture: int, rng: np.random.Generator) -> Example:
        recipe, person, skeleton = self.recipe, self.data.people[index], self.data.skeleton
        size, image, known = self.stage.size, self.data.pictures[person.image], person.labelled
        if recipe.edge_probability and rng.random() < recipe.edge_probability:
            image, person = random_edge(image, person, rng)
        matrix, mirrored = random_view(person, skeleton, size, recipe.geometry, rng)
        crop, points, inside = apply_view(image, person, skeleton, matrix, mirrored, size, self._margin)
        crowded = bool(recipe.occluder_probability) and rng.random() < recipe.occluder_probability
        if crowded:
            crop = self._with_occluder(crop, points, inside, picture, rng)
        worth = person.worth
        if worth is None:
            worth = np.where(person.pseudo, recipe.pseudo_weight, 1.0).astype(np.float32)
        outside = known if person.beyond is None else known | person.beyond
        if mirrored:
            worth, outside = worth[skeleton.flip_order], outside[skeleton.flip_order]
        weights = inside * worth
        return {
            "crops": torch.from_numpy(random_appearance(crop, recipe.appearance, rng)),
            "points": torch.from_numpy(points),
            "weights": torch.from_numpy(weights),
            "absent": torch.from_numpy(outside & ~inside),
            "crowded": torch.tensor(crowded),
        }

    def _with_occluder(
        self,
        crop: Image,
        points: NDArray[np.float32],
        inside: NDArray[np.bool_],
        picture: int,
        rng: np.random.Generator,
    ) -> Image:
        skeleton: Skeleton = self.data.skeleton
        other, in_front = self.data.people[self._somebody(picture, rng)], bool(rng.random() < 0.5)
        view, _ = random_view(other, skeleton, self.stage.size, WHOLE, rng)
        view = beside(view, self.stage.size, rng)
        photo = self.data.pictures[other.image]
        return draw_occluder(crop, points, inside, skeleton, (photo, other), view, in_front)
