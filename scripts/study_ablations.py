"""Does what HRNet adds pay off? Its paper's ablations on a narrow network, under one small, equal budget.

    python -m scripts.study_ablations --data ../shared/data/lspet --out docs/ --pictures 19200 --seeds 1 2 3

Every variant is a recipe that changes one setting of a narrow HRNet, or its input, and is trained by the one
loop on the same pictures in the same order, once per seed. Results go, a line per run, to --results; a study
that was stopped goes on where it was. Then the tables are printed and the figures written to --out. A run of
19200 pictures takes 110 to 300 s of one core of an EPYC with AVX512_BF16; docs/ablations.md tells what came
out.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import nn

from posetrack.benchmarks.validate import errors_of, locate
from posetrack.datasets.lspet import read_held_out, read_lspet
from posetrack.datasets.people import HeldOut, PoseData
from posetrack.models.costs import measure
from posetrack.models.hrnet import HRNet, HRNetConfig
from posetrack.models.shapes import Shape
from posetrack.models.simple_baseline import R18
from posetrack.pose.crop import crop_regions
from posetrack.skeletons import POSETRACK18
from posetrack.training.examples.augment import Geometry
from posetrack.training.loop import ALONE, Options, Training
from posetrack.training.ranks import Ranks
from posetrack.training.recipe import Recipe, Source, Stage
from posetrack.training.tasks.pose import PoseTask
from posetrack.training.tasks.task import Validation
from scripts.ablation_report import DARK, QUARTER, by_variant, draw_exchange, draw_sizes, table

# The paper's modules (1, 4, 3), so that the exchanges are those of Table 6: 8, 3 or 1.
NARROW = HRNetConfig(width=16, modules=(1, 4, 3), blocks=1, stem=32, bottleneck=32, bottlenecks=2)
BASELINE = replace(R18, width=32, deconvolution=116)  # within 1 % of NARROW's multiply-adds at 64 x 96
RECIPE = Recipe(
    "ablation", NARROW, (Source("lspet"),), 64, 96, init="nothing", he_draw=True, sigma=1.0,
    targets="unbiased", loss="cross_entropy", order="weights", pseudo_weight=0.5,
    # A pass or two over the people: little can be learned by heart, so more augmentation would only slow.
    geometry=Geometry(rotation=20.0, scale=0.15, shift=0.05, half_body_probability=0.0),
    batch=32, optimiser="adamw", learning_rate=2e-3, milestones=None, weight_decay=0.01, max_gradient=2.0,
    ema_decay=0.998, precision="bf16",
)  # fmt: skip
EXAMINATIONS = 3  # evenly over a run, the last one at its end
MIN_SIDE_FOR_DARK = 5  # heatmap pixels on the short side


@dataclass(frozen=True)
class Variant:
    network: Shape = NARROW
    size: tuple[int, int] = (RECIPE.width, RECIPE.height)  # multiples of 32
    rank: int = 0  # see in_order

    @property
    def stride(self) -> int:
        """Input pixels per heatmap pixel."""
        return 4 * 2**self.network.heatmap_branch if isinstance(self.network, HRNetConfig) else 4

    def recipe(self, pictures: int, seed: int) -> Recipe:
        """The targets' sigma is the same share of the picture at every stride, as in a loss of many maps."""
        width, height = self.size
        sigma = RECIPE.sigma * 4 / self.stride
        same = replace(RECIPE, network=self.network, width=width, height=height, sigma=sigma, seed=seed)
        return replace(same, warm_up=pictures // 10).for_budget(pictures=pictures)


ALL_MAPS = "one network, four heatmaps"
VARIANTS = {
    "HRNet": Variant(),
    "final exchange only": Variant(replace(NARROW, exchange="final")),
    "SimpleBaseline": Variant(BASELINE),
    "across-stage exchange": Variant(replace(NARROW, exchange="across")),
    "heatmaps at 1/8": Variant(replace(NARROW, heatmap_branch=1), rank=1),
    "heatmaps at 1/16": Variant(replace(NARROW, heatmap_branch=2), rank=1),
    "heatmaps at 1/32": Variant(replace(NARROW, heatmap_branch=3), rank=1),
    "all branches from the start": Variant(replace(NARROW, branches=(4, 4, 4)), rank=1),
    "all branches, width 10": Variant(replace(NARROW, branches=(4, 4, 4), width=10)),
    "highest branch alone, width 32": Variant(replace(NARROW, branches=(1, 1, 1), width=32)),
    ALL_MAPS: Variant(replace(NARROW, all_heatmaps=True)),
    "HRNet, 32x64": Variant(size=(32, 64), rank=1),
    "SimpleBaseline, 32x64": Variant(BASELINE, (32, 64), rank=1),
    "final exchange only, width 18": Variant(replace(NARROW, exchange="final", width=18), rank=2),
    "HRNet, 96x128": Variant(size=(96, 128), rank=2),
    "SimpleBaseline, 96x128": Variant(BASELINE, (96, 128), rank=2),
}
SIZES = dict(
    sorted(
        ((n, v.size) for n, v in VARIANTS.items() if n.split(",")[0] in ("HRNet", "SimpleBaseline")),
        key=lambda item: item[1],
    )
)  # of Figure 6
MAPS = {f"@{4 * 2**b}": f"one network, at 1/{4 * 2**b}" for b in range(4)}  # mark of its values: row
FIGURE_5 = ["HRNet", *(name for name in VARIANTS if " at 1/" in name), *MAPS.values()]
SAME_SIZE = [
    name
    for name, variant in VARIANTS.items()
    if variant.size == Variant().size and name not in (*FIGURE_5[1:], ALL_MAPS)
]
# Reference of the differences, rows, and how joints are read.
TABLES = (
    ("HRNet", SAME_SIZE, DARK),
    ("HRNet", FIGURE_5, QUARTER),
    ("HRNet, 32x64", ["HRNet, 32x64", "SimpleBaseline, 32x64"], DARK),
    ("HRNet, 96x128", ["HRNet, 96x128", "SimpleBaseline, 96x128"], DARK),
)


def in_order(names: Sequence[str], seeds: Sequence[int]) -> list[tuple[str, int]]:
    """Every variant with every seed, such that a study that is cut short has its first questions answered.

    A variant of rank r waits until those of rank 0 are r seeds ahead.
    """
    pairs = [(place + VARIANTS[name].rank, name, seed) for place, seed in enumerate(seeds) for name in names]
    pairs.sort(key=lambda pair: (pair[0], VARIANTS[pair[1]].rank))
    return [(name, seed) for _, name, seed in pairs]


class AblationTask(PoseTask):
    """Validated as the paper reads joints, by a quarter shift, and by DARK, where maps are large enough."""

    def validate(self, network: nn.Module, stage: Stage, ranks: Ranks) -> Validation:
        result = Validation()
        shape = self.recipe.network
        if not isinstance(shape, HRNetConfig):
            self._examine(network, stage, ranks, 4, "", result)
        elif not shape.all_heatmaps:
            self._examine(network, stage, ranks, 4 * 2**shape.heatmap_branch, "", result)
        else:
            assert isinstance(network, HRNet)
            for branch, mark in enumerate(MAPS):
                network.config = replace(shape, heatmap_branch=branch)  # which of them it gives in use
                self._examine(network, stage, ranks, 4 * 2**branch, mark, result)
        return result

    def _examine(
        self, network: nn.Module, stage: Stage, ranks: Ranks, stride: int, mark: str, result: Validation
    ) -> None:
        decoders = {"quarter": ""}
        if min(stage.size) >= MIN_SIDE_FOR_DARK * stride:
            decoders["dark"] = "_dark"
        for held_out in self.held_out:
            for decoder, suffix in decoders.items():
                decoding = replace(self.decoding(stage), decoder=decoder)  # type: ignore[arg-type]
                points, _, _ = locate(network, held_out.people, held_out.images, decoding, ranks.device)
                pck = errors_of(points, held_out, self.recipe.skeleton).pck()
                result.values[f"{held_out.name}{suffix}{mark}"] = round(pck, 3)


def run(
    variant: Variant, pictures: int, data: PoseData, held_out: Sequence[HeldOut], seed: int
) -> dict[str, Any]:
    """Costs, losses and accuracies of one variant, ready for JSON."""
    recipe = variant.recipe(pictures, seed)
    options = Options(
        log_steps=1, validate_epochs=pictures / len(data.people) / EXAMINATIONS, save_minutes=99
    )
    with tempfile.TemporaryDirectory() as folder:
        training = Training(AblationTask(recipe, data, held_out), Path(folder), ALONE, options)
        start = time.process_time()
        training.run()
        seconds = time.process_time() - start
        lines = [json.loads(line) for line in Path(folder, "log.jsonl").read_text().splitlines()]
    costs = measure(training.network, recipe.height, recipe.width)
    curve = [
        {"pictures": line["step"] * recipe.batch} | {k: v for k, v in line.items() if k.startswith(QUARTER)}
        for line in lines
        if "epoch" in line
    ]
    return {
        "parameters": costs.parameters,
        "multiply_adds": costs.multiply_adds,
        "cpu_seconds": round(seconds, 1),
        "losses": [round(line["loss"], 4) for line in lines if "loss" in line],
        "curve": curve,
    }


def floor(held_out: HeldOut, size: tuple[int, int]) -> float:
    """PCK@0.2, percent, of a guess that is blind to the picture: each joint's mean place in the crops."""
    people = held_out.people
    regions = crop_regions(np.stack([person.box for person in people]), size[0] / size[1])  # (N, 4)
    labelled = np.stack([person.labelled for person in people])[..., None]  # (N, K, 1)
    offsets = np.stack([person.keypoints for person in people]) - regions[:, None, :2]
    places = offsets / regions[:, None, 2:3]  # in widths of the crop, from its middle
    mean = (places * labelled).sum(axis=0) / np.maximum(labelled.sum(axis=0), 1)  # (K, 2)
    return errors_of(mean * regions[:, None, 2:3] + regions[:, None, :2], held_out, POSETRACK18).pck()


def study(data: Path, results: Path, pictures: int, seeds: list[int], names: list[str]) -> None:
    """Train what `results` does not hold yet."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    cv2.setNumThreads(1)
    done = {(r["variant"], r["seed"]) for r in read_results(results) if r["pictures"] == pictures}
    missing = [pair for pair in in_order(names, seeds) if pair not in done]
    if not missing:
        return
    athletes, bystanders = read_held_out(data)
    held_out = [replace(athletes, name=QUARTER[0]), replace(bystanders, name=QUARTER[1])]
    people = read_lspet(data)
    for size in dict.fromkeys(VARIANTS[name].size for name, _ in missing):
        floors = ", ".join(f"{some.name} {floor(some, size):.1f}" for some in held_out)
        print(f"a guess blind to the picture, at {size[0]}x{size[1]}: {floors}", flush=True)
    for name, seed in missing:
        result = run(VARIANTS[name], pictures, people, held_out, seed)
        print(name, seed, result["cpu_seconds"], result["curve"], flush=True)
        with results.open("a") as file:
            file.write(json.dumps({"variant": name, "seed": seed, "pictures": pictures, **result}) + "\n")


def readings(line: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A line for every heatmap that a run was examined at, if at several."""
    for mark, name in MAPS.items():
        own = [{key: v for key, v in point.items() if key.endswith(mark)} for point in line["curve"]]
        if own[-1]:
            curve = [{key.removesuffix(mark): v for key, v in point.items()} for point in own]
            yield {**line, "variant": name, "curve": curve}


def read_results(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


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
    lines = [*read_results(given.results)]
    lines += [reading for line in lines for reading in readings(line)]
    runs = by_variant(lines, (*VARIANTS, *MAPS.values()), given.pictures, given.seeds)
    for reference, names, sets in TABLES:
        if any(name in runs for name in names):
            print("\n" + "\n".join(table(runs, names, reference, sets)))
    given.out.mkdir(parents=True, exist_ok=True)
    draw_exchange(runs, given.out / f"ablations_curves_{given.pictures}.png")
    draw_sizes(runs, SIZES, given.out / f"ablations_sizes_{given.pictures}.png")


if __name__ == "__main__":
    main()
