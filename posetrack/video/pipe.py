"""Videos that come through a pipe: kept in a temporary file, since frames and sound are read apart."""

from __future__ import annotations

import os
import select
import shutil
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO

from posetrack.errors import InputError
from posetrack.video.names import shown

STDIN = frozenset({"-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"})
_PATIENCE = 30  # seconds that a named pipe may stay silent before anybody writes


class Spool:
    """The whole content of a pipe, in a file that vanishes with `close`, or with this object.

    Args:
        source: the path of a named pipe, or one of STDIN.

    Raises:
        InputError: nothing comes, or there is no room for it.
    """

    def __init__(self, source: str) -> None:
        self.name = "stdin" if source in STDIN else Path(source).name
        self._file = tempfile.NamedTemporaryFile(prefix="posetrack-", suffix=".pipe")  # noqa: SIM115
        self.path = Path(self._file.name)
        try:
            with _opened(source) as pipe:
                shutil.copyfileobj(pipe, self._file)
            self._file.flush()
        except OSError as error:
            self.close()
            raise InputError(
                f"cannot keep what comes through {shown(source)} in {self.path.parent}: {error.strerror}; "
                "name a file, or set TMPDIR to a folder with room"
            ) from error
        except BaseException:
            self.close()
            raise
        if self.path.stat().st_size == 0:
            self.close()
            raise InputError(f"nothing came through {shown(source)}; name a file, or write a video into it")

    def close(self) -> None:
        self._file.close()


def _opened(source: str) -> BinaryIO:
    if source not in STDIN:
        return open_pipe(source)
    if sys.stdin is None or sys.stdin.closed:
        raise InputError("standard input is closed; name a file, or pipe a video into it")
    if sys.stdin.isatty():
        raise InputError("standard input is a terminal; name a file, or pipe a video into it")
    return os.fdopen(os.dup(sys.stdin.fileno()), "rb")


def open_pipe(source: str | Path) -> BinaryIO:
    """A named pipe, opened without waiting for a writer: one that nobody fills does not hang the run.

    Raises:
        InputError: nothing comes.
    """
    pipe = os.open(source, os.O_RDONLY | os.O_NONBLOCK)
    poll = select.poll()
    poll.register(pipe, select.POLLIN | select.POLLHUP)
    if not poll.poll(_PATIENCE * 1000):
        os.close(pipe)
        raise InputError(
            f"nothing came through {shown(source)} in {_PATIENCE} s; name a file, or write into it"
        )
    os.set_blocking(pipe, True)
    return os.fdopen(pipe, "rb")
