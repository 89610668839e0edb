"""Both light networks within one budget of wall clock, on a machine that may be taken away at any moment.

    train_both(Settings(minutes=8.5), Path("/tmp/light"), Path("out"), resume=Path("build/light_gpu/run"))

`out` always holds what the next call needs: the state of each network in files of at most 15 MiB, and the
weights of each that is done. `scripts/light_on_gpu.py` is the command.
"""

from __future__ import annotations

import math
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import torch

from posetrack.datasets.lspet import Lspet, read_held_out, read_lspet, read_scenes
from posetrack.errors import PoseTrackError
from posetrack.training import light_detector, light_pose
from posetrack.training.light_pose import WIDE, LightPoseTraining
from posetrack.training.parts import join, read_part, write_parts
from posetrack.training.store import LARGEST, SmallFiles

POSE, DETECTOR = "light_pose.safetensors", "light_detector.safetensors"
TEACHER = "teacher"  # the wide network's weights, in files of this name


@dataclass(frozen=True)
class Settings:
    minutes: float  # of training: both networks and all calls together
    pose_share: float = 0.6  # of the minutes; with 1 or 0 only one network is trained
    call_minutes: float = math.inf  # wall clock after which this call leaves, reading the data included
    device: str = "cuda"
    processes: int = 14  # that make pictures
    pose_batch: int = 256
    detector_batch: int = 128
    small_share: float = 0.6  # of the pose network's minutes, on small inputs; less with `init`
    # Of the pose network's minutes: for one of twice its width, which then teaches it on large inputs alone.
    wide_share: float = 0.0
    pose_rate: float = 1.0  # peak of the pose network's learning rate, times the recipe's
    seed: int = 1
    init: Path | None = None  # folder with exported weights to begin with
    teacher: Path | None = None  # exported pose weights whose two looks the new ones learn, too
    save_every: float = 30.0  # seconds


def train_both(settings: Settings, data: Path, out: Path, resume: Path | None = None) -> bool:
    """Train the pose network, then the detector; a network whose weights are in `out` is done.

    Args:
        data: folder into which all pieces were received.
        out: for states and weights.
        resume: the `out` of an earlier call, from which this one goes on.

    Returns:
        Whether both are done.

    Raises:
        PoseTrackError: pieces of the data, or of the earlier call's files, are missing.
    """
    leave_at = time.monotonic() + 60 * settings.call_minutes
    settings = replace(settings, processes=_processes(settings))
    if not (data / "lspet").is_dir():
        raise PoseTrackError(f"{data} holds no lspet/: receive all pieces of the data first")
    if settings.teacher is not None and settings.wide_share > 0:
        raise PoseTrackError(
            f"a teacher is given, {settings.teacher}, and one is to be trained: leave one out"
        )
    out.mkdir(parents=True, exist_ok=True)
    if resume is not None:
        _take_over(resume, out, data)
    torch.set_num_threads(1)  # the processors are for the pictures
    torch.set_flush_denormal(True)
    torch.backends.cudnn.benchmark = True  # a handful of input sizes
    cv2.setNumThreads(1)
    for share, name, train in (
        (settings.pose_share, POSE, _train_pose),
        (1 - settings.pose_share, DETECTOR, _train_detector),
    ):
        if share > 0 and not (out / name).exists() and not train(settings, share, data, out, leave_at):
            print(f"left before {name} was done; go on with --resume", flush=True)
            return False
    return True


def _processes(settings: Settings) -> int:
    """As many as asked for, if shared memory, through which they hand batches over, has room for them."""
    shared = Path("/dev/shm")
    if not shared.is_dir():
        return settings.processes
    pose = settings.pose_batch * max(stage.width * stage.height for stage in light_pose.Recipe().stages)
    detector = settings.detector_batch * max(width * height for width, height in light_detector.SHAPES)
    room = shutil.disk_usage(shared).free // (4 * 3 * max(pose, detector))  # three made ahead, one in use
    if room < settings.processes:
        print(f"/dev/shm has room for {room} processes, not {settings.processes}: enlarge it", flush=True)
    return min(room, settings.processes)


def _take_over(earlier: Path, out: Path, data: Path) -> None:
    """Copy states; at once, so that a kill before the next state loses nothing. Weights are made anew."""
    found = [p for pattern in ("pose-*", "detector-*", f"{TEACHER}-*") for p in earlier.glob(pattern)]
    if not found and not (data / "wide").is_dir():
        raise PoseTrackError(f"{earlier} holds no state to go on from: give the folder of the earlier files")
    if not earlier.samefile(out):
        for path in found:
            shutil.copy(path, out)


def _train_pose(settings: Settings, share: float, data: Path, out: Path, leave_at: float) -> bool:
    lspet = read_lspet(data / "lspet", _rendered(data))
    minutes, small_share, teacher = settings.minutes * share, settings.small_share, settings.teacher
    if settings.wide_share > 0:
        teacher = _train_wide(settings, minutes * settings.wide_share, lspet, data, out, leave_at)
        if teacher is None:
            return False
        minutes *= 1 - settings.wide_share
        small_share = 0.0  # what the teacher last learned from were large inputs
    recipe = _pose_recipe(settings, small_share, data)
    recipe = replace(recipe, learning_rate=recipe.learning_rate * settings.pose_rate)
    run = _pose_run(settings, recipe, lspet, out, SmallFiles(out, "pose"))
    if teacher is not None:
        run.learn_from(teacher)
    if not _trained(run, settings, minutes, leave_at):
        return False
    print(run.export(out / POSE), flush=True)
    return True


def _train_wide(
    settings: Settings, minutes: float, lspet: Lspet, data: Path, out: Path, leave_at: float
) -> Path | None:
    """The teacher's weights; None: the call left before they were done.

    Its state is too large to come back: beside the data it waits for the next call on the same machine.
    """
    folder = data / "wide"
    weights, parts = folder / POSE, sorted(out.glob(f"{TEACHER}-*"))
    if parts:  # of an earlier call
        folder.mkdir(exist_ok=True)
        weights.write_bytes(join(read_part(path) for path in parts))
        return weights
    recipe = replace(_pose_recipe(settings, settings.small_share, data), network=WIDE)
    run = _pose_run(settings, recipe, lspet, folder)
    if not _trained(run, settings, minutes, leave_at):
        return None
    print(run.export(weights), flush=True)
    write_parts(weights.read_bytes(), out, TEACHER, LARGEST)
    return weights


def _pose_recipe(settings: Settings, small_share: float, data: Path) -> light_pose.Recipe:
    recipe = light_pose.Recipe().for_batch(settings.pose_batch)
    small, large = recipe.stages
    return replace(
        recipe,
        stages=(replace(small, until=small_share), large),
        sampling=replace(recipe.sampling, seed=settings.seed),
        rendered=_rendered(data) is not None,
    )


def _pose_run(
    settings: Settings, recipe: light_pose.Recipe, lspet: Lspet, folder: Path, store: SmallFiles | None = None
) -> LightPoseTraining:
    """With the state stored last, or else with the weights to begin with."""
    run = LightPoseTraining(
        recipe,
        lspet.people,
        lspet.images,
        (lspet.athletes, lspet.bystanders),
        folder,
        settings.device,
        settings.processes,
        store,
    )
    if run.resume():
        print(f"pose goes on after {run.pictures} pictures", flush=True)
    elif settings.init is not None:
        run.start_from(settings.init / POSE)
    return run


def _trained(run: LightPoseTraining, settings: Settings, minutes: float, leave_at: float) -> bool:
    every = 60 * minutes / 4
    run.train(minutes, validate_every=every, save_every=settings.save_every, leave_at=leave_at)
    return run.seconds >= 60 * minutes


def _rendered(data: Path) -> Path | None:
    """The folder of rendered people, where some were packed."""
    folder = data / "rendered"
    return folder if folder.is_dir() else None


def _train_detector(settings: Settings, share: float, data: Path, out: Path, leave_at: float) -> bool:
    rendered = _rendered(data)
    scenes = read_scenes(data / "lspet", data / "boxes", settings.seed, rendered)
    recipe = replace(
        light_detector.Recipe().for_batch(settings.detector_batch),
        minutes=settings.minutes * share,
        seed=settings.seed,
        device=settings.device,
        workers=settings.processes,
        rendered=rendered is not None,
    )
    for path in out.glob(f"{TEACHER}-*"):  # no longer needed, and only eight files come back
        path.unlink()
    init = None if settings.init is None else settings.init / DETECTOR
    store = SmallFiles(out, "detector")

    def log(line: str) -> None:
        print(f"detector {line}", flush=True)

    run = light_detector.train(recipe, scenes, store, log, settings.save_every, init, leave_at)
    if run.progress() < 1:
        return False
    light_detector.export(run.state(), out / DETECTOR, score_threshold=0.5)
    return True


def export_both(run: Path, data: Path, to: Path, device: str = "cpu") -> list[Path]:
    """Write the weights of the states in `run`, finished or not.

    Args:
        data: folder with lspet/, on whose held-out people the pose network is tested.

    Returns:
        The files written.
    """
    to.mkdir(parents=True, exist_ok=True)
    written = []
    if (run_state := SmallFiles(run, "detector").read("cpu")) is not None:
        light_detector.export(run_state, to / DETECTOR, score_threshold=0.5)
        written.append(to / DETECTOR)
    athletes, bystanders = read_held_out(data / "lspet")
    pose = LightPoseTraining(
        light_pose.Recipe(),
        athletes.people,
        athletes.images,
        (athletes, bystanders),
        to,
        device,
        store=SmallFiles(run, "pose"),
    )
    if pose.resume():
        print(pose.export(to / POSE), flush=True)
        written.append(to / POSE)
    if not written:
        raise PoseTrackError(
            f"{run} holds no state of a training: give the folder of the files that came back"
        )
    return written
