"""A training from a recipe and folders of data to a file of weights that `posetrack track --weights` takes.

    weights = train(RECIPES["coco_w32_256x192"], [Path("coco")], Path("runs/w32"),
                    init="hrnet_w32_c_imagenet", options=Options(workers=12))

`posetrack train` is the command. Under torchrun, every process calls `train` alike.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

from torch import nn

from posetrack import zoo
from posetrack.datasets.imagenet import ImageData
from posetrack.datasets.people import PoseData
from posetrack.errors import PoseTrackError
from posetrack.training import sources
from posetrack.training.checkpoint import CHECKPOINT
from posetrack.training.loop import Options, Training
from posetrack.training.ranks import Ranks
from posetrack.training.recipe import Recipe
from posetrack.training.stop import Stopped
from posetrack.training.tasks.classifier import ClassifierTask
from posetrack.training.tasks.detector import DetectorTask
from posetrack.training.tasks.everyday_labels import TEACHER_SIDE, label_everyday
from posetrack.training.tasks.pose import Benchmark, PoseTask
from posetrack.training.tasks.rtmdet import RtmdetTeacher
from posetrack.training.tasks.task import Task
from posetrack.training.tasks.teacher import Teacher
from posetrack.training.tasks.teacher_joints import TinyPose


def train(
    recipe: Recipe,
    roots: Sequence[Path],
    folder: Path,
    *,
    init: str | Path | None = None,
    teacher: Path | None = None,
    resume: bool = False,
    benchmark: bool = False,
    device: str = "auto",
    options: Options = Options(),  # noqa: B008  # frozen
) -> Path:
    """Train by a recipe and export the weights.

    Args:
        roots: a folder for each of the recipe's data sets.
        folder: of the checkpoint, the curves and the weights.
        init: file or zoo name of the weights to begin with.
        teacher: weights that a pose network learns from beside the labels, or TinyPose's ONNX file, which
            finds joints in photos ahead, unless folder/joints has them; for a detector RTMDet's ONNX file,
            which sees every scene and makes the boxes of everyday photos, unless folder/boxes has them.
        resume: go on from the folder's checkpoint, if it has one.
        benchmark: validate by the data set's own benchmark, too (COCO AP, PCKh, PoseTrack AP).

    Returns:
        The exported weights, folder/NAME.safetensors. Beside them are those of the best validation.

    Raises:
        PoseTrackError: the folder has a run already, or one of another recipe; weights that do not fit; no
            room for the last checkpoint or the weights.
        Stopped: SIGTERM or SIGINT came before the last step; the step that was then in progress is saved.
    """
    _refuse_another_run(folder, resume)
    recipe = sources.with_sources(recipe, roots)
    start = _weights_to_begin_with(recipe, init, folder)
    ranks = Ranks.join(device)
    try:
        task = make_task(recipe, roots, folder, ranks, teacher, benchmark, start)
        return carry_out(task, folder, start, ranks, options)
    finally:
        ranks.leave()


def carry_out(
    task: Task,
    folder: Path,
    start: Path | None,
    ranks: Ranks,
    options: Options = Options(),  # noqa: B008
) -> Path:
    """Train from `start`, or from the folder's checkpoint, to the exported weights; see `train`."""
    recipe, parts = task.recipe, ranks.size * options.accumulate
    if recipe.batch % parts:
        raise PoseTrackError(
            f"a batch of {recipe.batch} cannot be shared equally by {ranks.size} processes with "
            f"{options.accumulate} parts each: choose numbers that divide it"
        )
    if options.accumulate > 1 and not task.fixed_shapes:
        raise PoseTrackError(f"the steps of {recipe.name} cannot be divided: leave --accumulate out")
    training = Training(task, folder, ranks, options)
    if (folder / CHECKPOINT).exists():
        training.resume()
    elif start is not None:
        training.start_from(start)
    training.run()
    path = folder / f"{recipe.name}.safetensors"
    if training.progress >= 1:
        training.export(path)
    if training.unsaved:
        raise PoseTrackError(f"{training.unsaved}: make room, then go on with --resume")
    if training.stopped:
        raise Stopped(_farewell(training), training.stopped)
    return path


def _farewell(training: Training) -> str:
    steps = "" if training.plan.steps is None else f" of {training.plan.steps}"
    return (
        f"{signal.Signals(training.stopped).name}: stopped after step {training.step}{steps}, saved in "
        f"{training.folder / CHECKPOINT}; go on with the same command and --resume"
    )


def _refuse_another_run(folder: Path, resume: bool) -> None:
    if (folder / CHECKPOINT).exists() and not resume:
        raise PoseTrackError(f"{folder} holds a run already: add --resume, or choose another --run folder")


def _weights_to_begin_with(recipe: Recipe, init: str | Path | None, folder: Path) -> Path | None:
    if (folder / CHECKPOINT).exists():
        return None
    if init is not None:
        return Path(init) if Path(init).exists() else zoo.weights(str(init))
    if recipe.init != "nothing":
        wanted = {"imagenet": "an ImageNet classifier's", "pose": "a trained pose network's"}[recipe.init]
        raise PoseTrackError(
            f"the recipe {recipe.name} begins with {wanted} weights: give their file with --init, "
            "or begin with none by --scratch"
        )
    return None


def make_task(
    recipe: Recipe,
    roots: Sequence[Path],
    folder: Path,
    ranks: Ranks,
    teacher: Path | None,
    benchmark: bool,
    start: Path | None = None,
) -> Task:
    """The recipe's task, its data read."""
    if recipe.task == "classifier":
        pictures, others = sources.read_images(roots)
        _name_lost(ranks, pictures, others)
        return ClassifierTask(recipe, pictures, others)
    if recipe.task == "detector":
        cells = None if teacher is None else RtmdetTeacher(teacher, TEACHER_SIDE)
        if cells is not None and "everyday" in recipe.sets:
            label_everyday(roots[recipe.sets.index("everyday")], cells, folder / "boxes")
        return DetectorTask(recipe, *sources.read_boxes(recipe, roots, folder / "boxes"), cells)
    ahead = teacher if teacher is not None and teacher.suffix == ".onnx" else None
    tinypose = None if ahead is None else TinyPose(ahead)
    data, held_out = sources.read_people(recipe, roots, folder / "joints", tinypose, start)
    _name_lost(ranks, data)
    taught_by = None if teacher is None or ahead else Teacher(teacher, recipe.skeleton, ranks.device)
    official = _benchmark(recipe, roots[0], ranks) if benchmark else None
    return PoseTask(recipe, data, held_out, taught_by, official)


def _benchmark(recipe: Recipe, root: Path, ranks: Ranks) -> Benchmark:
    """The official numbers of a network, on labelled boxes and with the mirrored crop."""
    from posetrack.benchmarks.evaluate import BENCHMARKS
    from posetrack.benchmarks.result import Options as BenchmarkOptions
    from posetrack.pose.estimator import HeatmapEstimator, PoseSettings

    name = recipe.sets[0]
    numbers = {"coco": "AP", "mpii": "Mean", "posetrack17": "ap", "posetrack18": "ap"}
    if name not in numbers:
        raise PoseTrackError(f"{name} has no benchmark of its own: leave --benchmark out")
    settings = PoseSettings(
        recipe.skeleton, (recipe.width, recipe.height), recipe.sigma, recipe.loss == "cross_entropy",
        decoder=recipe.decoder, clip_scores=False, flip_test=True,
    )  # fmt: skip

    def score(network: nn.Module) -> dict[str, float]:
        estimator = HeatmapEstimator(network, settings, ranks.device)
        value = BENCHMARKS[name](estimator, root, BenchmarkOptions()).metrics[numbers[name]]
        value = value["total"] if isinstance(value, dict) else value
        return {
            f"{name}_ap" if name != "mpii" else "pckh": float("nan") if value is None else round(value, 2)
        }

    return score


def _name_lost(ranks: Ranks, *sets: PoseData | ImageData) -> None:
    for data in sets:
        if data.lost and ranks.is_first:
            some = "".join(f"  {line}\n" for line in data.lost[:5])
            print(f"{data.name}: {len(data.lost)} left out\n{some}{'  …' * (len(data.lost) > 5)}".rstrip())
