"""One training as a LightningModule; pose.py and classification.py say what is learned.

Lightning puts the model on its devices, wraps it for several processes and casts to half precision. What
decides the result stays here: the learning rate, the loss over the whole batch, the average of the weights.
`self.step` is all the progress there is; with it a run goes on in the middle of an epoch.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import lightning.pytorch as pl
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from posetrack.training import record
from posetrack.training.batchnorm import share_statistics
from posetrack.training.data import Example, split
from posetrack.training.ema import WeightAverage
from posetrack.training.muon import FIRST_AND_LAST, Muon
from posetrack.training.plan import Plan
from posetrack.training.recipes import Recipe
from posetrack.training.stop import StopRequest


@dataclass(frozen=True)
class Options:
    """How a run is carried out. What it gives changes by rounding only, but for two fields that say so."""

    accelerator: str = "auto"  # or cpu, gpu
    devices: int = 1  # processes on this machine; torchrun's own number wins
    precision: Literal["32", "bf16", "16"] = "32"  # of the network's arithmetic; weights stay in 32 bits
    workers: int = 0  # processes that make the pictures, for each device
    accumulate: int = 1  # parts in which a step passes the network; batch-norm then sees one part at a time
    channels_last: bool = True
    compile: bool = False
    sync_batchnorm: bool = True  # statistics over all processes; else each has its own
    save_minutes: float = 10.0  # between checkpoints; one more at the end of every epoch
    save_steps: int | None = None
    validate_epochs: float = 1.0  # between validations
    log_steps: int = 50
    stop_at: int | None = None  # step after which to leave early, with the schedule of the whole run


class Training(pl.LightningModule):
    """What pose networks and classifiers share; a subclass says what the loss is and how to validate."""

    automatic_optimization = False

    def __init__(
        self, recipe: Recipe, plan: Plan, network: nn.Module, options: Options, folder: Path
    ) -> None:
        super().__init__()
        self.recipe, self.plan, self.options, self.folder = recipe, plan, options, folder
        self.network = network
        self.step = 0
        self.seconds = 0.0  # of training, over all resumptions
        self.lost: set[str] = set()  # why examples could not be read
        self.results: dict[str, float] = {}  # of the last validation
        self.origin: dict[str, str] = {}  # what export says of the weights that the run began with
        self.average: WeightAverage | None = None
        self._resumed: Mapping[str, Any] | None = None
        self._record: record.Record | None = None
        self._losses: list[Tensor] = []
        self.unsaved = ""  # why the last checkpoint could not be written
        self.request = StopRequest()
        self.stopped = 0  # the signal that ended the run before its time

    def loss(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Mean loss of some examples, per unit of `amount`."""
        raise NotImplementedError

    def amount(self, batch: Mapping[str, Tensor]) -> Tensor:
        """What the mean is over, such as the number of pictures: a scalar that adds up over batches."""
        raise NotImplementedError

    def validate(self) -> dict[str, float]:
        """Accuracy of `self.best_network`; runs on all processes, each of which may do a part."""
        raise NotImplementedError

    @property
    def best_network(self) -> nn.Module:
        """The network that is validated and exported: the average, where there is one."""
        return self.network if self.average is None else self.average.network

    @property
    def is_first(self) -> bool:
        return bool(self.trainer.is_global_zero)

    # Beginning -------------------------------------------------------------------------------------------

    def describe(self) -> dict[str, Any]:
        """What must be the same for a run to go on."""
        return {**asdict(self.recipe), "examples": self.plan.examples}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on from the content of a checkpoint."""
        self.network.load_state_dict(state["network"])
        self.step, self.seconds = state["step"], state["seconds"]
        # Checkpoints of the first version lack these.
        self.results, self.origin = dict(state.get("results", {})), dict(state.get("origin", {}))
        self._resumed = state

    def configure_optimizers(self) -> torch.optim.Optimizer:
        if self.recipe.optimiser == "muon":
            return Muon(self.network, FIRST_AND_LAST, weight_decay=self.recipe.weight_decay)
        recipe, rest = self.recipe, [p for p in self.network.parameters() if p.ndim <= 1]
        groups: list[dict[str, Any]] = [
            {"params": [p for p in self.network.parameters() if p.ndim > 1]},
            {"params": rest, "weight_decay": recipe.weight_decay if recipe.optimiser == "sgd" else 0.0},
        ]
        if recipe.optimiser == "sgd":
            return torch.optim.SGD(
                groups, recipe.learning_rate, momentum=0.9, nesterov=True, weight_decay=recipe.weight_decay
            )
        kind = torch.optim.AdamW if recipe.optimiser == "adamw" else torch.optim.Adam
        fused = self.options.precision != "16"  # Lightning cannot clip gradients that fused Adam unscales
        return kind(groups, recipe.learning_rate, weight_decay=recipe.weight_decay, fused=fused)

    def on_fit_start(self) -> None:
        if self.recipe.ema_decay is not None:
            self.average = WeightAverage(self.network, self.recipe.ema_decay)
        if self.options.sync_batchnorm and self.trainer.world_size > 1 and self.device.type == "cpu":
            share_statistics(self.network)
        if self._resumed is not None:
            self.optimizers(use_pl_optimizer=False).load_state_dict(self._resumed["optimiser"])  # type: ignore[union-attr]
            self.trainer.precision_plugin.load_state_dict(self._resumed["scaler"])
            if self.average is not None:
                self.average.load_state_dict(self._resumed["average"])
            self._resumed = None
        if self.options.compile:
            self.network.compile()
        if self.is_first:
            self._record = record.Record(self.folder, self.step)
        self._saved = self._logged = time.monotonic()
        self._saved_step = self.step
        self._began = self._saved - self.seconds

    # A step ----------------------------------------------------------------------------------------------

    def training_step(self, batch: Example, index: int) -> None:
        optimiser = self.optimizers()
        for group in optimiser.param_groups:  # type: ignore[union-attr]
            group["lr"] = self.rate()
        optimiser.zero_grad()  # type: ignore[union-attr]
        self.network.train()
        self._name(batch["lost"])
        parts = split(batch, self.options.accumulate)
        amounts = [self.amount(part) for part in parts]
        total = self._sum(torch.stack(amounts).sum()).clamp(min=1e-6)
        losses = []
        for n, (part, amount) in enumerate(zip(parts, amounts, strict=True)):
            share = self.loss(part) * amount / total  # of the loss of the whole batch
            wait = n + 1 < len(parts) and self.trainer.world_size > 1
            with self.trainer.strategy.block_backward_sync() if wait else nullcontext():  # type: ignore[attr-defined]
                # Processes exchange the mean of their gradients, and the loss is the sum of their shares.
                self.manual_backward(share * self.trainer.world_size)
            losses.append(share.detach())
        optimiser.step()  # type: ignore[union-attr]
        self._losses.append(torch.stack(losses).sum())
        self.step += 1
        if self.average is not None:
            self.average.update(self.network)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        if self.recipe.largest_gradient is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.largest_gradient)

    def rate(self) -> float:
        """Learning rate of the step to come."""
        return self.recipe.rate(self.plan.epoch(self.step), (self.step + 1) * self.plan.batch)

    def _sum(self, value: Tensor) -> Tensor:
        if self.trainer.world_size > 1:
            torch.distributed.all_reduce(value)
        return value

    def _name(self, reasons: Sequence[str]) -> None:
        for reason in {*reasons} - self.lost - {""}:
            self.lost.add(reason)
            print(f"left out: {reason}", flush=True)

    # Between steps ---------------------------------------------------------------------------------------

    def on_train_batch_end(self, outputs: object, batch: Example, index: int) -> None:
        self.seconds = time.monotonic() - self._began
        self.stopped = self._stop_requested() if self.step < self.plan.steps else 0
        if self.stopped:
            self.trainer.should_stop = True
            self.save()  # at once: a validation may outlast the patience of whoever asked
        if self.step % self.options.log_steps == 0 or self.step >= self.plan.steps:
            self._log_loss()
        validates = self.plan.ends_epoch(self.step, self.options.validate_epochs)
        if validates:
            if not self.stopped:
                self.save()  # likewise, should somebody ask while it lasts
            with self.trainer.precision_plugin.forward_context():
                self.results = self.validate()
            self.write({"epoch": round(self.plan.epoch(self.step), 3), **self.results})
            if not self.stopped and self.step < self.plan.steps:
                self.stopped = self._stop_requested()
                self.trainer.should_stop |= bool(self.stopped)
        if validates or self.plan.ends_epoch(self.step) or self._save_is_due():
            self.save()

    def _stop_requested(self) -> int:
        """The signal that any of the processes has received, so that all of them stop after the same step."""
        if self.trainer.world_size == 1:
            return self.request.signal
        number = torch.tensor(self.request.signal, device=self.device)
        torch.distributed.all_reduce(number, torch.distributed.ReduceOp.MAX)
        return int(number)

    def _log_loss(self) -> None:
        loss = self._sum(torch.stack(self._losses).mean())
        now = time.monotonic()
        speed = len(self._losses) * self.plan.batch / (now - self._logged)
        self._losses.clear()
        self._logged = now
        self.write(
            {"loss": float(loss), "learning_rate": self.rate(), "pictures_per_second": round(speed, 1)}
        )

    def write(self, values: Mapping[str, float]) -> None:
        if self._record is not None:
            self._record.write(self.step, values)

    def show(self, name: str, picture: NDArray[np.uint8]) -> None:
        if self._record is not None:
            self._record.show(self.step, name, picture)

    def _save_is_due(self) -> bool:
        steps = self.options.save_steps
        return bool(steps and self.step % steps == 0) or (
            time.monotonic() - self._saved > 60 * self.options.save_minutes
        )

    def save(self) -> None:
        """Write the checkpoint, by the first process. Without room for it, the run and the last one go on."""
        if not self.is_first:
            return
        self._saved, self._saved_step = time.monotonic(), self.step
        path = self.folder / record.CHECKPOINT
        try:
            record.save(self.state(), path)
            self.unsaved = ""
        except OSError as error:
            self.unsaved = f"{path}: cannot be written ({error.strerror or error})"
            print(f"{self.unsaved}; the last good one stays, and the run goes on", flush=True)

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds. No random state: pictures depend on their numbers alone."""
        optimiser: Any = self.optimizers(use_pl_optimizer=False)
        return {
            "run": json.dumps(self.describe()),
            "step": self.step,
            "seconds": self.seconds,
            "results": {name: float(value) for name, value in self.results.items()},
            "origin": self.origin,
            "network": self.network.state_dict(),
            "average": self.average.state_dict() if self.average is not None else None,
            "optimiser": optimiser.state_dict(),
            "scaler": self.trainer.precision_plugin.state_dict(),
        }

    def on_fit_end(self) -> None:
        if self._saved_step != self.step or self.unsaved:
            self.save()
        if self._record is not None:
            self._record.close()
        if self.stopped:
            self.trainer.strategy.barrier()  # nobody leaves before the checkpoint is there
