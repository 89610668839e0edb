"""What heatmap networks are asked for: labels, a teacher, joints that are outside; official benchmarks."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from posetrack.benchmarks.evaluate import BENCHMARKS
from posetrack.benchmarks.predict import load_estimator
from posetrack.benchmarks.result import Options as BenchmarkOptions
from posetrack.errors import PoseTrackError
from posetrack.pose.crop import normalise
from posetrack.pose.heatmap import merge_flipped, softmax_heatmaps
from posetrack.skeletons import POSETRACK18
from posetrack.training.loop import Training
from posetrack.training.recipe import Source
from posetrack.training.run import train
from posetrack.training.tasks.losses import distillation_targets
from posetrack.training.tasks.pose import PoseTask
from posetrack.training.tasks.teacher import Teacher
from tests.posetrack.training import runs
from tests.posetrack.training.runs import TINY, logged
from tests.posetrack.training.stick_people import stick_people, write_stick_coco

CPU = torch.device("cpu")
DATA = stick_people(4)
SIZE = 32
ENTROPY = replace(
    TINY, loss="cross_entropy", targets="unbiased", teacher_share=1.0, he_draw=True, precision="bf16"
)  # fmt: skip
STAGE = ENTROPY.stage(1.0)


def batch_of(recipe, **changes):
    task = PoseTask(recipe, DATA)
    examples = task.examples(recipe.stage(1.0))
    return {**examples.collate([examples[i] for i in range(4)]), **changes}


def spread(network):
    """A last layer that is not flat."""
    torch.manual_seed(0)
    torch.nn.init.normal_(network.final_layer.weight, std=20)
    return network.train()


def loss_of(recipe, network, batch, teacher=None):
    return float(PoseTask(recipe, DATA, (), teacher).loss(network, batch, recipe.stage(1.0), 0).detach())


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Files of teachers that saw edges, people beside, both or neither."""
    folder = tmp_path_factory.mktemp("teachers")

    def export(**saw):
        path = folder / f"{'-'.join(saw)}.safetensors"
        training = Training(PoseTask(replace(ENTROPY, ema_decay=None, **saw), DATA), folder)
        spread(training.network)
        training.export(path)
        return path

    edges, others = {"edge_probability": 0.5}, {"occluder_probability": 0.5}
    return {"neither": export(), "edges": export(**edges), "others": export(**others)}


def test_what_a_teacher_adds_to_the_labels():
    sigma, share = 1.0, 0.25
    targets = torch.zeros(1, 4, 2, 2)
    targets[0, :, 0, 0] = 1.0
    sure, unsure = torch.tensor([[0.0, 0.9], [0.1, 0.0]]), torch.full((2, 2), 0.25)
    heatmaps = torch.stack([sure, unsure, sure, unsure * 0.2])[None] * 2 * math.pi * sigma**2
    heatmaps[0, 3] = 0.1  # everywhere: as good as nothing
    mixed, weights = distillation_targets(
        targets, torch.tensor([[1.0, 0.5, 0.0, 0.0]]), heatmaps, sigma, torch.tensor([share])
    )
    np.testing.assert_allclose(mixed[0, 0], [[0.75, 0.225], [0.025, 0.0]], atol=1e-6)
    np.testing.assert_allclose(mixed[0, 1], [[0.8125, 0.0625], [0.0625, 0.0625]], atol=1e-6)
    np.testing.assert_allclose(mixed[0, 2], sure, atol=1e-6)  # no label: the teacher's alone
    np.testing.assert_allclose(weights, [[1.0, 0.5, share, 0.0]])


def test_a_student_is_asked_for_both_looks_of_its_teacher(weights):
    batch = batch_of(ENTROPY, absent=torch.zeros(4, 17, dtype=torch.bool))
    teacher, network = Teacher(weights["neither"], POSETRACK18, CPU), spread(PoseTask(ENTROPY, DATA).create())
    found = loss_of(ENTROPY, network, batch, teacher)
    inputs = normalise(batch["crops"])
    with torch.no_grad():
        looks = [softmax_heatmaps(teacher.network(x), 1.0) for x in (inputs, inputs.flip(3))]
        student = network.train()(inputs).float()
    heatmaps = merge_flipped(*looks, torch.tensor(POSETRACK18.flip_order))
    assert float(heatmaps.amax()) > 1.5 * float(heatmaps.mean())  # not flat
    wanted = heatmaps / (2 * math.pi)
    joint_weights = torch.where(batch["weights"] > 0, batch["weights"], heatmaps.amax((2, 3)).ge(0.5).float())
    surprise = -(wanted * student.flatten(2).log_softmax(2).view(student.shape)).sum((2, 3))
    assert found == pytest.approx(float((surprise * joint_weights).sum() / joint_weights.sum()), rel=1e-3)


@pytest.mark.parametrize(("knows", "mark"), [("edges", "absent"), ("others", "crowded")])
def test_a_teacher_has_no_say_in_what_it_never_saw(weights, knows, mark):
    network = spread(PoseTask(ENTROPY, DATA).create())
    marked = {"absent": torch.zeros(4, 17, dtype=torch.bool), "crowded": torch.zeros(4, dtype=torch.bool)}
    marked[mark][:, ...] = True if mark == "crowded" else torch.arange(17) == 4
    losses = {
        (file, share): loss_of(
            replace(ENTROPY, teacher_share=share, absent_weight=0.5),
            network,
            batch_of(ENTROPY, **marked),
            Teacher(weights[file], POSETRACK18, CPU),
        )
        for file in ("neither", knows)
        for share in (1e-9, 1.0)
    }
    assert losses["neither", 1e-9] == losses["neither", 1.0]
    assert abs(losses[knows, 1e-9] - losses[knows, 1.0]) > 1e-3


def test_older_files_call_people_beside_strangers(weights, tmp_path, monkeypatch):
    facts = {"model": TINY.network_name, "stranger_probability": "0.3"}
    monkeypatch.setattr("posetrack.training.tasks.teacher.zoo.read_metadata", lambda path: facts)
    teacher = Teacher(weights["neither"], POSETRACK18, CPU)
    crowded, absent = torch.tensor([True, False]), torch.zeros(2, 17, dtype=torch.bool)
    assert teacher.trusted(absent, crowded).tolist() == [True, True]
    assert teacher.trusted(~absent, crowded).tolist() == [False, False]


def test_a_recipe_that_learns_from_labels_alone_wants_no_teacher(weights):
    teacher = Teacher(weights["neither"], POSETRACK18, CPU)
    for recipe in (TINY, replace(ENTROPY, teacher_share=0.0)):
        with pytest.raises(PoseTrackError, match="learns from labels alone: leave --teacher out"):
            PoseTask(recipe, DATA, (), teacher)


def test_maps_of_absent_joints_learn_to_be_flat():
    recipe = replace(ENTROPY, absent_weight=0.5)
    absent = torch.zeros(4, 17, dtype=torch.bool)
    absent[0] = True
    batch = batch_of(recipe, absent=absent, weights=torch.zeros(4, 17))
    task, network = PoseTask(recipe, DATA), spread(PoseTask(recipe, DATA).create())
    assert float(task.amount(batch)) == 0.5 * 17
    optimiser = torch.optim.SGD(network.parameters(), 0.02)
    losses = []
    for _ in range(3):
        loss = task.loss(network, batch, STAGE, 0)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    flat = math.log(8 * 8)  # the entropy of what is wanted
    assert flat < losses[-1] < flat + 0.5 * (losses[0] - flat)


@pytest.mark.parametrize(
    ("loss", "targets"), [("mse", "official"), ("ohkm", "official"), ("cross_entropy", "unbiased")]
)
def test_each_of_several_heatmaps_is_learned_with_the_sigma_of_its_scale(loss, targets):
    """Hard keypoints are mined in the last one alone."""
    recipe = replace(TINY, loss=loss, targets=targets, sigma=1.0)
    batch, fine, coarse = batch_of(recipe), torch.randn(4, 17, 8, 8), torch.randn(4, 17, 4, 4)
    first = replace(recipe, loss="mse") if loss == "ohkm" else recipe
    parts = (first, fine), (replace(recipe, sigma=0.5), coarse)
    alone = [loss_of(part, lambda x, maps=maps: maps, batch) for part, maps in parts]
    assert loss_of(recipe, lambda x: [fine, coarse], batch) == pytest.approx(sum(alone))


def test_coco_ap_is_that_of_the_benchmark_and_keeps_the_best(tmp_path):
    write_stick_coco(tmp_path / "coco")
    recipe = replace(TINY, data=(Source("coco"),), epochs=1)
    weights = train(recipe, [tmp_path / "coco"], tmp_path / "run", benchmark=True, device="cpu")
    (logged_ap,) = logged(tmp_path / "run", "coco_ap")
    result = BENCHMARKS["coco"](load_estimator(weights, device="cpu"), tmp_path / "coco", BenchmarkOptions())
    assert logged_ap == pytest.approx(result.metrics["AP"], abs=0.01)
    assert runs.checkpoint(tmp_path / "run")["best"] == logged_ap
    assert logged(tmp_path / "run", "pck_coco_val")
