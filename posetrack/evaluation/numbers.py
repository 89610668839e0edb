"""How the reports of single-frame benchmarks show numbers: NaN is undefined."""

from __future__ import annotations

import math
from collections.abc import Mapping


def or_none(value: float) -> float | None:
    """For JSON, which has no NaN."""
    return None if math.isnan(value) else float(value)


def columns(cells: Mapping[str, float]) -> str:
    """Names above numbers with one decimal, two lines."""
    shown = ["-" if math.isnan(value) else f"{value:.1f}" for value in cells.values()]
    widths = [max(5, len(name)) for name in cells]
    rows = (list(cells), shown)
    return "\n".join("  ".join(f"{cell:>{w}}" for cell, w in zip(row, widths, strict=True)) for row in rows)
