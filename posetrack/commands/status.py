"""`posetrack status`: how far a run over many videos is."""

from __future__ import annotations

from typing import Annotated

from posetrack.commands import options


def status(
    out: Annotated[str, "the --out of posetrack track or submit with --jobs, --ray or --shard"],
    *,
    retry_failed: Annotated[bool, "forget failures: the next run tries these videos again"] = False,
) -> int:
    """What of many videos is done, running, failed and left, at what pace."""
    from posetrack.cluster.run import status as look

    state = look(out, retry_failed=retry_failed)
    print(state)
    if retry_failed:
        print(f"{len(state.failed)} failures forgotten: call the command again")
    return options.SOME_FAILED if state.failed and not retry_failed else options.DONE
