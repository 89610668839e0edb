"""A run over many videos: what is missing is done, what failed is said, and `status` tells how far it is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, field
from pathlib import Path

from posetrack.cluster.board import Board
from posetrack.cluster.engines import Outcomes, Work
from posetrack.cluster.tasks import Task, TrackSettings, read_manifest, task_id, write_manifest
from posetrack.errors import PoseTrackError

MANIFEST = "manifest.jsonl"


@dataclass
class RunResult:
    """What became of the tasks."""

    done: int = 0
    kept: int = 0  # done by an earlier run
    failed: int = 0
    elsewhere: int = 0  # another process is at them
    warnings: int = 0

    def __add__(self, other: RunResult) -> RunResult:
        return RunResult(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def __str__(self) -> str:
        parts = [f"{self.done} done", f"{self.kept} kept from before", f"{self.failed} failed"]
        return ", ".join([*parts, *([f"{self.elsewhere} in other hands"] if self.elsewhere else [])])


def run_tasks(
    tasks: Sequence[Task],
    settings: TrackSettings,
    out: Path,
    engine: Callable[[Work], Outcomes],
    *,
    retry_failed: bool = False,
) -> RunResult:
    """Do what is missing; each outcome is a line as soon as it is known."""
    board, result, identity = Board(out), RunResult(), settings.identity()
    work = []
    for task in tasks:
        name = task_id(task, identity)
        if retry_failed:
            board.forget_failure(name)
        if board.done(name) is not None:
            result.kept += 1
        elif (failure := board.read("failed", name)) is not None:
            result.failed += 1
            print(f"posetrack: {task.source} failed before: {failure['reason']}", file=sys.stderr)
        else:
            work.append((task, name))
    for _, outcome in engine(work):
        print(
            outcome.line if outcome.state == "done" else f"posetrack: {outcome.line}",
            file=sys.stdout if outcome.state == "done" else sys.stderr,
            flush=True,
        )
        for warning in outcome.warnings:
            print(f"posetrack: {warning}", file=sys.stderr, flush=True)
        setattr(result, outcome.state, getattr(result, outcome.state) + 1)
        result.warnings += len(outcome.warnings)
    board.tidy()
    return result


def plan(out: Path, tasks: list[Task]) -> None:
    """Keep the list of tasks beside the results, for `posetrack status`; later calls add to it."""
    path = Board(out).folder / MANIFEST
    known = read_manifest(path) if path.exists() else []
    path.parent.mkdir(parents=True, exist_ok=True)
    write_manifest(path, {task.stem: task for task in [*known, *tasks]}.values())


@dataclass
class Status:
    """How far a run is."""

    total: int
    done: list[dict[str, object]] = field(default_factory=list)
    failed: list[dict[str, object]] = field(default_factory=list)
    running: int = 0

    def __str__(self) -> str:
        left = self.total - len(self.done) - len(self.failed)
        lines = [f"{len(self.done)} done, {self.running} running, {len(self.failed)} failed, {left} left"]
        frames = sum(int(str(mark["frames"])) for mark in self.done)
        if self.done:
            first = min(float(str(mark["started"])) for mark in self.done)
            last = max(float(str(mark["time"])) for mark in self.done)
            seconds = max(last - first, 1e-3)
            lines.append(f"{frames} frames, {frames / seconds:.1f} frames/s")
            if left:
                lines[-1] += f", about {left * seconds / len(self.done):.0f} s left at this pace"
        return "\n".join([*lines, *(f"failed: {mark['source']}: {mark['reason']}" for mark in self.failed)])


def status(out: Path) -> Status:
    """What stands in the folder.

    Raises:
        PoseTrackError: no run of many videos wrote there.
    """
    board = Board(out)
    path = board.folder / MANIFEST
    if not path.exists():
        raise PoseTrackError(f"{out} holds no run of many videos: start one with posetrack track --jobs N")
    sources = {task.source for task in read_manifest(path)}
    marks = {state: [m for m in board.marks(state) if m["source"] in sources] for state in ("done", "failed")}
    return Status(len(sources), marks["done"], marks["failed"], board.running())
