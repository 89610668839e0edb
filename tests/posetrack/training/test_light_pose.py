"""Training end to end on a few painted people: it learns, resumes exactly, exports what it trained."""

import json
import math
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from posetrack.datasets.augment import Appearance, Geometry
from posetrack.datasets.people import HeldOut, Person
from posetrack.errors import PoseTrackError
from posetrack.models.hrnet import HRNet, HRNetConfig
from posetrack.pose.crop import normalise
from posetrack.pose.heatmap import merge_flipped, softmax_heatmaps
from posetrack.skeletons import POSETRACK18
from posetrack.training.light_pose import STEM, LightPoseTraining, Recipe, Stage
from posetrack.training.losses import taught
from posetrack.training.sampling import Prefetch, Sampler, Sampling

K = len(POSETRACK18)
SMALL = Recipe(
    network=HRNetConfig(width=4, modules=(1, 1, 1), blocks=1, stem=8, bottleneck=4, bottlenecks=1),
    stages=(Stage(0.5, 32, 32, 1.0), Stage(1.0, 32, 64, 1.5)),
    sampling=Sampling(POSETRACK18, batch=2),
    warm_up=8,
)


LEARNER = HRNetConfig(width=12, modules=(1, 1, 1), blocks=1, stem=16, bottleneck=16, bottlenecks=1)


def painted_people(count, side=48):
    """Pictures of coloured dots, one colour for each joint."""
    rng = np.random.default_rng(7)
    colours = rng.integers(60, 256, (K, 3))
    people, images = [], {}
    for i in range(count):
        points = rng.uniform(10, side - 10, (K, 2)).astype(np.float32)
        image = np.zeros((side, side, 3), np.uint8)
        for point, colour in zip(points.round().astype(int), colours, strict=True):
            image[point[1] - 2 : point[1] + 3, point[0] - 2 : point[0] + 3] = colour
        images[f"{i}"] = image
        box = np.array([2, 2, side - 2, side - 2], np.float32)
        people.append(Person(f"{i}", box, points, np.arange(K) > 2, np.arange(K) == 5))
    return people, images


PEOPLE, IMAGES = painted_people(4)
HELD_OUT = (HeldOut("painted", PEOPLE, IMAGES),)


def training(folder, recipe=SMALL, held_out=(), data_processes=0):
    return LightPoseTraining(recipe, PEOPLE, IMAGES, held_out, folder, data_processes=data_processes)


def weights_of(run):
    average = run.average.network.state_dict()
    return {**run.network.state_dict(), **{f"average.{name}": value for name, value in average.items()}}


def test_a_resumed_run_ends_with_the_same_weights(tmp_path):
    whole = training(tmp_path / "whole")
    whole.train(pictures=16)
    training(tmp_path / "pieces").train(pictures=16, stop_at=6)
    rest = training(tmp_path / "pieces")
    assert rest.resume()
    assert rest.pictures == 6
    rest.train(pictures=16)  # through the change of input size after 8
    assert rest.pictures == 16
    for name, value in weights_of(whole).items():
        assert torch.equal(value, weights_of(rest)[name]), name


def test_a_checkpoint_of_something_else_is_refused(tmp_path):
    run = training(tmp_path)
    assert not run.resume()
    torch.save({"network": {}}, tmp_path / "last.pt")
    with pytest.raises(PoseTrackError, match=r"last\.pt is no checkpoint of this recipe"):
        run.resume()


def test_a_budget_is_minutes_or_pictures(tmp_path):
    with pytest.raises(PoseTrackError, match="either minutes or pictures"):
        training(tmp_path).train()


def test_it_learns_painted_people_by_heart_and_exports_them(tmp_path):
    still = Sampling(
        POSETRACK18,
        batch=4,
        geometry=Geometry(0, 0, 0, 0, 0, 0),
        appearance=Appearance(0, 0, 0, 0, 0, 0, 0, 0),
    )
    recipe = Recipe(
        network=LEARNER,
        stages=(Stage(1.0, 64, 64, 1.0),),
        sampling=still,
        learning_rate=0.05,
        warm_up=8,
        ema_decay=0.9,
        rendered=True,
    )
    run = training(tmp_path, recipe, HELD_OUT)
    before = run.validate()["pck_painted"]
    run.train(pictures=4 * 50)
    after = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])["pck_painted"]
    assert before < 30
    assert after > 90

    metadata = run.export(tmp_path / "light.safetensors")
    assert json.loads(metadata["pck"])["pck_painted"] > 90
    assert metadata["trained_on"] == "Leeds Sports Pose Extended, images 1-9000 and rendered people"
    with safe_open(tmp_path / "light.safetensors", "pt") as file:
        assert file.metadata() == metadata
        assert (metadata["input_width"], metadata["sigma"]) == ("64", "1.0")
        network = HRNet(LEARNER, K)
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    missing, unexpected = network.load_state_dict(state, strict=False)
    again = training(tmp_path / "again", recipe, HELD_OUT)
    again.start_from(tmp_path / "light.safetensors")
    for copy in (again.network.state_dict(), again.average.network.state_dict()):
        assert all(torch.equal(copy[name], value.float()) for name, value in state.items())
    assert again.before == 200  # pictures that its weights have seen
    assert not unexpected
    assert all(name.endswith("num_batches_tracked") for name in missing)


def test_the_schedule():
    recipe = Recipe(warm_up=1000, learning_rate=2.0)
    assert recipe.rate(0.0, 0) == pytest.approx(2.0 * 64 / 1000)
    assert recipe.rate(0.5, 5000) == pytest.approx(1.0)  # half way down the cosine
    assert recipe.rate(1.0, 9000) == pytest.approx(0.0)
    assert [recipe.stage(p).width for p in (0.0, 0.59, 0.6, 1.0)] == [96, 96, 160, 160]


def test_an_input_that_hrnet_cannot_halve_five_times():
    with pytest.raises(ValueError, match="144x192 is not a multiple of 32"):
        Stage(1.0, 144, 192, 1.5)


@pytest.mark.parametrize("processes", [0, 1, 2])
def test_pictures_depend_on_their_number_alone(processes):
    sampler = Sampler(SMALL.sampling, PEOPLE, IMAGES)
    ahead = Prefetch(sampler, 2, processes)
    for first, size in ((2, (32, 32)), (4, (32, 32)), (6, (64, 64)), (8, (64, 64))):
        batch, expected = ahead.next(size), sampler.batch(first, size)
        assert torch.equal(batch.crops, expected.crops)
        assert torch.equal(batch.points, expected.points)
        assert torch.equal(batch.weights, expected.weights)
    assert not torch.equal(sampler.batch(0, (32, 32)).crops, sampler.batch(2, (32, 32)).crops)
    ahead.stop()
    assert not multiprocessing.active_children()


def test_processes_change_nothing_of_a_run(tmp_path):
    alone, helped = training(tmp_path / "alone"), training(tmp_path / "helped", data_processes=2)
    for run in (alone, helped):
        run.train(pictures=8)
    for name, value in weights_of(alone).items():
        assert torch.equal(value, weights_of(helped)[name]), name


def test_machine_made_joints_weigh_less_also_when_mirrored():
    people = [replace(person, labelled=np.ones(K, bool)) for person in PEOPLE]
    geometry = Geometry(rotation=0, scale=0, shift=0, half_body_probability=0)
    sampler = Sampler(replace(SMALL.sampling, geometry=geometry, pseudo_weight=0.25), people, IMAGES)
    light = {int(np.flatnonzero(sampler.picture(i, (32, 32))[2] == 0.25)[0]) for i in range(12)}
    assert light == {5, 6}  # the left shoulder is the machine's; mirrored, it is the right one


def test_joints_beyond_an_edge_are_known_to_be_absent():
    people = [replace(person, labelled=np.arange(K) != 0) for person in PEOPLE]
    sampler = Sampler(replace(SMALL.sampling, edge_probability=1.0), people, IMAGES)
    absent = 0
    for i in range(20):
        picture = sampler.picture(i, (32, 32))
        unlabelled = ~picture.absent & (picture.weights == 0)
        assert np.flatnonzero(unlabelled).tolist() == [0]  # the nose, also in the mirror
        absent += int(picture.absent.sum())
    assert 20 < absent < 20 * (K - 4)
    still = Geometry(0, 0, 0, 0, 0, 0)
    whole = Sampler(replace(SMALL.sampling, geometry=still), people, IMAGES)
    assert not any(whole.picture(i, (32, 32)).absent.any() for i in range(20))


def test_maps_of_absent_joints_learn_to_be_flat(tmp_path):
    run = training(tmp_path, SMALL)
    batch = run.sampler.batch(0, (32, 32))
    absent = torch.zeros_like(batch.absent)
    absent[0] = True
    batch = replace(batch, absent=absent, weights=torch.zeros_like(batch.weights))
    run.network.final_layer.reset_parameters()  # not flat
    before = run._step(batch, 0.0)
    for _ in range(10):
        after = run._step(batch, 0.0)
    flat = math.log(8 * 8)  # the entropy of what is wanted
    assert flat < after < flat + 0.5 * (before - flat)


def test_errors_of_a_process_that_works_ahead_are_raised():
    ahead = Prefetch(Sampler(SMALL.sampling, PEOPLE, {}), 0, processes=1)
    with pytest.raises(KeyError):
        ahead.next((32, 32))
    ahead.stop()


def test_killed_in_the_middle_it_leaves_a_whole_checkpoint(tmp_path):
    code = f"""
import torch; torch.set_num_threads(1)
from pathlib import Path
from tests.posetrack.training.test_light_pose import training
training(Path({str(tmp_path)!r})).train(pictures=100_000, save_every=0.0)
"""
    root = Path(__file__).parents[3]
    process = subprocess.Popen([sys.executable, "-c", code], cwd=root)
    checkpoint = tmp_path / "last.pt"
    deadline = time.monotonic() + 120
    while not checkpoint.exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    run = training(tmp_path)
    assert run.resume()
    assert run.pictures > 0
    run.train(pictures=100_000, stop_at=run.pictures + 2)


def test_what_a_teacher_adds_to_the_labels():
    sigma, share = 1.0, 0.25
    targets = torch.zeros(1, 4, 2, 2)
    targets[0, :, 0, 0] = 1.0
    sure, unsure = torch.tensor([[0.0, 0.9], [0.1, 0.0]]), torch.full((2, 2), 0.25)
    opinion = torch.stack([sure, unsure, sure, unsure * 0.2])[None] * 2 * math.pi * sigma**2
    opinion[0, 3] = 0.1  # everywhere: as good as nothing
    mixed, weights = taught(
        targets, torch.tensor([[1.0, 0.5, 0.0, 0.0]]), opinion, sigma, torch.tensor([share])
    )
    np.testing.assert_allclose(mixed[0, 0], [[0.75, 0.225], [0.025, 0.0]], atol=1e-6)
    np.testing.assert_allclose(mixed[0, 1], [[0.8125, 0.0625], [0.0625, 0.0625]], atol=1e-6)
    np.testing.assert_allclose(mixed[0, 2], sure, atol=1e-6)  # no label: the teacher's alone
    np.testing.assert_allclose(weights, [[1.0, 0.5, share, 0.0]])


@pytest.mark.parametrize(
    ("of", "marks"), [("edge_probability", "absent"), ("stranger_probability", "crowded")]
)
def test_a_teacher_has_no_say_in_what_it_never_saw(tmp_path, of, marks):
    losses = {}
    for saw in (0.0, 0.5):
        recipe = replace(SMALL, sampling=replace(SMALL.sampling, **{of: saw}))
        training(tmp_path / "teacher", recipe).export(tmp_path / f"{saw}.safetensors")
        for share in (0.0, 1.0):
            run = training(tmp_path / "student", replace(SMALL, teacher_share=share))
            run.learn_from(tmp_path / f"{saw}.safetensors")
            batch = run.sampler.batch(0, (32, 32))
            absent, crowded = torch.zeros_like(batch.absent), torch.zeros_like(batch.crowded)
            absent[:, 4] = marks == "absent"
            crowded[:] = marks == "crowded"
            run.network.final_layer.reset_parameters()
            torch.manual_seed(0)
            torch.nn.init.normal_(run.network.final_layer.weight)
            losses[saw, share] = float(run._step(replace(batch, absent=absent, crowded=crowded), 0.0))
    assert losses[0.0, 0.0] == losses[0.0, 1.0]
    assert abs(losses[0.5, 0.0] - losses[0.5, 1.0]) > 1e-3


def test_a_stranger_changes_pixels_and_no_label():
    alone = Sampler(SMALL.sampling, PEOPLE, IMAGES)
    crowd = Sampler(replace(SMALL.sampling, stranger_probability=1.0), PEOPLE, IMAGES)
    some = Sampler(replace(SMALL.sampling, stranger_probability=0.5), PEOPLE, IMAGES)
    assert not any(alone.picture(i, (32, 32)).crowded for i in range(20))
    assert {bool(some.picture(i, (32, 32)).crowded) for i in range(20)} == {True, False}
    changed = 0
    for i in range(20):
        with_one, without = crowd.picture(i, (32, 32)), alone.picture(i, (32, 32))
        assert with_one.crowded
        np.testing.assert_array_equal(with_one.points, without.points)
        np.testing.assert_array_equal(with_one.weights, without.weights)
        changed += not np.array_equal(with_one.crop, without.crop)
    assert changed > 15


def test_a_student_is_asked_for_both_looks_of_its_teacher(tmp_path):
    recipe = replace(SMALL, stages=SMALL.stages[1:], teacher_share=1.0)
    master = training(tmp_path / "teacher", recipe)
    master.average.network.final_layer.reset_parameters()  # not as good as flat
    master.export(tmp_path / "teacher.safetensors")
    run = training(tmp_path / "student", recipe)
    run.learn_from(tmp_path / "teacher.safetensors")
    batch = run.sampler.batch(0, (32, 64))
    pictures = normalise(batch.crops)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        looks = [softmax_heatmaps(run.teacher(p), 1.5) for p in (pictures, pictures.flip(3))]
        student = run.network.train()(pictures).float()
    batch = replace(batch, absent=torch.zeros_like(batch.absent))
    opinion = merge_flipped(*looks, torch.tensor(POSETRACK18.flip_order))
    assert float(opinion.amax()) > 1.5 * float(opinion.mean())  # not flat
    wanted = opinion / (2 * math.pi * 1.5**2)
    weights = torch.where(batch.weights > 0, batch.weights, opinion.amax((2, 3)).ge(0.5).float())
    surprise = -(wanted * student.flatten(2).log_softmax(2).view(student.shape)).sum((2, 3))
    expected = float((surprise * weights).sum() / weights.sum())
    assert run._step(batch, 0.0) == pytest.approx(expected, rel=1e-3)


def test_frozen_modules_stay_as_they_are(tmp_path):
    run = training(tmp_path, replace(SMALL, frozen=STEM))
    before = {name: value.clone() for name, value in run.network.state_dict().items()}
    run.train(pictures=4)
    changed = {
        name for name, value in run.network.state_dict().items() if not torch.equal(value, before[name])
    }
    assert not [name for name in changed if name.startswith(STEM)]  # nor do the statistics of its batch norms
    assert "final_layer.weight" in changed
    assert "stage2.0.branches.0.0.bn1.running_mean" in changed
