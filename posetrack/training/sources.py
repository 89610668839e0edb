"""The data sets that recipes name: what binds their weights, and who reads them.

A new set is a line in `posetrack.datasets.names` and a reader in `PEOPLE` (or `BOXES`, for detectors); if
recipes validate on it, one in `HELD_OUT`, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from posetrack.datasets.ai_challenger import read_ai_challenger
from posetrack.datasets.boxes import BoxData, Picture, read_pictures
from posetrack.datasets.coco import read_coco
from posetrack.datasets.concatenate import concatenate
from posetrack.datasets.everyday import read_everyday_people
from posetrack.datasets.imagenet import ImageData, read_image_folder
from posetrack.datasets.lspet import (
    read_held_out,
    read_lspet,
    read_lspet_boxes,
    read_rendered,
)
from posetrack.datasets.mpii import read_mpii
from posetrack.datasets.people import HeldOut, PoseData
from posetrack.datasets.posetrack_train import GROWTH, read_posetrack
from posetrack.errors import PoseTrackError
from posetrack.training.recipe import Recipe
from posetrack.training.tasks.everyday_joints import teach
from posetrack.training.tasks.everyday_labels import read_everyday_boxes
from posetrack.training.tasks.teacher_joints import TinyPose

# What is known for sure to bind the weights; of the other sets nothing is claimed either way.
LICENCES = dict.fromkeys(("lspet", "everyday"), "trained on photos for research use only")

PEOPLE: Mapping[str, Callable[[Path, Recipe], PoseData]] = {
    "coco": lambda root, recipe: read_coco(root, "train"),
    "ai_challenger": lambda root, recipe: read_ai_challenger(root),
    "mpii": lambda root, recipe: read_mpii(root, "train"),
    "posetrack17": lambda root, recipe: _posetrack(root, recipe, 2017),
    "posetrack18": lambda root, recipe: _posetrack(root, recipe, 2018),
    "lspet": lambda root, recipe: read_lspet(root),
    "everyday": lambda root, recipe: read_everyday_people(root),
    "rendered": lambda root, recipe: read_rendered(root),
}
TAUGHT = ("lspet", "everyday")  # people with few joints by humans, whom a teacher helps
HELD_OUT: Mapping[str, Callable[[Path, Recipe], Sequence[HeldOut]]] = {
    "coco": lambda root, recipe: [held_out(read_coco(root, "val"))],
    "mpii": lambda root, recipe: [held_out(read_mpii(root, "valid"))],
    "posetrack17": lambda root, recipe: [held_out(_posetrack(root, recipe, 2017, "val"))],
    "posetrack18": lambda root, recipe: [held_out(_posetrack(root, recipe, 2018, "val"))],
    "lspet": lambda root, recipe: read_held_out(root),
}
# `labels` is the folder of the boxes that a teacher has made.
BOXES: Mapping[str, Callable[[Path, Path], BoxData]] = {
    "lspet": lambda root, labels: read_lspet_boxes(root),
    "everyday": read_everyday_boxes,
}


def _posetrack(root: Path, recipe: Recipe, year: int, split: str = "train") -> PoseData:
    return read_posetrack(root, split, year, recipe.box_growth or GROWTH)


def held_out(data: PoseData) -> HeldOut:
    return HeldOut(data.name.replace(" ", "_"), data.people, data.pictures)


def with_sources(recipe: Recipe, roots: Sequence[Path]) -> Recipe:
    """The recipe with those of its data sets that have a folder.

    Raises:
        PoseTrackError: too few folders, or too many.
    """
    needed = sum(not source.optional for source in recipe.data)
    if not needed <= len(roots) <= len(recipe.data):
        names = [f"{source.name} (if you like)" if source.optional else source.name for source in recipe.data]
        raise PoseTrackError(
            f"--data names {len(roots)} folders, but the recipe {recipe.name} learns from "
            f"{' and '.join(names)}: give one for each, in this order"
        )
    return replace(recipe, data=recipe.data[: len(roots)])


def read_people(
    recipe: Recipe,
    roots: Sequence[Path],
    joints: Path | None = None,
    teacher: TinyPose | None = None,
    begin: Path | None = None,
) -> tuple[PoseData, Sequence[HeldOut]]:
    """Who a pose network learns from, and on whom it is validated.

    Args:
        joints: folder of a teacher's joints for people of `TAUGHT`; `teacher` makes what it lacks.
        begin: weights with which the run begins; see `teach`.
    """
    parts = [PEOPLE[name](root, recipe) for name, root in zip(recipe.sets, roots, strict=True)]
    if joints is not None and "everyday" in recipe.sets:
        parts = [
            teach(part, joints, teacher, begin if name == "everyday" else None) if name in TAUGHT else part
            for name, part in zip(recipe.sets, parts, strict=True)
        ]
    data = concatenate(parts, [source.share for source in recipe.data])
    return data, HELD_OUT[recipe.sets[0]](roots[0], recipe)


def read_boxes(recipe: Recipe, roots: Sequence[Path], labels: Path) -> tuple[list[BoxData], list[Picture]]:
    """What a detector learns from, and the photos (Leeds Sports') that it is validated on."""
    parts = [BOXES[name](root, labels) for name, root in zip(recipe.sets, roots, strict=True)]
    return parts, read_pictures([roots[0] / "val.tar"], roots[0] / "person_boxes_val.json")


def read_images(roots: Sequence[Path]) -> tuple[ImageData, ImageData]:
    """What a classifier learns from, and what it is validated on."""
    return read_image_folder(roots[0], "train"), read_image_folder(roots[0], "val")
