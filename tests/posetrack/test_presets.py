"""Presets build what they say, or say what is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import posetrack
from posetrack import models, zoo
from posetrack.errors import PoseTrackError
from posetrack.pose.networks import load_network
from posetrack.presets import PAPER, PRESETS, find, load, min_joint_score_of, weights_of
from posetrack.types import Detections, Frame
from posetrack.zoo import catalog


def test_bundled_weights_are_small() -> None:
    folder = zoo.bundled("light_pose").parent
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 20 * 2**20


def test_light_runs_offline_and_finds_nobody_in_gray() -> None:
    frames = [Frame(np.full((120, 160, 3), 128, np.uint8), i, i / 25) for i in range(3)]
    tracks = list(posetrack.load("light", device="cpu").track(frames, batch_size=2))
    assert [len(t) for t in tracks] == [0, 0, 0]
    assert tracks[2].size == (160, 120)


def test_light_reports_ears_too() -> None:
    _, settings = load_network("light")
    assert settings.skeleton.name == "posetrack18"
    assert settings.unlabelled == ()  # learned from COCO


@pytest.mark.parametrize("name", ["realtime", "paper"])
def test_missing_weights_name_file_place_and_remedy(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSETRACK_HOME", str(tmp_path))
    with pytest.raises(PoseTrackError) as caught:
        load(name, device="cpu")
    said = str(caught.value)
    assert "posetrack fetch" in said
    assert str(tmp_path) in said
    assert "https://" in said
    assert "\n" not in said


def test_what_to_fetch() -> None:
    assert weights_of("light") == []
    assert weights_of("paper") == [
        "fasterrcnn_resnet50_fpn_v2", "hrnet_w48_posetrack18_384x288", "ptlflow:flownet2/things"
    ]  # fmt: skip


def test_licences_are_free_but_for_the_flow_that_the_paper_used() -> None:
    licences = {weight: catalog.find(weight).licence for name in PRESETS for weight in weights_of(name)}
    limited = {w for w, licence in licences.items() if licence not in ("Apache-2.0", "MIT", "BSD-3-Clause")}
    assert limited == {"ptlflow:flownet2/things"}
    assert licences["ptlflow:flownet2/things"].startswith("research only")


def test_thresholds_of_the_paper() -> None:
    assert (PAPER.detector_score, PAPER.min_joint_score, PAPER.tracker.expansion) == (0.5, 0.4, 0.15)
    assert PAPER.flip_test
    assert min_joint_score_of("paper") == 0.4
    assert min_joint_score_of("somebody else's") == 0


def test_unknown_preset_and_device() -> None:
    with pytest.raises(PoseTrackError, match="choose one of light, realtime, paper"):
        find("fast")
    for device in ("gpu", "cuda:", "cuda0", "meta"):
        with pytest.raises(PoseTrackError, match=f"unknown device '{device}': choose auto, cpu"):
            load("light", device=device)
    if not torch.cuda.is_available():
        with pytest.raises(PoseTrackError, match="--device cpu"):
            load("light", device="cuda")


def checkpoint(path: Path, **metadata: str) -> Path:
    """A light network with all weights at zero but for the last bias."""
    network = models.create("hrnet_light", 17)
    state = {k: torch.zeros_like(v) for k, v in network.state_dict().items()}
    save_file(state, path, metadata or None)
    return path


def test_own_weights_say_how_they_are_used(tmp_path: Path) -> None:
    facts = {
        "model": "hrnet_light",
        "skeleton": "posetrack18",
        "input_width": "96",
        "input_height": "128",
        "sigma": "1.0",
    }
    network, settings = load_network(PAPER.pose, checkpoint(tmp_path / "mine.safetensors", **facts))
    assert settings.input_size == (96, 128)
    assert not settings.softmax
    assert all((p == 0).all() for p in network.parameters())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sigma": None, "skeleton": None}, "mine.safetensors: its metadata lack sigma, skeleton"),
        ({"input_width": "100"}, "inputs of 100x128: both must be multiples of 32"),
    ],
)
def test_own_weights_that_do_not_say_enough(tmp_path: Path, change: dict[str, str | None], said: str) -> None:
    facts = {"model": "hrnet_light", "skeleton": "posetrack18", "input_width": "96", "input_height": "128"}
    facts |= {"sigma": "1.0"} | change
    path = checkpoint(tmp_path / "mine.safetensors", **{k: v for k, v in facts.items() if v is not None})
    with pytest.raises(PoseTrackError, match=said):
        load_network(PAPER.pose, path)


def test_weights_of_another_network_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "w32.pth"
    with torch.device("meta"):
        state = models.create("hrnet_w32", 17).state_dict()
    torch.save({k: torch.zeros(v.shape, dtype=torch.float16) for k, v in state.items()}, path)
    with pytest.raises(PoseTrackError, match="hrnet_w32") as caught:
        load_network("light", path)
    assert "\n" not in str(caught.value)


def test_a_poisoned_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    import os

    class Poison:
        def __reduce__(self) -> tuple[object, ...]:
            return os.mkdir, (str(tmp_path / "was_run"),)

    torch.save({"state_dict": {}, "meta": Poison()}, tmp_path / "bad.pth")
    with pytest.raises(PoseTrackError) as caught:
        load("light", device="cpu", weights=tmp_path / "bad.pth")
    assert not (tmp_path / "was_run").exists()
    assert "\n" not in str(caught.value)


def test_weights_that_broke_in_training_are_refused(tmp_path: Path) -> None:
    state = zoo.read_checkpoint(zoo.bundled("light_pose"))
    state["final_layer.bias"] = torch.full_like(state["final_layer.bias"], float("nan"))
    torch.save(state, tmp_path / "nan.pth")
    with pytest.raises(PoseTrackError, match=r"1 tensors hold NaN or infinity, first final_layer\.bias"):
        load_network("light", tmp_path / "nan.pth")


def test_any_part_may_be_another_one() -> None:
    class Nobody:
        def __call__(self, frames):
            return [Detections.empty() for _ in frames]

    mine = load("light", "cpu", detector=Nobody(), flow="none", tracker="oks")
    assert (mine.preset, mine.min_joint_score) == ("light", PRESETS["light"].min_joint_score)
    assert mine.models == {"detector": "Nobody", "pose": "light", "flow": "none", "tracker": "oks"}
    assert [len(t) for t in mine.track([np.zeros((64, 64, 3), np.uint8)] * 2)] == [0, 0]
    for words, line in (
        ({"detector": "yolo"}, "unknown detector 'yolo'"),
        ({"flow": "water"}, 'unknown flow "water"'),
        ({"tracker": "sort"}, "unknown tracker 'sort'"),
    ):
        with pytest.raises(PoseTrackError, match=line):
            load("light", "cpu", **words)
