"""docs/paper.md says what the code says, and its commands are ones that the scripts take."""

from __future__ import annotations

import re
import shlex
import subprocess

import pytest

from posetrack import models
from posetrack.cli import COMMANDS
from posetrack.commands.flags import parse
from posetrack.commands.train import train
from posetrack.training.recipes import RECIPES
from posetrack.zoo.catalog import CATALOG
from scripts.paper.__main__ import PARTS, PATH, document
from scripts.paper.costs import difference


def test_the_document_is_what_the_code_says() -> None:
    assert PATH.read_text() == document(), "run python -m scripts.paper"
    assert set(re.findall("<!-- measured: (.*) -->", PATH.read_text())) == set(PARTS)


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


def commands() -> list[list[str]]:
    """The words of every command of the document, its loops carried out by bash."""
    blocks = re.findall(r"```\n(.*?)```", PATH.read_text(), re.DOTALL)
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
    assert "`torchrun --nproc-per-node N -m --` before `posetrack train`" in PATH.read_text()


def test_posetrack_takes_the_commands() -> None:
    for words in commands():
        command, given = parse("posetrack", "", "", COMMANDS, words)
        if words[0] == "evaluate":
            assert given["data"] == given["root"].name
            continue
        if words[0] == "detect":
            assert given["out"].parent == given["dataset"]
            continue
        if words[0] == "convert":  # a network that gives the heatmaps its file is named after
            network = models.create(given["metadata"][0].removeprefix("model="), empty=True)
            assert given["target"].stem == f"map_{network.config.heatmap_branch}"
            assert given["source"].stem == f"ablation_w{network.config.width}_maps"
            assert network.config.all_heatmaps
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
