"""Networks belong to one process: a forked child lacks the threads that they run on, and would hang."""

from __future__ import annotations

import os

from posetrack.errors import PoseTrackError

_owner: int | None = None  # the process that made or ran the first network


def claim_process() -> None:
    """To be called wherever a network is made ready or run.

    Raises:
        PoseTrackError: this process was forked from one that has done so.
    """
    global _owner
    if _owner is None:
        _owner = os.getpid()
    elif _owner != os.getpid():
        raise PoseTrackError(
            f"process {os.getpid()} was forked from one that has run networks, whose threads it lacks: "
            "start it by multiprocessing.get_context('spawn')"
        )
