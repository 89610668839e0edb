"""Trained weights as one file: safetensors, with what a user must know of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from posetrack.datasets.names import TRAINING
from posetrack.errors import PoseTrackError
from posetrack.files import replacing
from posetrack.training.recipe import Recipe
from posetrack.training.sources import LICENCES
from posetrack.zoo import catalog, read_metadata


def trained(
    recipe: Recipe,
    network: nn.Module,
    path: Path,
    pictures: int,
    results: Mapping[str, float],
    facts: Mapping[str, str],
) -> None:
    """Write what a recipe gave, with all that a user and `posetrack track --weights` must know of it.

    Args:
        pictures: that the network learned from, each time counted.
        results: of its last validation, on people or pictures that training never saw.
        facts: of the task, and of the weights that it began with, as `origin_of` gives them.

    Raises:
        PoseTrackError: no room, or weights that are not finite or do not fit into half precision.
    """
    metadata = {
        "model": recipe.network_name,
        "recipe": recipe.name,
        "input_width": str(recipe.width),
        "input_height": str(recipe.height),
        "trained_on": " and ".join(TRAINING[name] for name in recipe.sets),
        "pictures": str(pictures),
        "validation": json.dumps(dict(results)),
        **facts,
    }
    licences = [facts.get("licence", ""), *(LICENCES.get(name, "") for name in recipe.sets)]
    if any(licences):
        metadata["licence"] = "; ".join(dict.fromkeys(filter(None, licences)))
    state = half_precision(network) if recipe.half_precision else full_precision(network)
    write(state, path, metadata)


def origin_of(path: Path) -> dict[str, str]:
    """What metadata of a network say of the weights that it began with: which, and what binds them."""
    facts = read_metadata(path) if path.suffix == ".safetensors" else {}
    sets = facts.get("trained_on") or catalog.trained_on(path.name)
    trained_on = f", trained on {sets}" if sets else ""
    seen = f", {facts['pictures']} pictures" if "pictures" in facts else ""
    return {
        "began_with": path.name + trained_on + seen,
        **({"licence": facts["licence"]} if "licence" in facts else {}),
    }


def half_precision(network: nn.Module) -> dict[str, Tensor]:
    """The state dict with float16 in place of float32, without batch-norm's step counters."""
    return {name: value.to(torch.float16) for name, value in full_precision(network).items()}


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
        PoseTrackError: no room, or a weight is not finite, which in half precision means too large.
    """
    unfit = [name for name, value in state.items() if not torch.isfinite(value).all()]
    if unfit:
        some = ", ".join(unfit[:3])
        raise PoseTrackError(
            f"{path}: the weights cannot be written ({len(unfit)} tensors are not finite, such as {some})"
        )
    with replacing(path) as temporary:
        temporary.write_bytes(save(dict(state), dict(metadata)))
