"""The loop: exact resumption after signals and kills, several processes, full disks, curves, budgets."""

import itertools
import json
import os
import resource
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch

from posetrack import zoo
from posetrack.datasets.people import PoseData
from posetrack.datasets.pictures import Folder
from posetrack.errors import PoseTrackError
from posetrack.skeletons import COCO17
from posetrack.training.ranks import Ranks
from posetrack.training.recipe import Stage
from posetrack.training.stop import Stopped, StopRequest
from posetrack.training.tasks.pose import PoseTask
from tests.posetrack.training import runs
from tests.posetrack.training.runs import TINY, logged
from tests.posetrack.training.stick_people import stick_people, write_jpegs

# Two sizes of input, moments, an average and rounding to bfloat16: all that a run carries along.
RECIPE = replace(TINY, stages=(Stage(0.5, 32, 64, 1.0),), precision="bf16")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing disturbed: 4 steps of 4 pictures, 2.5 epochs of 6 people."""
    folder = tmp_path_factory.mktemp("whole")
    runs.run(folder, RECIPE)
    return folder


def assert_same_run(whole, other):
    assert runs.same(runs.checkpoint(whole), runs.checkpoint(other))
    assert logged(whole, "loss") == logged(other, "loss")
    assert logged(whole, "pck_sticks") == logged(other, "pck_sticks")
    one, two = (folder / "tiny.safetensors" for folder in (whole, other))
    assert zoo.read_metadata(one) == zoo.read_metadata(two)
    assert runs.same(zoo.read_checkpoint(one), zoo.read_checkpoint(two))


def told(number, step):
    """A task in whose midst this process gets a signal."""

    class Told(PoseTask):
        def loss(self, network, batch, stage, now):
            if now == step:
                os.kill(os.getpid(), number)
            return super().loss(network, batch, stage, now)

    return Told


# Step 1 is within an epoch and would not be saved; step 3 ends the second one and is validated, too.
@pytest.mark.parametrize(("number", "code", "step"), [(signal.SIGTERM, 143, 1), (signal.SIGINT, 130, 3)])
def test_a_signal_ends_the_step_and_resuming_is_exact(number, code, step, whole, tmp_path):
    before = signal.getsignal(number)
    with pytest.raises(Stopped, match=f"{number.name}: stopped after step {step} of 4, saved in") as caught:
        runs.run(tmp_path, RECIPE, task=told(number, step - 1), save_minutes=99)
    assert caught.value.exit_code == code
    assert signal.getsignal(number) == before
    assert runs.checkpoint(tmp_path)["step"] == len(logged(tmp_path, "loss")) == step
    assert not (tmp_path / "tiny.safetensors").exists()
    runs.run(tmp_path, RECIPE)
    assert len(runs.tensors(runs.checkpoint(whole))) > 200  # weights, their average, the optimiser's moments
    assert_same_run(whole, tmp_path)


def test_in_the_last_step_the_run_simply_ends(whole, tmp_path):
    runs.run(tmp_path, RECIPE, task=told(signal.SIGTERM, 3))
    assert_same_run(whole, tmp_path)


def killed_in_the_third_step(folder):
    runs.run(folder, RECIPE, task=told(signal.SIGKILL, 2), save_minutes=0, workers=1)


def test_killed_and_resumed_gives_bitwise_the_same(whole, tmp_path):
    process = runs.start(killed_in_the_third_step, tmp_path)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert runs.checkpoint(tmp_path)["step"] == 2
    runs.run(tmp_path, RECIPE)  # without the worker
    assert_same_run(whole, tmp_path)


def test_the_first_signal_counts_and_a_second_ctrl_c_interrupts():
    with StopRequest() as request:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)  # clusters may repeat it
        assert request.signal == signal.SIGTERM
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    with StopRequest(second_interrupts=False) as request:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        assert request.signal == signal.SIGINT


def test_a_budget_of_minutes_ends_with_them_and_goes_on_with_what_is_left(tmp_path, monkeypatch):
    """By a clock on which a second passes whenever somebody looks."""
    monkeypatch.setattr("posetrack.training.loop.time.monotonic", itertools.count(1000.0).__next__)
    recipe = replace(RECIPE, milestones=None).for_budget(minutes=0.5)
    with pytest.raises(Stopped, match="stopped after step 1, saved"):
        runs.run(tmp_path, recipe, task=told(signal.SIGTERM, 0), log_steps=99)
    spent = runs.checkpoint(tmp_path)["seconds"]
    assert 0 < spent < 30
    runs.run(tmp_path, recipe)
    state = runs.checkpoint(tmp_path)
    assert 30 <= state["seconds"] < 45
    assert 2 < state["step"] < 30
    rates = logged(tmp_path, "learning_rate")
    assert rates == sorted(rates, reverse=True)  # a cosine over the minutes
    assert rates[-1] == 0


# Momentum keeps rounding as small as it is; Adam divides a gradient of rounding alone by its own size. The
# parts of a batch weigh differently: of the same picture, other joints are labelled.
SGD = replace(
    TINY, optimiser="sgd", learning_rate=0.01, he_draw=True, epochs=2, ema_decay=None, loss="cross_entropy",
    targets="unbiased", max_gradient=1.0, width=64, height=64, geometry=runs.STILL,
)  # fmt: skip


def people_with_other_labels():
    data = stick_people(8)
    people = [
        replace(person, labelled=person.labelled & (np.arange(17) % (n % 4 + 1) == 0))
        for n, person in enumerate(data.people)
    ]
    return replace(data, people=people)


def two_ranks(folder):
    """A run to its end, and one of which the second process alone is told to stop."""
    data = people_with_other_labels()
    ranks = Ranks.join("cpu")
    runs.run(folder / "ended", SGD, data=data, ranks=ranks)
    task = told(signal.SIGTERM, 1) if ranks.rank == 1 else PoseTask
    with pytest.raises(Stopped) as caught:
        runs.run(folder / "stopped", SGD, data=data, ranks=ranks, task=task)
    ended = {"code": caught.value.exit_code, "message": str(caught.value)}
    (folder / f"rank{ranks.rank}.json").write_text(json.dumps(ended))
    ranks.leave()


def test_two_processes_do_what_one_does_in_two_parts_and_stop_together(tmp_path):
    runs.call_ranks(two_ranks, tmp_path)
    one, two = tmp_path / "one", tmp_path / "ended"
    torch.manual_seed(SGD.seed)
    begun = PoseTask(SGD, people_with_other_labels()).create().state_dict()
    runs.run(one, SGD, data=people_with_other_labels(), accumulate=2)
    assert logged(one, "loss") == pytest.approx(logged(two, "loss"), rel=1e-4)
    assert len(set(logged(one, "loss"))) == 4
    expected, found = (runs.checkpoint(folder)["network"] for folder in (one, two))
    for name, value in expected.items():
        if not name.endswith(("running_mean", "running_var", "num_batches_tracked")):  # of each part
            change = (value - begun[name]).norm().clamp(min=1e-5)
            assert (found[name] - value).norm() / change < 1e-2, name
    endings = [json.loads((tmp_path / f"rank{rank}.json").read_text()) for rank in range(2)]
    assert [ending["code"] for ending in endings] == [143, 143]
    assert all("stopped after step 2 of 4" in ending["message"] for ending in endings)
    assert runs.checkpoint(tmp_path / "stopped")["step"] == 2


def test_runs_of_other_recipes_are_refused_in_one_line(whole, tmp_path):
    before = (whole / "last.pt").read_bytes()
    wrong = [
        (replace(RECIPE, name="other", epochs=9), stick_people(6), "belongs to the recipe tiny, with name"),
        (replace(RECIPE, epochs=9), stick_people(6), "epochs 2.5 instead of 9"),
        (RECIPE, stick_people(7), "examples 6 instead of 7"),
        (replace(RECIPE, batch=2), stick_people(6), "batch 4 instead of 2"),
        (RECIPE, stick_people(2, COCO17), "joints of coco17"),
    ]
    for recipe, data, message in wrong:
        with pytest.raises(PoseTrackError, match=message) as caught:
            runs.run(whole, recipe, data=data)
        assert "\n" not in str(caught.value)
    assert (whole / "last.pt").read_bytes() == before
    (tmp_path / "last.pt").write_bytes(b"cut off")
    with pytest.raises(PoseTrackError, match=r"last\.pt: no checkpoint of a training, or damaged"):
        runs.run(tmp_path, RECIPE)
    with pytest.raises(PoseTrackError, match="a batch of 4 cannot be shared equally by 1 processes with 3"):
        runs.run(tmp_path, RECIPE, accumulate=3)


def test_without_room_the_last_checkpoint_and_the_run_stay(tmp_path):
    with pytest.raises(Stopped):
        runs.run(tmp_path, TINY, task=told(signal.SIGTERM, 0))
    size = (tmp_path / "last.pt").stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size - 1, limits[1]))
    try:
        with pytest.raises(PoseTrackError, match=r"last\.pt: cannot be written .*make room.*--resume"):
            runs.run(tmp_path, TINY, save_minutes=0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert runs.checkpoint(tmp_path)["step"] == 1
    assert not list(tmp_path.glob("*.tmp"))
    assert len(logged(tmp_path, "loss")) == 4  # it went on to its end
    assert (tmp_path / "tiny.safetensors").exists()  # smaller than a checkpoint


def test_it_learns_by_heart_names_what_it_lost_keeps_the_best_and_draws(tmp_path, capsys):
    """Eight people, of whose pictures one does not decode."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    data = stick_people(8, side=64)
    write_jpegs(data, tmp_path / "pictures")
    (tmp_path / "pictures/000003.jpg").write_bytes(b"no picture")
    lazy = PoseData("sticks", data.skeleton, data.people, Folder(tmp_path / "pictures", data.pictures))
    recipe = replace(
        TINY, network=replace(runs.PLAIN, width=16, deconvolution=32), width=64, height=64, he_draw=True,
        loss="cross_entropy", targets="unbiased", geometry=runs.STILL, epochs=60, batch=8,
        learning_rate=1e-2, milestones=None, precision="bf16",
    )  # fmt: skip
    folder = tmp_path / "run"
    runs.run(folder, recipe, data=lazy, validate_epochs=30)
    lost = [line for line in capsys.readouterr().out.splitlines() if line.startswith("left out: ")]
    assert len(lost) == 1  # though drawn in each of 60 epochs, and twice more for validation
    assert "000003.jpg: 10 bytes that do not decode" in lost[0]
    halfway, end = logged(folder, "pck_sticks")
    assert end > 95
    best = json.loads(zoo.read_metadata(folder / "tiny_best.safetensors")["validation"])
    assert best == {"pck_sticks": max(halfway, end)}
    curves = EventAccumulator(str(folder)).Reload()
    assert {"loss", "learning_rate", "pck_sticks"} <= set(curves.Tags()["scalars"])
    assert [event.step for event in curves.Scalars("loss")] == list(range(1, 61))
    assert [(p.width, p.height) for p in curves.Images("predictions/sticks")] == [(8 * 64, 64)] * 2


def test_the_file_knows_its_data_its_results_and_its_beginning(whole, tmp_path):
    start = whole / "tiny.safetensors"
    with pytest.raises(Stopped):
        runs.run(tmp_path, TINY, start=start, task=told(signal.SIGTERM, 0))
    runs.run(tmp_path, TINY)  # resumed: the beginning is not given again
    facts = zoo.read_metadata(tmp_path / "tiny.safetensors")
    assert json.loads(facts["validation"]) == {"pck_sticks": logged(tmp_path, "pck_sticks")[-1]}
    assert facts["unlabelled"] == "left_ear,right_ear"  # stick people in PoseTrack's joints have none
    assert facts["licence"] == "trained on photos for research use only"
    data = "Leeds Sports Pose Extended, images 1-9000"
    assert facts["began_with"] == f"tiny.safetensors, trained on {data}, 16 pictures"


def test_a_new_run_begins_with_given_weights_and_so_does_their_average(whole, tmp_path):
    start = whole / "tiny.safetensors"
    recipe = replace(TINY, learning_rate=0.0, epochs=0.5)
    runs.run(tmp_path, recipe, start=start)
    state, begun = runs.checkpoint(tmp_path), zoo.read_checkpoint(start)
    for name, value in begun.items():
        if "running" not in name:
            assert torch.equal(state["network"][name], value), name
            torch.testing.assert_close(state["average"]["network"][name], value)


def test_frozen_modules_of_given_weights_stay_as_they_are(whole, tmp_path):
    weights = whole / "tiny.safetensors"
    recipe = replace(TINY, frozen=("conv1", "bn1"), epochs=1, ema_decay=None)
    before = zoo.read_checkpoint(weights)
    after = zoo.read_checkpoint(runs.run(tmp_path / "given", recipe, start=weights))
    changed = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert not [name for name in changed if name.startswith(recipe.frozen)]  # nor do its statistics
    assert {"final_layer.weight", "layer1.0.bn1.running_mean"} <= changed
    scratch = zoo.read_checkpoint(runs.run(tmp_path / "scratch", recipe))  # knows nothing that could stay
    assert not torch.equal(scratch["bn1.weight"], torch.ones_like(scratch["bn1.weight"]))
