"""Waiting for a process, however slow the machine: seconds of its work, or of its sleep, are a hang."""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Callable
from pathlib import Path

_LOOK = 0.05  # seconds


class HangError(Exception):
    """Nothing came."""


def word(said: queue.Queue[bytes | None], pid: int, patience: float) -> bytes | None:
    """The next that it says; None at its end."""
    heard: list[bytes | None] = []

    def happened() -> bool:
        try:
            heard.append(said.get(timeout=_LOOK))
        except queue.Empty:
            return False
        return True

    until(happened, pid, patience)
    return heard[0]


def until(happened: Callable[[], bool], pid: int, patience: float) -> None:
    """Return once it has happened.

    Raises:
        HangError: the process has worked for `patience` seconds meanwhile, or slept for as long at a stretch.
    """
    begin = last = _worked(pid)
    asleep_since = time.monotonic()
    while not happened():
        now, ready = _worked(pid), _ready(pid)
        if ready or now != last:
            asleep_since = time.monotonic()
        last = now
        if now - begin > patience or time.monotonic() - asleep_since > patience:
            raise HangError
        time.sleep(_LOOK)


def _worked(pid: int) -> float:
    """Seconds of processor time."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # it is over
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _ready(pid: int) -> bool:
    """Does one of its threads wait for a processor, or for a disk?"""
    for task in Path(f"/proc/{pid}/task").glob("*/stat"):
        try:
            state = task.read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state in "RD":
            return True
    return False
