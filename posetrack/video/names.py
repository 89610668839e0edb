"""Names of files and addresses: as they are shown, and as outputs are called after them."""

from __future__ import annotations

import os
import re
from pathlib import PurePath
from urllib.parse import unquote

_LONGEST = 225  # bytes of a stem: file systems take 255, and endings and temporary names must fit, too
_SHOWN = 200  # characters of somebody's input that a message repeats


def shown(name: str | os.PathLike[str]) -> str:
    """For messages and headers: without bytes that are no UTF-8, control characters and endless tails."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def stem_of(name: str) -> str:
    """What outputs are named after: the name without its ending, short enough for any ending to follow."""
    return fitting(PurePath(name).stem)


def fitting(name: str) -> str:
    """The name, cut where a file system would refuse it with an ending."""
    data = os.fsencode(name.replace("\0", "") or "video")
    return os.fsdecode(_whole_characters(data[:_LONGEST]) if len(data) > _LONGEST else data)


def address_name(url: str) -> str:
    """The last part of an address that says something: "clip.mp4" of http://host/a/clip.mp4?x=1."""
    body = url.split("://", 1)[-1].split("?")[0].split("#")[0].rstrip("/")
    host_and_path = body.split("@")[-1]  # never show a password
    return shown(unquote(host_and_path.rsplit("/", 1)[-1]).rsplit("/", 1)[-1]) or "stream"


def is_address(text: str) -> bool:
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text) is not None


def _whole_characters(data: bytes) -> bytes:
    """Without the beginning of a UTF-8 character whose end was cut off."""
    start = len(data)
    while start > max(0, len(data) - 4) and data[start - 1] & 0xC0 == 0x80:
        start -= 1
    if start and data[start - 1] >= 0xC0:
        width = 2 if data[start - 1] < 0xE0 else 3 if data[start - 1] < 0xF0 else 4
        if start - 1 + width > len(data):
            return data[: start - 1]
    return data
