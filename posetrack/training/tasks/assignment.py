"""Which cells of the light detector answer for which person, and the loss that follows.

Task-aligned assignment (TOOD, ICCV 2021) times a prior on place and size, which makes it steady from the
first step; binary cross-entropy against soft scores; GIoU for boxes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from posetrack.detectors.light import STRIDES, cell_centres

MIN_TEACHER_SCORE = 0.15  # of a teacher's cell, from which its box is worth learning


@dataclass(frozen=True)
class Targets:
    """The boxes of a batch of scenes in one list."""

    boxes: Tensor  # (M, 4) xyxy pixels
    soft: Tensor  # (M,) target score; 0 = ignore
    scene: Tensor  # (M,) which scene of the batch


@dataclass(frozen=True)
class TeacherCells:
    """What a teacher says of every cell of a batch, in the network's order of cells."""

    scores: Tensor  # (B, A) 0..1
    boxes: Tensor  # (B, A, 4) xyxy pixels
    weight: float = 1.0  # of the teacher's word beside the boxes


def detection_loss(
    logits: Tensor,
    predicted: Tensor,
    targets: Targets,
    height: int,
    width: int,
    prediction_weight: float,
    teacher: TeacherCells | None = None,
) -> Tensor:
    """Cross-entropy of the scores and three times 1 - GIoU of the boxes, per positive cell.

    Args:
        logits, predicted: (B, A) and (B, A, 4), the network's output.
        height, width: of the scenes.
        prediction_weight: 0..1, how far the predictions themselves have a say in the assignment.
        teacher: whose cells count where no labelled box has one.
    """
    scores, owner, ignored = assign(
        logits.detach(), predicted.detach(), targets, height, width, prediction_weight
    )
    total = scores.sum().clamp(min=1)
    score_loss = F.binary_cross_entropy_with_logits(logits, scores, reduction="none")
    score_loss = (score_loss * ~ignored).sum() / total
    positive = owner >= 0
    gap = 1 - giou(predicted[positive], targets.boxes[owner[positive]])
    loss = score_loss + 3 * (gap * scores[positive]).sum() / total
    if teacher is None:
        return loss
    return loss + teacher.weight * distillation_loss(logits, predicted, teacher, positive)


def distillation_loss(logits: Tensor, predicted: Tensor, teacher: TeacherCells, positive: Tensor) -> Tensor:
    """The same loss against a teacher's cells, but for those of labelled boxes.

    The teacher knows everyday people well and acrobats badly: where there is a label, the label counts.

    Args:
        positive: (B, A), the cells of labelled boxes.
    """
    free, scores = ~positive, teacher.scores
    total = (scores * free).sum().clamp(min=1)
    score_loss = F.binary_cross_entropy_with_logits(logits, scores, reduction="none")
    entropy = F.binary_cross_entropy(scores, scores, reduction="none")  # what no network can fall below
    score_loss = ((score_loss - entropy) * free).sum() / total
    sure = free & (scores > MIN_TEACHER_SCORE)
    gap = 1 - giou(predicted[sure], teacher.boxes[sure])
    return score_loss + 3 * (gap * scores[sure]).sum() / total


@torch.no_grad()
def assign(
    logits: Tensor,
    predicted: Tensor,
    targets: Targets,
    height: int,
    width: int,
    prediction_weight: float,
    top: int = 9,
) -> tuple[Tensor, Tensor, Tensor]:
    """Which cells answer for which box.

    The `top` best cells inside every box (and their equals) by prior x (score^0.5 x IoU^4)^prediction_weight;
    a cell that several boxes want goes to the best. The target of a box's best cell is the soft score,
    lowered where the IoU is low.

    Returns:
        target scores (B, A); owner (B, A), index into `targets` or -1; ignored (B, A), cells of soft 0 boxes.
    """
    device, (B, A) = logits.device, logits.shape
    centres, stride = cells(height, width, device)  # (A, 2), (A,)
    middle = (targets.boxes[:, :2] + targets.boxes[:, 2:]) / 2
    size = (targets.boxes[:, 2:] - targets.boxes[:, :2]).clamp(min=1e-3)
    away_x = (centres[:, 0] - middle[:, :1]).abs()  # (M, A)
    away_y = (centres[:, 1] - middle[:, 1:]).abs()
    min_reach = 0.8 * stride  # tiny boxes still get a cell
    inside = (away_x < torch.maximum(size[:, :1] / 2, min_reach)) & (
        away_y < torch.maximum(size[:, 1:] / 2, min_reach)
    )
    box, cell = (inside & (targets.soft > 0)[:, None]).nonzero(as_tuple=True)  # P pairs
    scene = targets.scene[box]
    reach = torch.maximum(size[box] / 2, min_reach[cell, None])
    place = ((centres[cell] - middle[box]) / (0.6 * reach)).square().sum(1)
    level = torch.log2(size.prod(1).sqrt()[box] / (5 * stride[cell]))  # 0 where the box suits the stride
    overlap = iou(predicted[scene, cell], targets.boxes[box])
    quality = (logits[scene, cell].sigmoid().sqrt() * overlap.pow(4)).clamp(min=1e-9)
    metric = torch.exp(-0.5 * (place + (level / 0.8).square())) * quality.pow(prediction_weight)

    table = metric.new_zeros(len(targets.boxes), A)
    table[box, cell] = metric
    best = table.topk(min(top, A), dim=1)
    metric = torch.where(metric >= best.values[box, -1], metric, 0.0)  # only the top of each box stays
    value = metric.new_zeros(B * A).scatter_reduce(0, scene * A + cell, metric, "amax")
    mine = (metric > 0) & (metric == value[scene * A + cell])
    box, cell, scene, metric, overlap = box[mine], cell[mine], scene[mine], metric[mine], overlap[mine]
    none = metric.new_zeros(len(targets.boxes))
    peak = none.scatter_reduce(0, box, metric, "amax")
    reached = none.scatter_reduce(0, box, overlap, "amax")  # best IoU of the box's cells
    height_of_peak = targets.soft * (1 - 0.5 * prediction_weight * (1 - reached))
    scores = logits.new_zeros(B, A)
    scores[scene, cell] = (metric / peak[box]).sqrt() * height_of_peak[box]
    owner = torch.full((B, A), -1, dtype=torch.long, device=device)
    owner[scene, cell] = box

    skipped, cell = (inside & (targets.soft == 0)[:, None]).nonzero(as_tuple=True)
    ignored = torch.zeros(B, A, dtype=torch.bool, device=device)
    ignored[targets.scene[skipped], cell] = True
    return scores, owner, ignored & (owner < 0)


def cells(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Centres (A, 2) and strides (A,) of all cells of a picture, in the network's order."""
    levels = [(height // s, width // s, s) for s in STRIDES]
    centres = torch.cat([cell_centres(h, w, s, device) for h, w, s in levels])
    return centres, torch.cat([torch.full((h * w,), float(s), device=device) for h, w, s in levels])


def iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of xyxy boxes, broadcast."""
    inter, union = _areas(a, b)
    return inter / union.clamp(min=1e-6)


def giou(a: Tensor, b: Tensor) -> Tensor:
    """Generalised IoU of pairs of xyxy boxes: (N, 4), (N, 4) to (N,)."""
    inter, union = _areas(a, b)
    sides = torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])
    hull = sides.prod(-1).clamp(min=1e-6)
    return inter / union.clamp(min=1e-6) - (hull - union) / hull


def _areas(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """What two boxes share, and what they cover together."""
    sides = torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])
    inter = sides.clamp(min=0).prod(-1)
    return inter, (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - inter
