"""Tables and figures of the ablation study, from the lines that it wrote."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

mpl.use("Agg")
import matplotlib.pyplot as plt

Run = dict[str, Any]
Runs = dict[str, dict[int, Run]]  # variant -> seed -> run
TITLES = (
    "seeds", "parameters", "multiply-adds", "CPU s", "athletes", "bystanders", "Δ athletes", "Δ bystanders",
)  # fmt: skip
DARK = ("athletes_dark", "bystanders_dark")  # as the product reads joints
QUARTER = ("athletes", "bystanders")  # as the paper does; heatmaps of every size allow it
COLOURS = {
    "HRNet": "black",
    "across-stage exchange": "tab:blue",
    "final exchange only": "tab:orange",
    "SimpleBaseline": "tab:red",
}
RESOLUTIONS = {4: "HRNet", 8: "heatmaps at 1/8", 16: "heatmaps at 1/16", 32: "heatmaps at 1/32"}


def by_variant(lines: Iterable[Run], names: Iterable[str], pictures: int, seeds: Sequence[int]) -> Runs:
    """The runs of one budget, variants and seeds in the order given."""
    runs: Runs = {}
    found = {(line["variant"], line["seed"]): line for line in lines if line["pictures"] == pictures}
    for name in names:
        of_name = {seed: found[name, seed] for seed in seeds if (name, seed) in found}
        if of_name:
            runs[name] = of_name
    return runs


def accuracy(run: Run, name: str) -> float:
    """PCK@0.2 at the end of a run, percent, of one of `DARK` or `QUARTER`."""
    return float(run["curve"][-1][name])


def table(runs: Runs, names: Iterable[str], reference: str, sets: Sequence[str] = DARK) -> list[str]:
    """Markdown: accuracies, mean ± deviation over the seeds, and differences to the reference by seed."""
    lines = ["| | " + " | ".join(TITLES) + " |", "|---" + "|---:" * len(TITLES) + "|"]
    for name in names:
        if name not in runs:
            continue
        row = list(runs[name].values())
        cells = [str(len(row))]
        cells += [f"{row[0][cost] / 1e6:.2f} M" for cost in ("parameters", "multiply_adds")]
        cells += [f"{np.mean([run['cpu_seconds'] for run in row]):.0f}"]
        cells += [spread([accuracy(run, which) for run in row]) for which in sets]
        for which in sets:
            gains = differences(runs, name, reference, which)
            cells.append("" if name == reference or not len(gains) else spread(gains, sign="+"))
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def differences(runs: Runs, name: str, reference: str, which: str) -> NDArray[np.float64]:
    """Percentage points of a variant over the reference, one for every seed that both have."""
    seeds = [seed for seed in runs[name] if seed in runs.get(reference, {})]
    return np.array([accuracy(runs[name][s], which) - accuracy(runs[reference][s], which) for s in seeds])


def spread(values: Sequence[float] | NDArray[np.float64], sign: str = "") -> str:
    mean = f"{np.mean(values):{sign}.1f}"
    return f"{mean} ± {np.std(values, ddof=1):.1f}" if len(values) > 1 else mean


def draw_exchange(runs: Runs, path: Path) -> None:
    """Training loss, accuracies on the way, and those of every seed at the end, of the core variants."""
    figure, axes = plt.subplots(1, 4, figsize=(15, 4))
    names = [name for name in COLOURS if name in runs]
    for place, name in enumerate(names):
        colour, row = COLOURS[name], list(runs[name].values())
        losses = np.array([run["losses"] for run in row])  # (seeds, steps)
        smooth = np.array([np.convolve(one, np.ones(15) / 15, mode="valid") for one in losses])
        x = (np.arange(smooth.shape[1]) + 8) * row[0]["pictures"] / losses.shape[1]
        axes[0].plot(x, smooth.mean(0), color=colour, label=name)
        axes[0].fill_between(x, smooth.min(0), smooth.max(0), color=colour, alpha=0.15, linewidth=0)
        for axis, which in zip(axes[1:3], DARK, strict=True):
            curves = np.array([[point[which] for point in run["curve"]] for run in row])
            at = np.array([point["pictures"] for point in row[0]["curve"]])
            deviation = curves.std(0, ddof=1) if len(row) > 1 else None
            axis.errorbar(at, curves.mean(0), deviation, color=colour, marker=".", capsize=3)
        end = np.array([[accuracy(run, which) for which in DARK] for run in row])
        axes[3].scatter(np.full(len(end), place), end[:, 0], color=colour)
        axes[3].plot([place - 0.3, place + 0.3], [end[:, 0].mean()] * 2, color=colour)
    axes[0].set(title="training loss, mean and range of the seeds", xlabel="pictures", ylabel="nats")
    axes[0].legend(frameon=False)
    axes[1].set(title="athletes, PCK@0.2, %", xlabel="pictures")
    axes[2].set(title="bystanders, PCK@0.2, %", xlabel="pictures")
    axes[3].set(title="athletes at the end, every seed")
    axes[3].set_xticks(range(len(names)), [name.replace(" ", "\n") for name in names], fontsize=8)
    _save(figure, path)


def draw_sizes(runs: Runs, sizes: Mapping[str, tuple[int, int]], path: Path) -> None:
    """Figure 5: resolution of the heatmap. Figure 6: size of the input.

    Args:
        sizes: width and height of the input of each variant of Figure 6, by its name, smallest first.
    """
    figure, axes = plt.subplots(2, 2, figsize=(10, 7), sharey="row", sharex="col")
    for row in range(2):
        shown = {stride: name for stride, name in RESOLUTIONS.items() if name in runs}
        _points(axes[row, 0], range(len(shown)), [runs[n] for n in shown.values()], QUARTER[row], "HRNet")
        axes[row, 0].set_xticks(range(len(shown)), [f"1/{stride}" for stride in shown])
        for family in ("HRNet", "SimpleBaseline"):
            swept = {
                name: size for name, size in sizes.items() if name.split(",")[0] == family and name in runs
            }
            x = [height for _, height in swept.values()]
            _points(axes[row, 1], x, [runs[name] for name in swept], DARK[row], family)
            axes[row, 1].set_xticks(x, [f"{w}x{h}" for w, h in swept.values()])
        axes[row, 0].set_ylabel(f"{QUARTER[row]}, PCK@0.2, %")
    axes[0, 0].set_title("heatmap resolution (Figure 5)")
    axes[0, 1].set_title("input size (Figure 6)")
    axes[1, 0].set_xlabel("of the input's side")
    axes[1, 1].set_xlabel("width x height, pixels")
    axes[0, 1].legend(frameon=False)
    _save(figure, path)


def _points(axis: Any, x: Sequence[int], rows: list[dict[int, Run]], which: str, label: str) -> None:
    """Means joined by a line, and a dot for every seed."""
    values = [[accuracy(run, which) for run in row.values()] for row in rows]
    axis.plot(x, [np.mean(v) for v in values], color=COLOURS[label], label=label)
    for place, v in zip(x, values, strict=True):
        axis.scatter([place] * len(v), v, color=COLOURS[label], s=14)


def _save(figure: Any, path: Path) -> None:
    for axis in figure.axes:
        axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, dpi=75)
    plt.close(figure)
