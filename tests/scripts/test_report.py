"""The arithmetic of scripts/report on tiny worlds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from posetrack.datasets.boxes import Picture
from posetrack.errors import PoseTrackError
from posetrack.presets import LIGHT
from posetrack.skeletons import POSETRACK18
from posetrack.types import Detections, Floats, Frame, Poses, Tracks
from scripts.markdown import fill, table
from scripts.report import failures
from scripts.report.accuracy import halved
from scripts.report.clips import VALUES, Answers, Motions, Remembered, changed, truth_of, value_of

K = len(POSETRACK18)
LEFT, RIGHT = [0, 0, 20, 50], [60, 0, 80, 50]


def test_table_and_fill() -> None:
    text = table("a | b:", [["x", 1.25], [3, float("nan")]])
    assert text == "| a | b |\n| --- | ---: |\n| x | 1.2 |\n| 3 | - |"
    card = "a\n<!-- measured: speed -->\nold\nolder\n<!-- end -->\nb <!-- measured: other -->\n<!-- end -->"
    assert fill(card, "speed", "new") == card.replace("old\nolder", "new")
    with pytest.raises(PoseTrackError, match="0 places '<!-- measured: size"):
        fill(card, "size", "")


def test_the_card_has_a_place_for_every_table() -> None:
    card = (Path(__file__).parents[2] / "posetrack" / "zoo" / "MODEL_CARD.md").read_text()
    for name in ("scores", "boxes", "joints", "everyday", "clips"):
        assert "new" in fill(card, name, "new")


def test_a_halved_photo_holds_the_same_people_in_twice_the_size() -> None:
    photo = Picture(
        "a.jpg", np.zeros((4, 6, 3), np.uint8), np.zeros((1, 4), np.float32), np.ones(1, np.float32)
    )
    large = halved(photo)
    assert large.image.shape == (8, 12, 3)
    assert (large.image[:4, :6] == 0).all()
    assert (large.image[4:] == 114).all()
    assert large.boxes is photo.boxes


def some_tracks(boxes: list[list[int]], points: Floats) -> Tracks:
    n = len(boxes)
    poses = Poses(points, np.full((n, K), 0.9), np.array(boxes), np.ones(n), POSETRACK18)
    return Tracks(poses, np.arange(1, n + 1), [False] * n, 0, 0.0, (100, 100))


def test_faults() -> None:
    true = np.zeros((2, K, 3))
    true[..., :2] = np.arange(2 * K * 2).reshape(2, K, 2)
    true[..., 2] = 1
    true[:, failures.NECK, :2], true[:, failures.HEAD_TOP, :2] = (10, 20), (10, 10)  # a head of 10 pixels
    true[0, POSETRACK18.index("left_knee"), 2] = 0  # hidden
    points = true[:1, :, :2].copy()
    for name in ("nose", "left_ear", "left_knee"):  # a wrong one, one that nobody labels, a hidden one
        points[0, POSETRACK18.index(name)] += 6
    points[0, POSETRACK18.index("left_hip")] += 3  # 4.2 pixels: within half a head
    tracks = some_tracks([LEFT, [30, 50, 50, 99]], np.concatenate([points, points]))
    found = failures.faults(np.array([LEFT, RIGHT], float), true, tracks)
    assert found == failures.Faults(missed=1, invented=1, joints=1)


def test_truth_as_arrays(tmp_path: Path) -> None:
    person = {"image_id": 7, "bbox": [10, 20, 30, 40], "keypoints": list(range(3 * K))}
    (tmp_path / "a_truth.json").write_text(
        json.dumps({"images": [{"id": 5}, {"id": 7}], "annotations": [person]})
    )
    assert truth_of(tmp_path / "a.mp4") == tmp_path / "a_truth.json"
    (empty, nobody), (boxes, joints) = failures.read_truth(tmp_path / "a_truth.json")
    assert (empty.shape, nobody.shape) == ((0, 4), (0, K, 3))
    assert boxes.tolist() == [[10, 20, 40, 60]]
    assert joints[0, 1].tolist() == [3, 4, 5]


def test_worst_frames_lie_apart() -> None:
    weights = [0, 5, 9, 8, 0, 7, 0, 1]
    assert failures.worst(weights, 2, apart=2) == [2, 5]
    assert failures.worst(weights, 3, apart=4) == [2, 7]  # nothing is left for a third


def test_settings_of_the_tracker_are_reached_by_name() -> None:
    preset = changed(LIGHT, "tracker.birth_score", 0.11)
    assert preset == replace(LIGHT, tracker=replace(LIGHT.tracker, birth_score=0.11))
    assert value_of(preset, "tracker.birth_score") == 0.11
    assert changed(LIGHT, "detector_score", 0.2) == replace(LIGHT, detector_score=0.2)
    for name in VALUES:
        assert isinstance(value_of(LIGHT, name), float)


class Counting:
    skeleton = POSETRACK18
    calls = 0

    def __call__(self, frames: list[Frame], detections: list[Detections]) -> list[Poses]:
        raise AssertionError("frame by frame only")

    def estimate_frame(self, frame: Frame, detections: Detections) -> Poses:
        self.calls += 1
        n = len(detections)
        return Poses(np.zeros((n, K, 2)), np.ones((n, K)), detections.boxes, detections.scores, POSETRACK18)


def test_networks_are_asked_once() -> None:
    frames = [Frame(np.zeros((9, 9, 3), np.uint8), t, t / 25) for t in range(2)]
    one, two = Detections(np.array([[0, 0, 5, 5]]), np.array([0.9])), Detections.empty()
    assert Answers([one, two])([frames[1], frames[0]]) == [two, one]
    asked = Counting()
    remembered = Remembered(asked)  # type: ignore[arg-type]
    for _ in range(2):
        assert [len(p) for p in remembered(frames, [one, one])] == [1, 1]
    assert asked.calls == 2
    flow = Motions(["first", "second", "third"])  # type: ignore[list-item]
    image = np.zeros((9, 9, 3), np.uint8)
    assert flow([image, image]) == ["first", "second"]
    assert flow([image]) == ["third"]
    flow.reset()
    assert flow([image]) == ["first"]


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        ([[300, 100, 340, 200]], (217, 92, 422, 207)),  # 115 high with the margin, 204.4 wide
        ([[0, 0, 640, 360]], (0, 0, 640, 360)),  # never larger than the picture
        ([[600, 300, 640, 360]], (517, 291, 640, 360)),  # never beyond it
    ],
)
def test_window_round_people(boxes: list[list[int]], expected: tuple[int, ...]) -> None:
    assert failures.window(np.array(boxes, float), 640, 360) == expected
