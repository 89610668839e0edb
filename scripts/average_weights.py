"""The mean of two weights files of one network: two stretches of a training, each better at something.

    python -m scripts.average_weights first.safetensors second.safetensors --share 0.5 --out mean.safetensors

Works for weights that have a common past: one was trained on from the other, or both from a third (Wortsman
et al., Model soups, ICML 2022). The metadata are the second file's, without its calibration and its accuracy,
which must be measured anew.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from torch import Tensor

from posetrack import zoo
from posetrack.errors import PoseTrackError
from posetrack.training.export import write


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("--share", type=float, default=0.5, help="of the second, 0 to 1")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    try:
        average(given.first, given.second, given.share, given.out)
    except PoseTrackError as error:
        sys.exit(f"average_weights.py: {error}")


def average(first: Path, second: Path, share: float, out: Path) -> None:
    """Write (1 - share) of the first and `share` of the second, in the first's precision.

    Raises:
        PoseTrackError: the files do not hold the same tensors.
    """
    one, two = zoo.read_checkpoint(first), zoo.read_checkpoint(second)
    if {k: v.shape for k, v in one.items()} != {k: v.shape for k, v in two.items()}:
        raise PoseTrackError(f"{first} and {second} are weights of different networks: give two of one")
    facts = {k: v for k, v in zoo.read_metadata(second).items() if k not in ("calibration", "pck")}
    write({name: _mean(value, two[name], share) for name, value in one.items()}, out, facts)


def _mean(one: Tensor, two: Tensor, share: float) -> Tensor:
    if not one.is_floating_point():
        return two
    return torch.lerp(one.float(), two.float(), share).to(one.dtype)


if __name__ == "__main__":
    main()
