"""Trained weights as one file: safetensors, with what a user must know of them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from posetrack.errors import PoseTrackError
from posetrack.models.shapes import name_of
from posetrack.training.recipes import Recipe
from posetrack.zoo import read_metadata

SETS = {
    "coco": "COCO train2017",
    "ai_challenger": "AI Challenger human keypoints, training split",
    "mpii": "MPII Human Pose, training split",
    "posetrack17": "PoseTrack 2017, training split",
    "posetrack18": "PoseTrack 2018, training split",
    "lspet": "Leeds Sports Pose Extended, images 1-9000",
    "imagenet": "ImageNet, training split",
}
# What is known for sure to bind the weights; of the other sets nothing is claimed either way.
LICENCES = {"lspet": "trained on photos for research use only"}


def trained(
    recipe: Recipe,
    network: nn.Module,
    path: Path,
    pictures: int,
    results: Mapping[str, float],
    unlabelled: Sequence[str] = (),
    origin: Mapping[str, str] | None = None,
) -> None:
    """Write what a recipe gave, with all that a user and `posetrack track --weights` must know of it.

    Args:
        pictures: that the network learned from, each time counted.
        results: of its last validation, on people or pictures that training never saw.
        unlabelled: joints that nobody in the training data has; what the network says of them is noise.
        origin: metadata about the weights it began with, as `origin_of` gives them.

    Raises:
        PoseTrackError: no room, or weights that are not finite or do not fit into half precision.
    """
    name = recipe.network if isinstance(recipe.network, str) else name_of(recipe.network)
    metadata = {
        "model": name,
        "recipe": recipe.name,
        "input_width": str(recipe.width),
        "input_height": str(recipe.height),
        "trained_on": " and ".join(SETS[data] for data in recipe.sets),
        "pictures": str(pictures),
        "validation": json.dumps(dict(results)),
        **(origin or {}),
    }
    licences = [metadata.get("licence", ""), *(LICENCES.get(data, "") for data in recipe.sets)]
    if any(licences):
        metadata["licence"] = "; ".join(dict.fromkeys(filter(None, licences)))
    if unlabelled:
        metadata["unlabelled"] = ",".join(unlabelled)
    if recipe.data != "imagenet":
        softmax = recipe.loss == "cross_entropy"
        metadata |= {
            "skeleton": recipe.skeleton.name,
            "sigma": str(recipe.sigma),
            "heatmap": "softmax" if softmax else "gaussian",
        }
    state = half_precision(network) if recipe.half_precision else full_precision(network)
    try:
        write(state, path, metadata)
    except (OSError, ValueError) as error:
        raise PoseTrackError(f"{path}: the weights cannot be written ({error})") from error


def origin_of(path: Path) -> dict[str, str]:
    """What metadata of a network say of the weights that it began with: which, and what binds them."""
    facts = read_metadata(path) if path.suffix == ".safetensors" else {}
    taught = f", trained on {facts['trained_on']}" if "trained_on" in facts else ""
    return {
        "began_with": path.name + taught,
        **({"licence": facts["licence"]} if "licence" in facts else {}),
    }


def half_precision(network: nn.Module) -> dict[str, Tensor]:
    """The state dict with float16 in place of float32, without batch-norm's step counters."""
    return {
        name: value.detach().to("cpu", torch.float16).contiguous()
        for name, value in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }


def full_precision(network: nn.Module) -> dict[str, Tensor]:
    """The state dict as it is, on the CPU, without batch-norm's step counters."""
    return {
        name: value.detach().to("cpu").contiguous()
        for name, value in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }


def write(state: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str]) -> None:
    """A safetensors file, whole or not at all.

    Raises:
        ValueError: a weight is not finite, which in half precision means too large.
    """
    unfit = [name for name, value in state.items() if not torch.isfinite(value).all()]
    if unfit:
        raise ValueError(f"{len(unfit)} tensors are not finite, such as {', '.join(unfit[:3])}")
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(save(dict(state), dict(metadata)))
    os.replace(temporary, path)
