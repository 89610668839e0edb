"""Waiting for what happens instead of for seconds: a busy machine takes as long as it takes."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(happened: Callable[[], bool], alive: Callable[[], bool] = lambda: True) -> None:
    """Return once it has happened; fail as soon as whoever is to bring it about has ended without it."""
    while not happened():
        over = not alive()
        assert not over or happened(), "it ended before that happened"
        time.sleep(0.01)
