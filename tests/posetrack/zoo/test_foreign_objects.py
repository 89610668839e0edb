"""Checkpoints with objects of other packages, and poisoned ones: nothing of them runs."""

from __future__ import annotations

import collections
import logging
import os
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from posetrack.errors import PoseTrackError
from posetrack.zoo import read_checkpoint

from .checkpoints import State, assert_one_line, assert_same, mmpose


class Alarm:
    """Notes whether any of its code ran after it was written."""

    rang = False

    def __setstate__(self, state: object) -> None:
        Alarm.rang = True

    def __init__(self) -> None:
        self.values = np.arange(3)


@pytest.fixture
def foreign(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], Any]]:
    """Makes an object of a class in a module that only the writer of the file has."""
    made = []

    def make(module: str, name: str) -> Any:
        kind = type(name, (Alarm,), {"__module__": module})
        parts = module.split(".")
        for n in range(1, len(parts) + 1):
            part = ".".join(parts[:n])
            monkeypatch.setitem(sys.modules, part, types.ModuleType(part))
            made.append(part)
        setattr(sys.modules[module], name, kind)
        return kind()

    Alarm.rang = False
    yield make
    for part in made:
        sys.modules.pop(part, None)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_objects_of_other_packages_are_passed_over(
    zipped: bool, state: State, tmp_path: Path, foreign: Callable[[str, str], Any]
) -> None:
    """As in the checkpoints of mmengine: a message hub of loss histories, a config, numpy numbers."""
    history = foreign("mmengine.logging.history_buffer", "HistoryBuffer")
    config = foreign("mmengine.config.config", "ConfigDict")
    learnt = {k: torch.nn.Parameter(v) if v.is_floating_point() else v for k, v in state.items()}
    losses = collections.defaultdict(list, {"train/loss": history})
    checkpoint = {
        "meta": {"cfg": config, "time": np.float64(1.5), "seeds": {1, 2}, "path": Path("work_dirs")},
        "message_hub": {"log_scalars": losses, "rng": np.arange(4)},
        "state_dict": mmpose(learnt, "head."),
        "hooks": [history, len, Alarm],
        "optimizer": {"state": {0: {"exp_avg": torch.zeros(2, 3).t()}}},
    }
    path = tmp_path / "epoch_210.pth"
    torch.save(checkpoint, path, _use_new_zipfile_serialization=zipped)
    for name in [name for name in sys.modules if name.startswith("mmengine")]:
        del sys.modules[name]
    assert_same(read_checkpoint(path), state)
    assert not Alarm.rang
    assert not any(name.startswith("mmengine") for name in sys.modules)


def test_a_dictionary_as_python_2_wrote_it(state: State, tmp_path: Path) -> None:
    written = Bomb(collections.OrderedDict, [[key, tensor] for key, tensor in state.items()])
    torch.save({"state_dict": written, "host": Bomb(Path, "gpu")}, tmp_path / "weights.pth")
    assert_same(read_checkpoint(tmp_path / "weights.pth"), state)


def test_views_strides_and_types_survive_the_second_reader(
    tmp_path: Path, foreign: Callable[[str, str], Any]
) -> None:
    table = torch.arange(24.0).reshape(4, 6)
    state = {
        "transposed": table.t(),
        "middle": table[1:3, 2:5],
        "shared": table,
        "empty": torch.empty(0, 3),
        "number": torch.tensor(7),
        "bfloat": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
        "half": torch.tensor([0.25], dtype=torch.float16),
        "flags": torch.tensor([True, False]),
        "bytes": torch.tensor([1, 255], dtype=torch.uint8),
        "channels_last": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
    }
    for zipped in (True, False):
        extra = {"meta": foreign("somewhere.settings", "Settings"), "state_dict": state}
        torch.save(extra, tmp_path / "weights.pth", _use_new_zipfile_serialization=zipped)
        assert_same(read_checkpoint(tmp_path / "weights.pth"), state)


class Bomb:
    """Pickles as a call."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize(
    ("function", "named"),
    [(os.system, "system"), (exec, "builtins.exec"), (eval, "builtins.eval"), (os.mkdir, "mkdir")],
)
def test_a_poisoned_pickle_does_not_run(
    function: Callable[..., Any], named: str, zipped: bool, state: State, tmp_path: Path
) -> None:
    marker = tmp_path / "ran"
    orders = {
        os.system: f"touch {marker}",
        exec: f"open({str(marker)!r}, 'w')",
        eval: f"open({str(marker)!r}, 'w')",
        os.mkdir: str(marker),
    }
    path = tmp_path / "poison.pth"
    bomb = Bomb(function, orders[function])
    torch.save({"state_dict": state, "meta": bomb}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(PoseTrackError) as refusal:
        read_checkpoint(path)
    assert not marker.exists()
    assert_one_line(refusal.value, str(path), named, "nothing was run")


def test_calls_that_no_list_foresees_do_not_run_either(state: State, tmp_path: Path) -> None:
    """Opening a log file, or getting a method of an object and calling it: read past, not run."""
    marker = tmp_path / "ran"
    bombs = [Bomb(logging.FileHandler, str(marker)), Bomb(getattr, Bomb(Path, str(marker)), "touch")]
    torch.save({"state_dict": state, "meta": bombs}, tmp_path / "poison.pth")
    assert_same(read_checkpoint(tmp_path / "poison.pth"), state)
    assert not marker.exists()


def test_a_tensor_that_claims_more_than_the_file_holds(state: State, tmp_path: Path) -> None:
    """A stride of 0 makes a terabyte of four bytes."""
    huge = torch.zeros(1).expand(1 << 38)
    torch.save({"state_dict": {"weight": huge}, "meta": Bomb(Path, "x")}, tmp_path / "bomb.pth")
    with pytest.raises(PoseTrackError, match=r"damaged or cut off \(tensor larger than its storage\)"):
        read_checkpoint(tmp_path / "bomb.pth")
