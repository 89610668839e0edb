"""Frames on the device: each goes up once, as uint8, whoever asks first (detector, crop, dense flow)."""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from posetrack.types import Frame

# Keyed by the frame object, so an entry goes when its frame goes. Holds nothing for the CPU.
_on_device: WeakKeyDictionary[Frame, dict[torch.device, Tensor]] = WeakKeyDictionary()


def upload(frames: Sequence[Frame], device: torch.device) -> list[Tensor]:
    """The pictures as (H, W, 3) uint8 tensors on `device`; on the CPU they share memory with the frames."""
    return [_upload(frame, device) for frame in frames]


def _upload(frame: Frame, device: torch.device) -> Tensor:
    if device.type == "cpu":
        return torch.from_numpy(frame.image)
    copies = _on_device.setdefault(frame, {})
    if device not in copies:
        image = torch.from_numpy(frame.image)
        if device.type == "cuda":
            image = image.pin_memory()
        copies[device] = image.to(device, non_blocking=True)
    return copies[device]
