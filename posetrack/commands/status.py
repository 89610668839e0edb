"""`posetrack status`: how far a run over many videos is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from posetrack.commands import options


def status(
    out: Annotated[Path, "the --out folder of posetrack track --jobs, --ray or --shard"],
    *,
    retry_failed: Annotated[bool, "forget failures: the next run tries these videos again"] = False,
) -> int:
    """What of many videos is done, running, failed and left, at what pace."""
    from posetrack.cluster.board import Board
    from posetrack.cluster.run import status as look

    state = look(out)
    print(state)
    if retry_failed:
        board = Board(out)
        for path in (board.folder / "failed").glob("*.json"):
            board.forget_failure(path.stem)
        print(f"{len(state.failed)} failures forgotten: call posetrack track again")
    return options.SOME_FAILED if state.failed and not retry_failed else options.DONE
