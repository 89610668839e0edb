"""docs/paper.md says what the code says: figures are counted again, commands read by the parser."""

from __future__ import annotations

import re
import shlex
import subprocess
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
from torch import nn

from posetrack import models
from posetrack.cli import COMMANDS
from posetrack.commands.flags import parse
from posetrack.commands.train import train
from posetrack.models.costs import Costs, measure
from posetrack.models.hourglass import HourglassConfig
from posetrack.models.hrnet import HRNetConfig
from posetrack.models.shapes import name_of
from posetrack.training.recipe import Recipe
from posetrack.training.recipes import RECIPES
from posetrack.zoo.catalog import CATALOG

TEXT = (Path(__file__).parents[1] / "docs" / "paper.md").read_text()
NETWORKS = {
    "HRNet-W32": "hrnet_w32", "HRNet-W48": "hrnet_w48", "SimpleBaseline R50": "simple_baseline_r50",
    "SimpleBaseline R101": "simple_baseline_r101", "SimpleBaseline R152": "simple_baseline_r152",
    "8-stage Hourglass": "hourglass_8", "CPN R50": "cpn_r50", "dilated R101": "dilated_r101",
}  # fmt: skip
EXCHANGES = {"final": "1", "across": "3", "all": "8"}  # that Table 6 counts
SCORES = (
    "Table 1", "Table 2", "Table 3", "MPII validation", "Table 5", "Table 6", "Figure 6", "ImageNet",
)  # fmt: skip
SETS = {
    "coco": "COCO", "ai_challenger": "AI Challenger", "mpii": "MPII", "posetrack17": "PoseTrack",
    "posetrack18": "PoseTrack", "imagenet": "ImageNet",
}  # fmt: skip


def table(name: str) -> list[list[str]]:
    """Cells of the rows between the marks of a name."""
    (part,) = re.findall(rf"<!-- measured: {name} -->\n(.*?)<!-- end -->", TEXT, re.DOTALL)
    rows = [line for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row[1:-1].split("|")] for row in rows[2:]]


@cache
def network(name: str, keypoints: int) -> nn.Module:
    return models.create(name, keypoints, empty=True)


@cache
def count(name: str, size: str, keypoints: int = 17) -> Costs:
    """`size` is HEIGHTxWIDTH."""
    height, width = map(int, size.split("x"))
    return measure(network(name, keypoints), height, width)


def difference(ours: float, printed: str) -> str:
    """'same' where ours, rounded to the printed digits, is the printed figure."""
    digits = len(printed.partition(".")[2])
    if f"{ours:.{digits}f}" == printed:
        return "same"
    return f"{ours - float(printed):+.2f} ({ours / float(printed) - 1:+.1%})"


@pytest.mark.parametrize(
    ("ours", "printed", "text"),
    [
        (28.536113, "28.5", "same"),
        (15.692, "15.7", "same"),
        (7.12, "7.10", "+0.02 (+0.3%)"),
        (35.47, "35.6", "-0.13 (-0.4%)"),
        (9.4999, "9", "same"),
    ],
)
def test_difference_to_the_printed_digits(ours: float, printed: str, text: str) -> None:
    assert difference(ours, printed) == text


@pytest.mark.parametrize("row", table("costs"), ids=" ".join)
def test_tables_1_2_and_4(row: list[str]) -> None:
    where, name, size, parameters, millions, so_many, gflops, printed, so_costly = row
    costs = count(NETWORKS[name], size, 16 if where == "Table 4" else 17)
    assert [parameters, gflops] == [f"{costs.parameters:,}", f"{costs.gflops:.2f}"]
    assert so_costly == difference(costs.gflops, printed)
    if millions != "as above":
        assert so_many == difference(costs.parameters / 1e6, millions.removesuffix(" M"))


def test_two_hourglasses() -> None:
    rows = []
    by_code = name_of(HourglassConfig(stacks=8, after=1))
    for name, source in (("hourglass_8", "text: `hourglass_8`"), (by_code, "code")):
        costs = count(name, "256x192"), count(name, "256x256", 16)
        same = [difference(c.gflops, printed) for c, printed in zip(costs, ("14.3", "19.1"), strict=True)]
        millions = difference(costs[0].parameters / 1e6, "25.1")
        rows.append([source, f"{costs[0].parameters:,}", millions, *same])
    assert table("hourglasses") == rows


@pytest.mark.parametrize("row", table("official code"), ids=" ".join)
def test_official_code(row: list[str]) -> None:
    """What the official models count is in tests/posetrack/models/test_costs.py."""
    name, joints, size, *ours, same = row
    costs = count(NETWORKS[name], size, int(joints))
    assert ours == [f"{costs.parameters:,}", f"{costs.multiply_adds / 1e9:.3f}", f"{costs.gflops:.2f}"]
    assert same == "same"


def test_transposed_convolutions() -> None:
    simple = [row for row in table("costs") if row[1].startswith("SimpleBaseline")]
    rows = []
    for where, name, size, *_, printed, _ in simple:
        costs = count(NETWORKS[name], size, 16 if where == "Table 4" else 17)
        over = costs.published_multiply_adds / costs.multiply_adds - 1
        exact = f"{costs.multiply_adds / 2**30:.2f}"
        rows.append([name, size, exact, f"{costs.gflops:.2f}", printed, f"{over:+.0%}"])
    assert sorted(table("transposed convolutions")) == sorted(rows)


@pytest.mark.parametrize("row", table("classifiers"), ids=lambda row: row[0])
def test_classifiers(row: list[str]) -> None:
    name, parameters, millions, so_many, gflops, printed, so_costly = row
    costs = count(name.strip("`"), "224x224")
    assert [parameters, gflops] == [f"{costs.parameters:,}", f"{costs.gflops:.2f}"]
    assert so_many == difference(costs.parameters / 1e6, millions.removesuffix(" M"))
    assert so_costly == difference(costs.gflops, printed)


@pytest.mark.parametrize("row", table("ablations"), ids=lambda row: row[0])
def test_networks_of_the_ablations(row: list[str]) -> None:
    """Their recipes stand in the rows of the same name under "Table 6"."""
    recipe = RECIPES[{name: recipe.strip("`") for name, recipe, *_ in table("Table 6")}[row[0]]]
    shape = recipe.network
    config = shape if isinstance(shape, HRNetConfig) else network(shape, 17).config
    assert isinstance(config, HRNetConfig)
    stages = [(stage, module) for stage in (2, 3, 4) for module in range(config.modules[stage - 2])]
    used = range(4) if config.all_heatmaps else [config.heatmap_branch]
    costs = count(recipe.network_name, "256x192")
    whole = count(f"hrnet_w{48 if config.width == 48 else 32}", "256x192")
    assert (recipe.height, recipe.width) == (256, 192)
    assert row[1:] == [
        ", ".join(f"{64 >> b}x{48 >> b}" for b in used),
        str(sum(config.exchanges(*place) for place in stages)),
        EXCHANGES[config.exchange] if config.branches[2] > 1 else "0",
        "same",
        f"{costs.parameters:,}",
        f"{costs.parameters / whole.parameters - 1:+.0%}",
        f"{costs.gflops:.2f}",
        f"{costs.gflops / whole.gflops - 1:+.0%}",
    ]
    assert row[2] == row[3]


@pytest.mark.parametrize("row", table("sizes"), ids=lambda row: row[0])
def test_costs_by_size(row: list[str]) -> None:
    names = ("hrnet_w32", "hrnet_w48", "simple_baseline_r50")
    assert [row[1], row[3], row[5]] == [f"{count(name, row[0]).gflops:.2f}" for name in names]
    assert row[2] == row[4] == "same"


def schedule(recipe: Recipe) -> str:
    falls = " and ".join(f"{epochs + 1}th" for epochs in recipe.milestones or ())  # epochs that are over
    rate, g = f"{recipe.optimiser} {recipe.learning_rate:g}", recipe.geometry
    views = f"turned {g.rotation / 2:g}°, scaled {100 * g.scale:g} %, half body {g.half_body_probability:g}"
    length = f"{recipe.epochs:g} epochs"
    return f"{rate}, a tenth from the {falls} epoch, {length}; {views}, mirrored {g.mirror_probability:g}"


@pytest.mark.parametrize("row", table("schedules"), ids=lambda row: row[0])
def test_schedules(row: list[str]) -> None:
    _, printed, _, names, same = row
    assert {schedule(RECIPES[name]) for name in re.findall("`(.*?)`", names)} == {printed}
    assert same == "same"


def test_every_recipe_has_a_line() -> None:
    assert table("recipes") == [
        [
            f"`{r.name}`",
            "+".join(r.sets),
            f"{r.height}x{r.width}",
            {"nothing": "scratch", "imagenet": "ImageNet", "pose": "pose weights"}[r.init],
            f"{r.batch}",
            f"{r.epochs:g}" if r.epochs else f"{r.minutes:g} minutes",
            f"{r.targets}, sigma {r.sigma:g}, {r.loss}" if r.task == "pose" else f"{r.task}",
        ]
        for r in RECIPES.values()
    ]


RULES = [row for name in ("crops", "decoding", "tracking", "metrics") for row in table(name)]


@pytest.mark.parametrize("row", RULES, ids=lambda row: row[0])
def test_rules_are_where_they_are_said_to_be(row: list[str]) -> None:
    """The value is the code's, and "same" says that it is the printed one, too."""
    _, where, value, same = row
    file, function = re.fullmatch(r"`(.*)\.py`, `(.*)`", where).groups()  # type: ignore[union-attr]
    module = import_module(file.replace("/", "."))

    def look_up(name: str) -> object:
        found: object = module
        for part in name.split("."):
            found = getattr(found, part)
        return found

    assert callable(look_up(function))
    if value:
        constant, said = re.fullmatch(r"`(.*)` = (.*)", value).groups()  # type: ignore[union-attr]
        assert str(look_up(constant)) == said
        assert same == "same"


@pytest.mark.parametrize("row", [row for name in SCORES for row in table(name)], ids=lambda row: row[0])
def test_scores_name_what_was_not_at_hand(row: list[str]) -> None:
    recipe = RECIPES[row[1].strip("`")]
    assert row[-1] == f"not run: needs {' and '.join(SETS[name] for name in recipe.sets)}"


def test_figure_6_has_the_scores_of_table_1() -> None:
    in_table_1 = {recipe: scores.split()[0] for _, recipe, scores, _ in table("Table 1")}
    shared = {recipe: re.split("[ ,]", scores)[0] for _, recipe, scores, _ in table("Figure 6")}
    assert {recipe for recipe in shared if recipe in in_table_1} == {
        "`coco_r50_256x192`", "`coco_w32_256x192`", "`coco_w32_384x288`",
    }  # fmt: skip
    assert all(in_table_1.get(recipe, "drawn") == score for recipe, score in shared.items())


def commands() -> list[list[str]]:
    """The words of every command of the document, its loops carried out by bash."""
    blocks = re.findall(r"```\n(.*?)```", TEXT, re.DOTALL)
    shell = 'posetrack() { printf "%q " "$@"; echo; }\n' + "\n".join(blocks)
    said = subprocess.run(["bash", "-euc", shell], capture_output=True, text=True, check=True)
    return [shlex.split(line) for line in said.stdout.splitlines()]


def test_every_recipe_of_the_paper_has_a_command_to_train_and_one_to_measure() -> None:
    trained = {words[words.index("--recipe") + 1] for words in commands() if words[0] == "train"}
    measured = {words[words.index("--weights") + 1] for words in commands() if words[0] == "evaluate"}
    maps = {f"runs/ablation_{net}_maps/map_{b}.safetensors" for net in ("w32", "w48") for b in range(4)}
    same = {"ablation_w32_384x288"}  # another name of coco_w32_384x288
    assert trained | same == set(RECIPES) - {"light", "light_detector"}
    assert measured == maps | {
        f"runs/{name}/{name}.safetensors" for name in trained if not name.endswith("_maps")
    }


def test_torchrun_takes_the_command_of_the_help() -> None:
    from torch.distributed.run import parse_args

    assert train.__doc__
    (line,) = re.findall(r"torchrun (.*?posetrack train)", train.__doc__)
    launched = parse_args([*shlex.split(line), "--run", "runs/w48"])  # no --run-path of its own
    assert (launched.training_script, launched.module, launched.nproc_per_node) == ("posetrack", True, "8")
    assert launched.training_script_args == ["train", "--run", "runs/w48"]
    assert "`torchrun --nproc-per-node N -m --` before `posetrack train`" in TEXT


def test_posetrack_takes_the_commands() -> None:
    for words in commands():
        command, given = parse("posetrack", "", "", COMMANDS, words)
        if words[0] == "evaluate":
            assert given["data"] == given["root"].name
            assert (given["boxes"] is None) == (given["data"] in ("mpii", "imagenet"))
            continue
        if words[0] == "detect":
            assert given["out"].parent == given["dataset"]
            continue
        if words[0] == "convert":  # a network that gives the heatmaps its file is named after
            built = models.create(given["metadata"][0].removeprefix("model="), empty=True)
            assert given["target"].stem == f"map_{built.config.heatmap_branch}"
            assert given["source"].stem == f"ablation_w{built.config.width}_maps"
            assert built.config.all_heatmaps
            continue
        assert command is train
        recipe = RECIPES[given["recipe"]]
        assert [str(root) for root in given["data"]] == recipe.sets
        assert (given["init"] is None) == (recipe.init == "nothing")
        if recipe.init == "imagenet":
            depth = str(recipe.network).rpartition("_r")[2]
            assert given["init"] in CATALOG or given["init"] == f"resnet{depth}.pth"
        elif recipe.init == "pose":
            start = RECIPES[given["init"].split("/")[1]]
            assert (start.network, start.height, start.width) == (recipe.network, recipe.height, recipe.width)
