"""One run of the study: a network from scratch, trained on given pictures, examined on the way."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from posetrack.models.costs import measure
from posetrack.pose.crop import normalise
from posetrack.pose.heatmap import decode_dark, decode_quarter, softmax_heatmaps
from posetrack.runtime.folding import for_inference
from posetrack.skeletons import POSETRACK18
from posetrack.training.ema import WeightAverage
from posetrack.training.tasks.losses import gaussian_targets, spatial_cross_entropy
from scripts.ablations.pictures import Examination, Pictures
from scripts.ablations.variants import Variant

SIGMA = 1.0  # of the targets, heatmap pixels, at every size and resolution
SMALLEST_FOR_DARK = 5  # heatmap pixels on the short side


@dataclass(frozen=True)
class Schedule:
    batch: int = 32
    learning_rate: float = 2e-3  # the peak, after the warm-up; then a cosine to zero
    warm_up: float = 0.1  # share of the run
    weight_decay: float = 0.01
    largest_gradient: float = 2.0  # norm
    ema_decay: float = 0.998
    examinations: int = 3  # evenly over the run, the last one at its end

    def rate(self, progress: float) -> float:
        return (
            self.learning_rate * min(1.0, progress / self.warm_up) * 0.5 * (1 + math.cos(math.pi * progress))
        )


def run(
    variant: Variant,
    pictures: Pictures,
    examinations: Sequence[Examination],
    seed: int,
    schedule: Schedule | None = None,
) -> dict[str, object]:
    """Costs, losses and accuracies of one variant, ready for JSON."""
    schedule = schedule or Schedule()
    torch.manual_seed(seed)
    network = variant.build(len(POSETRACK18))
    initialise(network)
    costs = measure(network, variant.size[1], variant.size[0])
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = WeightAverage(network, schedule.ema_decay)
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=0.0, weight_decay=schedule.weight_decay, fused=True
    )
    steps = len(pictures.crops) // schedule.batch
    examined_after = {round(steps * (i + 1) / schedule.examinations) for i in range(schedule.examinations)}
    losses: list[float] = []
    curve: list[dict[str, float]] = []
    seconds = 0.0
    for step in range(steps):
        start = time.process_time()
        for group in optimiser.param_groups:
            group["lr"] = schedule.rate((step + 0.5) / steps)
        chosen = slice(step * schedule.batch, (step + 1) * schedule.batch)
        loss = _loss(network.train(), pictures, chosen, variant.stride)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), schedule.largest_gradient)
        optimiser.step()
        average.update(network)
        losses.append(round(loss.item(), 4))
        seconds += time.process_time() - start
        if step + 1 in examined_after:
            seen = {"pictures": float((step + 1) * schedule.batch)}
            curve.append(seen | examine(average.network, examinations))
    return {
        "parameters": costs.parameters,
        "multiply_adds": costs.multiply_adds,
        "cpu_seconds": round(seconds, 1),
        "losses": losses,
        "curve": curve,
    }


def _loss(network: nn.Module, pictures: Pictures, chosen: slice, stride: int) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        logits: Tensor = network(normalise(pictures.crops[chosen]))  # (B, K, h, w)
    h, w = logits.shape[2:]
    targets = gaussian_targets(pictures.points[chosen] / stride, (w, h), SIGMA)
    return spatial_cross_entropy(logits, targets, pictures.weights[chosen])


def examine(network: nn.Module, examinations: Sequence[Examination], chunk: int = 64) -> dict[str, float]:
    """PCK@0.2, percent, of every set, no mirrored crop: by quarter shift, and by DARK on larger maps."""
    folded = for_inference(network)
    result = {}
    for examination in examinations:
        maps = []
        for crops in examination.crops.split(chunk):
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
                maps.append(softmax_heatmaps(folded(normalise(crops)), SIGMA))
        heatmaps = torch.cat(maps)  # (N, K, h, w)
        h, w = heatmaps.shape[2:]
        result[examination.name] = round(examination.pck(decode_quarter(heatmaps)[0], (w, h)), 3)
        if min(h, w) >= SMALLEST_FOR_DARK:
            points = decode_dark(heatmaps, SIGMA)[0]
            result[f"{examination.name}_dark"] = round(examination.pck(points, (w, h)), 3)
    return result


def initialise(network: nn.Module) -> None:
    """He initialisation, but a small last layer, so that training starts from flat heatmaps."""
    for name, module in network.named_modules():
        if name == "final_layer":
            nn.init.normal_(module.weight, std=0.01)
        elif isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
