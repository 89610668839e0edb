"""A job without networks for tests of engines: its result is the input's text, whose first word says how.

python -m tests.posetrack.cluster.tiny NOTES OUT --jobs 2 FILE...
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posetrack.cluster.board import Board
from posetrack.cluster.many import Many
from posetrack.cluster.tasks import Task, make_tasks
from posetrack.cluster.work import Doing, Finished
from posetrack.errors import InputError, PoseTrackError

SHARED = "full"  # in NOTES: the first worker to find it takes it away, and can write nothing from then on


@dataclass(frozen=True)
class Words:
    """`notes` is a folder outside OUT where the workers leave their process ids, and a word of each task."""

    notes: str
    settings: str = ""

    def identity(self) -> dict[str, Any]:
        return {"settings": self.settings}

    def outputs(self, task: Task) -> list[str]:
        return [f"{task.stem}.out"]

    def load(self, board: Board) -> Doing:
        notes = Path(self.notes)
        (notes / f"{os.getpid()}.pid").touch()
        with suppress(FileNotFoundError):
            (notes / SHARED).unlink()
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

        def work(task: Task, folder: Path, identity: str) -> Finished:
            text = Path(task.source).read_text()
            begun = notes / f"{task.stem}.begun"
            begun.write_text(begun.read_text() + f"{os.getpid()} " if begun.exists() else f"{os.getpid()} ")
            if text.startswith("die"):
                os.kill(os.getpid(), signal.SIGKILL)
            if text.startswith("broken"):
                raise InputError(f"{task.source} is broken")
            while text.startswith("wait") and not (notes / "go").exists():
                time.sleep(0.02)
            (folder / f"{task.stem}.out").write_text(text)
            return Finished(task.stem, frames=1)

        return work


def command(notes: Path, out: Path | str, files: list[Path], *flags: str) -> list[str]:
    module = "tests.posetrack.cluster.tiny"
    return [sys.executable, "-m", module, str(notes), str(out), *flags, *map(str, files)]


def main() -> int:
    notes, out, *words = sys.argv[1:]
    flags: dict[str, Any] = {}
    while words[0].startswith("--"):
        name = words.pop(0)[2:]
        flags[name] = words.pop(0)
    if "jobs" in flags:
        flags["jobs"] = int(flags["jobs"])
    try:
        result = Many(**flags).run(make_tasks(words), Words(notes), out)
    except PoseTrackError as error:
        print(f"posetrack: {error}", file=sys.stderr)
        return 2
    print(result)
    return 1 if result.failed else 0


if __name__ == "__main__":
    sys.exit(main())
