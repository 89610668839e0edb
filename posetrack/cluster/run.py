"""A run over many inputs: what is missing is done, what failed is said, and `status` tells how far it is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import astuple, dataclass, field
from typing import Any

from posetrack.cluster.board import MANIFEST, STATES, Board
from posetrack.cluster.engines import Outcomes, Queue
from posetrack.cluster.store import PIECES, open_store
from posetrack.cluster.tasks import Task, digest_of, manifest_lines, parse_manifest, task_id
from posetrack.cluster.work import Entry, Job, Outcome, Request
from posetrack.errors import PoseTrackError

Engine = Callable[[Queue, Request], Outcomes]


@dataclass
class RunResult:
    """What became of the tasks."""

    done: int = 0
    kept: int = 0  # done by an earlier run
    failed: int = 0
    others: int = 0  # another process did them meanwhile
    elsewhere: int = 0  # another process is at them
    warnings: int = 0

    def __add__(self, other: RunResult) -> RunResult:
        return RunResult(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def count(self, outcome: Outcome) -> None:
        setattr(self, outcome.state, getattr(self, outcome.state) + 1)
        self.warnings += len(outcome.warnings)

    def __str__(self) -> str:
        parts = [f"{self.done} done", f"{self.kept} kept from before", f"{self.failed} failed"]
        parts += [f"{self.others} done by another process"] if self.others else []
        return ", ".join([*parts, *([f"{self.elsewhere} in other hands"] if self.elsewhere else [])])


class Run:
    """One command's work on one place.

    Raises:
        PoseTrackError: a file that the settings name cannot be read, or nothing knows such a place.
    """

    def __init__(self, job: Job, out: str, engine: Engine) -> None:
        self.board = Board(open_store(out))
        self._job, self._engine = job, engine
        self._request = Request(out, job, job.identity())

    def id(self, task: Task) -> str:
        return task_id(task, self._request.identity)

    def plan(self, tasks: Sequence[Task], overwrite: bool = False) -> None:
        """Keep the list of tasks beside the results, for `posetrack status`; later calls add to it.

        Raises:
            PoseTrackError: there are results of another run, or nothing can be written there.
        """
        board, settings = self.board, digest_of(self._request.identity)
        known = parse_manifest(board.store.read(MANIFEST) or b"", f"{board.store}/{MANIFEST}")
        others = [line for _, line in known if line["settings"] != settings]
        if others and not overwrite:
            raise PoseTrackError(
                f"{board.store} holds a run with other settings, weights or version ({others[0]['stem']}): "
                "choose another --out, or --overwrite"
            )
        begun = board.known("tried")  # first: a task is marked before its results come
        there = board.results()
        ids = {task.stem: self.id(task) for task in tasks}
        foreign = [n for t in tasks if ids[t.stem] not in begun for n in self._job.outputs(t) if n in there]
        if foreign and not overwrite:
            raise PoseTrackError(
                f"{board.store}/{foreign[0]} exists already ({len(foreign)} such files) and is not of this "
                "run: choose another --out, or --overwrite"
            )
        for line in (line for _, line in known):
            if line["settings"] != settings or ids.get(line["stem"], line["id"]) != line["id"]:
                board.forget(line["id"])  # what was done with other settings, or of an older input
        kept = {t.stem: (t, line["id"]) for t, line in known if line["settings"] == settings}
        kept |= {task.stem: (task, ids[task.stem]) for task in tasks}
        lines = (manifest_lines([task], id=name, settings=settings) for task, name in kept.values())
        board.store.write(MANIFEST, b"".join(lines))

    def do(self, tasks: Sequence[Task], *, retry_failed: bool = False) -> RunResult:
        """Do what is missing, in this order; each outcome is a line as soon as it is known.

        Raises:
            PoseTrackError: the place cannot be written, or no worker is good for anything.
        """
        board, result = self.board, RunResult()
        queue = Queue(self._missing(tasks, retry_failed, result))
        try:
            if queue:
                with closing(self._engine(queue, self._request)) as outcomes:
                    for outcome in outcomes:
                        _say(outcome.line, outcome.state in ("done", "others"))
                        for warning in outcome.warnings:
                            _say(warning, False)
                        result.count(outcome)
        finally:
            for entry in queue.given:  # ended by us, not by its video
                board.write("tried", entry.identity, count=max(0, board.tries(entry.identity) - 1))
            board.store.tidy()
        return result

    def finished(self, tasks: Sequence[Task]) -> list[Task]:
        """Those whose results stand there."""
        done, there = self.board.known("done"), self.board.results()
        return [t for t in tasks if self.id(t) in done and there.issuperset(self._job.outputs(t))]

    def _missing(self, tasks: Sequence[Task], retry_failed: bool, result: RunResult) -> list[Entry]:
        """What is to be done; the others are counted."""
        board, entries = self.board, []
        done, failed, kept = board.known("done"), board.known("failed"), set(self.finished(tasks))
        for task in tasks:
            name = self.id(task)
            if task in kept:
                result.kept += 1
            elif name in failed and not retry_failed:
                result.failed += 1
                reason = (board.read("failed", name) or {}).get("reason")
                _say(f"{task.label} failed before: {reason}", False)
            else:
                if name in failed:
                    board.forget(name)
                elif name in done:  # its results went away
                    board.forget(name, "done")
                entries.append(Entry(task, name))
        return entries


def _say(line: str, good: bool) -> None:
    print(line if good else f"posetrack: {line}", file=sys.stdout if good else sys.stderr, flush=True)


@dataclass
class Status:
    """How far a run is."""

    total: int
    done: list[dict[str, Any]] = field(default_factory=list)
    failed: list[dict[str, Any]] = field(default_factory=list)
    running: int = 0
    seconds: float = 0.0  # since the first task was begun, by the clock of the store
    pieces: int = 0  # of long videos that are not joined yet

    def __str__(self) -> str:
        left = self.total - len(self.done) - len(self.failed)
        lines = [f"{len(self.done)} done, {self.running} running, {len(self.failed)} failed, {left} left"]
        if self.done:
            frames, seconds = sum(mark["frames"] for mark in self.done), max(self.seconds, 1e-3)
            lines.append(f"{frames} frames, {frames / seconds:.1f} frames/s")
            if left:
                lines[-1] += f", about {left * seconds / len(self.done):.0f} s left at this pace"
        if self.pieces:
            lines.append(f"{self.pieces} pieces of long videos are done and wait to be joined")
        return "\n".join([*lines, *(f"failed: {mark['source']}: {mark['reason']}" for mark in self.failed)])


def status(out: str, *, retry_failed: bool = False) -> Status:
    """What stands there; with `retry_failed`, failures are forgotten afterwards.

    Raises:
        PoseTrackError: no run of many inputs wrote there.
    """
    board = Board(open_store(out))
    data = board.store.read(MANIFEST)
    if data is None:
        raise PoseTrackError(f"{out} holds no run of many videos: start one with posetrack track --jobs N")
    ids = {line["id"] for _, line in parse_manifest(data, f"{out}/{MANIFEST}")}
    when = {state: {n: t for n, t in board.known(state).items() if n in ids} for state in STATES}
    marks = {state: [board.read(state, name) or {} for name in when[state]] for state in ("done", "failed")}
    begun = len(when["tried"].keys() - when["done"].keys() - when["failed"].keys())
    running = board.store.running() if board.store.locks else begun
    waiting = len(board.store.names(PIECES))
    result = Status(len(ids), marks["done"], marks["failed"], running, pieces=waiting)
    if when["done"]:
        first = min(when["done"][n] - m["seconds"] for n, m in zip(when["done"], marks["done"], strict=True))
        result.seconds = max(when["done"].values()) - first
    for name in board.known("failed") if retry_failed else ():  # those of pieces, too
        board.forget(name)
    return result
