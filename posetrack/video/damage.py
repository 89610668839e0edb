"""Is a video file cut off? Its container says how long it should be; FFmpeg does not tell.

ISO base media (MP4, MOV), Matroska (MKV, WebM) and RIFF (AVI) announce the length of what follows.
MPEG-TS and raw streams do not, so a cut in those is seen only where it damages a frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_MP4_FIRST_BOXES = {b"ftyp", b"styp", b"moov", b"mdat", b"free", b"skip", b"wide"}
_FLV, _TAGS = b"FLV", (8, 9, 18)
_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"


def missing_bytes(path: Path) -> int:
    """Bytes that the container announces beyond the end of the file; 0 for a whole file or another format."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(8)
        file.seek(0)
        if head[4:] in _MP4_FIRST_BOXES:
            end = _end_of_boxes(file, size)
        elif head[:4] == b"RIFF":
            end = _end_of_riff(file, size)
        elif head[:4] == _EBML:
            end = _end_of_matroska(file)
        else:
            return 0
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


def _end_of_matroska(file: BinaryIO) -> int:
    file.seek(4)
    header = _vint(file)
    if header is None:
        return 0
    file.seek(header, 1)
    if file.read(4) != _SEGMENT:
        return 0
    length = _vint(file)
    return 0 if length is None else file.tell() + length


def _vint(file: BinaryIO) -> int | None:
    """EBML's number of variable width; None where it says "unknown" (a live recording) or cannot be read."""
    first = file.read(1)
    if not first or first[0] == 0:
        return None
    width = 9 - first[0].bit_length()
    rest = file.read(width - 1)
    value = int.from_bytes(first + rest, "big") & ((1 << 7 * width) - 1)
    return None if value == (1 << 7 * width) - 1 or len(rest) < width - 1 else value
