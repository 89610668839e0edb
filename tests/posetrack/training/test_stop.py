"""Runs that a real signal stops: their step is saved, on one process and on two, and resuming is exact."""

import json
import multiprocessing
import os
import signal
import time
from dataclasses import replace

import pytest

from posetrack.training.stop import Stopped, StopRequest
from tests.posetrack.training import runs
from tests.posetrack.training.stick_people import write_stick_coco

ENDLESS = {"epochs": 10**5, "ema_decay": 0.9}
SOON = 60.0  # seconds, for a machine that is busy


def group_of_its_own(arguments):
    """The command as a cluster runs it: signals go to the process and to all that it has started."""
    os.setpgid(0, 0)
    multiprocessing.set_start_method(
        "fork", force=True
    )  # of loader workers, as in a process that is not forked
    runs.command(arguments, **ENDLESS)


def wait_for(reached):
    end = time.monotonic() + SOON
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_step_and_saves_it(number, code, tmp_path):
    write_stick_coco(tmp_path / "coco")
    folder, log = tmp_path / "run", tmp_path / "run/log.jsonl"
    options = "--accelerator cpu --workers 1 --log-steps 1 --save-minutes 99 --validate-epochs 100000"
    request = f"--recipe tiny --data {tmp_path}/coco --run {folder} {options}".split()
    process = runs.start(group_of_its_own, request, output=tmp_path / "said")
    wait_for(lambda: log.exists() and len(log.read_text().splitlines()) > 2)

    os.killpg(process.pid, number)
    process.join()

    assert process.exitcode == code
    step = runs.checkpoint(folder)["step"]
    assert step == len(runs.logged(folder, "loss")) >= 3
    said = (tmp_path / "said").read_text().splitlines()
    assert said[-1] == (
        f"{number.name}: stopped after step {step} of 175000, saved in {folder}/last.pt; "
        "go on with the same command and --resume"
    )
    assert not [line for line in said[:-1] if not line.startswith(("{", "coco train", "  "))]
    assert not (folder / "tiny.safetensors").exists()


RECIPE = replace(runs.TINY, **{**ENDLESS, "epochs": 2.5})  # 6 people in 4 steps of 4


def told_at(step, number, rank=0):
    """From now on, one process of a training is told to stop in the midst of a step."""
    from posetrack.training.module import Training

    training_step = Training.training_step

    def step_then_signal(self, batch, index):
        if self.step == step - 1 and self.trainer.global_rank == rank:
            os.kill(os.getpid(), number)
        training_step(self, batch, index)

    Training.training_step = step_then_signal


def stopped(folder, step, number, rank=0, **options):
    """A run that is told to stop; how it ended, in a file for each process."""
    told_at(step, number, rank)
    with pytest.raises(Stopped) as caught:
        runs.run(folder, RECIPE, **options)
    assert signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler)  # as before the run
    ended = {"code": caught.value.exit_code, "message": str(caught.value)}
    (folder / f"ended{os.environ.get('RANK', 0)}.json").write_text(json.dumps(ended))


# Step 1 is within an epoch and would not be saved; step 3 ends the second one and is validated, too.
@pytest.mark.parametrize("step", [1, 3])
def test_what_is_saved_is_what_an_undisturbed_run_has_at_this_step(step, tmp_path):
    whole, short, told = (tmp_path / name for name in ("whole", "short", "told"))
    runs.call(runs.run, whole, RECIPE)
    runs.call(until, short, step)
    runs.call(stopped, told, step, signal.SIGTERM)
    assert runs.checkpoint(told)["step"] == step
    assert runs.same(runs.checkpoint(told), runs.checkpoint(short))
    assert runs.logged(told, "pck_sticks") == runs.logged(short, "pck_sticks")
    runs.call(runs.run, told, RECIPE, 6, True)
    assert runs.same(runs.checkpoint(told), runs.checkpoint(whole))
    assert runs.logged(told, "loss") == runs.logged(whole, "loss")
    assert runs.logged(told, "pck_sticks") == runs.logged(whole, "pck_sticks")
    assert (told / "tiny.safetensors").read_bytes() == (whole / "tiny.safetensors").read_bytes()


def until(folder, step):
    runs.run(folder, RECIPE, stop_at=step)


def test_two_processes_stop_after_the_same_step_though_one_is_told(tmp_path):
    runs.call(stopped, tmp_path, 1, signal.SIGTERM, 1, ranks=2)
    endings = [json.loads((tmp_path / f"ended{rank}.json").read_text()) for rank in range(2)]
    assert [ending["code"] for ending in endings] == [143, 143]
    assert all("stopped after step 1 of 4" in ending["message"] for ending in endings)
    assert runs.checkpoint(tmp_path)["step"] == 1


def told_too_late(folder):
    told_at(4, signal.SIGTERM)
    runs.run(folder, RECIPE)


def test_in_the_last_step_the_run_simply_ends(tmp_path):
    runs.call(told_too_late, tmp_path)
    assert (tmp_path / "tiny.safetensors").exists()


def test_the_first_signal_counts_and_a_second_ctrl_c_insists():
    with StopRequest() as request:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)  # clusters may repeat it
        assert request.signal == signal.SIGTERM
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    with StopRequest(insist=False) as request:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        assert request.signal == signal.SIGINT
