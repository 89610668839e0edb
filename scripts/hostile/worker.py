"""Runs `posetrack.cli.main` on commands that come as lines of JSON; answers with what became of each."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import traceback
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
