"""Tables as Markdown, and the places of a document that a program fills."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from posetrack.errors import PoseTrackError
from posetrack.files import replacing


def table(head: str, rows: Iterable[Sequence[object]]) -> str:
    """`head` as written between bars, `name | number:`, where a colon sets a column to the right.

    Floats get one decimal place, NaN a dash; write texts where others are wanted.
    """
    titles = [title.strip() for title in head.split("|")]
    rule = ["---:" if title.endswith(":") else "---" for title in titles]
    lines = [[title.removesuffix(":") for title in titles], rule, *([cell(v) for v in row] for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def cell(value: object) -> str:
    if isinstance(value, float):
        return "-" if value != value else f"{value:.1f}"
    return str(value)


def fill(text: str, name: str, content: str) -> str:
    """Replace what stands between <!-- measured: NAME --> and <!-- end -->.

    Raises:
        PoseTrackError: there is no such place, or more than one.
    """
    place = re.compile(rf"(<!-- measured: {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
    filled, count = place.subn(lambda marks: f"{marks[1]}{content}\n{marks[2]}", text)
    if count != 1:
        raise PoseTrackError(f"{count} places '<!-- measured: {name} --> ... <!-- end -->': expected one")
    return filled


def fill_file(path: Path, name: str, content: str) -> None:
    """`fill` a document."""
    try:
        filled = fill(path.read_text(), name, content)
    except (PoseTrackError, OSError) as error:
        raise PoseTrackError(f"{path}: {error}") from None
    with replacing(path) as temporary:
        temporary.write_text(filled)
