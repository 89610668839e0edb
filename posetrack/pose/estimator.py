"""Boxes to poses, by a heatmap network.

On a CPU every person has a forward of their own: joints are the same to the last digit whoever else is in the
batch. On a GPU all people of a batch of frames share one; what its rounding does is in `HeatmapEstimator`.

>>> poses = estimator(frames, detections)          # one Poses per frame
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from posetrack.pose.crop import (
    crop_affines,
    crop_cpu,
    crop_each_on_device,
    crop_regions,
    heatmap_to_picture,
    normalise,
)
from posetrack.pose.heatmap import Decoder, decode, merge_flipped, softmax_heatmaps, zoomed
from posetrack.runtime.calibration import Calibration
from posetrack.runtime.compiled import for_cpu
from posetrack.runtime.folding import for_inference
from posetrack.runtime.precision import multiplies_bfloat16
from posetrack.runtime.process import claim_process
from posetrack.runtime.upload import upload
from posetrack.skeletons import Skeleton
from posetrack.types import Detections, Frame, Poses

IN_VIS_THRESHOLD = 0.2  # joints above it count in a person's score, as in the official COCO evaluation


@dataclass(frozen=True)
class PoseSettings:
    """How a network is used; a checkpoint's training fixes most of it."""

    skeleton: Skeleton
    input_size: tuple[int, int]  # (width, height) pixels
    sigma: float = 2.0  # heatmap pixels, of the training target
    softmax: bool = False  # trained by spatial cross-entropy: its outputs are logits
    unlabelled: tuple[str, ...] = ()  # joints that no training picture had: never reported
    calibration: Calibration | None = None  # of the joint scores; None leaves them as they are
    decoder: Decoder = "quarter"
    clip_scores: bool = True  # a heatmap above 1 gives the score 1; officially its height, also in evaluation
    flip_test: bool = False
    pyramid: tuple[float, ...] = (1.0,)  # sizes of the crop's region, whose heatmaps are averaged
    max_crops: int = 64  # in memory at once, and per forward pass of a GPU
    half: bool = False  # bfloat16 where the hardware multiplies it


class HeatmapEstimator:
    """A top-down pose network: (B, 3, H, W) to (B, K, H/4, W/4).

    On a GPU another batch size may round in another way. In bfloat16 scores then move by up to 0.1, and 99 %
    of the joints with scores above 0.5 by at most a quarter of a heatmap pixel; one in 500 has two peaks of
    nearly one height and goes to the other. (Between two roundings of the bundled network on a
    CPU; 1,510 joints.)
    """

    def __init__(
        self,
        network: Callable[[Tensor], Tensor],
        settings: PoseSettings,
        device: torch.device | str = "cpu",
    ) -> None:
        """A module goes to the device and the precision of `settings`; another function stays as it is."""
        self.settings = settings
        self.device = torch.device(device)
        self.dtype = torch.float32
        if isinstance(network, nn.Module):
            if settings.half and multiplies_bfloat16(self.device):
                self.dtype = torch.bfloat16
                network = copy.deepcopy(network)  # the caller's keeps its precision
            network = network.to(self.device, self.dtype, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        self.network = network
        self.skeleton = settings.skeleton
        self._udp = settings.decoder == "udp"
        self._flip_order = torch.from_numpy(self.skeleton.flip_order).to(self.device)
        self._reported = np.array([k not in settings.unlabelled for k in self.skeleton.keypoints])

    @classmethod
    def fast(
        cls, network: nn.Module, settings: PoseSettings, device: torch.device | str = "cpu"
    ) -> HeatmapEstimator:
        """The same poses up to rounding, sooner: batch normalisation is folded, and OpenVINO runs a CPU."""
        network, compiled = for_inference(network, device), None
        if torch.device(device).type == "cpu":
            width, height = settings.input_size
            example = torch.zeros(1, 3, height, width)
            compiled = for_cpu(network, example, settings.half and multiplies_bfloat16(device))
        return cls(compiled or network, settings, device)

    def __call__(self, frames: Sequence[Frame], detections: Sequence[Detections]) -> list[Poses]:
        """Poses of all detected people, one `Poses` per frame, in the order of its detections.

        A person's score is box score x mean of the joint scores above 0.2 (0 if none is).
        """
        claim_process()
        counts = [len(d) for d in detections]
        everyone = Detections.concatenate(detections) if detections else Detections.empty()
        if len(everyone) == 0:
            return [Poses.empty(self.skeleton) for _ in frames]
        owners = np.repeat(np.arange(len(frames)), counts)
        width, height = self.settings.input_size
        regions = crop_regions(everyone.boxes, width / height)
        parts = []
        for start in range(0, len(everyone), self.settings.max_crops):
            chunk = slice(start, start + self.settings.max_crops)
            parts.append(self._look(frames, owners[chunk], regions[chunk]))
        points = np.concatenate([p for p, _ in parts])
        scores = np.concatenate([s for _, s in parts])
        points[~(scores > 0)] = 0
        poses = Poses(points, scores, everyone.boxes, everyone.scores * person_scores(scores), self.skeleton)
        ends = np.cumsum(counts)
        return [poses[end - n : end] for n, end in zip(counts, ends, strict=True)]

    def estimate_frame(self, frame: Frame, detections: Detections) -> Poses:
        """Poses of one frame."""
        return self([frame], [detections])[0]

    @torch.inference_mode()
    def _look(
        self, frames: Sequence[Frame], owners: NDArray[np.intp], regions: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Joints (n, K, 2) in picture pixels and their scores (n, K) for one chunk of people."""
        looks = []
        for size in self.settings.pyramid:
            crops = normalise(self._crop(frames, owners, regions * [1, 1, size, size]), self.dtype)
            looks.append(zoomed(self._heatmaps(crops), size, self._udp))
        heatmaps = looks[0] if len(looks) == 1 else torch.stack(looks).mean(dim=0)
        decoded = decode(heatmaps, self.settings.decoder, self.settings.sigma)
        points, scores = (t.cpu().numpy() for t in decoded)
        h, w = heatmaps.shape[2:]
        scores = np.clip(scores, 0, 1 if self.settings.clip_scores else None)
        if self.settings.calibration is not None:
            scores = self.settings.calibration(scores)
        return heatmap_to_picture(points, regions, (w, h), self._udp), scores * self._reported

    def _crop(
        self, frames: Sequence[Frame], owners: NDArray[np.intp], regions: NDArray[np.float64]
    ) -> Tensor:
        """(n, H, W, 3) in 0..255; on CUDA the pictures go up once and are cropped there."""
        size = self.settings.input_size
        affines = crop_affines(regions, size, self._udp)
        shown = np.unique(owners)
        if self.device.type == "cpu":
            return torch.cat([crop_cpu(frames[i].image, affines[owners == i], size) for i in shown])
        images = upload([frames[i] for i in shown], self.device)
        return crop_each_on_device(images, np.searchsorted(shown, owners), affines, size)

    def _heatmaps(self, crops: Tensor) -> Tensor:
        heatmaps = self._forward(crops)
        if self.settings.flip_test:
            mirrored = self._forward(crops.flip(3))
            heatmaps = merge_flipped(heatmaps, mirrored, self._flip_order, shift=not self._udp)
        return heatmaps

    def _forward(self, crops: Tensor) -> Tensor:
        """Alone on a CPU, where convolutions of another batch size round in another way."""
        together = 1 if self.device.type == "cpu" else len(crops)
        parts = torch.split(crops.contiguous(memory_format=torch.channels_last), together)
        output = torch.cat([self.network(part).float() for part in parts])
        return softmax_heatmaps(output, self.settings.sigma) if self.settings.softmax else output


def person_scores(keypoint_scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N,) mean of the joint scores above 0.2, as in the official COCO rescoring; 0 where no joint is above.

    Args:
        keypoint_scores: (N, K).
    """
    seen = keypoint_scores > IN_VIS_THRESHOLD
    mean: NDArray[np.float32] = (keypoint_scores * seen).sum(1) / np.maximum(seen.sum(1), 1)
    return mean
