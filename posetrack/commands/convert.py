"""`posetrack convert`: any checkpoint that the zoo reads, as safetensors under the official key names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from posetrack.errors import PoseTrackError
from posetrack.files import refuse_existing, replacing

if TYPE_CHECKING:
    from torch import Tensor


def convert(
    source: Annotated[Path, "a checkpoint of any form that posetrack reads"],
    target: Annotated[Path, "the safetensors file to write"],
    *,
    half: Annotated[bool, "in 16 bits; as it is by default"] = False,
    metadata: Annotated[list[str] | None, "KEY=VALUE: what the file shall say of itself, too"] = None,
    overwrite: Annotated[bool, "replace the file if it is there already"] = False,
) -> int:
    """Write any checkpoint as a safetensors file, with the official key names.

    Such files open at once, cannot run code, and say in their metadata where they come from.
    """
    print(convert_checkpoint(source, target, half, metadata or (), overwrite=overwrite))
    return 0


def convert_checkpoint(
    source: Path,
    target: Path,
    half: bool = False,
    metadata: list[str] | tuple[str, ...] = (),
    *,
    overwrite: bool = False,
) -> str:
    """Write `target` and say in a line what it holds.

    Raises:
        PoseTrackError: the source cannot be read, the target is there already, a note is no KEY=VALUE.
    """
    from safetensors.torch import save_file

    from posetrack.zoo import read_checkpoint, read_metadata
    from posetrack.zoo.loading import describe

    refuse_existing(target, overwrite=overwrite)
    if wrong := [note for note in metadata if "=" not in note]:
        raise PoseTrackError(f"--metadata {wrong[0]}: give KEY=VALUE, such as licence=Apache-2.0")
    notes = dict(note.split("=", 1) for note in metadata)
    state = read_checkpoint(source)
    what = describe(state) or "a network of another project"
    # How our own weights are to be used, and their licence: without it they would be taken for others.
    facts = read_metadata(source) if source.suffix == ".safetensors" else {}
    stored = {key: _stored(tensor, half) for key, tensor in state.items()}
    with replacing(target) as temporary:
        save_file(stored, temporary, {**facts, "network": what, "source": source.name, **notes})
    return f"{target}: {what}, {len(state)} tensors, {target.stat().st_size / 1e6:.1f} MB"


def _stored(tensor: Tensor, half: bool) -> Tensor:
    """Apart from other tensors' memory, as the format wants it."""
    import torch

    narrow = half and tensor.is_floating_point()
    return tensor.to(torch.float16 if narrow else tensor.dtype, copy=True).contiguous()
