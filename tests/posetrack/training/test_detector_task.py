"""The light detector's training: scenes by number, a falling loss, weights that detect."""

import json
import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch

from posetrack import zoo
from posetrack.datasets.boxes import BoxData, Picture
from posetrack.detectors.light import LightDetector, LightNetwork
from posetrack.errors import PoseTrackError
from posetrack.training.examples import scenes as scenes_module
from posetrack.training.examples.examples import loader
from posetrack.training.loop import ALONE, Options, Training
from posetrack.training.plan import Plan, RankBatches
from posetrack.training.recipes import LIGHT_DETECTOR
from posetrack.training.run import carry_out
from posetrack.training.stop import Stopped
from posetrack.training.tasks.detector import DetectorTask, deepened
from posetrack.types import Frame
from tests.posetrack.training import runs

RECIPE = replace(
    LIGHT_DETECTOR, learning_rate=0.03, warm_up=12, batch=4, width=96, height=96, stages=()
).for_budget(pictures=16)


@pytest.fixture(autouse=True)
def small_scenes(monkeypatch):
    monkeypatch.setattr(scenes_module, "SHAPES", ((96, 64), (64, 96)))
    monkeypatch.setattr(scenes_module, "SIDE", 96)


def photos():
    random = np.random.default_rng(0)
    image = random.integers(0, 90, (120, 160, 3), np.uint8)
    image[20:110, 60:100] += 150
    person = Picture("person", image, np.array([[60, 20, 100, 110]], np.float32), np.ones(1, np.float32))
    place = Picture("place", image[:, :50].copy(), np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
    return BoxData("photos", [person], [1.0], [place])


def test_the_loss_falls():
    task = DetectorTask(RECIPE.for_budget(pictures=400), [photos()])
    training = Training(task, None)
    examples = task.examples(RECIPE.stage(0))
    batch = examples.collate([examples[i] for i in range(4)])
    losses = []
    for _ in range(15):
        training._train_step(training.network, batch, RECIPE.stage(0))
        losses.append(float(training._losses[-1]))
    assert np.mean(losses[-3:]) < 0.6 * losses[0]


def test_a_step_learns_from_all_boxes_also_where_they_are_more_than_its_scenes():
    seen = []

    class Counting(DetectorTask):
        def loss(self, network, batch, stage, step):
            seen.append(len(batch["boxes"]))
            return super().loss(network, batch, stage, step)

    training = Training(Counting(RECIPE, [photos()]), None)
    batch = {
        "images": torch.zeros(2, 64, 96, 3, dtype=torch.uint8),
        "boxes": torch.tensor([[10.0, 10.0, 60.0, 50.0]]).repeat(5, 1),
        "soft": torch.ones(5),
        "scene": torch.tensor([0, 0, 0, 1, 1]),
        "lost": ["", ""],
    }
    training._train_step(training.network, batch, RECIPE.stage(0))
    assert seen == [5]


def test_workers_make_every_scene_once_and_in_order():
    task, plan = DetectorTask(RECIPE, [photos()]), Plan.of(RECIPE, 1)
    here, there = (
        list(loader(task.examples(RECIPE.stage(0)), RankBatches(plan, first=1), workers))
        for workers in (0, 2)
    )
    assert [batch["images"].shape[1:3] for batch in here] == [(96, 64), (64, 96), (96, 64)]  # of steps 1 to 3
    for one, other in zip(here, there, strict=True):
        assert all(torch.equal(one[key], other[key]) for key in ("images", "boxes", "soft", "scene"))


def test_stopped_and_resumed_it_ends_as_if_undisturbed_and_its_export_detects(tmp_path):
    class Told(DetectorTask):
        def loss(self, network, batch, stage, step):
            if step == 1:
                os.kill(os.getpid(), signal.SIGTERM)
            return super().loss(network, batch, stage, step)

    whole, parts = tmp_path / "whole", tmp_path / "parts"
    path = carry_out(DetectorTask(RECIPE, [photos()], photos().pictures), whole, None, ALONE)
    with pytest.raises(Stopped):
        carry_out(Told(RECIPE, [photos()]), parts, None, ALONE)
    carry_out(DetectorTask(RECIPE, [photos()]), parts, None, ALONE)
    assert runs.same(runs.checkpoint(whole), runs.checkpoint(parts))
    detector = LightDetector(path)
    assert (detector.long_side, detector.score_threshold) == (96, 0.5)
    (found,) = detector([Frame(photos().pictures[0].image, 0, 0.0)])
    assert found.boxes.shape[1:] == (4,)
    facts = zoo.read_metadata(path)
    assert facts["model"] == "light_detector"
    assert facts["pictures"] == "16"
    assert json.loads(facts["settings"])["pictures"] == 16
    assert {"ap50", "recall", "false_boxes"} <= json.loads(facts["validation"]).keys()


def test_predictions_of_given_weights_count_at_once(tmp_path, monkeypatch):
    weights = []
    monkeypatch.setattr(
        "posetrack.training.tasks.detector.detection_loss",
        lambda logits, *rest: weights.append(rest[-2]) or logits.mean(),
    )
    short = RECIPE.for_budget(pictures=8)
    path = carry_out(DetectorTask(short, [photos()]), tmp_path / "first", None, ALONE)
    assert weights == [1 / 1500, 2 / 1500]
    carry_out(DetectorTask(short, [photos()]), tmp_path / "second", path, ALONE)
    assert weights[2:] == [1.0, 1.0]
    assert zoo.read_metadata(tmp_path / "second/light_detector.safetensors")["began_with"].endswith(
        "8 pictures"
    )


def test_a_teacher_is_asked_of_every_scene_and_a_deeper_network_begins_with_shallow_weights():
    class Everywhere:
        asked = 0

        def dense(self, images, centred):
            self.asked += 1
            B, H, W, _ = images.shape
            cells = sum((H // s) * (W // s) for s in (8, 16, 32))
            return np.full((B, cells), 0.5, np.float32), np.full((B, cells, 4), 8.0, np.float32)

    teacher = Everywhere()
    task = DetectorTask(RECIPE, [photos()], (), teacher)
    examples = task.examples(RECIPE.stage(0))
    batch = examples.collate([examples[i] for i in range(2)])
    tensors = {k: v for k, v in batch.items() if isinstance(v, torch.Tensor)}
    network = task.create()
    taught = task.loss(network, tensors, RECIPE.stage(0), 0)
    task.teacher = None
    assert taught > task.loss(network, tensors, RECIPE.stage(0), 0)
    assert teacher.asked == 1
    shallow = LightNetwork(depths=(1, 2, 2, 1)).state_dict()
    state = deepened(shallow, network)
    assert state.keys() == network.state_dict().keys()
    assert all(torch.equal(state[name], value) for name, value in shallow.items())


def test_its_modules_can_be_frozen_likewise(tmp_path):
    short = RECIPE.for_budget(pictures=8)
    path = carry_out(DetectorTask(short, [photos()]), tmp_path / "first", None, ALONE)
    recipe = replace(short, frozen=("stem", "stage4"))
    second = carry_out(DetectorTask(recipe, [photos()]), tmp_path / "second", path, ALONE)
    before, after = zoo.read_checkpoint(path), zoo.read_checkpoint(second)
    changed = {name.partition(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {name.partition(".")[0] for name in before} - {"stem", "stage4"}


def test_its_steps_cannot_be_divided(tmp_path):
    with pytest.raises(PoseTrackError, match="steps of light_detector cannot be divided"):
        carry_out(DetectorTask(RECIPE, [photos()]), tmp_path, None, ALONE, Options(accumulate=2))
