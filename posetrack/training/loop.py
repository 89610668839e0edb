"""The training loop, the same for every task: steps, schedule, average, checkpoints, validation, signals.

`run.py` puts a run together; `tasks/` say what is learned. A step is `_descend`; what happens between two
steps is `_between_steps`. `self.step` (and `self.seconds`, where minutes are the budget) is all the progress
there is; with it a run goes on, bit for bit, in the middle of an epoch.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from posetrack.errors import PoseTrackError
from posetrack.training import checkpoint, export
from posetrack.training.ema import WeightAverage
from posetrack.training.examples.examples import Batch, loader, split, tensors_of
from posetrack.training.graph import Step, recorded
from posetrack.training.log import RunLog
from posetrack.training.optimisers import make_optimiser
from posetrack.training.plan import Plan, RankBatches
from posetrack.training.ranks import Ranks
from posetrack.training.recipe import Stage
from posetrack.training.stop import StopRequest
from posetrack.training.tasks.task import Network, Task

ALONE = Ranks()


@dataclass(frozen=True)
class Options:
    """How a run is carried out. What it gives changes by rounding only, but for two fields that say so."""

    workers: int = 0  # processes that make the pictures, for each device
    accumulate: int = 1  # parts in which a step passes the network; batch-norm then sees one part at a time
    compile: bool = False
    sync_batchnorm: bool = True  # on several GPUs: statistics of the whole batch; else each has its own
    save_minutes: float = 10.0  # between checkpoints; more at every validation and the end of every epoch
    validate_epochs: float = 1.0  # between validations; one more at the end
    log_steps: int = 50


class Training:
    """One run, from its first step or its last checkpoint to its end or a signal."""

    def __init__(
        self,
        task: Task,
        folder: Path,
        ranks: Ranks = ALONE,
        options: Options = Options(),
    ) -> None:
        self.task, self.recipe, self.folder = task, task.recipe, folder
        self.ranks, self.options = ranks, options
        self.plan = Plan.of(self.recipe, task.size)
        torch.manual_seed(self.recipe.seed)
        network = task.create()
        if options.sync_batchnorm and ranks.size > 1 and ranks.device.type == "cuda":
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        self.network = network.to(ranks.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimiser = make_optimiser(self.recipe, self.network, task.first_and_last)
        decay = self.recipe.ema_decay
        self.average = None if decay is None else WeightAverage(self.network, decay)
        self.step = 0
        self.seconds = 0.0  # of training, over all resumptions
        self.results: dict[str, float] = {}  # of the last validation
        self.best: float | None = None  # the first value of the best validation
        self.origin: dict[str, str] = {}  # what export says of the weights that the run began with
        self.stopped = 0  # the signal that ended the run before its time
        self.unsaved = ""  # why the last checkpoint could not be written
        self.request = StopRequest()
        self._lost: set[str] = set()  # why examples could not be read
        self._losses: list[Tensor] = []
        self._frozen: list[nn.Module] = []
        self._rate = torch.zeros((), device=ranks.device)  # a tensor, so that recorded steps follow it
        self._recorded: dict[Stage, Step] = {}
        self._log: RunLog | None = None

    @property
    def best_network(self) -> nn.Module:
        """The network that is validated and exported: the average, where there is one."""
        return self.network if self.average is None else self.average.network

    @property
    def progress(self) -> float:
        """Share of the run that is over."""
        return self.plan.progress(self.step, self.seconds)

    # Beginning -------------------------------------------------------------------------------------------

    def start_from(self, weights: Path) -> None:
        """Begin a new run with the weights of a file.

        Raises:
            PoseTrackError: they do not fit.
        """
        self.task.load(self.network, weights)
        if self.average is not None:
            self.average.network.load_state_dict(self.network.state_dict())
        self.origin = export.origin_of(weights)
        self.task.began_with_weights = True
        self._freeze()

    def resume(self) -> None:
        """Go on from the folder's checkpoint.

        Raises:
            PoseTrackError: it is damaged, or belongs to another recipe.
        """
        state = checkpoint.read(self.folder / checkpoint.CHECKPOINT, self._description())
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.step, self.seconds = state["step"], state["seconds"]
        self.results, self.best, self.origin = state["results"], state["best"], state["origin"]
        self.task.began_with_weights = bool(self.origin)
        self._freeze()

    def _freeze(self) -> None:
        """Keep the recipe's frozen modules as they are, which only weights that know something can afford."""
        if self.task.began_with_weights:
            self._frozen = [m for name, m in self.network.named_children() if name in self.recipe.frozen]
            for module in self._frozen:
                module.requires_grad_(False)

    def _description(self) -> dict[str, Any]:
        """What must be the same for a run to go on."""
        return {**asdict(self.recipe), "examples": self.plan.examples}

    # The loop --------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Train until the budget is spent or a signal comes; then the checkpoint is written."""
        if self.progress >= 1:
            return
        self._log = RunLog(self.folder, self.step) if self.ranks.is_first else None
        network = self._wrapped()
        stage: Stage | None = None
        self._saved = self._logged = time.monotonic()
        self._began = self._saved - self.seconds
        with StopRequest(second_interrupts=self.ranks.size == 1) as self.request:
            while self.progress < 1 and not self.stopped:
                if (now := self.recipe.stage(self.progress)) != stage:
                    stage, batches = now, iter(self._batches(now))
                self._train_step(network, next(batches), stage)
                self._between_steps(stage)
            del batches  # ends the workers
        if self.unsaved:
            self.save()
        if self._log is not None:
            self._log.close()

    def _wrapped(self) -> Network:
        if self.options.compile:
            self.network.compile()
        network: Network = self.network
        if self.ranks.size == 1:
            return network
        devices = [self.ranks.device] if self.ranks.device.type == "cuda" else None
        wrapped: Network = DistributedDataParallel(self.network, devices, gradient_as_bucket_view=True)
        return wrapped

    def _batches(self, stage: Stage) -> Iterable[Batch]:
        order = RankBatches(self.plan, self.step, self.ranks.rank, self.ranks.size)
        pin = self.ranks.device.type == "cuda"
        return loader(self.task.examples(stage), order, self.options.workers, pin)

    # A step ----------------------------------------------------------------------------------------------

    def _train_step(self, network: Network, batch: Batch, stage: Stage) -> None:
        self._rate.fill_(self.rate())
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate if self.recipe.optimiser == "muon" else self.rate()
        self._name_lost(batch["lost"])
        self.network.train()
        for module in self._frozen:
            module.eval()  # the statistics of its batch norms, too
        device = self.ranks.device
        tensors = {key: value.to(device, non_blocking=True) for key, value in tensors_of(batch).items()}
        if not self._replays:
            loss = self._descend(network, split(tensors, self.options.accumulate), stage)
        else:
            if stage not in self._recorded:
                keys = list(tensors)

                def descend(*values: Tensor) -> Tensor:
                    return self._descend(network, [dict(zip(keys, values, strict=True))], stage)

                self._recorded[stage] = recorded(descend, *tensors.values())
            loss = self._recorded[stage](*tensors.values()).clone()
        self._losses.append(loss)
        self.step += 1
        if self.average is not None:
            self.average.update(self.network)

    @property
    def _replays(self) -> bool:
        """Whether steps are recorded once as a CUDA graph, which a small network on a large GPU needs."""
        alone = self.ranks.size == 1 and self.options.accumulate == 1 and not self.options.compile
        small = self.recipe.optimiser == "muon" and self.task.fixed_shapes  # Muon's steps can be recorded
        return self.ranks.device.type == "cuda" and alone and small

    def _descend(self, network: Network, parts: Sequence[dict[str, Tensor]], stage: Stage) -> Tensor:
        """Move the weights by one batch, given in parts; the batch's loss, or this process's share of it."""
        self.optimiser.zero_grad()
        amounts = [self.task.amount(part) for part in parts]
        total = self.ranks.sum(torch.stack(amounts).sum()).clamp(min=1e-6)
        losses = []
        for n, (part, amount) in enumerate(zip(parts, amounts, strict=True)):
            last = n + 1 == len(parts)
            wait = isinstance(network, DistributedDataParallel) and not last
            with network.no_sync() if wait else nullcontext():  # type: ignore[attr-defined]
                with self._precision():
                    share = self.task.loss(network, part, stage, self.step) * amount / total
                # Processes exchange the mean of their gradients, and the loss is the sum of their shares.
                (share * self.ranks.size).backward()  # type: ignore[no-untyped-call]
            losses.append(share.detach())
        if self.recipe.max_gradient is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.max_gradient)
        self.optimiser.step()
        return torch.stack(losses).sum()

    def _precision(self) -> torch.autocast:
        bf16 = self.recipe.precision == "bf16"
        return torch.autocast(self.ranks.device.type, torch.bfloat16, enabled=bf16)

    def rate(self) -> float:
        """Learning rate of the step to come."""
        pictures = (self.step + 1) * self.plan.batch
        return self.recipe.rate(self.progress, self.plan.epoch(self.step), pictures)

    def _name_lost(self, reasons: Iterable[str]) -> None:
        for reason in {*reasons} - self._lost - {""}:
            self._lost.add(reason)
            print(f"left out: {reason}", flush=True)

    # Between steps ---------------------------------------------------------------------------------------

    def _between_steps(self, stage: Stage) -> None:
        # Any process may be told to stop, or be late: all of them go by the same numbers.
        number, self.seconds = self.ranks.max(self.request.signal, time.monotonic() - self._began)
        over = self.progress >= 1
        self.stopped = 0 if over else int(number)
        if self.stopped:
            self.save()  # at once: a validation may outlast the patience of whoever asked
        if over or self.step % self.options.log_steps == 0:
            self._log_loss()
        validates = over or self.plan.ends_epoch(self.step, self.options.validate_epochs)
        if validates:
            if not self.stopped:
                self.save()  # likewise, should somebody ask while it lasts
            self._validate(stage)
            if not over and not self.stopped:
                self.stopped = int(self.ranks.max(self.request.signal)[0])
        late = time.monotonic() - self._saved > 60 * self.options.save_minutes
        if validates or late or self.plan.ends_epoch(self.step):
            self.save()

    def _log_loss(self) -> None:
        loss = self.ranks.sum(torch.stack(self._losses).mean())
        now = time.monotonic()
        speed = len(self._losses) * self.plan.batch / (now - self._logged)
        self._losses.clear()
        self._logged = now
        self._write(
            {"loss": float(loss), "learning_rate": self.rate(), "pictures_per_second": round(speed, 1)}
        )

    def _validate(self, stage: Stage) -> None:
        self.ranks.share_buffers(self.best_network)
        with self._precision():
            validation = self.task.validate(self.best_network, stage, self.ranks)
        self.results = validation.values
        self._name_lost(validation.lost)
        self._write({"epoch": round(self.plan.epoch(self.step), 3), **self.results})
        for name, picture in validation.pictures.items():
            if self._log is not None:
                self._log.show(self.step, name, picture)
        value = next(iter(self.results.values()), None)
        if value is not None and (self.best is None or value > self.best):
            self.best = value
            self._export_best()

    def _write(self, values: dict[str, float]) -> None:
        if self._log is not None:
            self._log.write(self.step, values)

    # Files -----------------------------------------------------------------------------------------------

    def save(self) -> None:
        """Write the checkpoint, by the first process. Without room for it, the run and the last one go on."""
        if not self.ranks.is_first:
            return
        self._saved = time.monotonic()
        path = self.folder / checkpoint.CHECKPOINT
        try:
            checkpoint.save(self._state(), path)
            self.unsaved = ""
        except OSError as error:
            self.unsaved = f"{path}: cannot be written ({error.strerror or error})"
            print(f"{self.unsaved}; the last good one stays, and the run goes on", flush=True)

    def _state(self) -> dict[str, Any]:
        """What a checkpoint holds. No random state: pictures depend on their numbers alone."""
        return {
            "run": json.dumps(self._description()),
            "step": self.step,
            "seconds": self.seconds,
            "results": {name: float(value) for name, value in self.results.items()},
            "best": self.best,
            "origin": self.origin,
            "network": self.network.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }

    def export(self, path: Path) -> None:
        """Write the weights as they are now, by the first process.

        Raises:
            PoseTrackError: no room, or weights that are not finite.
        """
        if self.ranks.is_first:
            pictures = self.step * self.plan.batch
            facts = {**self.task.facts(), **self.origin}
            export.trained(self.recipe, self.best_network, path, pictures, self.results, facts)

    def _export_best(self) -> None:
        try:
            self.export(self.folder / f"{self.recipe.name}_best.safetensors")
        except PoseTrackError as error:
            print(f"{error}; the run goes on", flush=True)
