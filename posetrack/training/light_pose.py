"""Training of the bundled light pose network: a narrow HRNet from scratch, on a CPU or a GPU.

data = read_lspet(Path("../shared/data/lspet"))
run = LightPoseTraining(Recipe(), data.people, data.images, [data.athletes], Path("/tmp/runs/pose"))
run.resume()
run.train(minutes=90)  # or pictures=500_000, which can be repeated exactly
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from posetrack.datasets.augment import Geometry
from posetrack.datasets.people import HeldOut, Image, Person
from posetrack.errors import PoseTrackError
from posetrack.models import create
from posetrack.models.fuse import for_inference
from posetrack.models.hrnet import LIGHT, HRNet, HRNetConfig
from posetrack.models.shapes import name_of
from posetrack.pose.crop import normalise
from posetrack.pose.heatmap import merge_flipped, softmax_heatmaps
from posetrack.skeletons import POSETRACK18
from posetrack.training.ema import WeightAverage
from posetrack.training.graph import Step, recorded
from posetrack.training.losses import gaussian_targets, spatial_cross_entropy, taught
from posetrack.training.muon import FIRST_AND_LAST, Muon
from posetrack.training.sampling import Batch, Prefetch, Sampler, Sampling
from posetrack.training.store import OneFile, Store
from posetrack.training.validate import validate
from posetrack.training.widen import fits_when_widened, widened
from posetrack.zoo.checkpoint import read_checkpoint, read_metadata
from posetrack.zoo.loading import load_into

# What sees edges and colours, and stage 1: they need no lesson in new kinds of people.
STEM = ("conv1", "bn1", "conv2", "bn2", "layer1")
# The same with twice the channels: a teacher. It begins as the light one widened.
WIDE = replace(LIGHT, width=32, stem=64, bottleneck=64)


@dataclass(frozen=True)
class Stage:
    """A stretch of the run at one input size. Small inputs first: most can be learned there, at less cost."""

    until: float  # share of the run at which the stage ends
    width: int  # of the input, pixels; a multiple of 32, as HRNet halves it five times
    height: int
    sigma: float  # of the targets, heatmap pixels

    def __post_init__(self) -> None:
        if self.width % 32 or self.height % 32:
            raise ValueError(f"an input of {self.width}x{self.height} is not a multiple of 32")

    @property
    def size(self) -> tuple[int, int]:
        return self.width, self.height


@dataclass(frozen=True)
class Recipe:
    network: HRNetConfig = LIGHT
    stages: tuple[Stage, ...] = (Stage(0.6, 96, 128, 1.0), Stage(1.0, 160, 224, 1.75))
    sampling: Sampling = field(
        default_factory=lambda: Sampling(
            POSETRACK18,
            batch=64,
            geometry=Geometry(turn_probability=0.15),
            edge_probability=0.3,
            stranger_probability=0.3,
        )
    )
    learning_rate: float = 0.012  # the peak, after the warm-up
    warm_up: int = 10_000  # pictures
    weight_decay: float = 0.01
    largest_gradient: float = 2.0  # norm
    ema_decay: float = 0.998  # per step
    teacher_share: float = 0.5  # of the targets, where there is a teacher
    absent_weight: float = 0.5  # in the loss, of joints known to be outside, whose maps are to be flat
    rendered: bool = False  # rendered people are among the people; the weights' metadata says so
    trained_on: str = "Leeds Sports Pose Extended, images 1-9000"  # for the metadata
    frozen: tuple[str, ...] = ()  # modules that stay as they are; STEM saves a quarter of the time
    unlabelled: tuple[str, ...] = ("left_ear", "right_ear")  # joints that nobody in the data has

    def for_batch(self, batch: int) -> Recipe:
        """The same with batches of another size; the rate grows with the root of the size."""
        rate = self.learning_rate * (batch / self.sampling.batch) ** 0.5
        return replace(self, sampling=replace(self.sampling, batch=batch), learning_rate=rate)

    def stage(self, progress: float) -> Stage:
        """The stage in which a run is after the share `progress` of its budget."""
        return next((s for s in self.stages if progress < s.until), self.stages[-1])

    def rate(self, progress: float, pictures: int) -> float:
        """Linear warm-up, then a cosine to zero over the run."""
        warm_up = min(1.0, (pictures + self.sampling.batch) / self.warm_up)
        return self.learning_rate * warm_up * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))


class LightPoseTraining:
    """One run: its state, and in `folder` its log (log.jsonl) and, without another store, last.pt."""

    def __init__(
        self,
        recipe: Recipe,
        people: Sequence[Person],
        images: Mapping[str, Image],
        held_out: Sequence[HeldOut],
        folder: Path,
        device: str = "cpu",
        data_processes: int = 0,
        store: Store | None = None,
    ) -> None:
        self.recipe, self.folder, self.held_out = recipe, folder, held_out
        self.device, self.data_processes = torch.device(device), data_processes
        self.sampler = Sampler(recipe.sampling, people, images)
        torch.manual_seed(recipe.sampling.seed)
        network = HRNet(recipe.network, len(recipe.sampling.skeleton))
        initialise(network)
        self.network = network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = WeightAverage(self.network, recipe.ema_decay)
        for module in self._frozen():
            module.requires_grad_(False)
        self.optimiser = Muon(self.network, FIRST_AND_LAST, weight_decay=recipe.weight_decay)
        self.pictures = 0
        self.before = 0  # that the weights had seen when the run began
        self.stage = recipe.stages[0]  # the one that was trained last
        self.teacher: nn.Module | None = None
        self._teacher_saw_edges = self._teacher_saw_strangers = False
        self._recorded: dict[Stage, Step] = {}  # on a GPU
        self._rate = torch.zeros((), device=self.device)  # of learning; a tensor, so that records follow it
        self.seconds = 0.0  # of training, over all resumptions
        self.store: Store = OneFile(folder / "last.pt") if store is None else store
        folder.mkdir(parents=True, exist_ok=True)

    def start_from(self, path: Path) -> None:
        """Begin a new run with exported weights, such as those of an earlier stretch of training.

        Those of a network with half as many channels everywhere are widened.
        """
        state, own = read_checkpoint(path), self.network.state_dict()
        if fits_when_widened(state, own):
            state = widened(state, own, self.recipe.sampling.seed)
        load_into(self.network, state, str(path))
        load_into(self.average.network, state, str(path))
        self.before = int(read_metadata(path).get("pictures", 0))

    def learn_from(self, path: Path) -> None:
        """Take the exported weights at `path` for a teacher: see `taught`.

        Its network may be larger. Inputs of another size than its own look to it like people of another.
        """
        facts = read_metadata(path)
        model = facts.get("model", name_of(self.recipe.network))
        self._teacher_saw_edges = float(facts.get("edge_probability", 0)) > 0
        self._teacher_saw_strangers = float(facts.get("stranger_probability", 0)) > 0
        teacher = create(model, len(self.recipe.sampling.skeleton), empty=True)
        load_into(teacher, read_checkpoint(path), str(path))
        self.teacher = for_inference(teacher, self.device)
        self._flip_order = torch.from_numpy(self.recipe.sampling.skeleton.flip_order).to(self.device)

    def resume(self) -> bool:
        """Go on from the stored state, if there is one."""
        state = self.store.read(self.device)
        if state is None:
            return False
        try:
            self.network.load_state_dict(state["network"])
            self.average.load_state_dict(state["average"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.pictures, self.seconds = state["pictures"], state["seconds"]
            self.stage = self.recipe.stages[state["stage"]]
            self.before = state.get("before", self.before)
        except (KeyError, IndexError, RuntimeError, ValueError) as error:
            raise PoseTrackError(
                f"{self.store} is no checkpoint of this recipe: choose another run folder"
            ) from error
        return True

    def save(self) -> None:
        """Store the state. It needs no random numbers: pictures are numbered."""
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "pictures": self.pictures,
            "seconds": self.seconds,
            "stage": self.recipe.stages.index(self.stage),
            "before": self.before,
        }
        self.store.write(state)

    def train(
        self,
        minutes: float | None = None,
        pictures: int | None = None,
        validate_every: float = 600.0,
        save_every: float = 180.0,
        stop_at: int | None = None,
        leave_at: float = math.inf,
    ) -> None:
        """Train until the budget is spent: minutes of wall clock, or a number of pictures.

        Args:
            validate_every, save_every: seconds.
            stop_at: pictures after which to leave early, with the schedule of the whole run.
            leave_at: time.monotonic() at which to leave early, likewise.
        """
        if (minutes is None) == (pictures is None):
            raise PoseTrackError("the budget of a training is either minutes or pictures: give one of them")
        start, saved, validated = time.perf_counter() - self.seconds, self.seconds, self.seconds
        self.stage = self.recipe.stage(self._progress(minutes, pictures))
        on_gpu = self.device.type == "cuda"
        prefetch = Prefetch(self.sampler, self.pictures, self.data_processes, pinned=on_gpu)
        losses: list[Tensor] = []
        try:
            while (progress := self._progress(minutes, pictures)) < 1 and self.pictures != stop_at:
                if time.monotonic() >= leave_at:
                    break
                self.stage = self.recipe.stage(progress)
                losses.append(self._step(prefetch.next(self.stage.size), progress))
                if len(losses) == 100:
                    self._log(loss=float(torch.stack(losses).mean()), width=self.stage.width)
                    losses.clear()
                self.seconds = time.perf_counter() - start
                if self.seconds - saved > save_every:
                    self.save()
                    saved = self.seconds
                if self.seconds - validated > validate_every:
                    self.validate()
                    self.seconds = validated = time.perf_counter() - start
        finally:
            prefetch.stop()
        self.save()
        if self._progress(minutes, pictures) >= 1:
            self.validate()

    def _progress(self, minutes: float | None, pictures: int | None) -> float:
        if pictures is not None:
            return self.pictures / pictures
        assert minutes is not None
        return self.seconds / (60 * minutes)

    def _step(self, batch: Batch, progress: float) -> Tensor:
        self._rate.fill_(self.recipe.rate(progress, self.pictures))
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate
        self.network.train()
        for module in self._frozen():
            module.eval()
        batch = batch.to(self.device)
        tensors = batch.parts()
        learn: Step = self._learn
        if self.device.type == "cuda":
            if self.stage not in self._recorded:
                self._recorded[self.stage] = recorded(self._learn, *tensors)
            learn = self._recorded[self.stage]
        loss = learn(*tensors).clone()
        self.average.update(self.network)
        self.pictures += len(batch.crops)
        return loss

    def _learn(
        self, crops: Tensor, points: Tensor, weights: Tensor, absent: Tensor, crowded: Tensor
    ) -> Tensor:
        """Move the weights by one batch; its loss."""
        pictures = normalise(crops)
        with torch.autocast(self.device.type, torch.bfloat16):
            logits: Tensor = self.network(pictures)  # (B, K, h, w)
        h, w = logits.shape[2:]
        targets = gaussian_targets(points / 4, (w, h), self.stage.sigma)
        if self.teacher is not None:
            with torch.no_grad(), torch.autocast(self.device.type, torch.bfloat16):
                plain, mirrored = self.teacher(pictures), self.teacher(pictures.flip(3))
            opinion = merge_flipped(
                softmax_heatmaps(plain, self.stage.sigma),
                softmax_heatmaps(mirrored, self.stage.sigma),
                self._flip_order,
            )
            # A teacher that never saw a picture end within a person is sure of joints beyond the edge, and
            # one that never saw two people in a crop may be sure of the wrong one.
            trusted = ~absent.any(dim=1) | self._teacher_saw_edges
            trusted &= ~crowded | self._teacher_saw_strangers
            share = self.recipe.teacher_share * trusted
            targets, weights = taught(targets, weights, opinion, self.stage.sigma, share)
        targets = torch.where(absent[..., None, None], 1 / (w * h), targets)
        weights = torch.where(absent, self.recipe.absent_weight, weights)
        loss = spatial_cross_entropy(logits, targets, weights)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.largest_gradient)
        self.optimiser.step()
        return loss.detach()

    def _frozen(self) -> list[nn.Module]:
        return [module for name, module in self.network.named_children() if name in self.recipe.frozen]

    def validate(self) -> dict[str, float]:
        """Accuracy of the averaged weights on every held-out set, logged. In bfloat16, for speed."""
        result = self._accuracy(self.average.network, bfloat16=True)
        self._log(**result)
        return result

    def _accuracy(self, network: nn.Module, bfloat16: bool = False) -> dict[str, float]:
        skeleton, stage = self.recipe.sampling.skeleton, self.stage
        return validate(network, self.held_out, skeleton, stage.size, stage.sigma, self.device, bfloat16)

    def export(self, path: Path) -> dict[str, str]:
        """Write the averaged weights in half precision, with what they reach on the held-out sets as written.

        Returns:
            The file's metadata.
        """
        from posetrack.training.export import (
            half_precision,
            write,
        )  # needs safetensors: not all machines have it

        network = HRNet(self.recipe.network, len(self.recipe.sampling.skeleton))
        network.load_state_dict(half_precision(self.average.network), strict=False)
        metadata = {
            "model": "hrnet_light" if self.recipe.network == LIGHT else name_of(self.recipe.network),
            "skeleton": self.recipe.sampling.skeleton.name,
            "input_width": str(self.stage.width),
            "input_height": str(self.stage.height),
            "heatmap": "softmax",
            **({"unlabelled": ",".join(self.recipe.unlabelled)} if self.recipe.unlabelled else {}),
            "sigma": str(self.stage.sigma),
            "licence": "trained on photos for research use only; see MODEL_CARD.md",
            "trained_on": self.recipe.trained_on + (" and rendered people" if self.recipe.rendered else ""),
            "edge_probability": str(self.recipe.sampling.edge_probability),
            "stranger_probability": str(self.recipe.sampling.stranger_probability),
            "pictures": str(self.before + self.pictures),
            "pck": json.dumps(self._accuracy(network.to(self.device))),
        }
        write(half_precision(network), path, metadata)
        return metadata

    def _log(self, **values: float) -> None:
        line = json.dumps({"pictures": self.pictures, "seconds": round(self.seconds, 1), **values})
        print(line, flush=True)
        with (self.folder / "log.jsonl").open("a") as log:
            log.write(line + "\n")


def initialise(network: nn.Module) -> None:
    """He initialisation, but a small last layer, so that training starts from flat heatmaps."""
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d) and name == "final_layer":
            nn.init.normal_(module.weight, std=0.01)
        elif isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
