"""Training of the bundled light detector from scratch: about 90 minutes on one CPU core, minutes on a GPU.

Batches of `Scenes`, the loss of posetrack/training/assignment.py, Muon, a cosine over the budget, an average
of the weights. `scripts/train_light_detector.py` is the command.

    >>> run = train(Recipe(minutes=80), scenes, OneFile(folder / "last.pt"))
    >>> export(run.state(), folder / "light_detector.safetensors", score_threshold=0.5)
"""

from __future__ import annotations

import itertools
import json
import math
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from posetrack.datasets.scenes import Scenes
from posetrack.detectors.light import LightNetwork
from posetrack.errors import PoseTrackError
from posetrack.training.assignment import Taught, Wanted, detection_loss, gather
from posetrack.training.ema import WeightAverage
from posetrack.training.muon import Muon
from posetrack.training.rtmdet_teacher import RtmdetTeacher
from posetrack.training.store import Store
from posetrack.zoo.checkpoint import read_checkpoint, read_metadata
from posetrack.zoo.loading import load_into

# Width and height of the scenes, one shape per batch: those of videos, wide and upright, at two sizes.
SHAPES = ((416, 256), (416, 320), (320, 416), (352, 352), (448, 256), (256, 416))
SMALL_SHAPES = ((320, 192), (320, 256), (256, 320), (288, 288), (352, 192), (192, 320))  # 0.6 of the time
LONG_SIDE = 416  # of the input in use
DEPTHS = (1, 2, 4, 3)  # residual convolutions at strides 4, 8, 16, 32: deep where cells are few


@dataclass(frozen=True)
class Recipe:
    """What decides the result of a training."""

    minutes: float | None = None  # budget of wall-clock time; or
    pictures: int | None = None  # budget of scenes
    batch: int = 16  # scenes
    rate: float = 0.012  # highest learning rate
    warmup: int = 300  # steps
    decay: float = 0.01  # of convolutions' weights, times the rate
    average: float = 0.9985  # of the weights, per step
    seed: int = 1
    device: str = "cpu"
    rendered: bool = False  # rendered people are among the scenes; the weights' metadata says so
    workers: int = 0  # processes that make scenes; 0: the training itself makes them
    depths: tuple[int, ...] = DEPTHS  # of the network
    teacher: float = 1.0  # weight of what a teacher says of every cell, where there is a teacher
    small: bool = False  # scenes of `SMALL_SHAPES`
    frozen: tuple[str, ...] = ()  # parts of the network that stay as they are
    sources: tuple[str, ...] = ("LSPET train (9,000 photos) and 450 of BSDS500",)  # for the metadata

    def for_batch(self, batch: int) -> Recipe:
        """The same with batches of another size; the rate grows with the root of the size."""
        return replace(self, batch=batch, rate=self.rate * (batch / self.batch) ** 0.5)


def train(
    recipe: Recipe,
    scenes: Scenes,
    store: Store,
    log: Callable[[str], None] = print,
    save_every: float = 120,
    init: Path | None = None,
    leave_at: float = math.inf,
    teacher: RtmdetTeacher | None = None,
) -> Run:
    """Train until the budget is used up; a killed run goes on from the state in `store`.

    Args:
        save_every: seconds.
        init: exported weights to begin a new run with, such as those of an earlier stretch of training.
        leave_at: time.monotonic() at which to leave early, with the schedule of the whole run.
        teacher: sees every scene, too, and says of each cell what it makes of it.

    Returns:
        The run at its end, stored.
    """
    if (recipe.minutes is None) == (recipe.pictures is None):
        raise PoseTrackError("give a budget: either minutes or pictures")
    torch.manual_seed(recipe.seed)
    run = Run(recipe)
    if (state := store.read(recipe.device)) is not None:
        run.load(state)
        log(f"resumed at {run.pictures} pictures")
    elif init is not None:
        run.start_from(init)
    saved, totals = time.monotonic(), torch.zeros(5, device=recipe.device)
    batches = iter(Batches(scenes, recipe, run.step, teacher).load())
    while run.progress() < 1 and time.monotonic() < leave_at:
        totals += run.learn(*next(batches))
        if run.step % 50 == 0:
            score, box, positives, taught_score, taught_box = (totals / 50).tolist()
            log(
                f"{run.spent / 60:6.1f} min  {run.pictures:7d} pictures  rate {run.rate():.2e}"
                f"  score {score:.3f}  box {box:.3f}  positives {positives:.0f}"
                f"  teacher's score {taught_score:.3f}  box {taught_box:.3f}"
            )
            totals.zero_()
        if time.monotonic() - saved > save_every:
            store.write(run.state())
            saved = time.monotonic()
    store.write(run.state())
    return run


Batch = tuple[Tensor, Wanted, Taught | None]


class Batches(IterableDataset[Batch]):
    """Endless batches: images (B, H, W, 3) uint8, their boxes, what the teacher says of their cells.

    Worker k of n makes every n-th one.
    """

    def __init__(
        self, scenes: Scenes, recipe: Recipe, first: int, teacher: RtmdetTeacher | None = None
    ) -> None:
        """`first` is the step at which the training begins, so that a resumed run sees other scenes."""
        self.scenes, self.recipe, self.first, self.teacher = scenes, recipe, first, teacher

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        number, workers = (worker.id, worker.num_workers) if worker is not None else (0, 1)
        self.scenes.random = np.random.default_rng([self.recipe.seed, self.first, number])
        for step in itertools.count(self.first + number, workers):
            shapes = SMALL_SHAPES if self.recipe.small else SHAPES
            width, height = shapes[step % len(shapes)]
            batch = [self.scenes.draw(width, height) for _ in range(self.recipe.batch)]
            images = np.stack([scene.image for scene in batch])
            taught = None if self.teacher is None else Taught.of(self.teacher, images)
            yield torch.from_numpy(images), gather(batch), taught

    def load(self) -> Iterable[Batch]:
        """The batches in order, made in this process or by the recipe's workers."""
        if self.recipe.workers == 0:
            return self
        return DataLoader(
            self,
            batch_size=None,
            num_workers=self.recipe.workers,
            collate_fn=_as_it_is,
            multiprocessing_context="fork",  # the processes share the photos
            pin_memory=torch.device(self.recipe.device).type == "cuda",
        )


def _as_it_is(batch: Any) -> Any:
    return batch


def export(state: Mapping[str, Any], path: Path, score_threshold: float, long_side: int = LONG_SIDE) -> None:
    """Write the averaged weights of a run as `LightDetector` reads them, in half precision.

    Args:
        state: of `Run.state`, or read from a store.
        score_threshold: from which the detector reports a box when nobody says otherwise.
        long_side: pixels of the input's longer side, likewise.
    """
    from posetrack.training.export import half_precision, write  # needs safetensors: not all machines have it

    depths = tuple(state["recipe"]["depths"])
    network = LightNetwork(depths=depths)
    network.load_state_dict(state["average"]["network"])
    facts = {
        "model": "light_detector",
        "depths": json.dumps(depths),
        "input_long_side": str(long_side),
        "score_threshold": str(score_threshold),
        "pictures": str(state.get("before", 0) + state["pictures"]),
        "trained_on": "; ".join(state["recipe"]["sources"])
        + (", and rendered people" if state["recipe"].get("rendered") else ""),
        "licence": "research only, as the training photos; boxes by an Apache-2.0 network",
        "recipe": json.dumps(state["recipe"]),
    }
    write(half_precision(network), path, facts)


class Run:
    """Network, optimiser, averaged weights and what of the budget is spent."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.network = LightNetwork(depths=recipe.depths).to(recipe.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        initialise(self.network)
        for name in recipe.frozen:
            self.network.get_submodule(name).requires_grad_(False).eval()  # its batch statistics, too
        self.average = WeightAverage(self.network, recipe.average)
        self.optimiser = Muon(self.network, ("stem", "score", "sides"), weight_decay=recipe.decay)
        self.step, self.spent, self.seen = 0, 0.0, time.monotonic()
        self.before = 0  # pictures that the weights had seen when the run began
        self.blind_steps = 1500  # over which the predictions get their say in the assignment

    @property
    def pictures(self) -> int:
        return self.step * self.recipe.batch

    def progress(self) -> float:
        """0 at the start, 1 when the budget is used up."""
        if self.recipe.minutes is not None:
            return self.spent / (60 * self.recipe.minutes)
        return self.pictures / (self.recipe.pictures or 1)

    def rate(self) -> float:
        """Learning rate: linear warm-up, then half a cosine down to a hundredth."""
        warm = min(1.0, (self.step + 1) / self.recipe.warmup)
        return self.recipe.rate * warm * (0.01 + 0.99 * (1 + math.cos(math.pi * min(self.progress(), 1))) / 2)

    def learn(self, images: Tensor, wanted: Wanted, taught: Taught | None = None) -> Tensor:
        """One step.

        Args:
            images: (B, H, W, 3) uint8.
            wanted: their boxes.
            taught: what a teacher says of their cells.

        Returns:
            (5,): the score loss, the box loss, the number of positive cells, the teacher's losses.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate()
        device = self.recipe.device
        images = images.to(device, non_blocking=True).permute(0, 3, 1, 2)  # (B, 3, H, W), channels last
        with torch.autocast(torch.device(device).type, torch.bfloat16):
            logits, predicted = self.network(images.float() / 255)
        height, width = images.shape[2:]
        loss, parts = detection_loss(
            logits,
            predicted,
            wanted.to(device),
            height,
            width,
            ripeness=min(1.0, (self.step + 1) / self.blind_steps),
            taught=None if taught is None else taught.to(device),
            weight=self.recipe.teacher,
        )
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 10.0)
        self.optimiser.step()
        self.step += 1
        self.average.update(self.network)
        now = time.monotonic()
        self.spent, self.seen = self.spent + now - self.seen, now
        return parts

    def state(self) -> dict[str, Any]:
        return {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "blind_steps": self.blind_steps,
            "spent": self.spent,
            "pictures": self.pictures,
            "before": self.before,
            "recipe": asdict(self.recipe),
        }

    def load(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.spent, self.seen = state["step"], state["spent"], time.monotonic()
        self.blind_steps = state["blind_steps"]
        self.before = state.get("before", self.before)

    def start_from(self, path: Path) -> None:
        """Begin with exported weights. They know where people are: their predictions count at once.

        Where this network is deeper than theirs, the convolutions that they lack add little at first.
        """
        weights = deepened(read_checkpoint(path), self.network)
        load_into(self.network, weights, str(path))
        load_into(self.average.network, weights, str(path))
        self.before = int(read_metadata(path).get("pictures", 0))
        self.blind_steps = 1


def deepened(weights: Mapping[str, Tensor], network: LightNetwork) -> dict[str, Tensor]:
    """With the network's own values for residual convolutions that the weights lack, at a tenth.

    Not at zero: a ReLU passes no gradient there, and they would never learn.
    """
    lacking = {
        name: value * 0.1 if name.endswith(".1.weight") else value
        for name, value in network.state_dict().items()
        if name not in weights and re.search(r"^stage\d+\.1\.steps\.\d+\.", name)
    }
    return dict(weights) | lacking


def initialise(network: LightNetwork) -> None:
    """Kaiming for ReLU; scores begin at 1 %, boxes at four strides to every side."""
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    for heads, bias in ((network.score, -math.log(99)), (network.sides, 2.0)):
        for head in heads:
            assert isinstance(head, torch.nn.Conv2d)
            assert head.bias is not None
            torch.nn.init.normal_(head.weight, std=0.01)
            torch.nn.init.constant_(head.bias, bias)
