"""Flags that several commands share, exit codes, and what they all do before they begin."""

from __future__ import annotations

import re
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from posetrack.errors import PoseTrackError, refused_by_system

if TYPE_CHECKING:
    from posetrack.pipeline import PoseTracker

DONE, SOME_FAILED, WRONG_REQUEST, INTERRUPTED = 0, 1, 2, 130

PresetName = Annotated[str, "settings and models: light, realtime or paper"]
Device = Annotated[str, "auto, cpu, cuda or cuda:N"]
Overwrite = Annotated[bool, "replace results that are there already"]
Weights = Annotated[Path | None, "a checkpoint to use instead of the preset's pose weights"]
BatchSize = Annotated[int, "frames that are detected and posed together; the result is the same"]
Detector = Annotated[str | None, "a detector in place of the preset's: light, or one of torchvision's"]
Flow = Annotated[str | None, "an optical flow in place of the preset's: lucas_kanade, dis:fast, none, ..."]
FlowScale = Annotated[float | None, "size at which flow is computed, as a share of the frame's"]
Tracker = Annotated[str | None, "a tracker in place of the preset's: flow, oks or iou"]
Trails = Annotated[bool, "draw where everybody went"]
DrawBoxes = Annotated[bool, "draw the person boxes too"]
Jobs = Annotated[int | None, "many inputs: this many processes, each result once, resumable"]
Ray = Annotated[str | None, "many inputs on a Ray cluster: auto or its address"]
Shard = Annotated[str | None, "many inputs: only every N-th from the I-th on, as I/N"]
RetryFailed = Annotated[bool, "many inputs: try those again that failed"]


def load_tracker(
    preset: str,
    device: str,
    *,
    weights: Path | None = None,
    detector: str | None = None,
    flow: str | None = None,
    flow_scale: float | None = None,
    tracker: str | None = None,
    boxes: Path | None = None,
) -> PoseTracker:
    """The system that the flags describe. With `boxes`, no detector is loaded: each input brings its own."""
    from posetrack.detectors.from_file import CachedDetections
    from posetrack.presets import load

    if boxes is not None and detector is not None:
        raise PoseTrackError(f"--detector {detector} and --boxes {boxes}: give one of them")
    return load(
        preset,
        device,
        detector=detector if boxes is None else CachedDetections({}),
        weights=weights,
        flow=flow,
        flow_scale=flow_scale,
        tracker=tracker,
    )


def check_batch_size(batch_size: int) -> None:
    if batch_size < 1:
        raise PoseTrackError(f"--batch-size {batch_size}: give 1 or more")


def make_folder(path: str | Path) -> Path:
    """The folder, made where it is missing."""
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PoseTrackError(
            f"cannot make the folder '{folder}' ({error.strerror}): choose another place"
        ) from error
    return folder


def complain(line: str) -> None:
    """One line on standard error, which repeats no more than 200 characters of any name in it."""
    line = re.sub(r"(\S{200})\S+", r"\1...", " ".join(line.split()))
    print(f"posetrack: {line}", file=sys.stderr)


def complain_of(error: Exception, source: str, log: Path) -> bool:
    """One line about an input that failed; True where the fault is ours, whose traceback is then in `log`."""
    if isinstance(error, PoseTrackError) or (line := refused_by_system(error)):
        complain(str(error) if isinstance(error, PoseTrackError) else f"{source}: {line}")
        return False
    what = f"{source}: unexpected {type(error).__name__}: {str(error)[:200]}"
    text = "".join(traceback.format_exception(error))
    try:
        log.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError:
        complain(f"{what}; please report it")
    else:
        complain(f"{what}; its traceback is in {log}, please report it")
    return True


def write_json(path: Path, content: object) -> None:
    import json

    from posetrack.files import replacing

    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n")
