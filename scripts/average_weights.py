"""The mean of two weights files of one network: two stretches of a training, each better at something.

    python -m scripts.average_weights first.safetensors second.safetensors --share 0.5 --out mean.safetensors

Works for weights that have a common past: one was trained on from the other, or both from a third (Wortsman
et al., Model soups, ICML 2022). The metadata are the second file's, without its calibration and its accuracy,
which must be measured anew.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import torch
from torch import Tensor

from posetrack import zoo
from posetrack.errors import PoseTrackError
from posetrack.training.export import write
from scripts.cli import run


def average(
    first: Path,
    second: Path,
    *,
    out: Annotated[Path, "file to write"],
    share: Annotated[float, "of the second, 0 to 1"] = 0.5,
) -> None:
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
    sys.exit(run("average_weights", __doc__, {"average": average}))
