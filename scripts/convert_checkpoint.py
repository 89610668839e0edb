"""Any checkpoint that the zoo reads, as a safetensors file under the official key names.

    python scripts/convert_checkpoint.py hrnet_w48_posetrack18_384x288-5fd6d3ff_20211130.pth w48.safetensors
    python scripts/convert_checkpoint.py last.ckpt light.safetensors --half --metadata licence=Apache-2.0

Safetensors files open at once, cannot run code, and say in their metadata where they come from.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from posetrack.errors import PoseTrackError
from posetrack.zoo import int8, read_checkpoint, read_metadata
from posetrack.zoo.loading import describe


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    storage = parser.add_mutually_exclusive_group()
    storage.add_argument("--half", action="store_const", dest="stored", const="half", help="as float16")
    storage.add_argument(
        "--int8", action="store_const", dest="stored", const="int8", help="kernels in 8 bits"
    )
    parser.add_argument("--metadata", nargs="*", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    try:
        print(convert(options.source, options.target, options.stored, options.metadata))
    except PoseTrackError as error:
        sys.exit(f"error: {error}")


def convert(source: Path, target: Path, stored: str | None, metadata: list[str]) -> str:
    """Write `target` and say in a line what it holds.

    Args:
        stored: "half" or "int8"; None keeps the precision of the source.
    """
    notes = dict(entry.partition("=")[::2] for entry in metadata)
    state = read_checkpoint(source)
    what = describe(state) or "a network of another project"
    target.parent.mkdir(parents=True, exist_ok=True)
    save_file(
        int8.pack(state) if stored == "int8" else {k: _stored(t, stored == "half") for k, t in state.items()},
        target,
        metadata={**_facts(source), "network": what, "source": source.name, **notes},
    )
    return f"{target}: {what}, {len(state)} tensors, {target.stat().st_size / 1e6:.1f} MB"


def _facts(source: Path) -> dict[str, str]:
    """How our own weights are to be used, and their licence: without it they would be taken for others."""
    return read_metadata(source) if source.suffix == ".safetensors" else {}


def _stored(tensor: Tensor, half: bool) -> Tensor:
    """Apart from other tensors' memory, as the format wants it."""
    narrow = half and tensor.is_floating_point()
    return tensor.to(torch.float16 if narrow else tensor.dtype, copy=True).contiguous()


if __name__ == "__main__":
    main()
