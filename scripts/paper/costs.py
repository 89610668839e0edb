"""Rows that code alone defines: parameters and multiply-adds, counted now, beside the printed figures."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from torch import nn

from posetrack import models
from posetrack.models.costs import Costs, measure
from posetrack.models.hourglass import HourglassConfig
from posetrack.models.hrnet import HRNetConfig
from posetrack.models.shapes import Shape, name_of
from posetrack.training.recipes import RECIPES
from scripts.markdown import table
from scripts.paper.printed import ABLATIONS, BY_SIZE, CLASSIFIERS, COSTS, COUNTED, EXCHANGES

NAMES = {"hrnet_w32": "HRNet-W32", "hrnet_w48": "HRNet-W48"} | {
    f"simple_baseline_r{depth}": f"SimpleBaseline R{depth}" for depth in (50, 101, 152)
}
NAMES |= {"hourglass_8": "8-stage Hourglass", "cpn_r50": "CPN R50", "dilated_r101": "dilated R101"}


@cache
def build(network: str | Shape, keypoints: int) -> nn.Module:
    """Without values, so that it costs little."""
    name = network if isinstance(network, str) else name_of(network)
    return models.create(name, keypoints, empty=True)


@cache
def count(network: str | Shape, keypoints: int, height: int, width: int) -> Costs:
    return measure(build(network, keypoints), height, width)


def difference(ours: float, printed: str) -> str:
    """'same' where ours, rounded to the printed digits, is the printed figure."""
    digits = len(printed.partition(".")[2])
    if f"{ours:.{digits}f}" == printed:
        return "same"
    return f"{ours - float(printed):+.2f} ({ours / float(printed) - 1:+.1%})"


def tables_1_2_4() -> str:
    rows = []
    for row in COSTS:
        costs = count(row.network, row.keypoints, row.height, row.width)
        millions = costs.parameters / 1e6
        rows.append(
            (
                row.where,
                NAMES[row.network],
                f"{row.height}x{row.width}",
                f"{costs.parameters:,}",
                f"{row.millions} M" if row.millions else "as above",
                difference(millions, row.millions) if row.millions else "",
                f"{costs.gflops:.2f}",
                row.gflops,
                difference(costs.gflops, row.gflops),
            )
        )
    head = "table | network | input | parameters: | paper: | difference: | GFLOPs: | paper: | difference:"
    return table(head, rows)


def hourglasses() -> str:
    """The two hourglasses, by the text of their paper and by its code, at the sizes of Tables 1 and 4."""

    def rows() -> Iterator[tuple[object, ...]]:
        for after, source in ((0, "text: `hourglass_8`"), (1, "code")):
            config = HourglassConfig(stacks=8, after=after)
            sizes = count(config, 17, 256, 192), count(config, 16, 256, 256)
            same = [difference(c.gflops, p) for c, p in zip(sizes, ("14.3", "19.1"), strict=True)]
            yield source, f"{sizes[0].parameters:,}", difference(sizes[0].parameters / 1e6, "25.1"), *same

    return table("hourglass by | parameters: | 25.1 M: | 14.3 at 256x192: | 19.1 at 256x256:", rows())


def official_code() -> str:
    def rows() -> Iterator[tuple[object, ...]]:
        for row in COUNTED:
            costs = count(row.network, row.keypoints, row.height, row.width)
            ours = f"{costs.parameters:,}", f"{costs.multiply_adds / 1e9:.3f}", f"{costs.gflops:.2f}"
            theirs = f"{row.parameters:,}", row.billions, row.gflops
            same = "same" if ours == theirs else f"official: {', '.join(theirs)}"
            yield NAMES[row.network], row.keypoints, f"{row.height}x{row.width}", *ours, same

    head = "network | joints: | input | parameters: | multiply-adds, 1e9: | / 2^30: | official code, run"
    return table(head, rows())


def transposed_convolutions() -> str:
    def rows() -> Iterator[tuple[object, ...]]:
        for row in COSTS:
            costs = count(row.network, row.keypoints, row.height, row.width)
            if costs.multiply_adds == costs.published_multiply_adds:
                continue  # HRNet has no transposed convolution
            exact = costs.multiply_adds / 2**30
            over = costs.published_multiply_adds / costs.multiply_adds - 1
            size = f"{row.height}x{row.width}"
            yield NAMES[row.network], size, f"{exact:.2f}", f"{costs.gflops:.2f}", row.gflops, f"{over:+.0%}"

    head = "network | input | taps that meet an input: | whole kernels: | paper: | counted too much:"
    return table(head, rows())


def classifiers() -> str:
    def rows() -> Iterator[tuple[object, ...]]:
        for name, (millions, gflops, *_) in CLASSIFIERS.items():
            costs = count(name, 17, 224, 224)
            parameters = costs.parameters, f"{millions} M", difference(costs.parameters / 1e6, millions)
            yield (
                f"`{name}`",
                f"{parameters[0]:,}",
                *parameters[1:],
                f"{costs.gflops:.2f}",
                gflops,
                difference(costs.gflops, gflops),
            )

    return table("network | parameters: | README: | difference: | GFLOPs: | README: | difference:", rows())


def ablations() -> str:
    """Table 6, the resolution maintenance and Figure 5, all at 256x192."""

    def rows() -> Iterator[tuple[object, ...]]:
        for row in ABLATIONS:
            assert row.recipe is not None
            recipe = RECIPES[row.recipe]
            network = recipe.network
            config = network if isinstance(network, HRNetConfig) else build(network, 17).config
            assert isinstance(config, HRNetConfig)
            stages = [(stage, module) for stage in (2, 3, 4) for module in range(config.modules[stage - 2])]
            exchanges = sum(config.exchanges(stage, module) for stage, module in stages)
            costs = count(network, 17, recipe.height, recipe.width)
            used = range(4) if config.all_heatmaps else [config.heatmap_branch]
            heatmaps = ", ".join(f"{recipe.height // 4 >> b}x{recipe.width // 4 >> b}" for b in used)
            printed = EXCHANGES[config.exchange] if config.branches[2] > 1 else 0
            same = "same" if exchanges == printed else f"{exchanges - printed:+d}"
            whole = count(f"hrnet_w{48 if config.width == 48 else 32}", 17, recipe.height, recipe.width)
            yield (
                row.row, heatmaps, exchanges, printed, same,
                f"{costs.parameters:,}", f"{costs.parameters / whole.parameters - 1:+.0%}",
                f"{costs.gflops:.2f}", f"{costs.gflops / whole.gflops - 1:+.0%}",
            )  # fmt: skip

    head = "row | heatmaps | exchanges: | paper: | difference: | parameters: | to HRNet: | GFLOPs: |"
    return table(head + " to HRNet:", rows())


def by_size() -> str:
    """Figure 6."""

    def rows() -> Iterator[tuple[object, ...]]:
        for (height, width), printed in BY_SIZE.items():
            cells: list[str] = []
            for network, gflops in zip(("hrnet_w32", "hrnet_w48"), printed, strict=True):
                ours = count(network, 17, height, width).gflops
                cells += [f"{ours:.2f}", difference(ours, gflops)]
            yield f"{height}x{width}", *cells, f"{count('simple_baseline_r50', 17, height, width).gflops:.2f}"

    return table("input | W32: | official code: | W48: | official code: | SimpleBaseline R50:", rows())
