"""Tables for the model card, and the places in it that a program fills."""

from __future__ import annotations

import re
from collections.abc import Sequence

from posetrack.errors import PoseTrackError


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Numbers get one decimal place, NaN a dash; write texts where others are wanted."""
    lines = [list(head), ["---"] * len(head), *([cell(value) for value in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def cell(value: object) -> str:
    if isinstance(value, float):
        return "-" if value != value else f"{value:.1f}"
    return str(value)


def fill(card: str, name: str, text: str) -> str:
    """Replace what stands between <!-- measured: NAME --> and <!-- end -->.

    Raises:
        PoseTrackError: the card has no such place, or more than one.
    """
    place = re.compile(rf"(<!-- measured: {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
    filled, count = place.subn(lambda marks: f"{marks[1]}{text}\n{marks[2]}", card)
    if count != 1:
        raise PoseTrackError(
            f"the card has {count} places '<!-- measured: {name} --> ... <!-- end -->': expected one"
        )
    return filled
