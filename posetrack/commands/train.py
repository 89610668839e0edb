"""`posetrack train`: a recipe of the paper or of a bundled network, from folders of data to weights."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from posetrack.errors import PoseTrackError


def train(
    *,
    recipe: Annotated[str, "its name; docs/paper.md lists those of the paper, light and light_detector ship"],
    data: Annotated[list[Path], "root of the recipe's data set, or of each of them in the order of its list"],
    run: Annotated[Path, "folder of checkpoint, curves and weights"],
    init: Annotated[str | None, "weights to begin with: a file, or a name of the zoo"] = None,
    scratch: Annotated[bool, "begin without weights where the recipe asks for some"] = False,
    teacher: Annotated[
        Path | None,
        "weights to learn from beside the labels, or an ONNX file: TinyPose; for detectors RTMDet",
    ] = None,
    resume: Annotated[bool, "go on from the checkpoint in --run"] = False,
    epochs: Annotated[float | None, "another budget than the recipe's; or"] = None,
    pictures: Annotated[int | None, "the budget in pictures; or"] = None,
    minutes: Annotated[float | None, "the budget in minutes of wall clock"] = None,
    batch: Annotated[
        int | None, "pictures of a step, over all processes; Muon's rate grows with its root"
    ] = None,
    learning_rate: Annotated[float | None, "the highest"] = None,
    ema_decay: Annotated[float | None, "validate and export an average of the weights"] = None,
    unbiased: Annotated[bool, "DARK's targets"] = False,
    ohkm: Annotated[bool, "a loss of every person's 8 hardest joints"] = False,
    large_only: Annotated[bool, "no smaller inputs to begin with"] = False,
    seed: Annotated[int | None, "of everything random"] = None,
    precision: Annotated[Literal["32", "bf16"] | None, "of the network's arithmetic"] = None,
    device: Annotated[str, "auto, cpu, cuda or cuda:N"] = "auto",
    workers: Annotated[int, "processes per device that make the pictures"] = 0,
    threads: Annotated[int | None, "of the network on a CPU"] = None,
    accumulate: Annotated[int, "parts in which a step passes the network; batch-norm sees each alone"] = 1,
    compile: Annotated[bool, "torch.compile"] = False,
    local_batchnorm: Annotated[bool, "on several GPUs: statistics of each alone"] = False,
    benchmark: Annotated[
        bool, "validate by COCO AP, PCKh or PoseTrack AP, too, and keep the best by it"
    ] = False,
    save_minutes: Annotated[float, "between checkpoints"] = 10.0,
    validate_epochs: Annotated[float, "between validations"] = 1.0,
    log_steps: Annotated[int, "between points of the loss curve"] = 50,
) -> int:
    """Train a recipe on its data, from start or checkpoint to weights for `posetrack track`.

    The same command with --resume goes on after a stop of any kind. On SIGTERM and the first Ctrl-C the step
    in progress is finished and saved; the exit code is then 143 or 130, of which torchrun makes 1.
    Several GPUs: torchrun --nproc-per-node 8 -m -- posetrack train ... Curves: tensorboard --logdir RUNS.
    """
    import cv2
    import torch

    from posetrack.training.loop import Options
    from posetrack.training.ranks import is_first_process
    from posetrack.training.recipes import RECIPES
    from posetrack.training.run import train as carry_out
    from posetrack.training.stop import Stopped

    if recipe not in RECIPES:
        raise PoseTrackError(f"unknown recipe '{recipe}': choose one of {', '.join(RECIPES)}")
    chosen = RECIPES[recipe]
    if budgets := [b for b in (epochs, pictures, minutes) if b is not None]:
        if len(budgets) > 1:
            raise PoseTrackError("the budget is either --epochs, --pictures or --minutes: give one of them")
        chosen = chosen.for_budget(epochs, pictures, minutes)
    changes = {
        "learning_rate": learning_rate,
        "ema_decay": ema_decay,
        "seed": seed,
        "precision": precision,
        "init": "nothing" if scratch else None,
        "targets": "unbiased" if unbiased else None,
        "loss": "ohkm" if ohkm else None,
        "stages": () if large_only else None,
    }
    chosen = chosen if batch is None else chosen.for_batch(batch)
    chosen = replace(chosen, **{name: value for name, value in changes.items() if value is not None})  # type: ignore[arg-type]
    cv2.setNumThreads(1)
    torch.set_flush_denormal(True)
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = True
    if threads:
        torch.set_num_threads(threads)
    options = Options(
        workers, accumulate, compile, not local_batchnorm, save_minutes, validate_epochs, log_steps
    )
    try:
        weights = carry_out(
            chosen, data, run, init=init, teacher=teacher, resume=resume, benchmark=benchmark, device=device,
            options=options,
        )  # fmt: skip
    except Stopped as stopped:
        if is_first_process():
            print(stopped, file=sys.stderr, flush=True)
        # One process of each machine tells how it ended. Where it is the one that has started the others, it
        # would be killed if one of these seemed to fail.
        return stopped.exit_code if os.environ.get("LOCAL_RANK", "0") == "0" else 0
    if is_first_process():
        print(f"weights: {weights}")
    return 0
