"""Weights from a file, under the official key names, whoever wrote it.

    >>> state = read_checkpoint("hrnet_w48_posetrack18_384x288-5fd6d3ff_20211130.pth")

Reads the official HRNet and SimpleBaseline releases, training checkpoints (also those of Lightning, DDP
and torch.compile), mmpose 0.x and 1.x, and safetensors. No file gets to run code.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from posetrack.errors import PoseTrackError, shortened
from posetrack.zoo import safe_unpickler

State = dict[str, Tensor]

# Where training checkpoints keep weights, best choice first: an average, the best epoch, the last one.
_PLACES = (
    "average", "ema", "state_dict_ema", "best_state_dict", "state_dict", "model_state_dict", "model",
    "network", "module",
)  # fmt: skip

# What DDP, Lightning modules and torch.compile put before every key.
_WRAPPERS = ("module.", "_orig_mod.", "model.", "network.", "net.")

# Buffers of training code that are no weights.
_NO_WEIGHTS = ("data_preprocessor.", "loss", "criterion.", "head.loss", "keypoint_head.loss")


def read_checkpoint(path: str | Path) -> State:
    """The weights in a file, on the CPU, in the precision of the file.

    Where a training checkpoint holds several copies, an average (EMA) wins over the best epoch, and that
    over the last one. Keys of networks that are not ours (a torchvision detector) stay as they are.

    Raises:
        PoseTrackError: no such file, not a weights file, damaged, without weights, or made to run code.
    """
    path = Path(path)
    tree, foreign = _load(path)
    weights = _find(tree)
    if not weights:
        names = f"; it holds objects of the kind {', '.join(foreign[:3])}" if foreign else ""
        raise PoseTrackError(
            f"{path}: no network weights in this file{names}; save model.state_dict() instead"
        )
    return official_keys(weights)


def official_keys(state: Mapping[str, Tensor]) -> State:
    """The same weights under the key names of the official releases."""
    weights = {key: tensor for key, tensor in state.items() if not key.startswith(_NO_WEIGHTS)}
    while weights and (prefix := next((w for w in _WRAPPERS if all(k.startswith(w) for k in weights)), "")):
        weights = {key.removeprefix(prefix): tensor for key, tensor in weights.items()}
    weights = {key: tensor for key, tensor in weights.items() if not key.startswith(_NO_WEIGHTS)}
    if "backbone.conv1.weight" not in weights:
        return weights
    return {_from_mmpose(key): tensor for key, tensor in weights.items()}


def _from_mmpose(key: str) -> str:
    """backbone.* is the trunk; keypoint_head (0.x) or head (1.x) holds final_layer and deconv_layers."""
    key = key.removeprefix("backbone.")
    key = re.sub(r"^(keypoint_head|head)\.(?=final_layer\.|deconv_layers\.)", "", key)
    return re.sub(r"^final_layer\.0\.", "final_layer.", key)  # the first releases wrapped it


def read_metadata(path: str | Path) -> dict[str, str]:
    """The free-form metadata of a safetensors file, without reading its tensors.

    Raises:
        PoseTrackError: no such file, or not safetensors.
    """
    path = Path(path)
    if _format(path) != "safetensors":
        raise PoseTrackError(f"{path}: not a safetensors file, which alone carries metadata")
    try:
        with path.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        return {str(key): str(value) for key, value in header.get("__metadata__", {}).items()}
    except (ValueError, AttributeError, RecursionError) as error:
        raise PoseTrackError(f"{path}: damaged safetensors header: {shortened(str(error))}") from error


def metadata_number(metadata: Mapping[str, str], key: str, path: Path, low: float, high: float) -> float:
    """A number of the metadata of a file.

    Raises:
        PoseTrackError: it is something else, or outside low..high.
    """
    text = metadata[key]
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise PoseTrackError(
            f"{path}: its metadata say {key} is {shortened(text)!r}, "
            f"expected a number from {low:g} to {high:g}: export these weights again"
        )
    return value


def _load(path: Path) -> tuple[Any, list[str]]:
    """What the file holds, and the names of objects in it that were left unread."""
    kind = _format(path)
    try:
        if kind == "safetensors":
            from safetensors.torch import load_file

            return load_file(path), []
        return safe_unpickler.read(path)
    except PoseTrackError:
        raise
    except Exception as error:  # a damaged file can fail in any way, and all of them mean the same
        reason = shortened(str(error).partition("\n")[0]) or type(error).__name__
        raise PoseTrackError(f"{path}: damaged or cut off ({reason}); download it again") from error


def _format(path: Path) -> str:
    """'safetensors', 'zip' or 'pickle', by content: names lie.

    Raises:
        PoseTrackError: no such file, or none of these.
    """
    if not path.exists():
        raise PoseTrackError(f"{path}: no such file")
    if not path.is_file():
        raise PoseTrackError(f"{path}: not a file; give the weights file itself")
    try:
        with path.open("rb") as file:
            start, size = file.read(64), path.stat().st_size
    except OSError as error:
        raise PoseTrackError(f"{path}: cannot be read: {error.strerror}") from error
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= size:
        return "safetensors"
    if start.startswith(b"PK\x03\x04"):
        return "zip"
    if start.startswith(b"\x80"):
        return "pickle"
    if not start:
        raise PoseTrackError(f"{path}: empty file; download it again")
    if start.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        raise PoseTrackError(
            f"{path}: a web page saved under this name, not weights; download the file itself"
        )
    raise PoseTrackError(f"{path}: not a weights file (it begins with {start[:16]!r})")


def _find(tree: Any, depth: int = 4) -> State:
    """The state dict in a checkpoint, wherever it sits; empty if there is none."""
    if not isinstance(tree, Mapping) or depth == 0:
        return {}
    for place in _PLACES:
        if found := _find(tree.get(place), depth - 1):
            return found
    return {key: value for key, value in tree.items() if isinstance(key, str) and isinstance(value, Tensor)}
