"""Does what HRNet adds pay off? Its paper's ablations on a narrow network, under one small, equal budget.

    python -m scripts.study_ablations --data ../shared/data/lspet --out docs/ --pictures 19200 --seeds 1 2 3

Every variant is trained from scratch on the same pictures in the same order, once per seed, and examined on
held-out people. Results go, a line per run, to --results; a study that was stopped goes on where it was.
Then the tables are printed and the figures written to --out. A run of 19200 pictures takes 110 to 300 s of
one core of an EPYC with AVX512_BF16; docs/ablations.md tells what came out.
"""

from __future__ import annotations

import argparse
import json
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import cv2
import torch

from posetrack.datasets.lspet import read_lspet
from scripts.ablations.pictures import Examination, Pictures, examination, training_pictures
from scripts.ablations.report import DARK, QUARTER, by_variant, draw_exchange, draw_sizes, table
from scripts.ablations.training import run
from scripts.ablations.variants import SIZE, VARIANTS, in_order

FIGURE_5 = ["HRNet", "heatmaps at 1/8", "heatmaps at 1/16", "heatmaps at 1/32"]
# Reference of the differences, rows, and how joints are read.
TABLES = (
    ("HRNet", [n for n, variant in VARIANTS.items() if variant.size == SIZE and n not in FIGURE_5[1:]], DARK),
    ("HRNet", FIGURE_5, QUARTER),
    ("HRNet, 32x64", ["HRNet, 32x64", "SimpleBaseline, 32x64"], DARK),
    ("HRNet, 96x128", ["HRNet, 96x128", "SimpleBaseline, 96x128"], DARK),
)


def main() -> None:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--data", type=Path, required=True, help="the lspet folder of the data pack")
    parser.add_argument("--out", type=Path, required=True, help="folder of the figures")
    parser.add_argument("--results", type=Path, default=Path("ablations.jsonl"), help="a line for every run")
    parser.add_argument("--pictures", type=int, default=19200, help="that each network is trained on")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument(
        "--variants", nargs="+", choices=tuple(VARIANTS), default=list(VARIANTS), metavar="NAME"
    )
    parser.add_argument("--report-only", action="store_true", help="train nothing")
    given = parser.parse_args()
    if not given.report_only:
        study(given.data, given.results, given.pictures, given.seeds, given.variants)
    runs = by_variant(read_results(given.results), given.pictures, given.seeds)
    for reference, names, sets in TABLES:
        if any(name in runs for name in names):
            print("\n" + "\n".join(table(runs, names, reference, sets)))
    given.out.mkdir(parents=True, exist_ok=True)
    draw_exchange(runs, given.out / f"ablations_curves_{given.pictures}.png")
    draw_sizes(runs, given.out / f"ablations_sizes_{given.pictures}.png")


def study(data: Path, results: Path, pictures: int, seeds: list[int], names: list[str]) -> None:
    """Train what `results` does not hold yet."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    cv2.setNumThreads(1)
    done = {(r["variant"], r["seed"]) for r in read_results(results) if r["pictures"] == pictures}
    missing = [pair for pair in in_order(names, seeds) if pair not in done]
    if not missing:
        return
    lspet = read_lspet(data)
    sets = {"athletes": lspet.athletes, "bystanders": lspet.bystanders}

    @cache
    def examinations(size: tuple[int, int]) -> list[Examination]:
        return [examination(name, held_out, size) for name, held_out in sets.items()]

    @lru_cache(maxsize=4)
    def pictures_of(size: tuple[int, int], seed: int) -> Pictures:
        return training_pictures(lspet, pictures, size, seed)

    for size in dict.fromkeys(VARIANTS[name].size for name, _ in missing):
        floors = ", ".join(f"{seen.name} {seen.floor():.1f}" for seen in examinations(size))
        print(f"a guess blind to the picture, at {size[0]}x{size[1]}: {floors}", flush=True)
    for name, seed in missing:
        variant = VARIANTS[name]
        result = run(variant, pictures_of(variant.size, seed), examinations(variant.size), seed)
        print(name, seed, result["cpu_seconds"], result["curve"], flush=True)
        with results.open("a") as file:
            file.write(json.dumps({"variant": name, "seed": seed, "pictures": pictures, **result}) + "\n")


def read_results(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


if __name__ == "__main__":
    main()
