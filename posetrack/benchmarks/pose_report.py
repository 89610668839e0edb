"""Tables about a light pose network on held-out people: by joint, by pose, and from which score on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from posetrack.benchmarks.pck import Errors
from posetrack.benchmarks.validate import Predictions
from posetrack.datasets.people import POSE_TYPES, HeldOut, pose_type
from posetrack.skeletons import Skeleton

HIT = 0.2  # torso lengths


def by_joint(errors: Errors, skeleton: Skeleton) -> dict[str, float]:
    """PCK@0.2 in percent, left and right together; joints that never count are left out."""
    together: dict[str, list[int]] = {}
    for slot, name in enumerate(skeleton.keypoints):
        together.setdefault(name.removeprefix("left_").removeprefix("right_"), []).append(slot)
    table = {}
    for name, slots in together.items():
        pair = Errors(errors.distances[:, slots], errors.offsets[:, slots])
        if np.isfinite(pair.distances).any():
            table[name] = pair.pck()
    return table


def by_pose(errors: Errors, held_out: HeldOut, skeleton: Skeleton) -> dict[str, tuple[int, float]]:
    """Number of people and PCK@0.2 of each pose type."""
    types = np.array([pose_type(person, skeleton) or "" for person in held_out.people])
    return {name: (int((types == name).sum()), errors[types == name].pck()) for name in POSE_TYPES}


def by_size(
    errors: Errors, held_out: HeldOut, limits: Sequence[float]
) -> dict[tuple[float, float], tuple[int, float]]:
    """Number of people and PCK@0.2 between successive limits of the box's longer side, pixels."""
    boxes = np.stack([person.box for person in held_out.people])
    sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    table = {}
    for low, high in pairwise(limits):
        chosen = (sides >= low) & (sides < high)
        table[low, high] = (int(chosen.sum()), errors[chosen].pck())
    return table


def thresholds(
    scores: NDArray[np.floating], errors: Errors, limits: Iterable[float]
) -> dict[float, tuple[float, float]]:
    """Precision (hits among joints at or above) and recall (such hits among all joints) of each threshold."""
    counted = np.isfinite(errors.distances)
    score, hit = scores[counted], errors.distances[counted] <= HIT
    table = {}
    for limit in limits:
        shown = score >= limit
        precision = 100 * float(hit[shown].mean()) if shown.any() else float("nan")
        table[limit] = (precision, 100 * float((hit & shown).mean()))
    return table


def bias(predictions: Predictions) -> NDArray[np.float64]:
    """(2,) median of found - labelled over the hits, x and y, in heatmap pixels."""
    errors = predictions.errors
    hits = np.isfinite(errors.distances) & (np.nan_to_num(errors.distances, nan=np.inf) <= HIT)
    offsets = errors.offsets / predictions.scales[:, None, None]
    return np.asarray(np.median(offsets[hits], axis=0), np.float64)


def swapped(predictions: Predictions, skeleton: Skeleton) -> float:
    """Percent of people who fit better (by at least 0.2 torso on average) with left and right exchanged.

    Exchanged are the found limb joints; it tells confusion of sides from other errors.
    """
    offsets = predictions.errors.offsets  # found - labelled
    found = predictions.points
    labels = found - offsets
    other = np.linalg.norm(found[:, skeleton.flip_order] - labels, axis=-1)
    own = np.linalg.norm(offsets, axis=-1)
    paired = skeleton.flip_order != np.arange(len(skeleton))
    torso = own / np.where(predictions.errors.distances > 0, predictions.errors.distances, np.nan)
    gain = (own - other)[:, paired] / torso[:, paired]
    people = np.isfinite(gain).any(axis=1)
    return 100 * float((np.nanmean(gain[people], axis=1) > HIT).mean())
