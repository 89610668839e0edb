"""Pictures of an evaluation: bars per joint, precision over recall, and who was followed when."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from posetrack.drawing.colours import colour_of
from posetrack.evaluation.people import JOINTS
from posetrack.evaluation.report import PARTS, PoseTrackReport, SequenceResult
from posetrack.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, MUTED, GRID, MISSED = "#1f2933", "#7b8794", "#e4e7eb", "#e4e7eb"
METRICS = {
    "ap": ("AP", "#1b6ca8"),
    "mota": ("MOTA", "#e08e45"),
    "hota": ("HOTA", "#4f9d69"),
    "idf1": ("IDF1", "#9b6fb3"),
}
FIRST = 1  # PoseTrack files number people from 0, everything that people look at from 1
SIDES = {"right": ("#c8553d", "right"), "left": ("#1b6ca8", "left"), "head": ("#4f9d69", "")}


def plot_report(report: PoseTrackReport, directory: Path) -> list[Path]:
    """joints.png, precision_recall.png and timeline_SEQUENCE.png in a folder; the paths written."""
    pictures = {"joints.png": joint_bars(report), "precision_recall.png": precision_recall(report)}
    written = [save(figure, directory / name) for name, figure in pictures.items()]
    for sequence in report.sequences:
        written.append(save(timeline(sequence), directory / f"timeline_{sequence.name}.png"))
    return written


def save(figure: Figure, path: Path) -> Path:
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150, facecolor="white")
    return path


def joint_bars(report: PoseTrackReport) -> Figure:
    """AP, MOTA, HOTA and IDF1 of every joint, head to foot, and their totals."""
    joints = [joint for part in PARTS.values() for joint in part]
    labels = [_label(joint).replace(" ", "\n", 1) for joint in joints] + ["Total"]
    figure = Figure(figsize=(13, 4.8), layout="constrained")
    axes = figure.add_subplot()
    place = np.arange(len(labels), dtype=float)
    place[-1] += 0.6
    width = 0.2
    lowest = 0.0
    for i, (metric, (metric_title, colour)) in enumerate(METRICS.items()):
        scores = report.scores[metric]
        values = np.array([*(scores[JOINTS.index(joint)] for joint in joints), report.totals[metric]])
        # MOTA has no lower bound: cut the bar, keep its number
        shown = np.maximum(np.nan_to_num(values), -20)
        lowest = min(lowest, float(shown.min()))
        x = place + (i - 1.5) * width
        axes.bar(x, shown, width * 0.92, color=colour, label=metric_title, zorder=2)
        for at, height, value in zip(x, shown, values, strict=True):
            text = "n/a" if np.isnan(value) else f"{value:.0f}"
            axes.text(
                at, max(height, 0) + 1.2, text, ha="center", va="bottom", fontsize=6.5, rotation=90, color=INK
            )
    axes.axvline(place[-1] - 0.8, color=GRID, lw=1)
    axes.set_xticks(place, labels, fontsize=9, linespacing=1.05)
    axes.set_ylim(lowest, 112)
    axes.set_yticks(range(0, 101, 20))
    axes.set_xlim(place[0] - 0.6, place[-1] + 0.6)
    axes.set_ylabel("percent")
    axes.legend(ncols=4, loc="upper right", bbox_to_anchor=(1, 1.13), frameon=False)
    bare(axes)
    headline(axes, "PoseTrack metrics by joint", _size(report))
    return figure


def _size(report: PoseTrackReport) -> str:
    poses = sum(len(s.timeline.truth) for s in report.sequences)
    return f"{len(report.sequences)} sequences, {report.labelled_frames} labelled frames, {poses} poses"


def precision_recall(report: PoseTrackReport) -> Figure:
    """A panel for each body part with a curve for each of its joints."""
    figure = Figure(figsize=(12, 6), layout="constrained")
    panels = figure.subplots(2, 4, sharex=True, sharey=True)
    drawn = report.curves()
    for axes, (part, joints) in zip(panels.flat, PARTS.items(), strict=False):
        for joint, dash in zip(joints, ("-", (0, (5, 1.5)), (0, (1.5, 1.5))), strict=False):
            curve = drawn[JOINTS.index(joint)]
            side = joint.split("_")[0] if joint.startswith(("left_", "right_")) else "head"
            ap = report.scores["ap"][JOINTS.index(joint)]
            label = f"{SIDES[side][1] or _label(joint)}  {'n/a' if np.isnan(ap) else f'{ap:.1f}'}"
            defined = bool(len(curve.recall)) and not np.isnan(curve.recall).any()
            recall, precision = (curve.recall, curve.precision) if defined else (np.empty(0), np.empty(0))
            axes.plot(
                recall,
                precision,
                color=SIDES[side][0],
                ls=dash if side == "head" else "-",
                lw=1.8,
                label=label,
            )
        axes.set_title(_PART_NAMES[part], loc="left", fontsize=11, color=INK)
        legend = axes.legend(loc="lower left", frameon=False, fontsize=9, title="AP", alignment="left")
        legend.get_title().set_fontsize(9)
        axes.set_xlim(0, 1.01)
        axes.set_ylim(0, 1.03)
        bare(axes, both=True)
    last = panels.flat[-1]
    last.axis("off")
    last.text(0, 0.95, f"mAP {report.totals['ap']:.1f}", fontsize=22, color=INK, va="top")
    last.text(0, 0.74, _size(report).replace(", ", "\n"), fontsize=10, color=MUTED, va="top", linespacing=1.5)
    figure.supxlabel("recall", fontsize=10, color=INK)
    figure.supylabel("precision", fontsize=10, color=INK)
    return figure


_PART_NAMES = dict(
    zip(PARTS, ("Head", "Shoulders", "Elbows", "Wrists", "Hips", "Knees", "Ankles"), strict=True)
)


def timeline(sequence: SequenceResult) -> Figure:
    """A row for each annotated person: who followed them (colour), how well (height), where ids changed."""
    story = sequence.timeline
    people, row = np.unique(story.truth, return_inverse=True)
    rows = max(len(people), 1)
    height = 2.1 + 0.42 * rows  # inches
    figure = Figure(figsize=(13, height))
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(rows, 1 + rows * 0.08))
    figure.subplots_adjust(
        left=0.075, right=0.985, top=1 - 0.75 / height, bottom=0.5 / height, hspace=0.3 / rows
    )
    followed = story.prediction >= 0
    _boxes(axes, story.frame, row + 0.42, np.full(len(row), 0.84), [MISSED] * len(row))
    colours = [_colour(track) for track in story.prediction[followed].tolist()]
    _boxes(axes, story.frame[followed], row[followed] + 0.42, 0.84 * story.share[followed], colours)
    for at, number, track in _labels(story.frame, row, story.prediction):
        ink = INK if _is_light(track) else "white"
        axes.text(at + 0.5, number + 0.04, str(track + FIRST), fontsize=7.5, color=ink, va="center", zorder=3)
    axes.plot(
        story.frame[story.switched], row[story.switched] - 0.42, ls="", marker="v", ms=6, color=INK, zorder=4
    )
    axes.set_yticks(range(len(people)), [f"person {p + FIRST}" for p in people.tolist()], fontsize=9)
    axes.set_ylim(rows - 0.4, -0.75)
    axes.tick_params(axis="x", length=0, labelbottom=False)
    _extras(below, story.extra_frame, story.frames)
    for panel in (axes, below):
        for side in ("top", "right", "left", "bottom"):
            panel.spines[side].set_visible(False)
        panel.tick_params(axis="y", length=0, colors=INK)
    numbers = f"{int((~followed).sum())} of {len(row)} poses missed, {int(story.switched.sum())} id changes, "
    headline(axes, sequence.name, numbers + f"{len(story.extra_frame)} extra poses")
    handles = [
        Patch(color=_colour(0), label="followed (number: track id; height: share of joints found)"),
        Patch(color=MISSED, label="missed"),
        Line2D([], [], ls="", marker="v", color=INK, label="id changed"),
    ]
    axes.legend(
        handles=handles, ncols=3, loc="lower right", bbox_to_anchor=(1, 1.0), frameon=False, fontsize=8.5
    )
    return figure


def _boxes(axes: Axes, x: Any, floor: Any, height: Any, colours: list[str]) -> None:
    """Boxes one frame wide that stand on `floor` (the axis points down); one artist for thousands."""
    left, right, top = x, x + 1, floor - height
    corners = np.stack([left, floor, right, floor, right, top, left, top], axis=1).reshape(-1, 4, 2)
    axes.add_collection(
        PolyCollection(list(corners), facecolors=colours, edgecolors="none", zorder=2), autolim=False
    )


def _labels(frame: Any, row: Any, track: Any) -> Iterator[tuple[int, int, int]]:
    """Frame, row and track where an id is written: on a stretch of 4 frames or more with a new track."""
    for person in range(int(row.max(initial=-1)) + 1):
        here = np.flatnonzero(row == person)
        written = -1
        for start, stop in pairwise([0, *(np.flatnonzero(np.diff(track[here])) + 1).tolist(), len(here)]):
            followed = int(track[here[start]])
            if followed >= 0 and followed != written and stop - start >= 4:
                written = followed
                yield int(frame[here[start]]), person, followed


def _colour(track: int) -> str:
    """That of the overlay, which counts people from 1."""
    return "#{:02x}{:02x}{:02x}".format(*colour_of(track + FIRST))


def _is_light(track: int) -> bool:
    red, green, blue = colour_of(track + FIRST)
    return 0.3 * red + 0.59 * green + 0.11 * blue > 130


def _extras(axes: Axes, extra: Any, frames: Any) -> None:
    """Bars of the predictions that belong to nobody, frame by frame."""
    first, last = (int(frames[0]), int(frames[-1])) if len(frames) else (0, 1)
    count = np.bincount(extra, minlength=last + 1) if len(extra) else np.zeros(last + 1, int)
    axes.stairs(count, np.arange(len(count) + 1), fill=True, color="#c8553d", zorder=2)
    top = max(int(count.max(initial=0)), 1)
    axes.set_ylim(0, top * 1.15)
    axes.set_yticks([0, top])
    axes.set_ylabel("extra\nposes", rotation=0, ha="right", va="center", fontsize=9, color=INK)
    axes.set_xlim(first, last + 1)
    axes.set_xlabel("frame", color=INK)
    axes.grid(axis="x", color=GRID, lw=0.8, zorder=0)


def _label(joint: str) -> str:
    names = {"head_bottom": "neck", "head_top": "head top"}
    return names.get(joint, joint.replace("_", " "))


def headline(axes: Axes, title: str, subtitle: str) -> None:
    axes.set_title(title, loc="left", fontsize=13, color=INK, pad=22)
    axes.annotate(
        subtitle,
        (0, 1),
        (0, 7),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=9,
        color=MUTED,
    )


def bare(axes: Axes, *, both: bool = False) -> None:
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(MUTED)
    axes.grid(axis="both" if both else "y", color=GRID, lw=0.8, zorder=0)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, colors=INK)
