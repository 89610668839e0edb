"""Every layout that weights come in, made here with the real torch.save, comes out with official keys."""

from __future__ import annotations

import collections
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from posetrack.errors import PoseTrackError
from posetrack.zoo import read_checkpoint, read_metadata

from .checkpoints import State, assert_same, mmpose, prefixed


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
