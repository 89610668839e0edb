"""The MP4 file while FFmpeg writes it: it comes into being with its first whole fragment.

So whoever kills the run at whatever moment finds a clip that plays, or none.
"""

from __future__ import annotations

import io
import os
from itertools import pairwise
from pathlib import Path

_HEAD = 8  # bytes of a box before its content: length and name (ISO 14496-12)


class ClipFile:
    """What FFmpeg writes into: held in memory up to the first fragment, then straight to the disk.

    FFmpeg never sees the path, which may hold bytes that it could not take. Errors are those of the system.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: io.BytesIO | io.FileIO = io.BytesIO()
        self.error: OSError | None = None  # why something could not be written; FFmpeg does not say

    def write(self, data: bytes) -> int:
        try:
            _write_all(self._file, data)
            if isinstance(self._file, io.BytesIO) and _plays(self._file.getbuffer()):
                self.appear()
        except OSError as error:
            self.error = self.error or error
            raise
        return len(data)

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(position, whence)

    def tell(self) -> int:
        return self._file.tell()

    def appear(self) -> None:
        """Bring what is held to the disk, under its name as soon as it is whole; later calls do nothing."""
        if not isinstance(self._file, io.BytesIO):
            return
        held, position = self._file.getvalue(), self._file.tell()
        temporary = self._path.with_name(f".{self._path.name}.part") if os.name == "posix" else self._path
        file = io.FileIO(temporary, "w")
        try:
            _write_all(file, held)
            temporary.replace(self._path)
        except OSError:
            file.close()
            temporary.unlink(missing_ok=True)
            raise
        file.seek(position)
        self._file = file

    def finish(self) -> None:
        """Let go of the file; nothing that was held only in memory is kept."""
        self._file.close()


def _write_all(file: io.BytesIO | io.FileIO, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _plays(data: memoryview) -> bool:
    """Is there an index and a whole fragment after it?"""
    names, position = [], 0
    while position + _HEAD <= len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        start, position = position, position + max(length, _HEAD)
        if position <= len(data):
            names.append(bytes(data[start + 4 : start + _HEAD]))
    return b"moov" in names and (b"moof", b"mdat") in pairwise(names)
