"""A training from a recipe and data to a file of weights that `posetrack track --weights` takes.

    weights = train(RECIPES["coco_w32_256x192"], read_coco(root, "train"), [held_out], Path("runs/w32"),
                    init="hrnet_w32_c_imagenet", options=Options(precision="bf16", workers=12))

`scripts/train.py` is the command. Under torchrun, every process calls `train` alike.
"""

from __future__ import annotations

import logging
import os
import signal
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from torch import nn

from posetrack import models, zoo
from posetrack.datasets.people import HeldOut, PoseData
from posetrack.errors import PoseTrackError
from posetrack.models.shapes import name_of
from posetrack.training import export, record
from posetrack.training.classification import ClassifierTraining
from posetrack.training.data import Examples, ImageData, ImageExamples, PeopleExamples, loader
from posetrack.training.light_pose import initialise
from posetrack.training.module import Options, Training
from posetrack.training.plan import Plan, Shares
from posetrack.training.pose import PoseTraining
from posetrack.training.recipes import Recipe
from posetrack.training.stop import Stopped, StopRequest

PRECISIONS = {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}


def train(
    recipe: Recipe,
    data: PoseData | ImageData,
    held_out: Sequence[HeldOut] | ImageData,
    folder: Path,
    init: str | Path | None = None,
    resume: bool = False,
    options: Options = Options(),  # noqa: B008  # frozen
) -> Path:
    """Train by a recipe, validate after every epoch, and export the weights.

    Args:
        data: what to learn from.
        held_out: what to validate on, which training never sees.
        folder: of the checkpoint, the curves and the exported weights.
        init: file or zoo name of the weights to begin with, where the recipe asks for some.
        resume: go on from the folder's checkpoint, if it has one.

    Returns:
        The exported weights: folder/NAME.safetensors.

    Raises:
        PoseTrackError: the folder has a run already, or one of another recipe; weights that do not fit; no
            room for the last checkpoint or the weights.
        Stopped: SIGTERM or SIGINT came before the last step; the step that was then in progress is saved.
    """
    processes = _processes(options)
    if recipe.batch % (processes * options.accumulate):
        raise PoseTrackError(
            f"a batch of {recipe.batch} cannot be shared equally by {processes} processes with "
            f"{options.accumulate} parts each: choose numbers that divide it"
        )
    torch.manual_seed(recipe.seed)
    module, examples = _module(recipe, data, held_out, folder, options)
    checkpoint = folder / record.CHECKPOINT
    if checkpoint.exists():
        if not resume:
            raise PoseTrackError(
                f"{folder} holds a run already: add --resume, or choose another --run folder"
            )
        module.resume(record.read(checkpoint, module.describe()))
    else:
        module.origin = _initialise(module.network, recipe, init)
    if options.channels_last:
        module.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    trainer = _trainer(options, processes)
    shares = Shares(module.plan, module.step, trainer.global_rank, processes, options.stop_at)
    if len(shares):
        pin = trainer.accelerator.name() == "cuda"
        with StopRequest(insist=processes == 1) as module.request:
            trainer.fit(module, loader(examples, shares, options.workers, pin, steadfast=True))
    path = folder / f"{recipe.name}.safetensors"
    if trainer.is_global_zero and module.step >= module.plan.steps:
        pictures, unlabelled = module.step * recipe.batch, _unlabelled(data)
        export.trained(recipe, module.best_network, path, pictures, module.results, unlabelled, module.origin)
    if module.unsaved:
        raise PoseTrackError(f"{module.unsaved}: make room, then go on with --resume")
    if module.stopped:
        name = signal.Signals(module.stopped).name
        raise Stopped(
            f"{name}: stopped after step {module.step} of {module.plan.steps}, saved in {checkpoint}; "
            "go on with the same command and --resume",
            module.stopped,
        )
    return path


def _module(
    recipe: Recipe,
    data: PoseData | ImageData,
    held_out: Sequence[HeldOut] | ImageData,
    folder: Path,
    options: Options,
) -> tuple[Training, Examples]:
    name = recipe.network if isinstance(recipe.network, str) else name_of(recipe.network)
    if isinstance(data, ImageData):
        if not isinstance(held_out, ImageData):
            raise TypeError("a classifier is validated on ImageData")
        plan = Plan(len(data.pictures), recipe.batch, recipe.epochs)
        classifier = models.create(name)
        if (classes := len(data.classes)) != 1000:
            classifier.classifier = nn.Linear(2048, classes)
        return (
            ClassifierTraining(recipe, plan, classifier, options, folder, held_out),
            ImageExamples(recipe, plan, data),
        )
    if isinstance(held_out, ImageData):
        raise TypeError("a pose network is validated on HeldOut people")
    if data.skeleton != recipe.skeleton:
        raise PoseTrackError(
            f"{data.name} has the joints of {data.skeleton.name}, but the recipe {recipe.name} those of "
            f"{recipe.skeleton.name}: choose the data set '{recipe.data}'"
        )
    plan = Plan(len(data.people), recipe.batch, recipe.epochs)
    network = models.create(name, len(recipe.skeleton))
    return PoseTraining(recipe, plan, network, options, folder, held_out), PeopleExamples(recipe, plan, data)


def _unlabelled(data: PoseData | ImageData) -> list[str]:
    """Joints that nobody has."""
    if isinstance(data, ImageData):
        return []
    labelled = np.any([person.labelled for person in data.people], axis=0)
    return [joint for joint, seen in zip(data.skeleton.keypoints, labelled, strict=True) if not seen]


def _initialise(network: nn.Module, recipe: Recipe, init: str | Path | None) -> dict[str, str]:
    """Weights to begin with, as the recipe wants them, and what export says of them."""
    if recipe.he_draw:
        initialise(network)
    if init is None:
        if recipe.init != "nothing":
            wanted = {"imagenet": "an ImageNet classifier's", "pose": "a trained pose network's"}[recipe.init]
            raise PoseTrackError(
                f"the recipe {recipe.name} begins with {wanted} weights: give their file with --init, "
                "or begin with none by --scratch"
            )
        return {}
    path = Path(init) if Path(init).exists() else zoo.weights(str(init))
    state = zoo.read_checkpoint(path)
    if recipe.init == "imagenet":
        zoo.init_from_imagenet(network, state, str(path))
    else:
        zoo.load_into(network, state, str(path))
    return export.origin_of(path)


def _processes(options: Options) -> int:
    """All of them, over all machines."""
    return int(os.environ.get("WORLD_SIZE", options.devices))


def _trainer(options: Options, processes: int) -> pl.Trainer:
    local = int(os.environ.get("LOCAL_WORLD_SIZE", options.devices))
    for talkative in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="lightning")
    many: dict[str, Any] = {}
    if processes > 1:
        from lightning.pytorch.strategies import DDPStrategy

        many = {"strategy": DDPStrategy(gradient_as_bucket_view=True), "num_nodes": processes // local}
    cuda = options.accelerator in ("gpu", "cuda") or (
        options.accelerator == "auto" and torch.cuda.is_available()
    )
    trainer = pl.Trainer(
        accelerator="gpu" if cuda else "cpu",
        devices=local,
        precision=PRECISIONS[options.precision],  # type: ignore[arg-type]
        max_epochs=1,  # all steps of the run that are left; `Plan` knows where epochs end
        sync_batchnorm=options.sync_batchnorm and cuda,
        use_distributed_sampler=False,  # `Shares` divides the batch
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **many,
    )
    # Lightning's handler of SIGTERM leaves no checkpoint of ours, and talks from within the signal to other
    # processes, which may be in the midst of something else. `StopRequest` takes its place.
    trainer._signal_connector.register_signal_handlers = lambda: None  # type: ignore[method-assign]
    return trainer
