"""Which cells of the light detector answer for which person, and the loss that follows.

Task-aligned assignment (TOOD, ICCV 2021) times a prior on place and size, which makes it steady from the
first step; binary cross-entropy against soft scores; GIoU for boxes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from posetrack.datasets.scenes import Scene
from posetrack.detectors.light import STRIDES, cell_centres
from posetrack.training.rtmdet_teacher import RtmdetTeacher

TAUGHT_BOX = 0.15  # a teacher's score from which its box is worth learning


@dataclass(frozen=True)
class Wanted:
    """The boxes of a batch of scenes in one list."""

    boxes: Tensor  # (M, 4) xyxy pixels
    soft: Tensor  # (M,) target score; 0 = ignore
    scene: Tensor  # (M,) which scene of the batch

    def to(self, device: str) -> Wanted:
        parts = (part.to(device, non_blocking=True) for part in (self.boxes, self.soft, self.scene))
        return Wanted(*parts)

    def pin_memory(self) -> Wanted:
        """In memory from which a GPU copies while the CPU goes on; DataLoader calls this by name."""
        return Wanted(self.boxes.pin_memory(), self.soft.pin_memory(), self.scene.pin_memory())


@dataclass(frozen=True)
class Taught:
    """What a teacher says of every cell of a batch, in the network's order of cells."""

    scores: Tensor  # (B, A) 0..1
    boxes: Tensor  # (B, A, 4) xyxy pixels

    @staticmethod
    def of(teacher: RtmdetTeacher, images: NDArray[np.uint8]) -> Taught:
        """`images` (B, H, W, 3) RGB."""
        return Taught(*(torch.from_numpy(part) for part in teacher.dense(images, centred=True)))

    def to(self, device: str) -> Taught:
        return Taught(self.scores.to(device, non_blocking=True), self.boxes.to(device, non_blocking=True))

    def pin_memory(self) -> Taught:
        return Taught(self.scores.pin_memory(), self.boxes.pin_memory())


def gather(scenes: list[Scene]) -> Wanted:
    """All boxes of the scenes."""
    return Wanted(
        torch.from_numpy(np.concatenate([s.boxes for s in scenes])),
        torch.from_numpy(np.concatenate([s.soft for s in scenes])),
        torch.from_numpy(np.repeat(np.arange(len(scenes)), [len(s.boxes) for s in scenes])),
    )


def detection_loss(
    logits: Tensor,
    predicted: Tensor,
    wanted: Wanted,
    height: int,
    width: int,
    ripeness: float,
    taught: Taught | None = None,
    weight: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """Score and box loss of a batch.

    Args:
        logits, predicted: (B, A) and (B, A, 4), the network's output.
        wanted: the boxes.
        height, width: of the scenes.
        ripeness: 0..1, how far the predictions themselves have a say in the assignment.
        taught: what a teacher says of every cell.
        weight: of the teacher's word beside the boxes.

    Returns:
        The loss, and for the log (5,): score loss, box loss, number of positive cells; the teacher's score
        and box loss.
    """
    targets, owner, ignored = assign(logits.detach(), predicted.detach(), wanted, height, width, ripeness)
    total = targets.sum().clamp(min=1)
    score_loss = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    score_loss = (score_loss * ~ignored).sum() / total
    positive = owner >= 0
    gap = 1 - giou(predicted[positive], wanted.boxes[owner[positive]])
    box_loss = (gap * targets[positive]).sum() / total
    loss = score_loss + 3 * box_loss
    taught_score = taught_box = torch.zeros_like(loss)
    if taught is not None:
        taught_score, taught_box = distillation_loss(logits, predicted, taught, positive)
        loss = loss + weight * (taught_score + 3 * taught_box)
    return loss, torch.stack([score_loss, box_loss, positive.sum(), taught_score, taught_box]).detach()


def distillation_loss(
    logits: Tensor, predicted: Tensor, taught: Taught, positive: Tensor
) -> tuple[Tensor, Tensor]:
    """Score and box loss against a teacher's cells, but for those that a labelled box has.

    The teacher knows everyday people well and acrobats badly: where there is a label, the label counts.

    Args:
        positive: (B, A), the cells of labelled boxes.
    """
    scores = taught.scores
    free = ~positive
    total = (scores * free).sum().clamp(min=1)
    score_loss = F.binary_cross_entropy_with_logits(logits, scores, reduction="none")
    entropy = F.binary_cross_entropy(scores, scores, reduction="none")  # what no network can fall below
    score_loss = ((score_loss - entropy) * free).sum() / total
    sure = free & (scores > TAUGHT_BOX)
    box_loss = ((1 - giou(predicted[sure], taught.boxes[sure])) * scores[sure]).sum() / total
    return score_loss, box_loss


@torch.no_grad()
def assign(
    logits: Tensor, predicted: Tensor, wanted: Wanted, height: int, width: int, ripeness: float, top: int = 9
) -> tuple[Tensor, Tensor, Tensor]:
    """Which cells answer for which box.

    The `top` best cells inside every box (and their equals) by prior x (score^0.5 x IoU^4)^ripeness; a cell
    that several boxes want goes to the best. The target of a box's best cell is the soft score, lowered where
    the IoU is low.

    Returns:
        target scores (B, A); owner (B, A), index into `wanted` or -1; ignored (B, A), cells of soft 0 boxes.
    """
    device, (B, A) = logits.device, logits.shape
    centres, stride = cells(height, width, device)  # (A, 2), (A,)
    middle = (wanted.boxes[:, :2] + wanted.boxes[:, 2:]) / 2
    size = (wanted.boxes[:, 2:] - wanted.boxes[:, :2]).clamp(min=1e-3)
    away_x = (centres[:, 0] - middle[:, :1]).abs()  # (M, A)
    away_y = (centres[:, 1] - middle[:, 1:]).abs()
    least = 0.8 * stride  # tiny boxes still get a cell
    inside = (away_x < torch.maximum(size[:, :1] / 2, least)) & (
        away_y < torch.maximum(size[:, 1:] / 2, least)
    )
    box, cell = (inside & (wanted.soft > 0)[:, None]).nonzero(as_tuple=True)  # P pairs
    scene = wanted.scene[box]
    reach = torch.maximum(size[box] / 2, least[cell, None])
    place = ((centres[cell] - middle[box]) / (0.6 * reach)).square().sum(1)
    level = torch.log2(size.prod(1).sqrt()[box] / (5 * stride[cell]))  # 0 where the box suits the stride
    overlap = iou(predicted[scene, cell], wanted.boxes[box])
    quality = (logits[scene, cell].sigmoid().sqrt() * overlap.pow(4)).clamp(min=1e-9)
    metric = torch.exp(-0.5 * (place + (level / 0.8).square())) * quality.pow(ripeness)

    table = metric.new_zeros(len(wanted.boxes), A)
    table[box, cell] = metric
    best = table.topk(min(top, A), dim=1)
    metric = torch.where(metric >= best.values[box, -1], metric, 0.0)  # only the top of each box stays
    value = metric.new_zeros(B * A).scatter_reduce(0, scene * A + cell, metric, "amax")
    mine = (metric > 0) & (metric == value[scene * A + cell])
    box, cell, scene, metric, overlap = box[mine], cell[mine], scene[mine], metric[mine], overlap[mine]
    none = metric.new_zeros(len(wanted.boxes))
    peak = none.scatter_reduce(0, box, metric, "amax")
    reached = none.scatter_reduce(0, box, overlap, "amax")  # best IoU of the box's cells
    height_of_peak = wanted.soft * (1 - 0.5 * ripeness * (1 - reached))
    targets = logits.new_zeros(B, A)
    targets[scene, cell] = (metric / peak[box]).sqrt() * height_of_peak[box]
    owner = torch.full((B, A), -1, dtype=torch.long, device=device)
    owner[scene, cell] = box

    skipped, cell = (inside & (wanted.soft == 0)[:, None]).nonzero(as_tuple=True)
    ignored = torch.zeros(B, A, dtype=torch.bool, device=device)
    ignored[wanted.scene[skipped], cell] = True
    return targets, owner, ignored & (owner < 0)


def cells(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Centres (A, 2) and strides (A,) of all cells of a picture, in the network's order."""
    levels = [(height // s, width // s, s) for s in STRIDES]
    centres = torch.cat([cell_centres(h, w, s, device) for h, w, s in levels])
    return centres, torch.cat([torch.full((h * w,), float(s), device=device) for h, w, s in levels])


def iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of xyxy boxes, broadcast."""
    inter = (
        (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0).prod(-1)
    )
    union = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - inter
    return inter / union.clamp(min=1e-6)


def giou(a: Tensor, b: Tensor) -> Tensor:
    """Generalised IoU of pairs of xyxy boxes: (N, 4), (N, 4) to (N,)."""
    inter = (
        (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0).prod(-1)
    )
    union = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - inter
    hull = (
        (torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2]))
        .prod(-1)
        .clamp(min=1e-6)
    )
    return inter / union.clamp(min=1e-6) - (hull - union) / hull
