"""Figures in the style of `posetrack eval --plot`."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from posetrack.evaluation.plots import MUTED, bare, headline, save

BLUE, ORANGE = "#1b6ca8", "#e08e45"

__all__ = ["BLUE", "MUTED", "ORANGE", "bare", "headline", "panels", "save"]


def panels(
    rows: int, columns: int, size: tuple[float, float], **shared: object
) -> tuple[Figure, list[list[Axes]]]:
    """A figure of so many inches and its axes, row by row."""
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, **shared)  # type: ignore[call-overload]
    for axes in grid.flat:
        bare(axes, both=True)
    return figure, [list(row) for row in grid]
