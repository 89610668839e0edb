"""Numbers and names as documents from outside may have them, and the one line that says what is wrong.

Pydantic reads JSON in Rust: deep nesting, lone surrogates and numbers of any length end as errors there,
where Python's own reader recurses or lets them through. Import this inside functions: it takes a quarter
second.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeAlias

from annotated_types import Len
from pydantic import Field, ValidationError
from pydantic_core import from_json

from posetrack.errors import InputError
from posetrack.errors import shortened as shortened
from posetrack.limits import FRAMES, PIXELS
from posetrack.video.pipe import open_pipe

Pixel: TypeAlias = Annotated[float, Field(ge=-PIXELS, le=PIXELS, allow_inf_nan=False)]
Real: TypeAlias = Annotated[float, Field(ge=-1e9, le=1e9, allow_inf_nan=False)]  # seconds, raw scores
FrameIndex: TypeAlias = Annotated[int, Field(ge=0, lt=FRAMES, strict=True)]
Whole: TypeAlias = Annotated[int, Field(ge=-(2**63), lt=2**63, strict=True)]  # what int64 holds
Identity: TypeAlias = Annotated[int, Field(ge=1, lt=2**63, strict=True)]
Name: TypeAlias = Annotated[str, Len(0, 4096)]  # of a file: the longest path of Linux


def shown(value: object) -> str:
    """A value as messages show it, however long it is."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no whole number of more than 4,300 digits
        return "a whole number of thousands of digits"
    return shortened(text)


def place(location: tuple[int | str, ...]) -> str:
    """Where in a document: people[0].box[2]."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return shortened("".join(parts).lstrip("."))


def faults_of(error: ValidationError) -> list[tuple[tuple[int | str, ...], str]]:
    """Every fault: where it is, and what is wrong with which value."""
    silent = ("missing", "json_invalid", "extra_forbidden")  # there is no value, or it is the whole document
    return [
        (
            fault["loc"],
            fault["msg"] + ("" if fault["type"] in silent else f", got {shown(fault['input'])}"),
        )
        for fault in error.errors(include_url=False, include_context=False)
    ]


def first_fault(error: ValidationError) -> str:
    """The first fault in one line, with the number of the others."""
    faults = faults_of(error)
    (location, what), more = faults[0], len(faults) - 1
    where = f"{place(location)}: " if location else ""
    return f"{where}{what}{f' (and {more} more faults)' if more else ''}"


def read_bytes(path: str | Path) -> bytes:
    """A file's content, or what comes through a pipe.

    Raises:
        InputError: it is not there, cannot be read, or is a device, which may have no end.
    """
    path = Path(path)
    try:
        if path.is_fifo():
            with open_pipe(path) as pipe:
                return pipe.read()
        if path.is_char_device() or path.is_block_device():
            raise InputError(f"{path} is a device: name a file")
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}; check the path") from None


def read_json(path: str | Path) -> Any:
    """A JSON file of any content.

    Raises:
        InputError: it is not there, or not JSON; one line with the place.
    """
    try:
        return from_json(read_bytes(path))
    except ValueError as error:
        raise InputError(f"{path}: not JSON: {error}") from None
