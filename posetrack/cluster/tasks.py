"""What is to be done: one task a video or sequence, and its id, a digest of all that decides the result."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import posetrack
from posetrack.errors import InputError, PoseTrackError


@dataclass(frozen=True)
class Task:
    """One input, as it was when the run was planned."""

    source: str  # file, folder of pictures or address
    stem: str  # its results are OUT/STEM.jsonl and OUT/STEM.mp4
    bytes: int | None = None  # of a file or object
    modified: float | None = None  # seconds since 1970, of a local file
    etag: str | None = None  # of an object in a bucket
    start: float | None = None  # seconds: only frames from here on
    end: float | None = None  # seconds: and before here
    piece: int | None = None  # which piece of a long video this is; see pieces.py
    parts: tuple[tuple[float | None, float | None], ...] = ()  # from where to where its pieces go, seconds

    @property
    def label(self) -> str:
        """For messages and marks: the source, of a part with the seconds that it begins and ends."""
        if self.start is None and self.end is None:
            return self.source
        end = "the end" if self.end is None else f"{self.end:.1f} s"
        return f"{self.source}, {self.start or 0:.1f} s to {end}"

    def refuse_changed(self) -> None:
        """Raises InputError where the input is not what it was."""
        now = described(self)
        if (now.bytes, now.etag) != (self.bytes, self.etag):
            raise InputError(
                f"{self.source} has {now.bytes} bytes, but had {self.bytes} when the run was planned, "
                "or changed since: plan it again"
            )


def make_tasks(sources: Iterable[str]) -> list[Task]:
    """A task for each source; a glob in a bucket stands for all that it matches.

    Raises:
        PoseTrackError: standard input, which cannot be given to others; a bucket that cannot be read.
    """
    from posetrack.video import output_stem
    from posetrack.video.buckets import in_bucket, objects

    tasks = []
    for source in sources:
        if source == "-":
            raise PoseTrackError("standard input cannot be shared out: name files, or leave --jobs away")
        names = [name for name, _, _ in objects(source)] if in_bucket(source) and "*" in source else [source]
        tasks += [described(Task(name, output_stem(name))) for name in names]
    return tasks


def described(task: Task) -> Task:
    """The task with its input's size and age as they are now; local names become absolute."""
    from posetrack.video.buckets import in_bucket, objects
    from posetrack.video.names import is_address

    if in_bucket(task.source):
        found = objects(task.source)
        return replace(task, bytes=found[0][1], etag=found[0][2] or None) if found else task
    if is_address(task.source):
        return task
    source = os.path.abspath(task.source)
    if not os.path.isfile(source):
        return replace(task, source=source)
    state = os.stat(source)
    return replace(task, source=source, bytes=state.st_size, modified=state.st_mtime)


def task_id(task: Task, identity: Mapping[str, Any]) -> str:
    """16 hex digits that change with the input and with anything that decides the result."""
    return digest_of([asdict(task), identity])


def digest_of(values: object) -> str:
    text = json.dumps(values, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


@cache
def release() -> str:
    """Digest of this installation: its code and the weights that ship with it."""
    root = Path(posetrack.__file__).parents[1]
    files = [path for room in ("posetrack", "trackers", "flow") for path in (root / room).rglob("*.py")]
    digest = hashlib.sha256(posetrack.__version__.encode())
    for path in [*sorted(files), *sorted((root / "posetrack" / "zoo" / "bundled").iterdir())]:
        digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def shard_of(tasks: list[Task], shard: str | None) -> list[Task]:
    """Every N-th task from the I-th on, for "I/N" with I from 1: together the shards have each task once."""
    if shard is None:
        return tasks
    number, _, count = shard.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise PoseTrackError(f"--shard {shard}: give I/N with I from 1 to N, such as 3/16")
    return tasks[int(number) - 1 :: int(count)]


def manifest_lines(tasks: Iterable[Task], **more: str) -> bytes:
    """A line of JSON for each task."""
    rows = ({k: v for k, v in asdict(task).items() if v not in (None, ())} | more for task in tasks)
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def parse_manifest(data: bytes, name: str) -> list[tuple[Task, dict[str, Any]]]:
    """The inverse of `manifest_lines`: each task with all that its line says; it needs only a "source".

    Raises:
        PoseTrackError: a line is broken: which, and why.
    """
    out = []
    for number, line in enumerate(data.splitlines(), 1):
        try:
            values = json.loads(line)
            out.append((_task_of(values), values))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise PoseTrackError(
                f'{name}, line {number}: {error!r:.120}; expected {{"source": "clip.mp4"}}'
            ) from error
    return out


def read_manifest(path: Path) -> list[Task]:
    """The tasks of a file of lines of JSON, with the sizes of their inputs as they are now.

    Raises:
        PoseTrackError: the file cannot be read, or a line is broken.
    """
    from posetrack.documents import read_bytes

    return [described(task) for task, _ in parse_manifest(read_bytes(path), str(path))]


def _task_of(values: dict[str, Any]) -> Task:
    from posetrack.video import output_stem

    source = values["source"]
    if not isinstance(source, str) or not source:
        raise ValueError('"source" is no name')
    known = {field.name: values[field.name] for field in fields(Task) if values.get(field.name) is not None}
    task = Task(**{"stem": output_stem(source), **known})
    if not isinstance(task.stem, str) or task.stem != os.path.basename(task.stem) or task.stem[:1] in ".":
        raise ValueError('"stem" is no plain name')
    start, end = (float(t) if t is not None else None for t in (task.start, task.end))
    if not 0 <= (start or 0) < (math.inf if end is None else end):
        raise ValueError('"start" is not before "end"')
    parts = tuple((a, b) for a, b in task.parts)  # JSON gives lists
    return replace(task, start=start, end=end, parts=parts)
