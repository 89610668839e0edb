"""Weights: published files by name, safe reading of anybody's checkpoints, loading that refuses a misfit.

>>> from posetrack import models, zoo
>>> network = models.create("hrnet_w48", keypoints=17)
>>> path = zoo.weights("hrnet_w48_posetrack18_384x288")
>>> zoo.load_into(network, zoo.read_checkpoint(path), source=str(path))
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

# Imported when first used: reading weights needs torch, which `posetrack --help` must not wait for.
_HOMES = {
    "read_checkpoint": "checkpoint",
    "read_metadata": "checkpoint",
    "load_into": "loading",
    "init_from_imagenet": "loading",
    "MismatchError": "loading",
    "weights": "download",
    "bundled": "download",
    "fetch": "download",
}

__all__ = list(_HOMES)

if TYPE_CHECKING:
    from posetrack.zoo.checkpoint import read_checkpoint as read_checkpoint
    from posetrack.zoo.checkpoint import read_metadata as read_metadata
    from posetrack.zoo.download import bundled as bundled
    from posetrack.zoo.download import fetch as fetch
    from posetrack.zoo.download import weights as weights
    from posetrack.zoo.loading import MismatchError as MismatchError
    from posetrack.zoo.loading import init_from_imagenet as init_from_imagenet
    from posetrack.zoo.loading import load_into as load_into


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'posetrack.zoo' has no attribute '{name}'")
    return getattr(import_module(f"posetrack.zoo.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
