"""Schedules as the recipes hold them; scores in print, and the commands, of the rows that need data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from textwrap import indent

from posetrack.models.hrnet import HRNetConfig
from posetrack.models.shapes import name_of
from posetrack.training.recipe import Recipe
from posetrack.training.recipes import RECIPES
from scripts.markdown import table
from scripts.paper.printed import BY_SIZE, CLASSIFIERS, COCO_VAL, FIGURE_6, IMAGENET, Score


@dataclass(frozen=True)
class Schedule:
    """What paper and official code say of a family of recipes; None where they do not say it."""

    family: str
    recipes: tuple[str, ...]
    schedule: str
    views: str | None
    source: str


HRNET_VIEWS = "turned 45°, scaled 35 %, half body 0.3, mirrored 0.5"
SCHEDULES = (
    Schedule(
        "HRNet, COCO",
        ("coco_w32_256x192", "coco_w48_256x192", "coco_w32_384x288", "coco_w48_384x288"),
        "adam 0.001, a tenth from the 170th and 200th epoch, 210 epochs",
        HRNET_VIEWS,
        "paper and code",
    ),
    Schedule(
        "SimpleBaseline, COCO",
        ("coco_r50_256x192", "coco_r101_256x192", "coco_r152_256x192", "coco_r152_384x288"),
        "adam 0.001, a tenth from the 90th and 120th epoch, 140 epochs",
        "turned 40°, scaled 30 %, half body 0, mirrored 0.5",
        "its paper and code",
    ),
    Schedule(
        "HRNet, MPII",
        ("mpii_w32_256x256", "mpii_w48_256x256"),
        "adam 0.001, a tenth from the 170th and 200th epoch, 210 epochs",
        "turned 30°, scaled 25 %, half body 0, mirrored 0.5",
        "code; the paper augments as on COCO",
    ),
    Schedule(
        "HRNet, PoseTrack",
        ("posetrack17_w48", "posetrack_w48", "posetrack_w32"),
        "adam 0.0001, a tenth from the 10th and 15th epoch, 20 epochs",
        HRNET_VIEWS,
        "paper",
    ),
    Schedule(
        "SimpleBaseline, PoseTrack",
        ("posetrack17_r152", "posetrack_r152", "posetrack17_r50", "posetrack_r50"),
        "adam 0.0001, a tenth from the 10th and 15th epoch, 20 epochs",
        "turned 40°, scaled 30 %, half body 0, mirrored 0.5",
        "its paper, which augments as on COCO",
    ),
)
SETS = {
    "coco": "COCO",
    "ai_challenger": "AI Challenger",
    "mpii": "MPII",
    "posetrack17": "PoseTrack",
    "posetrack18": "PoseTrack",
    "imagenet": "ImageNet",
}


def schedule(recipe: Recipe) -> str:
    falls = " and ".join(f"{epochs + 1}th" for epochs in recipe.milestones or ())  # epochs that are over
    rate = f"{recipe.optimiser} {recipe.learning_rate:g}"
    return f"{rate}, a tenth from the {falls} epoch, {recipe.epochs:g} epochs"


def views(recipe: Recipe) -> str:
    g = recipe.geometry
    share = f"half body {g.half_body_probability:g}, mirrored {g.mirror_probability:g}"
    return f"turned {g.rotation / 2:g}°, scaled {100 * g.scale:g} %, {share}"


def schedules() -> str:
    def rows() -> Iterator[tuple[object, ...]]:
        for printed in SCHEDULES:
            wanted = f"{printed.schedule}; {printed.views}"
            ours = {name: f"{schedule(RECIPES[name])}; {views(RECIPES[name])}" for name in printed.recipes}
            others = [f"`{name}`: {text}" for name, text in ours.items() if text != wanted]
            names = ", ".join(f"`{name}`" for name in printed.recipes)
            yield printed.family, wanted, printed.source, names, "; ".join(others) or "same"

    return table("family | in print | source | recipes | here", rows())


def settings() -> str:
    """All recipes, a line each."""

    def rows() -> Iterator[tuple[object, ...]]:
        for r in RECIPES.values():
            length = f"{r.epochs:g}" if r.epochs else f"{r.minutes:g} minutes"
            start = {"nothing": "scratch", "imagenet": "ImageNet", "pose": "pose weights"}[r.init]
            target = f"{r.targets}, sigma {r.sigma:g}, {r.loss}" if r.task == "pose" else f"{r.task}"
            yield (
                f"`{r.name}`",
                "+".join(r.sets),
                f"{r.height}x{r.width}",
                start,
                f"{r.batch}",
                length,
                target,
            )

    return table("recipe | data | input | from | batch: | epochs: | targets and loss", rows())


def figure_6() -> tuple[Score, ...]:
    rows: list[Score] = []
    table_1 = {row.recipe: row.scores.split()[0] for row in COCO_VAL}
    for height, width in BY_SIZE:
        for net, name in (("r50", "SimpleBaseline R50"), ("w32", "HRNet-W32")):
            size = f"{height}x{width}"
            recipe = f"coco_{net}_{size}" if f"coco_{net}_{size}" in RECIPES else f"ablation_{net}_{size}"
            score = table_1.get(recipe, "drawn only")
            if net == "w32" and (height, width) in FIGURE_6:
                score += f", {FIGURE_6[height, width]} over R50"
            rows.append(Score(recipe, f"{name}, {size}", score))
    return tuple(rows)


def imagenet() -> str:
    """Errors on ImageNet by the paper's appendix and by the README of the code, which trained again."""

    def cells() -> Iterator[tuple[object, ...]]:
        for net, paper in IMAGENET.items():
            readme = CLASSIFIERS[f"hrnet_{net}_c"][2:]
            name = f"HRNet-{net.upper()}-C"
            yield (
                name,
                f"`imagenet_{net}_c`",
                *(" / ".join(pair) for pair in (paper, readme)),
                "not run: needs ImageNet",
            )

    rows = [Score(f"imagenet_{net}_c", "", "") for net in IMAGENET]
    head = (
        "row | recipe | paper, appendix: top-1 / top-5 error, % | README of HRNet-Image-Classification | ours"
    )
    return f"{table(head, cells())}\n\n{commands(rows)}"


def scores(rows: Iterable[Score]) -> str:
    def cells() -> Iterator[tuple[object, ...]]:
        for row in rows:
            missing = " and ".join(SETS[name] for name in RECIPES[row.recipe].sets)
            yield row.row, f"`{row.recipe}`", row.scores, f"not run: needs {missing}"

    return table("row | recipe | paper | ours", cells())


def commands(rows: Iterable[Score]) -> str:
    """To train and to measure each recipe."""
    return _loops(rows, train, evaluate)


def test_commands(rows: Iterable[Score]) -> str:
    """To make what the server of a test set takes."""
    return _loops(rows, predict_test)


def _loops(rows: Iterable[Score], *kinds: Callable[[Recipe], str]) -> str:
    """The commands of each recipe, once; loops over those that differ by their name only."""
    loops: dict[str, list[str]] = {}
    recipes = dict.fromkeys(row.recipe for row in rows)
    for command in kinds:
        for name in recipes:
            loops.setdefault(command(RECIPES[name]), []).append(name)
    text = "\n".join(
        lines.replace("${r}", names[0]).replace("$r", names[0])
        if len(names) == 1
        else f"for r in {' '.join(names)}; do\n{indent(lines, '  ')}\ndone"
        for lines, names in loops.items()
    )
    return f"```\n{text}\n```"


def train(recipe: Recipe) -> str:
    line = f"posetrack train --recipe $r --data {' '.join(recipe.sets)} --run runs/$r"
    return f"{line} --init {_init(recipe)}" if recipe.init != "nothing" else line


def evaluate(recipe: Recipe) -> str:
    network = recipe.network
    if not (isinstance(network, HRNetConfig) and network.all_heatmaps):
        return _evaluate(recipe, "runs/$r/$r.safetensors")
    # The same weights, said to be used by another of their heatmaps.
    name = name_of(replace(network, heatmap_branch=1)).replace('branch": 1', 'branch": $b')
    used = name.replace('"', r"\"")
    file = "runs/$r/map_$b.safetensors"
    convert = f'posetrack convert runs/$r/$r.safetensors {file} --metadata "model={used}"'
    return f"for b in 0 1 2 3; do\n  {convert}\n  {_evaluate(recipe, file)}\ndone"


def _evaluate(recipe: Recipe, weights: str) -> str:
    data = recipe.sets[0]
    line = f"posetrack evaluate --data {data} --root {data} --weights {weights}"
    return f"{line} --boxes {data}/detections.json" if data.startswith(("coco", "posetrack")) else line


def predict_test(recipe: Recipe) -> str:
    line = _evaluate(recipe, "runs/$r/$r.safetensors")
    if recipe.sets[0] == "mpii":
        return f"{line} --split test --pyramid --save runs/$r/pred_keypoints_mpii.mat"
    name = "person_keypoints_test-dev2017_${r}_results.json"
    return f"{line.replace('detections', 'detections_test-dev')} --split test-dev --save runs/$r/{name}"


def _init(recipe: Recipe) -> str:
    """Weights to begin with: a name of the zoo, torchvision's file, or what another recipe gave."""
    network = str(recipe.network)
    if recipe.init == "pose":
        start = next(
            r.name
            for r in RECIPES.values()
            if (r.network, r.sets, r.width, r.height) == (network, ["coco"], recipe.width, recipe.height)
            and r.init == "imagenet"
        )
        return f"runs/{start}/{start}.safetensors"
    family, _, depth = network.rpartition("_r")
    if family in ("simple_baseline", "cpn", "dilated"):
        return f"resnet{depth}.pth"
    return f"hrnet_{'w48' if 'w48' in recipe.name else 'w32'}_c_imagenet"
