"""scripts/study_ablations.py: equal costs, equal pictures, paired tables, and a study that was stopped."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from posetrack import models
from posetrack.datasets.people import HeldOut, Person, PoseData
from posetrack.models.costs import measure
from posetrack.models.shapes import name_of
from posetrack.skeletons import POSETRACK18
from posetrack.training.examples.people import PeopleExamples
from scripts.ablation_report import QUARTER, by_variant, differences, draw_exchange, draw_sizes, spread, table
from scripts.study_ablations import (
    ALL_MAPS,
    BASELINE,
    NARROW,
    SIZES,
    VARIANTS,
    Variant,
    floor,
    in_order,
    readings,
    run,
)

K = len(POSETRACK18)


def test_the_core_variants_come_first_for_every_seed_that_is_due() -> None:
    names = ["HRNet", "heatmaps at 1/8", "HRNet, 96x128"]  # ranks 0, 1, 2
    assert in_order(names, [5, 6]) == [
        ("HRNet", 5),
        ("HRNet", 6),
        ("heatmaps at 1/8", 5),
        ("heatmaps at 1/8", 6),
        ("HRNet, 96x128", 5),
        ("HRNet, 96x128", 6),
    ]


def test_every_run_is_in_the_order_once() -> None:
    order = in_order(list(VARIANTS), [1, 2, 3])
    assert sorted(order) == sorted((name, seed) for name in VARIANTS for seed in (1, 2, 3))


EQUAL = [
    "SimpleBaseline",
    "final exchange only, width 18",
    "all branches, width 10",
    "highest branch alone, width 32",
]


@pytest.mark.parametrize("name", EQUAL)
def test_equal_multiply_adds(name: str) -> None:
    with torch.device("meta"):
        networks = [models.create(name_of(VARIANTS[n].network), K) for n in ("HRNet", name)]
    ours, theirs = (measure(network, 96, 64).multiply_adds for network in networks)
    assert theirs == pytest.approx(ours, rel=0.025)


@pytest.mark.parametrize("name", VARIANTS)
def test_heatmaps_have_the_stride_that_the_targets_are_made_for(name: str) -> None:
    variant = VARIANTS[name]
    with torch.device("meta"):
        heatmaps = models.create(name_of(variant.network), 3).eval()(torch.empty(1, 3, *variant.size[::-1]))
    assert heatmaps.shape[2:] == (variant.size[1] // variant.stride, variant.size[0] // variant.stride)


def people(count: int) -> tuple[list[Person], dict[str, np.ndarray]]:
    """Pictures of 120 x 120 pixels with a white square about every joint."""
    rng = np.random.default_rng(3)
    found, images = [], {}
    for i in range(count):
        points = rng.uniform(20, 100, (K, 2)).astype(np.float32)
        image = np.zeros((120, 120, 3), np.uint8)
        for x, y in points.astype(int):
            image[y - 3 : y + 4, x - 3 : x + 4] = 255
        images[str(i)] = image
        box = np.array([15, 15, 105, 105], np.float32)
        found.append(Person(str(i), box, points, np.full(K, True), np.arange(K) == 4))
    return found, images


PEOPLE, IMAGES = people(6)
DATA = PoseData("squares", POSETRACK18, PEOPLE, IMAGES)
ATHLETES, BYSTANDERS = HeldOut("athletes", PEOPLE, IMAGES), HeldOut("b", PEOPLE, IMAGES, human_only=False)


def test_pictures_of_a_seed_show_the_same_at_every_size() -> None:
    """Four times the pixels: each joint is twice as far from the middle, and the same joints are inside."""
    examples = []
    for size in ((32, 64), (64, 128)):
        recipe = Variant(size=size).recipe(8, seed=1)
        examples.append(PeopleExamples(recipe, recipe.stage(1.0), DATA))
    for i in range(8):
        small, large = (some[i] for some in examples)
        middle = torch.tensor([32.0, 64])
        torch.testing.assert_close(small["points"] * 2 - middle, large["points"] - middle, atol=1.1, rtol=0)
        # A mirrored x goes to W - 1 - x, which does not scale: one pixel.


def test_a_blind_guess_finds_what_everybody_shares() -> None:
    """Six people in one pose, wherever they stand: the mean is it. In poses of their own: hardly a joint."""
    shifts = np.arange(6, dtype=np.float32)
    alike = [
        replace(PEOPLE[0], box=PEOPLE[0].box + shift, keypoints=PEOPLE[0].keypoints + shift)
        for shift in shifts
    ]
    assert floor(HeldOut("a", alike, IMAGES), (64, 96)) == 100
    assert floor(ATHLETES, (64, 96)) < 30


TINY = replace(NARROW, width=4, modules=(1, 1, 1), stem=8, bottleneck=4, bottlenecks=1)


@pytest.mark.parametrize(
    ("variant", "dark"),
    [
        (Variant(TINY, (32, 64)), True),
        (Variant(replace(TINY, heatmap_branch=3), (32, 64)), False),  # 1 x 2 pixels: too small for DARK
        (Variant(replace(BASELINE, width=4, deconvolution=4, blocks=(1, 1, 1, 1)), (32, 64)), True),
    ],
    ids=["HRNet", "lowest resolution", "SimpleBaseline"],
)
def test_a_run_learns_and_is_examined_on_the_way(variant: Variant, dark: bool) -> None:
    result = run(variant, 384, DATA, [ATHLETES], seed=1)
    assert len(result["losses"]) == 12  # steps of 32
    assert np.mean(result["losses"][-3:]) < result["losses"][0]
    assert [point["pictures"] for point in result["curve"]] == [128, 256, 384]
    assert ("athletes_dark" in result["curve"][-1]) == dark


def test_one_run_of_four_heatmaps_is_read_at_each() -> None:
    result = run(Variant(replace(TINY, all_heatmaps=True), (32, 64)), 64, DATA, [ATHLETES], seed=1)
    end = {r["variant"]: r["curve"][-1] for r in readings({**result, "variant": ALL_MAPS})}
    assert list(end) == [f"one network, at 1/{stride}" for stride in (4, 8, 16, 32)]
    assert list(end["one network, at 1/4"]) == ["athletes", "athletes_dark"]
    assert end["one network, at 1/8"] == {"athletes": result["curve"][-1]["athletes@8"]}  # too small for DARK
    assert list(readings(line("HRNet", 1, 9, 38))) == []


def line(
    variant: str, seed: int, athletes: float, bystanders: float, pictures: int = 64
) -> dict[str, object]:
    quarter = {"athletes": athletes - 1, "bystanders": bystanders - 1}
    dark = {"athletes_dark": athletes, "bystanders_dark": bystanders}
    curve = [{"pictures": at, **quarter, **dark} for at in (pictures / 2, pictures)]
    costs = {"parameters": 2_340_000, "multiply_adds": 88_200_000, "cpu_seconds": 10.0 * seed}
    head = {"variant": variant, "seed": seed, "pictures": pictures, "losses": [6 - i / 20 for i in range(20)]}
    return head | costs | {"curve": curve}


LINES = [
    line("final exchange only", 1, 9, 38),
    line("final exchange only", 2, 13, 40),
    line("HRNet", 2, 14, 43),
    line("HRNet", 1, 12, 40),
    line("HRNet", 3, 16, 40),
    line("HRNet", 1, 99, 99, pictures=128),
    line("SimpleBaseline, 32x64", 1, 5, 10),
]


def test_the_table_pairs_seeds() -> None:
    runs = by_variant(LINES, VARIANTS, pictures=64, seeds=[1, 2, 3])
    assert list(runs) == ["HRNet", "final exchange only", "SimpleBaseline, 32x64"]
    # 9 - 12 and 13 - 14; 38 - 40 and 40 - 43: seed 3 has no partner. Deviations over n - 1.
    assert differences(runs, "final exchange only", "HRNet", "athletes_dark").tolist() == [-3, -1]
    assert table(runs, ["HRNet", "across-stage exchange", "final exchange only"], "HRNet")[2:] == [
        "| HRNet | 3 | 2.34 M | 88.20 M | 20 | 14.0 ± 2.0 | 41.0 ± 1.7 |  |  |",
        "| final exchange only | 2 | 2.34 M | 88.20 M | 15 | 11.0 ± 2.8 | 39.0 ± 1.4 | "
        "-2.0 ± 1.4 | -2.5 ± 0.7 |",
    ]
    assert table(runs, ["HRNet"], "HRNet", QUARTER)[2] == (
        "| HRNet | 3 | 2.34 M | 88.20 M | 20 | 13.0 ± 2.0 | 40.0 ± 1.7 |  |  |"
    )


def test_a_single_seed_has_no_spread() -> None:
    assert spread([2.25]) == "2.2"
    assert spread([2.0, 4.0], sign="+") == "+3.0 ± 1.4"


def test_input_sizes_of_both_families_are_the_same() -> None:
    ours, theirs = ([size for name, size in SIZES.items() if name.startswith(f)] for f in ("HR", "Simple"))
    assert ours == theirs == [(32, 64), (64, 96), (96, 128)]


def test_figures_are_drawn_of_an_unfinished_study(tmp_path: Path) -> None:
    import cv2

    runs = by_variant(LINES, VARIANTS, pictures=64, seeds=[1, 2, 3])
    draw_exchange(runs, tmp_path / "curves.png")
    draw_sizes(runs, SIZES, tmp_path / "sizes.png")
    for name in ("curves.png", "sizes.png"):
        picture = cv2.imread(str(tmp_path / name))
        assert picture is not None
        assert (picture < 250).any(axis=2).mean() > 0.01  # something was drawn


def test_a_study_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the run without a line is trained, and its line is added."""
    from scripts import study_ablations

    names = ["HRNet, 32x64", "SimpleBaseline, 32x64"]
    results = tmp_path / "results.jsonl"
    results.write_text(json.dumps(line(names[0], 1, 5, 6, pictures=64)) + "\n")
    monkeypatch.setattr(study_ablations, "read_lspet", lambda folder: DATA)
    monkeypatch.setattr(study_ablations, "read_held_out", lambda folder: (ATHLETES, BYSTANDERS))
    study_ablations.study(tmp_path, results, 64, [1], names)
    written = study_ablations.read_results(results)
    assert [(r["variant"], r["seed"], r["pictures"]) for r in written] == [(name, 1, 64) for name in names]
    before = results.read_text()
    monkeypatch.setattr(study_ablations, "read_lspet", lambda folder: pytest.fail("nothing is left to do"))
    study_ablations.study(tmp_path, results, 64, [1], names)
    assert results.read_text() == before
