"""Every layout that weights come in, made here with the real torch.save; and files that must be refused."""

from __future__ import annotations

import collections
import logging
import os
import pickle
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from posetrack.errors import PoseTrackError
from posetrack.models.hrnet import HRNet, HRNetConfig
from posetrack.zoo import read_checkpoint, read_metadata

State = dict[str, Tensor]

TINY = HRNetConfig(width=4, modules=(1, 1, 1), blocks=1, stem=8, bottleneck=4, bottlenecks=1)


@pytest.fixture(scope="module")
def state() -> State:
    """Official keys, of a network of a few kilobytes."""
    torch.manual_seed(0)
    return {key: torch.randn(tensor.shape).to(tensor.dtype) for key, tensor in tiny().state_dict().items()}


def tiny() -> HRNet:
    return HRNet(TINY, keypoints=17)


def prefixed(prefix: str, state: State) -> State:
    return collections.OrderedDict((prefix + key, tensor) for key, tensor in state.items())


def mmpose(state: State, head: str) -> State:
    """The trunk under backbone, final_layer and deconv_layers under the head."""
    return {
        (head if key.startswith(("final_layer", "deconv_layers")) else "backbone.") + key: tensor
        for key, tensor in state.items()
    }


def other(state: State) -> State:
    """The same keys with values that must not be chosen."""
    return {key: tensor * 0 - 1 for key, tensor in state.items()}


LAYOUTS: dict[str, Callable[[State], Any]] = {
    "official": lambda s: collections.OrderedDict(s),
    "official, from DataParallel": lambda s: prefixed("module.", s),
    "official training checkpoint": lambda s: {
        "epoch": 210,
        "model": "pose_hrnet",
        "state_dict": prefixed("module.", other(s)),
        "best_state_dict": s,
        "perf": 0.7,
        "optimizer": {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 1e-3}]},
    },
    "nested state_dict": lambda s: {"epoch": 1, "state_dict": prefixed("module.", s)},
    "nested model": lambda s: {"model": s, "step": torch.tensor(3)},
    "an average beside the last weights": lambda s: {
        "network": other(s),
        "ema": {"module": s, "updates": 9},
    },
    "Lightning, compiled": lambda s: {"state_dict": prefixed("network._orig_mod.", s), "loops": {}},
    "mmpose 0.x": lambda s: {"meta": {"epoch": 210}, "state_dict": mmpose(s, "keypoint_head.")},
    "the first mmpose": lambda s: {
        "meta": {},
        "state_dict": {
            key.replace("final_layer.", "final_layer.0."): tensor
            for key, tensor in mmpose(s, "keypoint_head.").items()
        },
    },
    "mmpose 1.x": lambda s: {
        "meta": {"cfg": "model = dict(type='TopdownPoseEstimator')"},
        "state_dict": mmpose(s, "head.")
        | {"data_preprocessor.mean": torch.zeros(3), "data_preprocessor.std": torch.ones(3)},
        "message_hub": {"log_scalars": {}, "runtime_info": {"epoch": 210}},
    },
}


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str, zipped: bool, state: State, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save(LAYOUTS[layout](state), path, _use_new_zipfile_serialization=zipped)
    assert_same(read_checkpoint(path), state)


def test_the_head_of_simple_baseline_from_mmpose(tmp_path: Path) -> None:
    official = [f"deconv_layers.{n}.weight" for n in (0, 1, 3, 4, 6, 7)] + ["deconv_layers.1.running_var"]
    official += ["final_layer.weight", "final_layer.bias", "conv1.weight", "layer4.2.bn3.bias"]
    state = {key: torch.full((1,), float(n)) for n, key in enumerate(official)}
    for head in ("keypoint_head.", "head."):
        torch.save({"state_dict": mmpose(state, head)}, tmp_path / "weights.pth")
        assert_same(read_checkpoint(tmp_path / "weights.pth"), state)


def test_the_head_of_a_classifier_keeps_its_keys(tmp_path: Path) -> None:
    """Its final_layer.0 is not the final_layer.0 of the first mmpose."""
    state = {
        "conv1.weight": torch.zeros(1),
        "final_layer.0.weight": torch.zeros(2),
        "classifier.bias": torch.ones(3),
    }
    torch.save(state, tmp_path / "weights.pth")
    assert_same(read_checkpoint(tmp_path / "weights.pth"), state)


def test_the_keys_of_a_foreign_network_stay(tmp_path: Path) -> None:
    """Torchvision's detectors have a backbone of their own."""
    state = {"backbone.body.conv1.weight": torch.zeros(1), "rpn.head.conv.weight": torch.ones(2)}
    torch.save(state, tmp_path / "weights.pth")
    assert_same(read_checkpoint(tmp_path / "weights.pth"), state)


def test_safetensors_with_metadata_in_half_precision(state: State, tmp_path: Path) -> None:
    path = tmp_path / "named_as_torch.pth"  # the content tells, not the name
    half = {key: tensor.half() if tensor.is_floating_point() else tensor for key, tensor in state.items()}
    save_file(half, path, metadata={"network": "hrnet_light", "licence": "Apache-2.0"})
    assert_same(read_checkpoint(path), half)
    assert read_metadata(path) == {"network": "hrnet_light", "licence": "Apache-2.0"}


def test_safetensors_without_metadata(state: State, tmp_path: Path) -> None:
    save_file(state, tmp_path / "weights.safetensors")
    assert read_metadata(tmp_path / "weights.safetensors") == {}


def test_metadata_of_another_format(state: State, tmp_path: Path) -> None:
    torch.save(state, tmp_path / "weights.pth")
    with pytest.raises(PoseTrackError, match="not a safetensors file"):
        read_metadata(tmp_path / "weights.pth")


# --- foreign objects ---------------------------------------------------------------------------------


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


# --- what is no weights file -------------------------------------------------------------------------


REFUSED = {
    "missing": (None, "no such file"),
    "empty": (b"", "empty file"),
    "text": (b"epoch 1, loss 0.5\n" * 20, "not a weights file (it begins with b'epoch 1, loss 0."),
    "web page": (b"\n<!DOCTYPE html><html><title>Sign in</title></html>", "a web page saved under this name"),
    "zip of something else": (b"PK\x05\x06" + bytes(18), "not a weights file"),
    "a pickle that torch did not write": (pickle.dumps({"conv1.weight": [0.0]}), "a plain pickle"),
    "a pickle of nothing": (b"\x80\x02.", "damaged or cut off"),
    "json": (b'{"weights": "elsewhere"}', "not a weights file"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_files_that_hold_no_weights(case: str, tmp_path: Path) -> None:
    content, reason = REFUSED[case]
    path = tmp_path / "weights.pth"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PoseTrackError) as refusal:
        read_checkpoint(path)
    assert_one_line(refusal.value, str(path), reason)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PoseTrackError, match="not a file"):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize("content", [{"epoch": 3}, [1, 2], {"state_dict": {}}, 5])
def test_a_checkpoint_without_weights(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "weights.pth")
    with pytest.raises(PoseTrackError, match=r"no network weights in this file; save model\.state_dict\(\)"):
        read_checkpoint(tmp_path / "weights.pth")


def test_a_pickled_network_is_named_as_such(tmp_path: Path) -> None:
    torch.save(tiny(), tmp_path / "model.pth")
    with pytest.raises(PoseTrackError, match=r"no network weights .* kind posetrack\.models\.hrnet\.Basic"):
        read_checkpoint(tmp_path / "model.pth")


def write(state: State, kind: str, path: Path) -> bytes:
    if kind == "safetensors":
        save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=kind == "zip")
    return path.read_bytes()


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
@given(share=st.floats(0, 1, exclude_max=True))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_cut_off_anywhere_is_refused_in_one_line(
    share: float, kind: str, state: State, tmp_path: Path
) -> None:
    path = tmp_path / "weights.pth"
    whole = write(state, kind, path)
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(PoseTrackError) as refusal:
        read_checkpoint(path)
    assert_one_line(refusal.value, str(path))


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
@given(data=st.data())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_with_a_changed_byte_is_read_or_refused(
    data: st.DataObject, kind: str, state: State, tmp_path: Path
) -> None:
    path = tmp_path / "weights.pth"
    content = bytearray(write({"weight": torch.arange(6.0), "number": torch.tensor(3)}, kind, path))
    # Legacy storage keys vary in length, so the file's own length must not steer the draw.
    place = data.draw(st.integers(0, 10**6)) % len(content)
    content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        found = read_checkpoint(path)
    except PoseTrackError as refusal:
        assert_one_line(refusal, str(path))
    else:
        assert all(isinstance(tensor, Tensor) for tensor in found.values())


def assert_same(found: State, expected: State) -> None:
    assert sorted(found) == sorted(expected)
    for key, tensor in expected.items():
        assert found[key].dtype == tensor.dtype
        assert torch.equal(found[key], tensor.detach()), key


def assert_one_line(error: PoseTrackError, *parts: str) -> None:
    text = str(error)
    assert "\n" not in text
    for part in parts:
        assert part in text
