"""What is to be done: one task a video, and the settings that all tasks of a run share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from posetrack import __version__
from posetrack.errors import PoseTrackError

FIELDS = ("source", "stem", "bytes", "modified")


@dataclass(frozen=True)
class Task:
    """One video, as it was when the run was planned."""

    source: str  # file, folder of pictures or address
    stem: str  # its results are OUT/STEM.jsonl and OUT/STEM.mp4
    bytes: int | None = None  # of a local file
    modified: float | None = None  # seconds since 1970, of a local file
    start: float | None = None  # seconds: of a piece of the video; see pieces.py
    end: float | None = None
    parts: tuple[tuple[float | None, float | None], ...] = ()  # the pieces that it is joined from

    @property
    def is_piece(self) -> bool:
        return self.start is not None or self.end is not None


@dataclass(frozen=True)
class TrackSettings:
    """What `posetrack track` was asked for."""

    preset: str = "light"
    device: str = "auto"
    boxes: str | None = None
    detector: str | None = None
    weights: str | None = None
    flow: str | None = None
    flow_scale: float | None = None
    tracker: str | None = None
    batch_size: int = 1
    video: bool = True
    trails: bool = False
    draw_boxes: bool = False

    def identity(self) -> dict[str, Any]:
        """All that decides the result: the settings but for device and batch size, files by their content."""
        values = asdict(self)
        del values["device"], values["batch_size"]
        files = {name: _digest(Path(values[name])) for name in ("boxes", "weights") if values[name]}
        return {**values, **files, "version": __version__, "bundled": bundled_digest()}


def bundled_digest() -> str:
    """Of the weights that ship with the package: workers of another release have others."""
    from posetrack import zoo

    return "".join(_digest(zoo.bundled(name))[:8] for name in ("light_detector", "light_pose"))


def make_tasks(sources: Iterable[str]) -> list[Task]:
    """A task for each source, the largest first: the last to end are then short ones."""
    from posetrack.video import output_stem

    tasks = []
    for source in sources:
        path = Path(source)
        state = path.stat() if path.is_file() else None
        task = Task(source, output_stem(source))
        tasks.append(task if state is None else replace(task, bytes=state.st_size, modified=state.st_mtime))
    return sorted(tasks, key=lambda task: -(task.bytes or 0))


def task_id(task: Task, identity: dict[str, Any]) -> str:
    """16 hex digits that change with the video and with anything that decides the result."""
    text = json.dumps([asdict(task), identity], sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def shard_of(tasks: list[Task], shard: str) -> list[Task]:
    """Every N-th task from the I-th on, for "I/N" with I from 1: together the shards have each task once."""
    number, _, count = shard.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise PoseTrackError(f"--shard {shard}: give I/N with I from 1 to N, such as 3/16")
    return tasks[int(number) - 1 :: int(count)]


def write_manifest(path: Path, tasks: Iterable[Task]) -> None:
    """A line of JSON for each task."""
    from posetrack.files import replacing

    with replacing(path) as temporary:
        temporary.write_text("".join(json.dumps(asdict(task)) + "\n" for task in tasks))


def read_manifest(path: Path) -> list[Task]:
    """The inverse of `write_manifest`; a line needs only its "source".

    Raises:
        PoseTrackError: the file cannot be read, or a line is broken: which, and why.
    """
    from posetrack.video import output_stem

    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise PoseTrackError(f"cannot read the manifest {path}: {error}") from error
    tasks = []
    for number, line in enumerate(lines, 1):
        try:
            values = json.loads(line)
            source = values["source"]
            if not isinstance(source, str) or not source:
                raise ValueError('"source" is no name')
            tasks.append(
                Task(**{"stem": output_stem(source), **{k: values[k] for k in FIELDS if k in values}})
            )
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise PoseTrackError(
                f'{path}, line {number}: {error!r:.120}; expected {{"source": "clip.mp4"}}'
            ) from error
    return tasks


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise PoseTrackError(f"cannot read {path}: {error.strerror}") from error
