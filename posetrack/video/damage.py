"""Is a video file cut off? Its container says where it should end; FFmpeg does not tell.

ISO base media (MP4, MOV), Matroska (MKV, WebM) and RIFF (AVI) announce the length of the whole, or of each
part; MPEG-TS, MPEG-PS and Ogg that of their packets, GIF and MJPEG have a mark at their end. Raw streams have
nothing of it, so a cut in those is seen only where it damages a frame.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

_MP4_FIRST_BOXES = {b"ftyp", b"styp", b"moov", b"mdat", b"free", b"skip", b"wide"}
_FLV, _TAGS = b"FLV", (8, 9, 18)
_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
_TS_SYNC, _TS_PACKETS = 0x47, ((0, 188), (4, 192))  # where the mark is, and the packet's size (M2TS: 192)
_CODE = b"\0\0\1"  # before every packet of MPEG-PS; the byte after it names its kind
_PACKETS = {bytes([kind]) for kind in (0xBB, 0xBC, 0xBD, 0xBE, 0xBF, *range(0xC0, 0xF0))}
_OGG = b"OggS"
_TAIL = 140_000  # bytes: two of the longest packets of MPEG-PS or Ogg


def missing_bytes(path: Path) -> int:
    """Bytes that should follow beyond the end of the file; 0 for a whole file, or where nobody can know."""
    state = path.stat()
    return _missing_bytes(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=16)
def _missing_bytes(path: Path, size: int, _: int) -> int:
    with path.open("rb") as file:
        head = file.read(400)
        file.seek(0)
        if head[4:8] in _MP4_FIRST_BOXES:
            end = _end_of_boxes(file, size)
        elif head.startswith(b"RIFF"):
            end = _end_of_riff(file, size)
        elif head.startswith(_EBML):
            end = _end_of_matroska(file, size)
        elif head.startswith(_CODE + b"\xba"):
            end = _end_of_packs(file, size)
        elif head.startswith(_OGG):
            end = _end_of_pages(file, size)
        elif head.startswith(b"GIF8"):
            end = _end_by_mark(file, size, b";")
        elif head.startswith(b"\xff\xd8\xff"):
            end = _end_by_mark(file, size, b"\xff\xd9")
        else:
            end = _end_of_ts(head, size)
    return max(0, end - size)


def another_follows(path: Path) -> bool:
    """Files that were joined byte by byte: of MP4 and FLV, FFmpeg reads the first alone, and does not say."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(8)
        if head[4:] in _MP4_FIRST_BOXES:
            names = [name for name, _ in _boxes(file, size)]
            return names.count(b"moov") > 1 and b"moof" not in names
        return head[:3] == _FLV and _follows_tags(file)


def _follows_tags(file: BinaryIO) -> bool:
    position = 9  # of FLV's header
    while True:
        file.seek(position)
        head = file.read(15)  # length of the tag before, then kind, length, time and stream of this one
        if len(head) < 15 or head[4] not in _TAGS:
            return head[4:7] == _FLV
        position += 15 + int.from_bytes(head[5:8], "big")


def _end_of_boxes(file: BinaryIO, size: int) -> int:
    return max((end for _, end in _boxes(file, size)), default=0)


def _boxes(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int]]:
    """Name and end of every box, from first to last."""
    position = 0
    while position < size:
        file.seek(position)
        head = file.read(16)
        if len(head) < 8:
            yield b"", position + 8  # cut inside the head of a box
            return
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:], "big")
        if length < 8:  # 0 means "to the end of the file"; anything else is no box: no judgement
            yield b"", size
            return
        position += length
        yield head[4:8], position


def _end_of_riff(file: BinaryIO, size: int) -> int:
    position = 0
    while position < size:  # files above 1 GB are a chain of RIFF chunks
        file.seek(position)
        head = file.read(8)
        if head[:4] != b"RIFF":
            break
        length = int.from_bytes(head[4:], "little")
        position += 8 + length + length % 2
    return position


def _end_of_matroska(file: BinaryIO, size: int) -> int:
    file.seek(4)
    header = _vint(file)
    if header is None:
        return 0
    file.seek(header, 1)
    if file.read(4) != _SEGMENT:
        return 0
    length = _vint(file)
    return _end_of_elements(file, size) if length is None else file.tell() + length


def _end_of_elements(file: BinaryIO, size: int) -> int:
    """A recording that was never closed: the end of its last part. Parts of unknown length hold others."""
    while (position := file.tell()) < size:
        name = file.read(1)
        if name < b"\x10":  # no name of an element: no judgement
            return 0
        file.seek(8 - name[0].bit_length(), os.SEEK_CUR)
        length = _vint(file)
        if file.tell() >= size and length is None:
            return size + 1  # cut in the head of a part
        file.seek(length or 0, os.SEEK_CUR)
    return position


def _end_of_packs(file: BinaryIO, size: int) -> int:
    """MPEG-PS: the end of the last packet (ISO 13818-1, 2.5.3)."""
    start, tail = _tail(file, size)
    at = tail.rfind(_CODE)
    while at >= 0 and tail[at + 3 : at + 4] not in _PACKETS:
        at = tail.rfind(_CODE, 0, at)
    length = tail[at + 4 : at + 6]
    return 0 if at < 0 else start + at + 6 + int.from_bytes(length, "big") if len(length) == 2 else size + 1


def _end_of_pages(file: BinaryIO, size: int) -> int:
    """Ogg: the end of the last page (RFC 3533, 6)."""
    start, tail = _tail(file, size)
    at = tail.rfind(_OGG)
    if at < 0:
        return 0
    head = tail[at : at + 27]
    parts = tail[at + 27 : at + 27 + head[-1]]
    whole = len(head) == 27 and len(parts) == head[-1]
    return start + at + 27 + len(parts) + sum(parts) if whole else size + 1


def _end_by_mark(file: BinaryIO, size: int, mark: bytes) -> int:
    return size if _tail(file, size)[1].rstrip(b"\0").endswith(mark) else size + 1


def _end_of_ts(head: bytes, size: int) -> int:
    """MPEG-TS: the end of the last packet; they are all of one size."""
    for at, length in _TS_PACKETS:
        if len(head) > at + length and head[at] == head[at + length] == _TS_SYNC:
            return size + -size % length
    return size


def _tail(file: BinaryIO, size: int) -> tuple[int, bytes]:
    """The last bytes, and where they begin."""
    start = max(0, size - _TAIL)
    file.seek(start)
    return start, file.read()


def _vint(file: BinaryIO) -> int | None:
    """EBML's number of variable width; None where it says "unknown" (a live recording) or cannot be read."""
    first = file.read(1)
    if not first or first[0] == 0:
        return None
    width = 9 - first[0].bit_length()
    rest = file.read(width - 1)
    value = int.from_bytes(first + rest, "big") & ((1 << 7 * width) - 1)
    return None if value == (1 << 7 * width) - 1 or len(rest) < width - 1 else value
