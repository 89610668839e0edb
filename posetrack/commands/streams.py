"""Standard output and error that cannot end a run: full, closed, or of an encoding that lacks a letter."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast


class Output:
    """A text stream that goes silent at its first error, and remembers it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.error: OSError | None = None

    def write(self, text: str) -> int:
        try:
            if self.error is None:
                self._stream.write(text)
        except OSError as error:
            self._silence(error)
        return len(text)

    def flush(self) -> None:
        try:
            if self.error is None:
                self._stream.flush()
        except OSError as error:
            self._silence(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _silence(self, error: OSError) -> None:
        """What is buffered has nowhere to go, and would complain again at the end of the process."""
        self.error = error
        with open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), self._stream.fileno())


@contextmanager
def safe_streams() -> Iterator[Output]:
    """Both standard streams made safe inside the block; gives standard output."""
    before = sys.stdout, sys.stderr
    _occupy_closed()
    out, err = (Output(_lenient(stream)) for stream in before)
    sys.stdout, sys.stderr = cast(TextIO, out), cast(TextIO, err)
    try:
        yield out
    finally:
        out.flush()
        err.flush()
        sys.stdout, sys.stderr = before


def complaint(error: OSError) -> str:
    """The line for an output that was not written; empty where its reader has only seen enough (`| head`)."""
    if error.errno == errno.EPIPE:
        return ""
    return f"standard output cannot be written: {error.strerror}; the results in files are whole"


def _occupy_closed() -> None:
    """Files that the run opens may not get the numbers of closed streams: others print into those."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _lenient(stream: TextIO | None) -> TextIO:
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")
    if reconfigure := getattr(stream, "reconfigure", None):
        reconfigure(errors="backslashreplace")
    return stream
