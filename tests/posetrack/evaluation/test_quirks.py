"""Each deviation of poseval from its description: there by default, gone when switched off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from posetrack.evaluation import PoseTrackReport, evaluate_posetrack
from posetrack.evaluation.quirks import POSEVAL, STRICT, Quirks
from tests.posetrack.evaluation.worlds import Json, file, person, write

ALONE = [[person(0, 100, 100, score=None)] for _ in range(4)]


def evaluate(tmp_path: Path, truth: Json, answer: Json, **arguments: Any) -> PoseTrackReport:
    return evaluate_posetrack(write(tmp_path / "gt", [truth]), write(tmp_path / "p", [answer]), **arguments)


def test_strict_is_every_frame_and_real_misses() -> None:
    assert Quirks() == POSEVAL
    assert Quirks(skip_last_frame=False, empty_frame_costs_one=False) == STRICT


@pytest.mark.parametrize(("quirks", "mota"), [(POSEVAL, 100), (Quirks(skip_last_frame=False), 50)])
def test_last_frame(tmp_path: Path, quirks: Quirks, mota: float) -> None:
    """The last of 4 frames is 60 px off. Counted: 1 miss and 1 false positive of 4."""
    answer = file([[person(0, 160 if t == 3 else 100, 100)] for t in range(4)])
    assert evaluate(tmp_path, file(ALONE), answer, quirks=quirks).totals["mota"] == pytest.approx(mota)


@pytest.mark.parametrize(
    ("quirks", "mota", "recall", "precision"),
    [
        (POSEVAL, 100 * (1 - 2 / 7), 600 / 7, 600 / 7),
        (Quirks(empty_frame_costs_one=False), 100 * 6 / 9, 600 / 9, 100),
    ],
)
def test_empty_frame(tmp_path: Path, quirks: Quirks, mota: float, recall: float, precision: float) -> None:
    """3 people, one of the 3 tracked frames unanswered: 1 miss + 1 false positive, or 3 misses."""
    crowd = [[person(i, 100 + 100 * i, 100) for i in range(3)] for _ in range(4)]
    answer = [[] if t == 1 else crowd[t] for t in range(4)]
    report = evaluate(tmp_path, file(crowd), file(answer), quirks=quirks)
    totals = [report.totals[name] for name in ("mota", "recall", "precision")]
    assert totals == pytest.approx([mota, recall, precision])


def test_jointless_pose_keeps_its_frame_from_being_empty(tmp_path: Path) -> None:
    """Two people missed in frame 1. Nothing there: 1 miss and 1 false positive of 5. A pose whose joints are
    all dropped: 2 misses of 6. An ignore region anywhere in the frame removes that pose again."""
    pair = [[person(0, 100, 100), person(1, 300, 100)] for _ in range(4)]
    hollow = person(9, 0, 0, without=tuple(range(15)))

    def mota(row: list[Json], regions: Json | None = None) -> float:
        answer = [row if t == 1 else pair[t] for t in range(4)]
        return evaluate(tmp_path, file(pair, regions=regions), file(answer)).totals["mota"]

    elsewhere = {1: [[(900, 900), (950, 900), (950, 950)]]}
    assert mota([]) == pytest.approx(100 * (1 - 2 / 5))
    assert mota([hollow]) == pytest.approx(100 * (1 - 2 / 6))
    assert mota([hollow], elsewhere) == pytest.approx(100 * (1 - 2 / 5))


@pytest.mark.parametrize(
    ("quirks", "motp", "ap", "precision"),
    [(POSEVAL, 1400 / 15, 1400 / 15, 1400 / 15), (Quirks(zero_for_undefined=False), 100, 100, 100)],
)
def test_zero_for_undefined(tmp_path: Path, quirks: Quirks, motp: float, ap: float, precision: float) -> None:
    """Joint 0 neither annotated nor predicted: MOTP and AP 0, or undefined. Only predicted: precision 0."""
    blind = [[person(0, 100, 100, without=(0,))] for _ in range(4)]
    seeing = [[person(0, 100, 100)] for _ in range(4)]
    totals = evaluate(tmp_path, file(blind), file(blind), quirks=quirks).totals
    assert (totals["motp"], totals["ap"]) == pytest.approx((motp, ap))
    totals = evaluate(tmp_path, file(blind), file(seeing), quirks=quirks).totals
    assert (totals["precision_ap"], totals["precision"]) == pytest.approx((precision, precision))


def test_raw_rows(tmp_path: Path) -> None:
    """MOTP in both readings: 5 px is 0.23113 head sizes, counted once, or once more as RAW row."""
    answer = file([[person(0, 105, 100)] for _ in range(4)])
    totals = evaluate(tmp_path, file(ALONE), answer).totals
    distance = 5 / (0.6 * (20**2 + 30**2) ** 0.5)
    assert totals["motp"] == pytest.approx(100 * (1 - distance), abs=1e-9)
    assert totals["motp_poseval"] == pytest.approx(100 * (1 - 2 * distance), abs=1e-9)


def test_missing_score_ranks_last(tmp_path: Path) -> None:
    """4 right joints without score behind 4 wrong ones with 0.1: AP 50, the other way round 100."""
    for right, wrong, ap in ((None, 0.1, 50), (0.1, None, 100)):
        answer = file(
            [[person(0, 100, 100, score=right), person(1, 900, 100, score=wrong)] for _ in range(4)]
        )
        report = evaluate(tmp_path, file(ALONE), answer)
        assert report.totals["ap"] == pytest.approx(ap)
        assert report.warnings == (
            "p/000000.json: frame 0 (000000.jpg): scores: missing in 4 poses; "
            "joints without score rank last, which lowers AP",
        )


def test_unlabelled_frame_is_one_without_listed_poses(tmp_path: Path) -> None:
    """Whatever `is_labeled` says: frame 1 says no but lists a person, frame 2 says yes and lists none."""
    truth = file([ALONE[0], ALONE[1], [], ALONE[3]])
    truth["images"][1]["is_labeled"], truth["images"][2]["is_labeled"] = False, True
    answer = file(
        [[person(0, 100, 100)], [person(0, 900, 100)], [person(0, 900, 100)], [person(0, 100, 100)]]
    )
    report = evaluate(tmp_path, truth, answer)
    assert report.labelled_frames == 3
    assert report.totals["recall_ap"] == pytest.approx(200 / 3)
    assert report.totals["precision_ap"] == pytest.approx(200 / 3)


def test_frames_are_paired_by_place_and_a_warning_says_so(tmp_path: Path) -> None:
    answer = file([[person(0, 100, 100)] for _ in range(4)])
    answer["images"][1]["file_name"], answer["images"][2]["file_name"] = "v/000002.jpg", "v/000001.jpg"
    report = evaluate(tmp_path, file(ALONE), answer)
    assert report.totals["ap"] == pytest.approx(100)
    assert report.warnings == (
        "p/000000.json: frame 1 (000001.jpg): file_name: is v/000002.jpg; "
        "frames are compared by their place in the file",
    )


def test_pose_assignment_looks_at_joints_not_at_scores(tmp_path: Path) -> None:
    """Of two poses on one person the one that matches more joints is right, however low its score."""
    good = person(1, 100, 100, score=0.1)
    poor = person(2, 100, 100, score=0.9)
    poor["keypoints"][0] += 60  # its first joint is out of reach
    report = evaluate(tmp_path, file(ALONE), file([[poor, good]] * 4))
    assert report.scores["ap"] == pytest.approx([50] * 15)


def test_points_on_the_border_of_an_ignore_region_stay(tmp_path: Path) -> None:
    """Joint j lies at y = 100 + 2j; the region's edges run through joints 5 and 10, which count."""
    regions = {t: [[(0, 110), (500, 110), (500, 120), (0, 120)]] for t in range(4)}
    report = evaluate(tmp_path, file(ALONE, regions=regions), file([[person(0, 100, 100)]] * 4))
    assert report.sequences[0].detected.objects.tolist() == [4] * 6 + [0] * 4 + [4] * 5


def test_one_labelled_frame_leaves_nothing_to_track(tmp_path: Path) -> None:
    """poseval itself fails here (IndexError); AP is there, the tracking metrics are undefined."""
    report = evaluate(tmp_path, file(ALONE[:1]), file([[person(0, 100, 100)]])).to_json()
    assert report["ap"]["total"] == pytest.approx(100)
    assert report["mota"]["total"] is None
