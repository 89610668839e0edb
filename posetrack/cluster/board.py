"""What is known of every task, as small files in OUT/.posetrack: whoever comes later reads them there.

    done/ID.json      written last, when the results stand in OUT under their own names
    failed/ID.json    given up: the reason, and how often it was tried
    tried/ID.json     how often it was begun; it outlives whoever began it
    lock/.ID.lock     held by the process that is at it; the system lets go of it when that process dies
    work/ID-.../      results in the making, under a name of their own for each attempt

A task may be begun twice, by two drivers or after a kill; its results appear once, by renaming.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posetrack.errors import InputError, PoseTrackError
from posetrack.files import locked, replacing

STATES = ("done", "failed", "tried")


@dataclass(frozen=True)
class Board:
    """The state of a run in its output folder."""

    out: Path

    @property
    def folder(self) -> Path:
        return self.out / ".posetrack"

    def read(self, state: str, identity: str) -> dict[str, Any] | None:
        """What stands in STATE/ID.json; None where there is no such file."""
        try:
            values = json.loads((self.folder / state / f"{identity}.json").read_text())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise PoseTrackError(
                f"{self.folder / state}/{identity}.json is broken: delete it ({error})"
            ) from None
        return dict(values)

    def done(self, identity: str) -> dict[str, Any] | None:
        """The mark of a task whose results still stand in the folder."""
        known = self.read("done", identity)
        return known if known and all((self.out / name).exists() for name in known["outputs"]) else None

    def write(self, state: str, identity: str, **values: Any) -> None:
        with replacing(self.folder / state / f"{identity}.json") as temporary:
            temporary.write_text(
                json.dumps({**values, "time": time.time(), "host": socket.gethostname()}) + "\n"
            )

    def marks(self, state: str) -> list[dict[str, Any]]:
        """All of one state."""
        found = (self.read(state, path.stem) for path in sorted((self.folder / state).glob("*.json")))
        return [mark for mark in found if mark is not None]

    def running(self) -> int:
        """How many tasks are held by a process now."""
        held = 0
        for path in (self.folder / "lock").glob(".*.lock"):
            with self.claim(path.name[1:-5]) as free:
                held += not free
        return held

    def tidy(self) -> None:
        """Take away empty folders, and locks whose processes were killed."""
        self.running()
        with suppress(OSError):
            (self.folder / "lock").rmdir()

    def forget_failure(self, identity: str) -> None:
        for state in ("failed", "tried"):
            (self.folder / state / f"{identity}.json").unlink(missing_ok=True)

    def tries(self, identity: str) -> int:
        return int((self.read("tried", identity) or {}).get("count", 0))

    @contextmanager
    def claim(self, identity: str) -> Iterator[bool]:
        """True inside the block for the one process that holds the task; False where another one does."""
        with ExitStack() as stack:
            try:
                stack.enter_context(locked(self.folder / "lock" / identity))
            except InputError:
                yield False
                return
            yield True

    @contextmanager
    def workplace(self, identity: str) -> Iterator[Path]:
        """A folder for this attempt. It and what earlier attempts left behind are gone afterwards."""
        folder = self.folder / "work" / f"{identity}-{socket.gethostname()}-{os.getpid()}"
        self.clear_work(identity)
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            self.clear_work(identity)

    def clear_work(self, identity: str) -> None:
        """Take away what attempts left behind; only for who holds the task."""
        base = self.folder / "work"
        for stale in base.glob(f"{identity}-*"):
            shutil.rmtree(stale, ignore_errors=True)
        with suppress(OSError):
            base.rmdir()  # if nobody else works there
