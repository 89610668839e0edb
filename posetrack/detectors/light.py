"""The bundled light person detector: a small single-stage, anchor-free network made for CPUs.

Three levels (strides 8, 16, 32); every cell gives one score and the four distances from its centre to the
sides of a box, as FCOS (ICCV 2019) does. Trained by `posetrack train --recipe light_detector`;
what it reaches is in posetrack/zoo/MODEL_CARD.md.

    >>> from posetrack.detectors.light import LightDetector
    >>> detect = LightDetector()
    >>> detections = detect([frame])[0]
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from posetrack.boxes import clip_and_sort, nms
from posetrack.detectors.batches import group_by_size
from posetrack.runtime.calibration import Calibration
from posetrack.runtime.compiled import for_cpu
from posetrack.runtime.folding import for_inference
from posetrack.runtime.precision import multiplies_bfloat16
from posetrack.runtime.process import claim_process
from posetrack.types import Detections, Frame
from posetrack.zoo.checkpoint import metadata_number, read_checkpoint, read_metadata
from posetrack.zoo.download import bundled
from posetrack.zoo.loading import load_into

STRIDES = (8, 16, 32)
OVERLAP = 0.6  # IoU from which the lower of two boxes is the same person: 0.5 loses people who embrace
MOST = 300  # candidate cells looked at
DEPTHS = (1, 2, 2, 1)  # of weights that do not say


class LightDetector:
    """Person boxes from `LightNetwork`, with the weights that ship with the package."""

    def __init__(
        self,
        weights: str | Path | None = None,
        device: str | torch.device = "cpu",
        score_threshold: float | None = None,
        long_side: int | None = None,
    ) -> None:
        """
        Args:
            weights: safetensors file of `LightNetwork`; None takes the one that ships with the package.
            device: where the network runs.
            score_threshold: 0..1, lower scores are left out; None takes the one calibrated for the weights.
            long_side: pixels to which the longer side of a frame is scaled; None takes that of the weights.

        Raises:
            PoseTrackError: the file is missing or holds something else.
        """
        claim_process()
        path = Path(weights) if weights is not None else bundled("light_detector")
        facts = read_metadata(path)
        network = LightNetwork(depths=depths_of(facts))
        load_into(network, read_checkpoint(path), str(path))
        self.device = torch.device(device)
        self.network: LightNetwork = for_inference(network, self.device)
        stated = {"score_threshold": "0.4", "input_long_side": "416", **facts}
        own_threshold = metadata_number(stated, "score_threshold", path, 0, 1)
        own_side = int(metadata_number(stated, "input_long_side", path, 32, 4096))
        self.score_threshold = own_threshold if score_threshold is None else score_threshold
        self.long_side = own_side if long_side is None else long_side
        self.calibration = Calibration.read(facts["calibration"]) if "calibration" in facts else None
        half = multiplies_bfloat16(self.device)
        width, height = input_size(16, 9, self.long_side)  # what most videos need
        example = torch.zeros(1, 3, height, width)
        compiled = for_cpu(Trunk(self.network), example, half) if self.device.type == "cpu" else None
        self.trunk: Callable[[Tensor], list[Tensor]] = compiled or self.network.trunk
        if half and not compiled:
            self.network.to(torch.bfloat16)
            # Their numbers are logarithms of odds and sizes: rounding would move boxes by a hundredth.
            self.network.score.to(torch.float32)
            self.network.sides.to(torch.float32)

    @torch.inference_mode()
    def __call__(self, frames: Sequence[Frame]) -> list[Detections]:
        claim_process()
        found = [Detections.empty()] * len(frames)
        sizes = [input_size(*frame.size, self.long_side) for frame in frames]
        for group in group_by_size(sizes, self.device.type):
            images = [shrunk(frames[i].image, sizes[i]) for i in group]
            batch = (
                torch.from_numpy(np.stack(images)).to(self.device).permute(0, 3, 1, 2)
            )  # (B, 3, h, w) channels last
            logits, boxes = self.network.cells(self.trunk(normalised(batch)))
            for i, scores, places in zip(
                group, logits.sigmoid().cpu().numpy(), boxes.cpu().numpy(), strict=True
            ):
                scale = np.array([frames[i].size[k] / sizes[i][k] for k in (0, 1, 0, 1)], np.float32)
                found[i] = self._choose(scores, places * scale, frames[i].size)
        return found

    def _choose(
        self, scores: NDArray[np.float32], boxes: NDArray[np.float32], size: tuple[int, int]
    ) -> Detections:
        """Cells (A,), (A, 4) to people: threshold, then NMS."""
        honest = scores if self.calibration is None else self.calibration(scores)
        good = np.flatnonzero(honest >= self.score_threshold)
        good = good[np.argsort(-scores[good], kind="stable")[:MOST]]
        kept = good[nms(boxes[good], scores[good], OVERLAP)]
        return clip_and_sort(boxes[kept], honest[kept], size)


def input_size(width: int, height: int, long_side: int) -> tuple[int, int]:
    """Width and height of the input: the longer side scaled to `long_side`, both to multiples of 32."""
    scale = long_side / max(width, height)
    return max(32, 32 * round(width * scale / 32)), max(32, 32 * round(height * scale / 32))


def shrunk(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """The frame at (width, height): halved as often as it is twice as large, then scaled linearly.

    OpenCV averages areas fast only where a factor is whole: from 1280x720 this takes 0.5 ms in place of 3.5.
    """
    pixels: cv2.typing.MatLike = image
    while pixels.shape[1] >= 2 * size[0] and pixels.shape[0] >= 2 * size[1]:
        height, width = pixels.shape[0] // 2, pixels.shape[1] // 2  # an odd last row or column is left out
        even = pixels[: 2 * height, : 2 * width]
        pixels = cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR), np.uint8)


class ConvBlock(nn.Sequential):
    """Convolution, batch norm, ReLU."""

    def __init__(self, c_in: int, c_out: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(c_out, eps=1e-3, momentum=0.03),
            nn.ReLU(inplace=True),
        )


class ResidualStage(nn.Module):
    """n convolutions, each added to what it saw; a 1x1 before them where the width changes."""

    def __init__(self, c_in: int, c_out: int, n: int) -> None:
        super().__init__()
        self.entry = ConvBlock(c_in, c_out, 1) if c_in != c_out else nn.Identity()
        self.steps = nn.ModuleList(ConvBlock(c_out, c_out) for _ in range(n))

    def forward(self, x: Tensor) -> Tensor:
        x = self.entry(x)
        for step in self.steps:
            x = x + step(x)
        return x


class PoolingPyramid(nn.Module):
    """Max pooling over growing windows, concatenated: a cheap look at the whole picture (SPPF)."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.entry, self.exit = ConvBlock(c, c // 2, 1), ConvBlock(2 * c, c, 1)

    def forward(self, x: Tensor) -> Tensor:
        parts = [self.entry(x)]
        for _ in range(3):
            parts.append(F.max_pool2d(parts[-1], 5, 1, 2))
        out: Tensor = self.exit(torch.cat(parts, 1))
        return out


class LightNetwork(nn.Module):
    """Picture to cells."""

    def __init__(
        self,
        widths: tuple[int, ...] = (16, 32, 64, 96, 160),
        neck: int = 48,
        depths: tuple[int, ...] = DEPTHS,
    ) -> None:
        """
        Args:
            widths: channels at strides 2, 4, 8, 16, 32.
            neck: channels of the three levels.
            depths: residual convolutions at strides 4, 8, 16, 32.
        """
        super().__init__()
        w2, w4, w8, w16, w32 = widths
        d4, d8, d16, d32 = depths
        self.stem = ConvBlock(3, w2, 3, 2)
        self.stage4 = nn.Sequential(ConvBlock(w2, w4, 3, 2), ResidualStage(w4, w4, d4))
        self.stage8 = nn.Sequential(ConvBlock(w4, w8, 3, 2), ResidualStage(w8, w8, d8))
        self.stage16 = nn.Sequential(ConvBlock(w8, w16, 3, 2), ResidualStage(w16, w16, d16))
        self.stage32 = nn.Sequential(
            ConvBlock(w16, w32, 3, 2), ResidualStage(w32, w32, d32), PoolingPyramid(w32)
        )
        self.lateral = nn.ModuleList(ConvBlock(w, neck, 1) for w in (w8, w16, w32))
        self.down_up = nn.ModuleList(ResidualStage(2 * neck, neck, 1) for _ in range(2))
        self.up_down = nn.ModuleList(ConvBlock(neck, neck, 3, 2) for _ in range(2))
        self.mix = nn.ModuleList(ResidualStage(2 * neck, neck, 1) for _ in range(2))
        self.head = nn.ModuleList(ConvBlock(neck, 2 * neck) for _ in STRIDES)
        self.score = nn.ModuleList(nn.Conv2d(neck, 1, 1) for _ in STRIDES)
        self.sides = nn.ModuleList(nn.Conv2d(neck, 4, 1) for _ in STRIDES)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """One prediction per cell, levels in the order of `STRIDES`, cells row by row.

        Args:
            images: (B, 3, H, W) RGB in 0..1, H and W multiples of 32.

        Returns:
            logits (B, A) of the score, and boxes (B, A, 4) as xyxy in pixels of the input.
        """
        return self.cells(self.trunk((images - 0.45) * 4))

    def trunk(self, images: Tensor) -> list[Tensor]:
        """What the last layers read: (B, 2 * neck, h, w) at every level; images as `normalised` gives."""
        x8 = self.stage8(self.stage4(self.stem(images.to(_precision(self.stem)))))
        x16 = self.stage16(x8)
        x32 = self.stage32(x16)
        p8, p16, p32 = (lateral(x) for lateral, x in zip(self.lateral, (x8, x16, x32), strict=True))
        p16 = self.down_up[0](torch.cat([p16, F.interpolate(p32, scale_factor=2)], 1))
        p8 = self.down_up[1](torch.cat([p8, F.interpolate(p16, scale_factor=2)], 1))
        p16 = self.mix[0](torch.cat([p16, self.up_down[0](p8)], 1))
        p32 = self.mix[1](torch.cat([p32, self.up_down[1](p16)], 1))
        return [head(x) for head, x in zip(self.head, (p8, p16, p32), strict=True)]

    def cells(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Maps of `trunk` to logits and boxes."""
        logits, sides = [], []
        for level, x in enumerate(maps):
            for_score, for_sides = x.to(_precision(self.score)).chunk(2, 1)
            logits.append(self.score[level](for_score).flatten(1))  # (B, h*w)
            sides.append(self.sides[level](for_sides).flatten(2))  # (B, 4, h*w) log2 distances in strides
        centres, strides = _grid(tuple((x.shape[2], x.shape[3]) for x in maps), maps[0].device)
        distances = torch.exp2(torch.cat(sides, 2).float().clamp(-6, 6)) * strides  # (B, 4, A)
        boxes = torch.cat([centres - distances[:, :2], centres + distances[:, 2:]], 1)
        return torch.cat(logits, 1).float(), boxes.transpose(1, 2)


@lru_cache(maxsize=64)
def _grid(sizes: tuple[tuple[int, int], ...], device: torch.device) -> tuple[Tensor, Tensor]:
    """Centres (2, A) and strides (A,) of all cells, from the height and width of every level."""
    with torch.inference_mode(False):  # what inference has made could not be trained with
        levels = [(h, w, stride) for (h, w), stride in zip(sizes, STRIDES, strict=True)]
        centres = torch.cat([cell_centres(h, w, stride, device) for h, w, stride in levels]).T.contiguous()
        return centres, torch.cat([torch.full((h * w,), float(s), device=device) for h, w, s in levels])


def normalised(images: Tensor) -> Tensor:
    """Pixels 0..255 as the trunk reads them: here, since the same in OpenVINO takes ten times as long."""
    return images.float().mul_(4 / 255).sub_(4 * 0.45)


def depths_of(facts: Mapping[str, str]) -> tuple[int, ...]:
    """The network's depths from the metadata of a weights file."""
    return tuple(json.loads(facts["depths"])) if "depths" in facts else DEPTHS


class Trunk(nn.Module):
    """`LightNetwork.trunk` alone, to be compiled."""

    def __init__(self, network: LightNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> list[Tensor]:
        return self.network.trunk(images)


def _precision(part: nn.Module) -> torch.dtype:
    return next(part.parameters()).dtype


def cell_centres(h: int, w: int, stride: int, device: torch.device) -> Tensor:
    """(h*w, 2) x, y of the cells' centres in pixels of the input."""
    y, x = torch.meshgrid(
        torch.arange(h, device=device, dtype=torch.float32),
        torch.arange(w, device=device, dtype=torch.float32),
        indexing="ij",
    )
    return (torch.stack([x, y], 2).reshape(-1, 2) + 0.5) * stride
