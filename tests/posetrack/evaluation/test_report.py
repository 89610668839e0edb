"""The report: its JSON, its tables, its pictures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from posetrack.evaluation import PoseTrackReport, evaluate_posetrack
from posetrack.evaluation.people import JOINTS
from posetrack.evaluation.plots import plot_report
from tests.posetrack.evaluation.worlds import file, person, write

METRICS = {
    "ap",
    "precision_ap",
    "recall_ap",
    "mota",
    "motp",
    "motp_poseval",
    "precision",
    "recall",
    "hota",
    "idf1",
}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> PoseTrackReport:
    """Two sequences: one perfect, one whose person is lost in frame 1 and found under another id."""
    root = tmp_path_factory.mktemp("report")
    truth = [[person(3, 100, 100, score=None)] for _ in range(4)]
    perfect = [[person(0, 100, 100)] for _ in range(4)]
    broken = [
        [person(0, 100, 100)],
        [],
        [person(8, 100, 100), person(9, 400, 100, score=0.2)],
        [person(8, 100, 100)],
    ]
    names = ("000001_mpii_test", "000002_mpii_test")
    truths = [file(truth, name) for name in names]
    answers = [file(people, name) for people, name in zip((perfect, broken), names, strict=True)]
    return evaluate_posetrack(write(root / "gt", truths), write(root / "p", answers))


def test_json_has_the_promised_form(report: PoseTrackReport) -> None:
    content = json.loads(json.dumps(report.to_json()))
    assert set(content) == {"sequences", "labelled_frames"} | METRICS
    assert (content["sequences"], content["labelled_frames"]) == (2, 8)
    assert all(list(content[metric]) == [*JOINTS, "total"] for metric in METRICS)
    # 6 tracked frames: 1 miss + 1 false positive for the empty one, 1 switch, 1 false positive
    assert content["mota"]["total"] == pytest.approx(100 * (1 - 4 / 6))
    assert content["recall_ap"]["nose"] == pytest.approx(700 / 8)


def test_sequences_and_the_parts_of_hota(report: PoseTrackReport) -> None:
    assert set(report.by_sequence) == {"000000", "000001"}
    assert report.by_sequence["000000"]["mota"] == pytest.approx(100)
    assert report.by_sequence["000001"]["mota"] == pytest.approx(100 * (1 - 4 / 3))
    assert report.totals["deta"] == pytest.approx(700 / 9)
    assert report.hota_across is None
    assert report.quirks.skip_last_frame


def test_table(report: PoseTrackReport) -> None:
    lines = report.table().splitlines()
    assert lines[0] == "2 sequences, 8 labelled frames, 8 poses"
    assert lines[2].split() == ["Head", "Shou", "Elb", "Wri", "Hip", "Knee", "Ankl", "Total"]
    assert lines[4].split() == ["AP", *["87.5"] * 8]
    assert lines[5].split() == ["MOTA", *["33.3"] * 8]
    assert "MOTP 100.0" in lines[10]


def test_head_is_the_mean_of_its_defined_joints(tmp_path: Path) -> None:
    """Nose (13) not annotated: the mean of neck and head top, where poseval prints nan."""
    blind = [[person(0, 100, 100, without=(13,))] for _ in range(3)]
    report = evaluate_posetrack(write(tmp_path / "gt", [file(blind)]), write(tmp_path / "p", [file(blind)]))
    row = next(line for line in report.table().splitlines() if line.startswith("MOTA"))
    assert row.split() == ["MOTA", *["100.0"] * 8]


def test_sequence_table(report: PoseTrackReport) -> None:
    rows = [line.split() for line in report.sequence_table().splitlines()]
    assert rows[2] == ["000000", "4", "4", *["100.0"] * 7, "0", "0", "0"]
    # per joint 1 miss, 2 false positives, 1 switch
    assert rows[3][-3:] == ["15", "30", "15"]


def test_timeline_tells_who_was_followed_when(report: PoseTrackReport) -> None:
    story = report.sequences[1].timeline
    assert story.frame.tolist() == [0, 1, 2, 3]
    assert story.prediction.tolist() == [0, -1, 8, 8]
    assert story.switched.tolist() == [False, False, True, False]
    assert story.share.tolist() == [1, 0, 1, 1]
    assert story.extra_frame.tolist() == [2]


def test_plots_are_pictures(report: PoseTrackReport, tmp_path: Path) -> None:
    import cv2

    written = plot_report(report, tmp_path / "plots")
    names = ["joints.png", "precision_recall.png", "timeline_000000.png", "timeline_000001.png"]
    assert [path.name for path in written] == names
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == sorted(names)
    for path in written:
        picture = cv2.imread(str(path))
        assert min(picture.shape[:2]) > 200
        assert len({tuple(colour) for colour in picture[::7, ::7].reshape(-1, 3).tolist()}) > 5


def test_the_timeline_shows_people_under_their_number_and_in_their_colour(report: PoseTrackReport) -> None:
    """Track 0 of the file is person 1 of the clip, track 8 person 9."""
    from matplotlib.collections import PolyCollection

    from posetrack.drawing.colours import colour_of
    from posetrack.evaluation.plots import timeline

    axes = timeline(report.sequences[1]).axes[0]
    followed = axes.findobj(PolyCollection)[1]
    shown = [tuple(round(255 * part) for part in colour[:3]) for colour in followed.get_facecolor().tolist()]
    assert shown == [colour_of(1), colour_of(9), colour_of(9)]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["person 4"]  # 3 in the file
