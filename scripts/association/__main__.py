"""Which association tracks best, and with which settings: docs/association.md, measured again.

    python -m scripts.association study --tracks DIR --part steps --sequences 40 --seeds 3 --first-seed 10
    python -m scripts.association study --tracks DIR --part settings --half odd --seeds 2 --first-seed 10
    python -m scripts.association presets

DIR holds PoseTrack18 annotations. Detector, pose network and flow are simulated (noise.py says how bad they
are); motion, occlusion and crowds are real. Every variant meets the same errors. A study takes about 3 s of
CPU time for each variant and seed with 20 videos.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import numpy as np

from posetrack.commands.flags import Command
from posetrack.errors import PoseTrackError
from posetrack.presets import LIGHT, PAPER
from scripts.association.noise import SYSTEMS
from scripts.association.study import PARTS, PRESETS, VALUES, Result
from scripts.association.study import study as compare
from scripts.association.videos import read_video
from scripts.cli import run
from scripts.markdown import fill_file, table
from scripts.plots import BLUE, MUTED, ORANGE, panels, save

DOCS = Path(__file__).parents[2] / "docs"
COLUMNS = {"map": "mAP", "mota": "MOTA", "idf1": "IDF1", "hota": "HOTA", "switches": "switches per joint"}
Studies = Mapping[str, Mapping[str, list[Result]]]  # system -> variant -> a result for each seed


def study(
    *,
    tracks: Annotated[Path, "folder of PoseTrack18 annotations"],
    part: Annotated[Literal["ablation", "steps", "settings"], "what to compare"] = "steps",
    system: Annotated[Literal["paper", "light"] | None, "how good the networks are; default: both"] = None,
    seeds: Annotated[int, "simulations of every video"] = 3,
    first_seed: Annotated[int, "the first of them"] = 0,
    sequences: Annotated[int, "how many videos, spread over all"] = 20,
    half: Annotated[Literal["even", "odd"] | None, "every other video; tuned was on the even ones"] = None,
    docs: Annotated[Path, "folder of association.md and its picture"] = DOCS,
) -> None:
    """Compare trackers; print the tables and put them into docs/association.md."""
    paths = sorted(tracks.glob("*.json"))[{"even": 0, "odd": 1}.get(half or "", 0) :: 2 if half else 1]
    if not paths:
        raise PoseTrackError(f"--tracks {tracks}: no .json there; give a folder of PoseTrack18 annotations")
    spread = np.unique(np.linspace(0, len(paths) - 1, min(sequences, len(paths))).round().astype(int))
    videos = [read_video(paths[i]) for i in spread]
    numbers = range(first_seed, first_seed + seeds)
    systems = [system] if system else list(SYSTEMS)
    results = {name: compare(PARTS[part](PRESETS[name]), videos, name, numbers) for name in systems}
    frames = sum(len(video) for video in videos)
    for name, rows in results.items():
        text = f"{len(videos)} videos, {frames} frames, {seeds} seeds.\n\n{compared(name, rows)}"
        print(f"\n{part}, {text}")
        if part != "settings":
            fill_file(docs / "association.md", f"{part} {name}", text)
    if part == "settings":
        draw(results, docs / "association_settings.png")


def presets(*, docs: Annotated[Path, "folder of association.md"] = DOCS) -> None:
    """Put the settings of the presets into docs/association.md."""
    fill_file(docs / "association.md", "presets", settings_table())


def settings_table() -> str:
    """Every setting in which the presets differ, and those that the study varies."""
    rows = [(name, *(getattr(p.tracker, name) for p in (PAPER, LIGHT))) for name in asdict(PAPER.tracker)]
    chosen = [(f"`{name}`", str(a), str(b)) for name, a, b in rows if a != b or name in VALUES]
    return table("setting | paper | light", chosen)


def compared(system: str, results: Mapping[str, list[Result]]) -> str:
    """Mean ± deviation over the seeds."""
    rows = []
    for name, seeds in results.items():
        values = np.array([[getattr(r, c) for c in COLUMNS] for r in seeds])
        spread = values.std(0, ddof=1) if len(values) > 1 else np.zeros(len(COLUMNS))
        rows.append([name, *(f"{m:.2f} ± {s:.2f}" for m, s in zip(values.mean(0), spread, strict=True))])
    return table(f"{system} | " + " | ".join(f"{title}:" for title in COLUMNS.values()), rows)


def draw(results: Studies, path: Path) -> None:
    """MOTA, mAP and IDF1 over every setting, less those of the chosen value; a ring marks that."""
    metrics = ("mota", "map", "idf1")
    figure, axes = panels(len(metrics), len(VALUES), (14, 7), sharey="row", sharex="col")
    for (system, rows), colour in zip(results.items(), (BLUE, ORANGE), strict=False):
        for column, setting in enumerate(VALUES):
            chosen = float(getattr(PRESETS[system], setting))
            for axis, metric in zip((row[column] for row in axes), metrics, strict=True):
                x, mean, spread = curve(rows, setting, chosen, metric)
                axis.errorbar(x, mean, spread, color=colour, marker=".", capsize=2, label=system, zorder=3)
                axis.plot(chosen, 0, "o", color=colour, fillstyle="none", markersize=10, zorder=3)
                axis.axhline(0, color=MUTED, lw=0.8, zorder=1)
    for row, metric in zip(axes, metrics, strict=True):
        row[0].set_ylabel(f"{COLUMNS[metric]}, difference")
        row[0].set_ylim(-6, 6)  # what lies beyond is far enough
    for axis, setting in zip(axes[-1], VALUES, strict=True):
        axis.set_xlabel(setting)
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside upper right", ncols=2, frameon=False)
    figure.suptitle(
        "One setting changed, the others as in the preset (ring); bars: deviation over the seeds",
        fontsize=13, x=0.01, ha="left",
    )  # fmt: skip
    save(figure, path)


def curve(
    rows: Mapping[str, list[Result]], setting: str, chosen: float, metric: str
) -> tuple[list[float], list[float], list[float]]:
    """Values of a setting, and mean and deviation of the metric's difference to the chosen one."""
    first = np.array([getattr(seed, metric) for seed in rows["chosen"]])
    points = {chosen: first - first}
    for name, seeds in rows.items():
        title, _, value = name.rpartition(" ")
        if title == setting:
            points[float(value)] = np.array([getattr(seed, metric) for seed in seeds]) - first
    x = sorted(points)
    spread = [float(points[v].std(ddof=1)) if len(first) > 1 else 0.0 for v in x]
    return x, [float(points[v].mean()) for v in x], spread


COMMANDS: dict[str, Command] = {"study": study, "presets": presets}


if __name__ == "__main__":
    sys.exit(run("association", __doc__, COMMANDS))
