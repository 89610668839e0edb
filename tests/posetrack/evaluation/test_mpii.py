"""PCKh worked out by hand: heads of 100 pixels, so that an error of 51 pixels is 0.51 heads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from posetrack.evaluation.mpii import head_sizes, pckh
from posetrack.skeletons import MPII16

HEAD = 100.0
LABELS = np.random.default_rng(1).uniform(0, 500, (1, 16, 2))


@dataclass(frozen=True)
class Case:
    name: str
    errors: dict[str, float]  # heads, of the labelled joints
    mean: float
    official: float  # "Mean@0.1" of the official script
    true: float  # at 0.1
    head: float = np.nan  # column


CASES = [
    Case("all exact", dict.fromkeys(MPII16.keypoints, 0.0), 100, 100, 100, head=100),
    # 0.105 is the off-by-one: within 0.11, which the official script reads, but not within 0.1.
    Case(
        "0.05, 0.105, 0.49 and 0.51 heads",
        {"head_top": 0.51, "right_knee": 0.05, "left_knee": 0.105, "left_hip": 0.49},
        mean=75, official=50, true=25, head=0,
    ),
    Case("just within the thresholds", {"right_knee": 0.4999, "left_hip": 0.0999}, 100, 50, 50),
    Case("pelvis and thorax count nowhere", {"pelvis": 3, "thorax": 3, "head_bottom": 0.2}, 100, 0, 0),
    Case("the neck is in the mean, not in Head", {"head_bottom": 3, "head_top": 0}, 50, 50, 50, head=100),
    Case("nothing labelled", {}, np.nan, np.nan, np.nan),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_one_person(case: Case) -> None:
    labelled = np.array([[name in case.errors for name in MPII16.keypoints]])
    points = LABELS.copy()
    for name, error in case.errors.items():
        points[0, MPII16.index(name)] += [0.6 * error * HEAD, -0.8 * error * HEAD]
    report = pckh(points, LABELS, labelled, np.array([HEAD]))
    assert (report.mean, report.mean_tenth_official, report.mean_tenth) == pytest.approx(
        (case.mean, case.official, case.true), nan_ok=True
    )
    assert report.parts()["Head"] == pytest.approx(case.head, nan_ok=True)


def test_an_error_at_the_threshold_is_right() -> None:
    points, labelled = np.zeros((3, 16, 2)), np.ones((3, 16), bool)
    points[:, :, 0] = [[50.0], [np.nextafter(50, 99)], [11.0]]
    report = pckh(points, np.zeros((3, 16, 2)), labelled, np.full(3, HEAD))
    assert report.joints[MPII16.index("left_knee")] == pytest.approx(200 / 3)
    assert report.mean_tenth_official == pytest.approx(100 / 3)
    assert report.mean_tenth == 0


def test_sides_count_alike_in_a_column_and_by_number_in_the_mean() -> None:
    """Three left wrists, two right, one right one wrong: 75 in the column, 4 of 5 in the mean."""
    left, right = MPII16.index("left_wrist"), MPII16.index("right_wrist")
    labelled = np.zeros((3, 16), bool)
    labelled[:, left] = True
    labelled[:2, right] = True
    points = np.zeros((3, 16, 2))
    points[0, right] = 60
    report = pckh(points, np.zeros((3, 16, 2)), labelled, np.full(3, HEAD))
    assert report.parts()["Wrist"] == pytest.approx(75)
    assert report.mean == pytest.approx(80)
    assert np.isnan(report.parts()["Knee"])
    json = report.to_json()
    assert json["Wrist"] == pytest.approx(75)
    assert json["Knee"] is None
    assert json["joints"]["right_wrist"] == pytest.approx(50)
    assert "pelvis" not in json["joints"]


def test_head_size_is_six_tenths_of_the_diagonal() -> None:
    assert head_sizes(np.array([[10.0, 10, 40, 50], [0, 0, 6, 8]])).tolist() == [30.0, 6.0]
