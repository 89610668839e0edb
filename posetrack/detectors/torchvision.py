"""COCO detectors of torchvision with their published weights, persons only.

    >>> from posetrack.detectors.torchvision import TorchvisionDetector
    >>> detect = TorchvisionDetector("fcos_resnet50_fpn", "fcos_resnet50_fpn_coco-99b0c9b7.pth")
    >>> detections = detect([frame])[0]

Nothing is downloaded here: `posetrack fetch` does that, and a missing file is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from posetrack.boxes import clip_and_sort
from posetrack.detectors import TORCHVISION as NAMES
from posetrack.detectors.batches import group_by_size
from posetrack.errors import PoseTrackError
from posetrack.runtime.process import claim_process
from posetrack.runtime.upload import upload
from posetrack.types import Detections, Frame
from posetrack.zoo.checkpoint import read_checkpoint
from posetrack.zoo.loading import load_into

PERSON = 1  # COCO label


class TorchvisionDetector:
    """One of `NAMES`. Frames of one size share a forward on a GPU; on a CPU every frame has its own."""

    def __init__(
        self,
        name: str,
        weights: str | Path,
        device: str | torch.device = "cpu",
        score_threshold: float = 0.5,
    ) -> None:
        """
        Args:
            name: one of `NAMES`.
            weights: the published checkpoint, or one with the same keys.
            device: where the network runs.
            score_threshold: 0..1, lower scores are left out.

        Raises:
            PoseTrackError: unknown name, no such file (says where to get it), weights of another network.
        """
        path = Path(weights)
        if name in NAMES and not path.is_file():
            raise PoseTrackError(
                f"weights of {name} are missing: expected at {path}; "
                f"get them with `posetrack fetch` or from {url(name)}"
            )
        claim_process()
        network = create(name)
        load_into(network, read_checkpoint(path), str(path))
        self.device = torch.device(device)
        self.score_threshold = score_threshold
        self.network = network.eval().to(self.device)
        _raise_floor(self.network, score_threshold)

    @torch.inference_mode()
    def __call__(self, frames: Sequence[Frame]) -> list[Detections]:
        claim_process()
        found = [Detections.empty()] * len(frames)
        for group in group_by_size([frame.size for frame in frames], self.device.type):
            images = upload([frames[i] for i in group], self.device)
            outputs = self.network([image.permute(2, 0, 1).float() / 255 for image in images])
            for i, output in zip(group, outputs, strict=True):
                found[i] = self._persons(output, frames[i].size)
        return found

    def _persons(self, output: dict[str, Tensor], size: tuple[int, int]) -> Detections:
        keep = (output["labels"] == PERSON) & (output["scores"] >= self.score_threshold)
        return clip_and_sort(output["boxes"][keep].cpu().numpy(), output["scores"][keep].cpu().numpy(), size)


def create(name: str) -> nn.Module:
    """The network with random weights, without touching the network or a cache."""
    from torchvision.models import detection

    if name not in NAMES:
        raise PoseTrackError(f"unknown detector '{name}': choose one of {', '.join(NAMES)}")
    network: nn.Module = getattr(detection, name)(weights=None, weights_backbone=None)
    return network


def url(name: str) -> str:
    """Where torchvision publishes the weights."""
    from torchvision.models import get_model_weights

    address: str = get_model_weights(name).DEFAULT.url
    return address


def _raise_floor(network: nn.Module, score_threshold: float) -> None:
    """Let the network itself drop low scores, so that its NMS has less to do; a higher own floor stays."""
    part: Any = getattr(network, "roi_heads", network)
    part.score_thresh = max(part.score_thresh, score_threshold)
