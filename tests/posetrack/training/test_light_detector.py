from __future__ import annotations

import itertools
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from posetrack.datasets.boxes import Picture
from posetrack.datasets.scenes import Scenes
from posetrack.detectors.light import LightDetector
from posetrack.errors import PoseTrackError
from posetrack.training import light_detector
from posetrack.training.light_detector import Batches, Recipe, Run, export, train
from posetrack.training.store import OneFile
from posetrack.zoo.checkpoint import read_metadata


@pytest.fixture
def scenes(monkeypatch: pytest.MonkeyPatch) -> Scenes:
    monkeypatch.setattr(light_detector, "SHAPES", ((96, 64), (64, 96)))
    random = np.random.default_rng(0)
    image = random.integers(0, 90, (120, 160, 3), np.uint8)
    image[20:110, 60:100] += 150
    person = Picture("person", image, np.array([[60, 20, 100, 110]], np.float32), np.ones(1, np.float32))
    place = Picture("place", image[:, :50].copy(), np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
    return Scenes([person], [place], seed=0)


def test_the_loss_falls(scenes: Scenes) -> None:
    run = Run(Recipe(pictures=400, batch=4, rate=0.03, warmup=3))
    images, wanted, taught = next(iter(Batches(scenes, run.recipe, 0)))
    assert taught is None
    losses = [run.learn(images, wanted) for _ in range(15)]
    assert np.mean([loss[0] for loss in losses[-3:]]) < 0.6 * losses[0][0]
    assert np.mean([loss[1] for loss in losses[-3:]]) < 0.8 * losses[0][1]


def test_frozen_parts_stay_as_they_are(scenes: Scenes) -> None:
    run = Run(Recipe(pictures=400, batch=4, frozen=("stem", "stage4")))
    before = {name: value.clone() for name, value in run.network.state_dict().items()}
    images, wanted, _ = next(iter(Batches(scenes, run.recipe, 0)))
    run.learn(images, wanted)
    for name, value in run.network.state_dict().items():
        if name.startswith(("stem", "stage4")):
            assert torch.equal(value, before[name]), name
    assert not torch.equal(run.network.stage8[0][0].weight, before["stage8.0.0.weight"])


def test_a_deeper_network_begins_with_weights_of_a_shallower_one(tmp_path: Path) -> None:
    torch.manual_seed(1)
    shallow = Run(Recipe(pictures=8, depths=(1, 2, 2, 1)))
    export(shallow.state(), tmp_path / "light.safetensors", score_threshold=0.5)
    deep = Run(Recipe(pictures=8, depths=(1, 2, 4, 3)))
    deep.start_from(tmp_path / "light.safetensors")
    images = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    logits = torch.cat([run.average.network.eval()(images)[0] for run in (shallow, deep)])  # (2, A)
    assert torch.corrcoef(logits)[0, 1] > 0.95  # nearly the same function
    assert (deep.network.stage16[1].steps[3][1].weight > 0).all()  # and the new parts can learn


def test_a_killed_run_goes_on_and_its_export_detects(scenes: Scenes, tmp_path: Path) -> None:
    log: list[str] = []
    store = OneFile(tmp_path / "last.pt")
    train(Recipe(pictures=8, batch=4), scenes, store, log.append)
    (tmp_path / "last.pt.tmp").write_bytes(b"half a checkpoint")  # what a kill while saving leaves
    run = train(Recipe(pictures=16, batch=4), scenes, store, log.append)
    assert log == ["resumed at 8 pictures"]
    assert (run.step, run.pictures) == (4, 16)
    state = store.read("cpu")
    assert state is not None
    assert (state["step"], state["pictures"]) == (4, 16)
    export(state, tmp_path / "light.safetensors", score_threshold=0.35, long_side=96)
    detector = LightDetector(tmp_path / "light.safetensors")
    assert (detector.score_threshold, detector.long_side) == (0.35, 96)


def test_it_leaves_when_told_and_a_finished_run_stays_as_it_is(scenes: Scenes, tmp_path: Path) -> None:
    store, recipe = OneFile(tmp_path / "last.pt"), Recipe(pictures=8, batch=4)
    assert train(recipe, scenes, store, leave_at=time.monotonic()).pictures == 0
    assert train(recipe, scenes, store).pictures == 8
    assert train(recipe, scenes, store).pictures == 8


def test_a_new_run_begins_with_exported_weights(scenes: Scenes, tmp_path: Path) -> None:
    first = train(Recipe(pictures=8, batch=4), scenes, OneFile(tmp_path / "last.pt"))
    export(first.state(), tmp_path / "light.safetensors", score_threshold=0.5)
    run = Run(Recipe(pictures=8, batch=4, rendered=True))
    run.start_from(tmp_path / "light.safetensors")
    state = first.average.network.state_dict()
    for copy in (run.network.state_dict(), run.average.network.state_dict()):
        for name, value in state.items():
            if not name.endswith("num_batches_tracked"):
                assert torch.equal(copy[name], value.half().float()), name
    assert run.blind_steps == 1  # the predictions have their say from the first step
    export(run.state() | {"pictures": 20}, tmp_path / "second.safetensors", score_threshold=0.5)
    assert read_metadata(tmp_path / "second.safetensors")["pictures"] == "28"  # of both stretches
    said = [read_metadata(tmp_path / f"{name}.safetensors")["trained_on"] for name in ("light", "second")]
    assert ["rendered people" in trained_on for trained_on in said] == [False, True]


def test_workers_make_every_batch_once_and_in_order(scenes: Scenes) -> None:
    recipe = Recipe(pictures=1, batch=2, workers=2)
    batches = list(itertools.islice(Batches(scenes, recipe, first=1).load(), 4))
    assert [tuple(images.shape) for images, *_ in batches] == [(2, 96, 64, 3), (2, 64, 96, 3)] * 2
    firsts = [images.float().mean().item() for images, *_ in batches]
    assert len(set(firsts)) == 4
    again = next(iter(Batches(scenes, recipe, first=1).load()))
    assert torch.equal(again[0], batches[0][0])
    assert torch.equal(again[1].boxes, batches[0][1].boxes)


def test_the_rate_warms_up_and_falls_to_a_hundredth() -> None:
    run = Run(Recipe(pictures=16000, batch=16, rate=1e-3, warmup=100))
    rates = {}
    for step in (0, 99, 500, 1000):
        run.step = step
        rates[step] = run.rate()
    assert rates[0] == pytest.approx(1e-5, rel=0.01)
    assert rates[99] == pytest.approx(1e-3, rel=0.03)
    assert rates[500] == pytest.approx(1e-3 * (0.01 + 0.99 / 2), rel=0.01)
    assert rates[1000] == pytest.approx(1e-5, rel=0.01)


@pytest.mark.parametrize("recipe", [Recipe(), Recipe(minutes=1, pictures=1)])
def test_one_budget(recipe: Recipe, scenes: Scenes, tmp_path: Path) -> None:
    with pytest.raises(PoseTrackError, match="either minutes or pictures"):
        train(recipe, scenes, OneFile(tmp_path / "last.pt"))
