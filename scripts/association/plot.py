"""Draw how MOTA and IDF1 change with each setting, from files that the study wrote.

python scripts/association/plot.py settings_paper.json settings_light.json --out docs/association_settings.png
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt

sys.path.insert(0, str(Path(__file__).parents[1]))
from association.variants import CHOSEN

SHOWN = ("propagate_score", "duplicate_oks", "birth_score", "nms_iou", "threshold", "match_joint_score")
METRICS = {"mota": "MOTA", "map": "mAP", "idf1": "IDF1"}
COLOURS = {"paper": "tab:blue", "light": "tab:orange"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("studies", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    figure, axes = plt.subplots(len(METRICS), len(SHOWN), figsize=(14, 6.5), sharey="row", sharex="col")
    for path in args.studies:
        study = json.loads(path.read_text())
        system = study["arguments"]["system"]
        for column, setting in enumerate(SHOWN):
            for row, metric in enumerate(METRICS):
                x, mean, spread = curve(study["rows"], setting, getattr(CHOSEN[system], setting), metric)
                axis = axes[row, column]
                axis.errorbar(x, mean, spread, color=COLOURS[system], marker=".", capsize=2, label=system)
                chosen = x == getattr(CHOSEN[system], setting)
                axis.plot(
                    x[chosen], mean[chosen], "o", color=COLOURS[system], fillstyle="none", markersize=10
                )
    for row, title in enumerate(METRICS.values()):
        axes[row, 0].set_ylabel(f"{title}, difference")
        axes[row, 0].set_ylim(-5, 4.5)  # what lies lower is bad enough
        for axis in axes[row]:
            axis.axhline(0, color="0.7", linewidth=0.8, zorder=0)
    for column, setting in enumerate(SHOWN):
        axes[-1, column].set_xlabel(setting)
    axes[0, 0].legend(frameon=False)
    figure.suptitle("One setting changed, all others as chosen (ring); bars: deviation over the seeds")
    figure.tight_layout()
    figure.savefig(args.out, dpi=80)


def curve(
    rows: list[dict[str, Any]], setting: str, chosen: float, metric: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values of a setting, and mean and deviation of the metric's difference to the chosen one."""
    first = np.array([seed[metric] for seed in rows[0]["seeds"]])
    points = {chosen: first - first}
    for row in rows:
        name, _, value = row["name"].rpartition(" ")
        if name == setting:
            points[float(value)] = np.array([seed[metric] for seed in row["seeds"]]) - first
    x = sorted(points)
    return (
        np.array(x),
        np.array([points[v].mean() for v in x]),
        np.array([points[v].std(ddof=1) if len(first) > 1 else 0.0 for v in x]),
    )


if __name__ == "__main__":
    main()
