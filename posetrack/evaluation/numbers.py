"""How reports show numbers, where NaN is undefined: in JSON, and as columns of text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence


def or_none(value: float) -> float | None:
    """For JSON, which has no NaN."""
    return None if math.isnan(value) else float(value)


def cell(value: float) -> str:
    """One decimal; a dash where it is undefined."""
    return "-" if math.isnan(value) else f"{value:.1f}"


def columns(cells: Mapping[str, float]) -> str:
    """Names above numbers with one decimal, two lines."""
    widths = [max(5, len(name)) for name in cells]
    rows = (list(cells), [cell(value) for value in cells.values()])
    return "\n".join("  ".join(f"{text:>{w}}" for text, w in zip(row, widths, strict=True)) for row in rows)


def ruled(rows: Sequence[Sequence[str]]) -> list[str]:
    """Text columns: the first to the left, the others to the right, a rule below the head."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]
    return [lines[0], "─" * len(lines[0]), *lines[1:]]
