"""One task, done: claimed, its results made in a place of their own, put where they belong, and marked."""

from __future__ import annotations

import errno
import socket
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from posetrack.cluster.board import MANIFEST, Board
from posetrack.cluster.store import StoreError, open_store
from posetrack.cluster.tasks import Task
from posetrack.errors import PoseTrackError

MAX_TRIES = 3  # a task that killed its worker so often is set aside
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}


class NotReadyError(PoseTrackError):
    """What the task builds on is not there yet."""


@dataclass(frozen=True)
class Finished:
    """A task whose results stand in the folder that was given for them."""

    line: str  # for a person
    frames: int = 0
    warnings: list[str] = field(default_factory=list)


Doing = Callable[[Task, Path, str], Finished]  # a task, the folder for its results, and its id


class Job(Protocol):
    """Frozen, and the same for all tasks of a run."""

    def identity(self) -> dict[str, Any]:
        """All that decides the results, files by their content."""
        ...

    def outputs(self, task: Task) -> list[str]:
        """The names of its results."""
        ...

    def load(self, board: Board) -> Doing:
        """Load the networks, once for each worker. Raises PoseTrackError where that cannot be."""
        ...


@dataclass(frozen=True)
class Outcome:
    """What became of a task; `others` did it meanwhile; an `unable` worker is good for no task at all."""

    state: Literal["done", "failed", "others", "elsewhere", "unable"]
    line: str  # for a person
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Request:
    """What all workers of a run are told."""

    out: str
    job: Job
    identity: Mapping[str, Any]  # of the job, as the driver's installation sees it


@dataclass
class Entry:
    """A task in the driver's queue."""

    task: Task
    identity: str
    deaths: int = 0  # of its workers, in this run
    again: bool = False  # it comes for the second time: wait for whoever else is at it


class Worker:
    """Does one task after the other with one set of networks.

    Raises:
        PoseTrackError: the networks cannot be loaded, or are not those of the driver, or OUT is not.
    """

    def __init__(self, request: Request) -> None:
        if request.job.identity() != request.identity:
            raise PoseTrackError(
                "a worker has another release of posetrack, or other files, than the driver: install the same"
            )
        self.board, self._job = Board(open_store(request.out)), request.job
        if self.board.store.read(MANIFEST) is None:
            raise PoseTrackError(
                f"{request.out} on {socket.gethostname()} is not the driver's; give a place that all see"
            )
        self._do = request.job.load(self.board)

    def run(self, entry: Entry) -> Outcome:
        try:
            with self.board.store.claim(entry.identity, wait=entry.again) as mine:
                return self._run(entry) if mine else _elsewhere(entry)
        except PoseTrackError as error:  # not even the board could be written
            return Outcome("unable", str(error))

    def _run(self, entry: Entry) -> Outcome:
        board, task, identity = self.board, entry.task, entry.identity
        if (known := board.read("done", identity)) is not None:
            return Outcome("others", f"{task.label}: done by another process", known["warnings"])
        tries = board.tries(identity)
        if tries >= MAX_TRIES and (board.store.locks or entry.deaths >= MAX_TRIES):
            return self._give_up(entry, f"it killed its worker {tries} times", tries)
        if tries and not board.store.locks and not entry.again:
            return _elsewhere(entry)  # perhaps: those that nobody has begun come first
        board.write("tried", identity, count=tries + 1, source=task.label)
        try:
            return self._finish(entry)
        except Exception as error:
            if isinstance(error, NotReadyError) or _is_of_the_machine(error):
                board.write("tried", identity, count=tries, source=task.label)
                return Outcome("elsewhere" if isinstance(error, NotReadyError) else "unable", str(error))
            if isinstance(error, PoseTrackError):
                return self._give_up(entry, str(error), tries + 1)
            reason = f"unexpected {type(error).__name__}: {str(error)[:200]}"  # ours: the others go on
            return self._give_up(entry, reason, tries + 1, traceback.format_exc())

    def _finish(self, entry: Entry) -> Outcome:
        store, task, start = self.board.store, entry.task, time.monotonic()
        outputs = self._job.outputs(task)
        with store.workplace(entry.identity) as folder:
            result = self._do(task, folder, entry.identity)
            for name in outputs:
                store.place(folder / Path(name).name, name)
        self.board.write(
            "done", entry.identity, source=task.label, outputs=outputs, frames=result.frames,
            seconds=round(time.monotonic() - start, 3), warnings=result.warnings,
        )  # fmt: skip
        places = ", ".join(f"{store}/{name}" for name in outputs)
        return Outcome("done", f"{result.line} -> {places}", result.warnings)

    def _give_up(self, entry: Entry, reason: str, tries: int, trace: str = "") -> Outcome:
        details = {"traceback": trace} if trace else {}
        self.board.write(
            "failed", entry.identity, source=entry.task.label, reason=reason, tries=tries, **details
        )
        return Outcome("failed", reason if entry.task.source in reason else f"{entry.task.label}: {reason}")


def _elsewhere(entry: Entry) -> Outcome:
    return Outcome("elsewhere", f"{entry.task.label}: another process is at it")


def _is_of_the_machine(error: BaseException | None) -> bool:
    """A full disk and the like stops whoever comes next on this machine, too."""
    while error is not None:
        if isinstance(error, StoreError) or getattr(error, "errno", None) in _FULL:
            return True
        error = error.__cause__ or error.__context__
    return False
