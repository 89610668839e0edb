"""Train the light preset's pose network and export it.

    python scripts/train_light_pose.py --data ../shared/data/lspet --run /tmp/runs/pose --minutes 100
    python scripts/train_light_pose.py --data ../shared/data/lspet --run /tmp/runs/pose --minutes 20 \
        --device cuda --batch 256 --data-processes 14

The second command is for a GPU with the data beside it; scripts/light_on_gpu.py brings them to a lent one.

With --taught FOLDER (opinions of a teacher, by posetrack.training.pose_mixture) it learns from the everyday
photos of the pack, too, in the shares of that module; --data is then the pack itself:

    python scripts/train_light_pose.py --data ../shared/data --taught /tmp/runs/teacher --run /tmp/runs/pose \
        --init posetrack/zoo/bundled/light_pose.safetensors --large-only --batch 32 --minutes 40

A run that was stopped, even by SIGKILL, goes on with --resume. A new stretch of training begins with
--init posetrack/zoo/bundled/light_pose.safetensors.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import cv2
import torch

from posetrack.datasets.lspet import Lspet, read_lspet
from posetrack.training.light_pose import LightPoseTraining, Recipe
from posetrack.training.pose_mixture import Mixture, everyday_recipe, read_mixture

BUNDLED = Path(__file__).resolve().parents[1] / "posetrack/zoo/bundled/light_pose.safetensors"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the lspet folder of the data pack")
    parser.add_argument("--run", type=Path, required=True, help="folder of the log and the checkpoint")
    budget = parser.add_mutually_exclusive_group(required=True)
    budget.add_argument("--minutes", type=float, help="wall clock of the whole schedule")
    budget.add_argument("--pictures", type=int, help="length of the whole schedule; repeatable exactly")
    parser.add_argument("--resume", action="store_true", help="go on from the run folder's checkpoint")
    parser.add_argument("--init", type=Path, help="exported weights to begin with")
    parser.add_argument(
        "--taught", type=Path, help="folder of a teacher's opinions, for everyday photos, too"
    )
    parser.add_argument("--rendered", type=Path, help="folder of scripts/render_people.py, to train on, too")
    parser.add_argument("--teacher", type=Path, help="exported weights whose two looks this one learns, too")
    parser.add_argument("--large-only", action="store_true", help="no small inputs first")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--batch", type=int, default=Recipe().sampling.batch)
    parser.add_argument("--learning-rate", type=float, help="the peak; else it follows from the batch")
    parser.add_argument("--seed", type=int, default=Recipe().sampling.seed, help="of the pictures' changes")
    parser.add_argument("--threads", type=int, default=1, help="of the network on a CPU")
    parser.add_argument("--validate-minutes", type=float, default=10.0, help="between validations")
    parser.add_argument("--data-processes", type=int, default=1, help="that crop and augment; 0: none beside")
    parser.add_argument("--export", type=Path, default=BUNDLED, help="where the weights go at the end")
    parser.add_argument("--export-only", action="store_true", help="export the checkpoint, do not train")
    given = parser.parse_args()

    torch.set_num_threads(given.threads)
    torch.set_flush_denormal(True)
    torch.backends.cudnn.benchmark = True
    cv2.setNumThreads(1)
    recipe = (Recipe() if given.taught is None else everyday_recipe()).for_batch(given.batch)
    recipe = replace(
        recipe,
        sampling=replace(recipe.sampling, seed=given.seed),
        learning_rate=given.learning_rate or recipe.learning_rate,
        stages=recipe.stages[-1:] if given.large_only else recipe.stages,
        rendered=given.rendered is not None,
    )
    data: Lspet | Mixture
    if given.taught is None:
        data = read_lspet(given.data, given.rendered)
    else:
        data = read_mixture(given.data, given.taught)
        print(dict(data.counts), flush=True)
    run = LightPoseTraining(
        recipe,
        data.people,
        data.images,
        (data.athletes, data.bystanders),
        given.run,
        given.device,
        given.data_processes,
    )
    if given.init is not None:
        run.start_from(given.init)
    if given.teacher is not None:
        run.learn_from(given.teacher)
    if (given.resume or given.export_only) and run.resume():
        print(f"goes on after {run.pictures} pictures")
    if not given.export_only:
        run.train(given.minutes, given.pictures, validate_every=60 * given.validate_minutes)
    print(run.export(given.export))


if __name__ == "__main__":
    main()
