"""Runs `posetrack.cli.main` on commands that come as lines of JSON; answers with what became of each."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from posetrack.cli import main


def run(words: list[str]) -> dict[str, Any]:
    said, failed, code = io.StringIO(), False, 0
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            code = main(words)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except BaseException:
            failed = True
            traceback.print_exc()
    return {"code": code, "said": said.getvalue(), "traceback": failed}


def alone(words: list[str], heard: Path) -> None:
    """The command of a process of its own; what it says goes into a file."""
    said = os.open(heard, os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
    os.dup2(said, 1)
    os.dup2(said, 2)
    sys.argv = ["posetrack", *words]
    sys.exit(main())


def limited(words: list[str], limit: int | None) -> dict[str, Any]:
    """With a limit on the size of files, which stands for a full disk."""
    if limit is None:
        return run(words)
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        return run(words)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries that print cannot spoil the answers
    for line in sys.stdin:
        request = json.loads(line)
        answers.write(json.dumps(limited(request["words"], request["limit"])) + "\n")
        answers.flush()
