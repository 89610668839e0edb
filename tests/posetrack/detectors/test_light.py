from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from posetrack.detectors.light import STRIDES, LightDetector, LightNetwork, cell_centres, input_size, shrunk
from posetrack.errors import PoseTrackError
from posetrack.runtime.calibration import Calibration
from posetrack.runtime.compiled import CompiledNetwork
from posetrack.runtime.precision import multiplies_bfloat16
from posetrack.training.export import half_precision, write
from posetrack.types import Frame
from posetrack.zoo.checkpoint import read_checkpoint, read_metadata


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with random numbers, its scores spread around a half."""
    torch.manual_seed(3)
    network = LightNetwork()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.5, 0.5)
    path = tmp_path_factory.mktemp("weights") / "light.safetensors"
    write(half_precision(network), path, {"score_threshold": "0.45", "input_long_side": "160"})
    return path


def frame(index: int, width: int = 160, height: int = 96) -> Frame:
    image = np.random.default_rng(index).integers(0, 256, (height, width, 3), np.uint8)
    return Frame(image, index, index / 30)


@pytest.mark.parametrize(
    ("frame_size", "expected"),
    [
        ((1280, 720), (416, 224)),  # 234 high without rounding
        ((720, 1280), (224, 416)),
        ((640, 480), (416, 320)),  # 312
        ((300, 300), (416, 416)),  # small frames are enlarged
        ((4000, 20), (416, 32)),  # never less than one cell
    ],
)
def test_input_size(frame_size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert input_size(*frame_size, 416) == expected


def test_a_large_frame_is_averaged_and_an_odd_row_left_out() -> None:
    image = np.zeros((9, 16, 3), np.uint8)
    image[:, ::2] = 200  # stripes of one pixel, which picking single pixels would turn to black or white
    assert (shrunk(image, (4, 2)) == 100).all()


def test_weights_say_how_deep_their_network_is(tmp_path: Path) -> None:
    network = LightNetwork(depths=(1, 1, 3, 2))
    write(half_precision(network), tmp_path / "deep.safetensors", {"depths": "[1, 1, 3, 2]"})
    detector = LightDetector(tmp_path / "deep.safetensors")
    assert [len(stage[1].steps) for stage in (detector.network.stage16, detector.network.stage32)] == [3, 2]


def test_cells_are_in_the_order_of_the_levels() -> None:
    logits, boxes = LightNetwork().eval()(torch.zeros(2, 3, 64, 96))
    assert logits.shape == (2, 8 * 12 + 4 * 6 + 2 * 3)
    assert boxes.shape == (2, 126, 4)
    assert cell_centres(2, 3, 32, torch.device("cpu")).tolist() == [
        [16, 16], [48, 16], [80, 16], [16, 48], [48, 48], [80, 48],
    ]  # fmt: skip


def test_a_box_reaches_from_its_cell_by_powers_of_two_of_the_stride() -> None:
    network = LightNetwork().eval()
    for sides in network.sides:
        assert isinstance(sides, torch.nn.Conv2d)
        torch.nn.init.zeros_(sides.weight)
        sides.bias = torch.nn.Parameter(torch.tensor([0.0, 1.0, 2.0, -1.0]))  # left, top, right, bottom
    _, boxes = network(torch.rand(1, 3, 32, 64))
    last = boxes[0, -1]  # the right one of the two cells at stride 32, centred at (48, 16)
    assert STRIDES[-1] == 32
    assert last.tolist() == pytest.approx([48 - 32, 16 - 64, 48 + 128, 16 + 16])


def test_batches_change_nothing(weights: Path) -> None:
    detect = LightDetector(weights)
    frames = [frame(0), frame(1, 96, 160), frame(2), frame(3)]
    alone = [detect([f])[0] for f in frames]
    assert all(len(d) > 0 for d in alone)
    for together in (detect(frames), detect(frames[:2]) + detect(frames[2:])):
        for a, b in zip(alone, together, strict=True):
            np.testing.assert_array_equal(a.boxes, b.boxes)
            np.testing.assert_array_equal(a.scores, b.scores)
    assert detect([]) == []


def test_boxes_are_inside_sorted_and_above_the_threshold_of_the_file(weights: Path) -> None:
    (found,) = LightDetector(weights)([frame(0)])
    assert (np.diff(found.scores) <= 0).all()
    assert found.scores.min() >= 0.45
    assert (found.boxes >= 0).all()
    assert (found.boxes <= [160, 96, 160, 96]).all()
    (few,) = LightDetector(weights, score_threshold=float(found.scores[0]))([frame(0)])
    assert few.boxes.tolist() == found.boxes[:1].tolist()


def test_boxes_are_in_pixels_of_the_frame(weights: Path) -> None:
    """A frame of doubled pixels scales down to the same input, so its boxes are exactly twice as large."""
    small = frame(0)
    large = Frame(small.image.repeat(2, 0).repeat(2, 1), 0, 0.0)
    detect = LightDetector(weights)
    (a,), (b,) = detect([small]), detect([large])
    np.testing.assert_array_equal(a.boxes * 2, b.boxes)
    np.testing.assert_array_equal(a.scores, b.scores)


def test_nobody_in_a_plain_picture_and_weights_that_ship() -> None:
    detect = LightDetector()
    assert detect.long_side == 416
    assert 0.2 <= detect.score_threshold <= 0.7
    for gray in (0, 128, 255):
        assert len(detect([Frame(np.full((180, 320, 3), gray, np.uint8), 0, 0.0)])[0]) == 0


def test_files_that_are_no_light_detector_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PoseTrackError, match=r"none\.safetensors"):
        LightDetector(tmp_path / "none.safetensors")
    other = tmp_path / "other.safetensors"
    write(half_precision(torch.nn.Conv2d(3, 8, 3)), other, {})
    with pytest.raises(PoseTrackError, match=r"other\.safetensors"):
        LightDetector(other)


def test_calibration_of_the_weights_file_changes_scores_but_not_boxes(weights: Path, tmp_path: Path) -> None:
    honest, path = Calibration(2.0, 0.3), tmp_path / "honest.safetensors"
    facts = read_metadata(weights) | {"calibration": honest.text()}
    write(read_checkpoint(weights), path, facts)
    raw = LightDetector(weights, score_threshold=0.0)([frame(1)])[0]
    found = LightDetector(path, score_threshold=0.0)([frame(1)])[0]
    np.testing.assert_array_equal(found.boxes, raw.boxes)
    np.testing.assert_array_equal(found.scores, honest(raw.scores))
    limit = float(np.median(found.scores))  # the threshold is one on honest scores
    assert len(LightDetector(path, score_threshold=limit)([frame(1)])[0]) == (found.scores >= limit).sum()


@pytest.mark.parametrize("compiled", [False, True], ids=["torch", "openvino"])
def test_bfloat16_moves_boxes_by_less_than_a_pixel(
    weights: Path, monkeypatch: pytest.MonkeyPatch, compiled: bool
) -> None:
    if compiled:
        pytest.importorskip("openvino")
    else:
        monkeypatch.setattr("posetrack.runtime.compiled.find_spec", lambda _: None)
    found = {}
    for hardware in (False, True):
        monkeypatch.setattr("posetrack.detectors.light.multiplies_bfloat16", lambda _, h=hardware: h)
        detector = LightDetector(weights)
        assert isinstance(detector.trunk, CompiledNetwork) == compiled
        image = torch.rand(1, 3, 96, 160, generator=torch.Generator().manual_seed(1))
        with torch.inference_mode():
            found[hardware] = detector.network.cells(detector.trunk(image))
    (logits, boxes), (rough_logits, rough_boxes) = found[False], found[True]
    assert rough_logits.dtype == rough_boxes.dtype == torch.float32  # the heads stay exact
    if not compiled or multiplies_bfloat16("cpu"):  # OpenVINO does not pretend to
        assert not torch.equal(logits, rough_logits)
    assert (logits - rough_logits).abs().max() < 0.15
    assert (boxes - rough_boxes).abs().max() < 1.0
