"""The estimator with a network that answers a known question: where is the red, green, blue dot?"""

import numpy as np
import pytest
import torch
from torch import nn

from posetrack.pose.estimator import HeatmapEstimator, PoseSettings, person_scores
from posetrack.runtime.calibration import Calibration
from posetrack.skeletons import Skeleton
from posetrack.types import Detections, Frame

DOTS = Skeleton("dots", ("middle", "left_dot", "right_dot"), (), (0.1, 0.1, 0.1))
COLOURS = np.eye(3, dtype=np.uint8) * 255  # joint k is the dot of colour k


class ColourNetwork(nn.Module):
    """Heatmap k is the (smoothed) k-th colour channel, undoing the normalisation."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert x.shape[1:] == (3, 64, 48)
        mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
        std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
        return nn.functional.avg_pool2d(
            x * std + mean, 5, 4, padding=2
        )  # cell i is centred on input pixel 4 i


def picture(
    dots: dict[int, tuple[float, float]], index: int = 0, size: tuple[int, int] = (200, 160)
) -> Frame:
    """A black frame with a disc of radius 6 per joint."""
    rows, columns = np.mgrid[: size[1], : size[0]]
    image = np.zeros((size[1], size[0], 3), np.uint8)
    for k, (x, y) in dots.items():
        image[(columns - x) ** 2 + (rows - y) ** 2 < 36] = COLOURS[k]
    return Frame(image, index, index / 25)


def estimator(**changes: object) -> HeatmapEstimator:
    return HeatmapEstimator(ColourNetwork(), PoseSettings(DOTS, (48, 64), **changes))  # type: ignore[arg-type]


BOX = [50, 20, 110, 130]
DOT_PLACES = {0: (80.0, 40.0), 1: (60.0, 75.0), 2: (100.0, 110.0)}


def test_joints_come_out_where_they_are() -> None:
    poses = estimator().estimate_frame(picture(DOT_PLACES), Detections([BOX], [0.8]))
    np.testing.assert_allclose(
        poses.keypoints[0], list(DOT_PLACES.values()), atol=2.5
    )  # 1 heatmap pixel = 8.6
    assert (poses.keypoint_scores > 0.5).all()
    assert poses.scores[0] == pytest.approx(0.8 * poses.keypoint_scores[0].mean())
    np.testing.assert_array_equal(poses.boxes[0], BOX)


def test_people_of_several_frames_in_one_pass_equal_one_by_one() -> None:
    frames = [
        picture(DOT_PLACES),
        picture({}, 1),
        picture({0: (30.0, 30.0), 1: (70.0, 90.0), 2: (30.0, 90.0)}, 2),
    ]
    people = [
        Detections([BOX, [20, 10, 90, 120]], [0.9, 0.5]),
        Detections.empty(),
        Detections([[10, 10, 90, 110]], [0.7]),
    ]
    for max_crops in (64, 1, 2):
        together = estimator(max_crops=max_crops)(frames, people)
        for frame, seen, poses in zip(frames, people, together, strict=True):
            alone = estimator().estimate_frame(frame, seen)
            np.testing.assert_array_equal(poses.keypoints, alone.keypoints)
            np.testing.assert_array_equal(poses.scores, alone.scores)
    assert [len(p) for p in together] == [2, 0, 1]


def test_nobody_in_any_frame() -> None:
    poses = estimator()([picture({})], [Detections.empty()])
    assert len(poses) == 1
    assert len(poses[0]) == 0
    assert poses[0].keypoints.shape == (0, 3, 2)


def test_flip_test_agrees_and_swaps_sides() -> None:
    # The colour network does not know sides: mirrored, it still finds joint 1 in channel 1, so the
    # merge (which swaps 1 and 2) must put half of each dot's height on the other joint's map.
    plain = estimator().estimate_frame(picture(DOT_PLACES), Detections([BOX], [1.0]))
    flipped = estimator(flip_test=True).estimate_frame(picture(DOT_PLACES), Detections([BOX], [1.0]))
    assert flipped.keypoint_scores[0, 0] > 0.8 * plain.keypoint_scores[0, 0]
    assert 0.4 < flipped.keypoint_scores[0, 1] / plain.keypoint_scores[0, 1] < 0.75


def test_unlabelled_joints_are_never_reported() -> None:
    poses = estimator(unlabelled=("left_dot",)).estimate_frame(picture(DOT_PLACES), Detections([BOX], [1.0]))
    assert poses.keypoint_scores[0, 1] == 0
    assert poses.keypoints[0, 1].tolist() == [0, 0]
    assert (poses.keypoint_scores[0, [0, 2]] > 0.5).all()


def test_person_score_counts_joints_above_a_fifth() -> None:
    scores = np.array([[0.9, 0.1, 0.5], [0.1, 0.2, 0.0], [0.3, 0.3, 0.3]], np.float32)
    np.testing.assert_allclose(person_scores(scores), [0.7, 0.0, 0.3], rtol=1e-6)


def test_calibration_changes_scores_and_nothing_else() -> None:
    frame, seen = picture(DOT_PLACES), Detections([BOX], [0.8])
    plain = estimator().estimate_frame(frame, seen)
    honest = Calibration(slope=2.0, shift=-0.5)
    changed = estimator(calibration=honest, unlabelled=("left_dot",)).estimate_frame(frame, seen)
    expected = honest(plain.keypoint_scores) * np.array([1, 0, 1], np.float32)
    np.testing.assert_array_equal(changed.keypoint_scores, expected)
    np.testing.assert_array_equal(changed.keypoints[0, [0, 2]], plain.keypoints[0, [0, 2]])
    assert changed.scores[0] == pytest.approx(0.8 * person_scores(expected)[0])


@pytest.mark.parametrize(
    ("half", "hardware", "expected"),
    [
        (True, True, torch.bfloat16),
        (True, False, torch.float32),  # emulated it would be slower
        (False, True, torch.float32),  # evaluation asks for full precision
    ],
)
def test_bfloat16_where_it_is_allowed_and_the_hardware_has_it(half, hardware, expected, monkeypatch) -> None:
    monkeypatch.setattr("posetrack.pose.estimator.multiplies_bfloat16", lambda _: hardware)
    seen = []

    class Recording(ColourNetwork):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(x.dtype)
            return super().forward(x)

    settings, network = PoseSettings(DOTS, (48, 64), half=half), Recording()
    network.weight = nn.Parameter(torch.ones(1))
    poses = HeatmapEstimator(network, settings).estimate_frame(picture(DOT_PLACES), Detections([BOX], [0.8]))
    assert seen == [expected]
    assert network.weight.dtype == torch.float32  # the caller's own network stays as it was
    assert poses.keypoint_scores.dtype == np.float32
    np.testing.assert_allclose(poses.keypoints[0], list(DOT_PLACES.values()), atol=2.5)
