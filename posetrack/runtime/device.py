"""Where networks run."""

from __future__ import annotations

import re

from posetrack.errors import PoseTrackError


def find_device(device: str) -> str:
    """The device of that name; 'auto' is CUDA where there is one, else the CPU.

    Raises:
        PoseTrackError: no such name, or no such device here.
    """
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    known = re.fullmatch(r"cpu|mps|cuda(?::(\d+))?", device)
    if not known:
        raise PoseTrackError(f"unknown device '{device}': choose auto, cpu, cuda or cuda:N")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise PoseTrackError(
            f"device '{device}' asked for, but torch sees no CUDA GPU here: use --device cpu"
        )
    if known[1] and int(known[1]) >= torch.cuda.device_count():
        raise PoseTrackError(
            f"device '{device}' asked for, but the last one here is cuda:{torch.cuda.device_count() - 1}"
        )
    if device == "mps" and not torch.backends.mps.is_available():
        raise PoseTrackError("device 'mps' asked for, but torch sees no such GPU here: use --device cpu")
    return device
