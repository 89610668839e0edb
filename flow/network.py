"""What every flow network needs around it: working scale, batches of frame pairs, padding, fields out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from flow.base import Image, Motion
from flow.field import DenseMotion, Field
from flow.pairs import Pairs
from flow.scale import WorkingScale, check_scale
from flow.still import Cut, resume

Forward = Callable[[Tensor], Tensor]  # (B, 2, 3, h, w) float RGB 0..1 -> (B, 2, h, w) pixels, first to second

SMALLEST = 128  # pixels: correlation pyramids need as many on each side


class NetworkFlow:
    """Dense flow from a network. On a GPU all frame pairs of a call share a forward.

    On a CPU every pair has its own, so that its flow is the same to the last digit whatever is beside it.

    Args:
        forward: the network with its own normalisation and colour order.
        multiple: what height and width of its input must be a multiple of.
        device: where forward runs.
        scale: working size / picture size; None brings the long side to at most 640 pixels.
        check: compute the fields back as well (twice the time), so that occluded points are not visible.

    Raises:
        ValueError: a device that is not there, or a scale that is not above 0 and at most 1.
    """

    def __init__(
        self,
        forward: Forward,
        *,
        multiple: int = 8,
        device: str | torch.device = "cpu",
        scale: float | None = None,
        check: bool = False,
    ) -> None:
        self._forward = forward
        self._multiple = multiple
        self._device = find_device(device)
        self._scale = check_scale(scale)
        self._check = check
        self._pairs = Pairs(self._prepare)

    def reset(self) -> None:
        """Forget the frame before: a new video begins."""
        self._pairs.reset()

    def __call__(self, images: Sequence[Image]) -> list[Motion]:
        """One motion per image: `DenseMotion`, or `Cut`."""
        pairs = self._pairs(images)
        motions: list[Motion] = [Cut()] * len(pairs)
        by_scale: dict[WorkingScale, list[int]] = {}  # a video may change its size
        for i, pair in enumerate(pairs):
            if pair is not None:
                by_scale.setdefault(pair[1].scale, []).append(i)
        for scale, chosen in by_scale.items():
            both = [pair for i in chosen if (pair := pairs[i]) is not None]
            fields = self._fields([(a.small, b.small) for a, b in both])
            backs = self._fields([(b.small, a.small) for a, b in both]) if self._check else [None] * len(both)
            for i, field, back in zip(chosen, fields, backs, strict=True):
                motions[i] = DenseMotion(field, scale, back)
        return resume(motions, self._pairs.resumed)

    def _prepare(self, image: Image) -> _Frame:
        scale = WorkingScale.of(image.shape[1], image.shape[0], self._scale)
        return _Frame(scale.shrink(image), scale)

    @torch.inference_mode()
    def _fields(self, pairs: Sequence[tuple[Image, Image]]) -> Sequence[Field]:
        frames = torch.from_numpy(np.stack([np.stack(pair) for pair in pairs]))  # (B, 2, h, w, 3)
        images = frames.to(self._device).permute(0, 1, 4, 2, 3).float() / 255  # (B, 2, 3, h, w)
        h, w = images.shape[-2:]
        together = 1 if self._device.type == "cpu" else len(pairs)
        flow = torch.cat([self._forward(part) for part in torch.split(self._pad(images), together)])
        fields = flow[:, :, :h, :w].permute(0, 2, 3, 1).contiguous()  # (B, h, w, 2)
        return list(fields.float().cpu().numpy())

    def _pad(self, images: Tensor) -> Tensor:
        """Repeat the last row and column until height and width are large enough and a multiple."""
        B, T, _, h, w = images.shape
        below, right = (-max(side, SMALLEST) % self._multiple + max(side, SMALLEST) - side for side in (h, w))
        padded = functional.pad(images.flatten(0, 1), (0, right, 0, below), mode="replicate")
        return padded.reshape(B, T, 3, *padded.shape[-2:])


class _Frame(NamedTuple):
    small: Image  # (h, w, 3)
    scale: WorkingScale


def find_device(name: str | torch.device) -> torch.device:
    """Raises ValueError for a device that torch does not know or that this machine does not have."""
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f'flow cannot run on "{name}" ({reason}); choose a device of this machine') from None
    return device


def find_weights(url: str, given: str | Path | None, what: str) -> Path:
    """The file of published weights: the given one, or the one in torch's cache. Never downloads.

    Raises:
        FileNotFoundError: naming the file, where to get it and where it belongs.
    """
    if given is not None:
        if not Path(given).is_file():
            raise FileNotFoundError(f"no weights of {what} at {given}; the published ones are at {url}")
        return Path(given)
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]
    if not path.is_file():
        raise FileNotFoundError(
            f"{what} needs {path.name}: put {url} into {path.parent}, "
            f"or run `posetrack fetch {what}` and give its file as weights"
        )
    return path
