"""The whole way of a lent machine in miniature: pack, bring, train, be killed, go on, export.

With `-m gpu` the same on a CUDA device, before minutes there depend on it.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from posetrack.errors import PoseTrackError
from posetrack.training.light_both import DETECTOR, POSE, Settings, export_both, train_both
from posetrack.training.parts import read_part
from posetrack.training.pieces import pack, receive
from posetrack.training.store import SmallFiles
from posetrack.zoo.checkpoint import read_checkpoint, read_metadata
from tests.posetrack.training.miniature import write_miniature, write_rendered

ROOT = Path(__file__).parents[3]
NO_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
DEVICES = ["cpu", pytest.param("cuda", marks=[pytest.mark.gpu, NO_CUDA])]
# Requirements of ours that a lent machine was seen without.
ABSENT_THERE = ("av", "motmetrics", "ptlflow", "pycocotools", "jsonargparse", "pydantic", "shapely")


@pytest.fixture
def data(tmp_path):
    """What a machine holds after all pieces."""
    rendered = write_rendered(tmp_path / "rendered")
    pieces = pack(
        *write_miniature(tmp_path / "data"), tmp_path / "pieces", largest=100_000, rendered=rendered
    )
    for piece in pieces:
        to_come = receive(piece, tmp_path / "there")
    assert to_come == []
    return tmp_path / "there"


def settings(device="cpu", **changes):
    few = {"minutes": 0.1, "processes": 1, "pose_batch": 2, "detector_batch": 1}
    return Settings(device=device, **(few | changes))


def pictures(out, name):
    state = SmallFiles(out, name).read("cpu")
    return 0 if state is None else state["pictures"]


@pytest.mark.parametrize("device", DEVICES)
def test_killed_and_resumed_it_ends_with_both_weights(data, tmp_path, device):
    killed, out = tmp_path / "killed", tmp_path / "out"
    command = f"train --data {data} --out {killed} --device {device} --minutes 10 --save-every 0.2 \
        --pose-batch 2 --detector-batch 1 --processes 1"
    process = subprocess.Popen([sys.executable, "scripts/light_on_gpu.py", *command.split()], cwd=ROOT)
    deadline = time.monotonic() + 120
    while not list(killed.glob("pose-*")) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)
    time.sleep(0.5)  # to be in the middle of something
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = SmallFiles(killed, "pose").read("cpu")
    assert before["pictures"] > 0

    few = settings(device, minutes=(before["seconds"] + 3) / 60 / 0.6, pose_share=0.6)  # 3 more seconds
    assert train_both(few, data, out, resume=killed)
    assert pictures(out, "pose") > before["pictures"]
    sizes = {path.name: path.stat().st_size for path in out.iterdir()}
    assert len(sizes) <= 8  # as many come back
    assert max(sizes.values()) <= 15 * 2**20
    names = {re.sub(r"\d{6}", "N", name) for name in sizes}
    assert names == {POSE, DETECTOR, "pose-N-0", "pose-N-1", "detector-N-0", "log.jsonl"}
    facts = read_metadata(out / POSE)
    assert int(facts["pictures"]) == pictures(out, "pose")
    assert facts["trained_on"].endswith("and rendered people")
    assert read_metadata(out / DETECTOR)["trained_on"].endswith("and rendered people")
    assert set(json.loads(facts["pck"])) == {"pck_lspet", "pck_lspet_flip", "pck_others", "pck_others_flip"}
    assert int(read_metadata(out / DETECTOR)["pictures"]) == pictures(out, "detector") > 0

    again = export_both(out, data, tmp_path / "again")  # of the states, where there is no such machine
    assert [path.name for path in again] == [DETECTOR, POSE]
    for path in again:
        first, second = read_checkpoint(out / path.name), read_checkpoint(path)
        assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_it_leaves_in_time_and_begins_with_given_weights(data, tmp_path):
    assert train_both(settings(minutes=0.02), data, tmp_path / "first")
    later = settings(minutes=10.0, call_minutes=0.0, init=tmp_path / "first")
    for share, name, file in ((1.0, "pose", POSE), (0.0, "detector", DETECTOR)):
        out = tmp_path / name
        assert not train_both(replace(later, pose_share=share), data, out)
        assert {path.name for path in out.iterdir()} <= {f"{name}-000001-{i}" for i in (0, 1)}
        weights, state = read_checkpoint(tmp_path / "first" / file), SmallFiles(out, name).read("cpu")
        assert state["pictures"] == 0
        assert all(torch.equal(state["network"][key], value.float()) for key, value in weights.items())


@pytest.mark.parametrize("device", DEVICES)
def test_a_wide_network_is_trained_first_and_teaches(data, tmp_path, device):
    first, out = tmp_path / "first", tmp_path / "out"
    assert train_both(settings(device, minutes=0.02, pose_share=1.0), data, first)
    wide = settings(device, minutes=0.1, pose_share=1.0, wide_share=0.5, small_share=0.2, init=first)
    assert not train_both(replace(wide, call_minutes=0.0), data, out)
    assert list(out.iterdir()) == []  # the teacher's state stays beside the data
    assert train_both(wide, data, out, resume=out)
    teacher = data / "wide" / POSE
    assert b"".join(read_part(path).body for path in sorted(out.glob("teacher-*"))) == teacher.read_bytes()
    assert max(path.stat().st_size for path in out.iterdir()) <= 15 * 2**20
    light, large = read_checkpoint(out / POSE), read_checkpoint(teacher)
    assert {2 * len(v) for k, v in light.items() if "branches" in k} == {
        len(v) for k, v in large.items() if "branches" in k
    }
    assert read_metadata(out / POSE)["model"] == "hrnet_light"
    assert int(read_metadata(teacher)["pictures"]) > int(read_metadata(first / POSE)["pictures"])

    shutil.rmtree(data / "wide")  # another machine: the teacher comes with the files
    assert train_both(wide, data, tmp_path / "on", resume=out)
    assert b"".join(read_part(path).body for path in sorted(out.glob("teacher-*"))) == teacher.read_bytes()
    assert pictures(tmp_path / "on", "pose") == pictures(out, "pose") > 0


def test_a_wide_network_alone_is_what_comes_out(data, tmp_path):
    first, out, to = tmp_path / "first", tmp_path / "out", tmp_path / "to"
    assert train_both(settings(minutes=0.02, pose_share=1.0), data, first)
    shutil.rmtree(data / "wide", ignore_errors=True)
    alone = settings(minutes=0.05, pose_share=1.0, wide_share=1.0, small_share=0.0, init=first)
    assert not train_both(replace(alone, call_minutes=0.0), data, out)
    assert train_both(alone, data, out, resume=out)
    assert {path.name.split("-")[0] for path in out.iterdir()} == {"teacher"}
    assert export_both(out, data, to) == [to / POSE]
    assert (to / POSE).read_bytes() == (data / "wide" / POSE).read_bytes()

    shutil.copytree(first, tmp_path / "both")
    for part in out.iterdir():
        shutil.copy(part, tmp_path / "both")
    written = export_both(tmp_path / "both", data, tmp_path / "two")
    assert [path.name for path in written] == [POSE, "teacher.safetensors"]
    assert [read_metadata(path)["model"] for path in written] == [
        "hrnet_light",
        read_metadata(to / POSE)["model"],
    ]


def test_no_more_processes_than_shared_memory_has_room_for(data, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=2**20))
    assert not train_both(settings(call_minutes=0.0), data, tmp_path / "out")
    assert "room for 0 processes, not 1" in capsys.readouterr().out


def test_what_is_missing_is_named(data, tmp_path):
    with pytest.raises(PoseTrackError, match="holds no lspet/: receive all pieces"):
        train_both(settings(), tmp_path / "nothing", tmp_path / "out")
    with pytest.raises(PoseTrackError, match="a teacher is given, some, and one is to be trained"):
        train_both(settings(teacher=Path("some"), wide_share=0.5), data, tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(PoseTrackError, match="empty holds no state to go on from"):
        train_both(settings(), data, tmp_path / "out", resume=tmp_path / "empty")


def test_it_needs_nothing_that_the_machine_lacks():
    code = f"import sys; sys.modules.update(dict.fromkeys({ABSENT_THERE!r})); \
        sys.argv = ['light_on_gpu.py', '--help']; exec(open('scripts/light_on_gpu.py').read())"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "COMMAND" in result.stdout


def test_the_plan_names_every_piece_once_and_trains_with_the_last(data, tmp_path):
    pieces = sorted((tmp_path / "pieces").iterdir())
    command = [sys.executable, "scripts/light_on_gpu.py", "plan", str(tmp_path / "pieces"), "--minutes", "8"]
    command += ["--options=--init somewhere"]
    plan = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    calls = re.findall(r"carry: (\S+)\n  timeout_s: (\d+)\n  command: (.+)\n", plan)
    assert [carry for carry, _, _ in calls] == [*map(str, pieces), str(tmp_path / "pieces" / "run")]
    assert [" train " in text for _, _, text in calls] == [False] * (len(pieces) - 1) + [True, True]
    assert all(
        ("--minutes 8 " in text and "--init somewhere" in text) == (" train " in text) for _, _, text in calls
    )
    assert all(f"receive {piece} " in text for piece, (_, _, text) in zip(pieces, calls, strict=False))
    assert all(len(text) <= 2000 and int(seconds) <= 600 for _, seconds, text in calls)
