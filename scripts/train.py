"""Train a recipe of the paper on its data set, from start or checkpoint to weights for `posetrack track`.

    python scripts/train.py --recipe coco_w32_256x192 --data /data/coco --run runs/w32 \
        --init hrnet_w32_c_imagenet --precision bf16 --workers 12
    torchrun --nproc-per-node 8 -- scripts/train.py --recipe posetrack_w48 --data /data/posetrack18 \
        --run runs/w48 --init runs/coco_w48/coco_w48_384x288.safetensors --precision bf16 --workers 12
    posetrack track clip.mp4 --out out --weights runs/w48/posetrack_w48.safetensors

The same command with --resume goes on after a stop of any kind. On SIGTERM and the first Ctrl-C the step in
progress is finished and saved; the exit code is then 143 or 130, of which torchrun makes 1.
Curves: tensorboard --logdir runs.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import torch

from posetrack.datasets.ai_challenger import read_ai_challenger
from posetrack.datasets.coco import read_coco
from posetrack.datasets.lspet import read_lspet
from posetrack.datasets.mpii import read_mpii
from posetrack.datasets.people import HeldOut, PoseData
from posetrack.datasets.posetrack_train import read_posetrack
from posetrack.datasets.together import together
from posetrack.errors import PoseTrackError
from posetrack.skeletons import POSETRACK18
from posetrack.training.data import ImageData, read_image_folder
from posetrack.training.recipes import RECIPES, Recipe
from posetrack.training.stop import Stopped


def main() -> None:
    given = _arguments()
    try:
        recipe = _recipe(given)
        data, held_out = _read(recipe, given.data)
        _train(recipe, data, held_out, given)
    except Stopped as stopped:
        if _is_first():
            print(stopped, flush=True)
        # One process of each machine tells how it ended. Where it is the one that has started the others, it
        # would be killed if one of these seemed to fail.
        sys.exit(stopped.exit_code if os.environ.get("LOCAL_RANK", "0") == "0" else 0)
    except PoseTrackError as error:
        sys.exit(f"train.py: {error}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipe", required=True, choices=RECIPES, metavar="NAME", help=", ".join(RECIPES))
    parser.add_argument(
        "--data", type=Path, required=True, nargs="+", metavar="ROOT",
        help="root of the recipe's data set, or of each of them, in the order of its name",
    )  # fmt: skip
    parser.add_argument("--run", type=Path, required=True, help="folder of checkpoint, curves and weights")
    parser.add_argument("--init", help="weights to begin with: a file, or a name of the zoo")
    parser.add_argument("--scratch", action="store_true", help="begin without weights where it asks for some")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --run")
    recipe = parser.add_argument_group("another recipe than the paper's")
    recipe.add_argument("--epochs", type=float)
    recipe.add_argument("--batch", type=int, help="pictures of a step, over all processes")
    recipe.add_argument("--learning-rate", type=float)
    recipe.add_argument("--ema-decay", type=float, help="validate and export an average of the weights")
    recipe.add_argument("--unbiased", action="store_true", help="DARK's targets")
    recipe.add_argument("--seed", type=int)
    way = parser.add_argument_group("how it is carried out")
    way.add_argument("--accelerator", default="auto", choices=("auto", "cpu", "gpu"))
    way.add_argument("--devices", type=int, default=1, help="processes on this machine, without torchrun")
    way.add_argument("--precision", default="32", choices=("32", "bf16", "16"))
    way.add_argument("--workers", type=int, default=0, help="processes per device that make the pictures")
    way.add_argument(
        "--accumulate",
        type=int,
        default=1,
        help="parts in which a step passes the network (batch-norm sees each alone)",
    )
    way.add_argument("--compile", action="store_true", help="torch.compile")
    way.add_argument("--contiguous", action="store_true", help="no channels-last memory")
    way.add_argument("--local-batchnorm", action="store_true", help="statistics of each process alone")
    way.add_argument("--threads", type=int, help="of the network on a CPU")
    way.add_argument("--save-minutes", type=float, default=10.0, help="between checkpoints")
    way.add_argument("--save-steps", type=int, help="between checkpoints")
    way.add_argument("--validate-epochs", type=float, default=1.0, help="between validations")
    way.add_argument("--log-steps", type=int, default=50, help="between points of the loss curve")
    return parser.parse_args()


def _recipe(given: argparse.Namespace) -> Recipe:
    changes = {
        name: getattr(given, name)
        for name in ("epochs", "batch", "learning_rate", "ema_decay", "seed")
        if getattr(given, name) is not None
    }
    if given.scratch:
        changes["init"] = "nothing"
    if given.unbiased:
        changes["targets"] = "unbiased"
    return replace(RECIPES[given.recipe], **changes)


def _read(
    recipe: Recipe, roots: Sequence[Path]
) -> tuple[PoseData | ImageData, Sequence[HeldOut] | ImageData]:
    """What the recipe learns from, and what it is validated on."""
    if len(roots) != len(recipe.sets):
        raise PoseTrackError(
            f"--data names {len(roots)} folders, but the recipe {recipe.name} learns from "
            f"{' and '.join(recipe.sets)}: give one for each, in this order"
        )
    root, *more = roots
    if recipe.data == "imagenet":
        pictures, others = read_image_folder(root, "train"), read_image_folder(root, "val")
        _name_lost(pictures, others)
        return pictures, others
    if recipe.data == "lspet":
        lspet = read_lspet(root)
        data = PoseData("lspet", POSETRACK18, lspet.people, lspet.images)
        return data, (lspet.athletes, lspet.bystanders)
    train, val = _READERS[recipe.sets[0]](root, recipe)
    additional = [_ADDITIONAL[name](folder) for name, folder in zip(recipe.sets[1:], more, strict=True)]
    _name_lost(train, *additional, val)
    held_out = HeldOut(val.name.replace(" ", "_"), val.people, val.pictures)
    return together(train, *additional), (held_out,)


def _posetrack(root: Path, recipe: Recipe) -> tuple[PoseData, PoseData]:
    year, growth = int(f"20{recipe.data[-2:]}"), recipe.box_growth
    assert growth is not None
    return read_posetrack(root, "train", year, growth), read_posetrack(root, "val", year, growth)


_READERS = {
    "coco": lambda root, recipe: (read_coco(root, "train"), read_coco(root, "val")),
    "mpii": lambda root, recipe: (read_mpii(root, "train"), read_mpii(root, "valid")),
    "posetrack17": _posetrack,
    "posetrack18": _posetrack,
}
_ADDITIONAL = {"ai_challenger": read_ai_challenger}


def _is_first() -> bool:
    """Of several processes one speaks."""
    return os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")) == "0"


def _name_lost(*sets: PoseData | ImageData) -> None:
    for data in sets:
        if data.lost and _is_first():
            print(f"{data.name}: {len(data.lost)} left out")
            print(
                "".join(f"  {line}\n" for line in data.lost[:5]), end="" if len(data.lost) <= 5 else "  …\n"
            )


def _train(
    recipe: Recipe,
    data: PoseData | ImageData,
    held_out: Sequence[HeldOut] | ImageData,
    given: argparse.Namespace,
) -> None:
    from posetrack.training.module import (
        Options,
    )  # here, so that --help and mistakes do not wait for Lightning
    from posetrack.training.run import train

    cv2.setNumThreads(1)
    torch.set_flush_denormal(True)
    torch.set_float32_matmul_precision("high")
    if given.threads:
        torch.set_num_threads(given.threads)
    options = Options(
        given.accelerator,
        given.devices,
        given.precision,
        given.workers,
        given.accumulate,
        not given.contiguous,
        given.compile,
        not given.local_batchnorm,
        given.save_minutes,
        given.save_steps,
        given.validate_epochs,
        given.log_steps,
    )
    path = train(recipe, data, held_out, given.run, given.init, given.resume, options)
    if _is_first():
        print(f"weights: {path}")


if __name__ == "__main__":
    main()
