from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.models import get_model_weights

from posetrack.detectors.torchvision import NAMES, TorchvisionDetector, create, url
from posetrack.errors import PoseTrackError
from posetrack.types import Frame

SMALL = "ssdlite320_mobilenet_v3_large"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with torchvision's keys and random numbers that takes most things for a person."""
    torch.manual_seed(0)
    state = create(SMALL).state_dict()
    for key, value in state.items():
        if re.fullmatch(r"head\.classification_head\.module_list\.\d\.1\.bias", key):
            value.view(-1, 91)[:, 1] += 5
    path = tmp_path_factory.mktemp("weights") / "ssdlite.pth"
    torch.save(state, path)
    return path


def frame(index: int, width: int = 64, height: int = 48) -> Frame:
    image = np.random.default_rng(index).integers(0, 256, (height, width, 3), np.uint8)
    return Frame(image, index, index / 30)


class Recorder(nn.Module):
    """Gives known boxes and keeps what it was shown."""

    def __init__(self, *outputs: dict[str, Tensor]) -> None:
        super().__init__()
        self.outputs, self.seen = list(outputs), list[Tensor]()

    def forward(self, images: list[Tensor]) -> list[dict[str, Tensor]]:
        self.seen += images
        return [self.outputs.pop(0) for _ in images]


def output(*rows: tuple[list[float], float, int]) -> dict[str, Tensor]:
    return {
        "boxes": torch.tensor([r[0] for r in rows]).reshape(-1, 4),
        "scores": torch.tensor([r[1] for r in rows]),
        "labels": torch.tensor([r[2] for r in rows], dtype=torch.long),
    }


def test_persons_above_the_threshold_inside_the_frame(weights: Path) -> None:
    detect = TorchvisionDetector(SMALL, weights, score_threshold=0.4)
    detect.network = recorder = Recorder(
        output(
            ([1, 2, 11, 22], 0.5, 1),
            ([5, 5, 99, 30], 0.8, 1),  # beyond the right border
            ([0, 0, 10, 10], 0.9, 3),  # a car
            ([0, 0, 10, 10], 0.3, 1),  # not sure enough
        ),
        output(),
    )
    shown = [frame(0), frame(1, 32, 32)]
    first, second = detect(shown)
    assert first.boxes.tolist() == [[5, 5, 64, 30], [1, 2, 11, 22]]
    assert first.scores.tolist() == pytest.approx([0.8, 0.5])
    assert len(second) == 0
    for image, of in zip(recorder.seen, shown, strict=True):  # RGB, channels first, 0..1
        np.testing.assert_allclose(image.permute(1, 2, 0).numpy() * 255, of.image, atol=1e-3)


def test_the_real_network_runs_and_batches_change_nothing(weights: Path) -> None:
    detect = TorchvisionDetector(SMALL, weights, score_threshold=0.2)
    frames = [frame(0), frame(1, 40, 60), frame(2)]
    together = detect(frames)
    assert sum(len(d) for d in together) > 0
    for one, found in zip(frames, together, strict=True):
        (alone,) = detect([one])
        np.testing.assert_array_equal(found.boxes, alone.boxes)
        np.testing.assert_array_equal(found.scores, alone.scores)
        assert (found.scores >= 0.2).all()
        assert (found.boxes >= 0).all()
        assert (found.boxes <= [*one.size, *one.size]).all()


def test_no_frames_no_detections(weights: Path) -> None:
    assert TorchvisionDetector(SMALL, weights)([]) == []


@pytest.mark.parametrize("name", NAMES)
def test_networks_are_those_of_the_published_weights(name: str) -> None:
    with torch.device("meta"):  # shapes without numbers
        network = create(name)
    published = get_model_weights(name).DEFAULT
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    everything = sum(p.numel() for p in network.parameters())
    affine = sum(
        m.weight.numel() + m.bias.numel() for m in norms
    )  # frozen ones are not counted as parameters
    assert published.meta["num_params"] in (everything, everything - affine)
    assert published.meta["categories"][1] == "person"
    assert url(name).startswith(f"https://download.pytorch.org/models/{name}")


def test_missing_weights_say_where_to_get_them(tmp_path: Path) -> None:
    path = tmp_path / "none.pth"
    with pytest.raises(PoseTrackError) as error:
        TorchvisionDetector("fcos_resnet50_fpn", path)
    for part in (str(path), "posetrack fetch", url("fcos_resnet50_fpn")):
        assert part in str(error.value)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save(nn.Conv2d(3, 8, 3).state_dict(), path)
    with pytest.raises(PoseTrackError, match=r"other\.pth"):
        TorchvisionDetector(SMALL, path)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(PoseTrackError, match=r"'yolo'.*fcos_resnet50_fpn"):
        TorchvisionDetector("yolo", "x.pth")
