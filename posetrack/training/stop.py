"""SIGTERM and SIGINT as a request: a run ends its step, writes its checkpoint, and only then stops.

    with StopRequest() as request:
        ...                     # after each step: if request.signal: save and leave

Clusters send SIGTERM some time before they kill a job, and Ctrl-C sends SIGINT.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

from posetrack.errors import PoseTrackError

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopped(PoseTrackError):  # noqa: N818  # the run did as it was told
    """A run that was asked to stop, and whose checkpoint is on the disk."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + number  # as shells name the end by a signal: 143, 130


class StopRequest:
    """Notes the first signal instead of dying of it."""

    def __init__(self, second_interrupts: bool = True) -> None:
        """`second_interrupts`: a second SIGINT raises KeyboardInterrupt. Several processes cannot have this:
        torchrun passes a Ctrl-C on to those whom the terminal has told already."""
        self.signal = 0
        self._second_interrupts = second_interrupts
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():  # Python gives signals to no other
            self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signal and number == signal.SIGINT and self._second_interrupts:
            raise KeyboardInterrupt
        self.signal = self.signal or number


def ignore_stop_signals() -> None:
    """For processes that make pictures: when a whole group is told to stop, they serve until the run ends."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
