"""Figures in the style of `posetrack eval --plot`."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from posetrack.evaluation.plots import INK, MUTED, bare, save, title

BLUE, ORANGE, GREEN, RED = "#1b6ca8", "#e08e45", "#4f9d69", "#c8553d"

__all__ = ["BLUE", "GREEN", "INK", "MUTED", "ORANGE", "RED", "bare", "panels", "save", "title"]


def panels(
    rows: int, columns: int, size: tuple[float, float], **shared: object
) -> tuple[Figure, list[list[Axes]]]:
    """A figure of so many inches and its axes, row by row."""
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, **shared)  # type: ignore[call-overload]
    for axes in grid.flat:
        bare(axes, both=True)
    return figure, [list(row) for row in grid]
