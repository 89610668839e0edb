"""The MP4 file while FFmpeg writes it: it comes into being with its first whole fragment, and grows by such.

So whoever kills the run at whatever moment, or fills the disk to whatever byte, finds a clip that plays, or
none.
"""

from __future__ import annotations

import errno
import io
import os
from itertools import pairwise
from pathlib import Path

# delay_moov: the index is written with the first fragment, when the first timestamps are known, so that they
# need no shift; hybrid_fragmented: a plain MP4 in the end
MOVFLAGS = "frag_keyframe+delay_moov+default_base_moof+hybrid_fragmented"
_HEAD = 8  # bytes of a box before its content: length and name (ISO 14496-12)


class ClipFile:
    """What FFmpeg writes into: fragments are held in memory until they are whole.

    FFmpeg never sees the path, which may hold bytes that it could not take. Errors are those of the system.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: io.FileIO | None = None
        self._held = io.BytesIO()
        self._base = 0  # where in the file the first of the held bytes belongs
        self.error: OSError | None = None  # why something could not be written; FFmpeg does not say

    def write(self, data: bytes) -> int:
        self._held.write(data)
        if whole := _end_of_fragments(self._held.getbuffer()):
            self._flush(whole)
        return len(data)

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        """FFmpeg goes back only when it closes the file, to say in its head that it is whole."""
        if whence != io.SEEK_SET:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        if not self._base <= position <= self._base + len(self._held.getbuffer()):
            self.flush()
            self._base = position
        self._held.seek(position - self._base)
        return position

    def tell(self) -> int:
        return self._base + self._held.tell()

    def flush(self) -> None:
        """Bring all that is held to the disk."""
        self._flush(len(self._held.getbuffer()))

    def finish(self) -> None:
        """Let go of the file; nothing that was held only in memory is kept."""
        if self._file is not None:
            self._file.close()

    def _flush(self, count: int) -> None:
        """Write the first `count` held bytes: all of them or, where the disk is full, none."""
        if self.error is not None:
            raise self.error
        data = self._held.getvalue()
        try:
            if self._file is None:
                self._appear(data[:count])
            else:
                _add(self._file, self._base, data[:count])
        except OSError as error:
            self.error = error
            raise
        self._base += count
        self._held = io.BytesIO(data[count:])
        self._held.seek(0, io.SEEK_END)

    def _appear(self, data: bytes) -> None:
        """The file is there under its name as soon as it is whole."""
        temporary = self._path.with_name(f".{self._path.name}.part") if os.name == "posix" else self._path
        file = io.FileIO(temporary, "w")
        try:
            _write_all(file, data)
            temporary.replace(self._path)
        except OSError:
            file.close()
            temporary.unlink(missing_ok=True)
            raise
        self._file = file


def _add(file: io.FileIO, at: int, data: bytes) -> None:
    size = file.seek(0, io.SEEK_END)
    file.seek(at)
    try:
        _write_all(file, data)
    except OSError:
        file.truncate(size)
        raise


def _write_all(file: io.FileIO, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _end_of_fragments(data: memoryview) -> int:
    """How many bytes there are up to the end of the last whole fragment; 0 where none is whole."""
    boxes, position = [(b"", 0)], 0  # names and ends
    while position + _HEAD <= len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        name = bytes(data[position + 4 : position + _HEAD])
        position += max(length, _HEAD)
        if position <= len(data):
            boxes.append((name, position))
    fragments = [end for (before, _), (name, end) in pairwise(boxes) if (before, name) == (b"moof", b"mdat")]
    return max(fragments, default=0)
