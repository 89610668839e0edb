"""Table 5 on a PoseTrack folder made from the demo clip, whose truth is what the light preset finds."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

from posetrack.presets import find
from posetrack.results.annotations import read_annotations, write_annotations
from posetrack.types import Frame
from posetrack.video import open_video
from scripts import table5
from tests.posetrack.evaluation.worlds import file
from trackers.flow_tracker import PAPER_LETTER, FlowTracker

DEMO = Path(__file__).parents[2] / "posetrack" / "demo" / "demo.mp4"
SEQUENCE = "000342_mpii_test"
FRAMES = 4


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("posetrack18")
    folder = root / "images" / "val" / SEQUENCE
    folder.mkdir(parents=True)
    with open_video(DEMO) as video:
        for n, frame in zip(range(FRAMES), video, strict=False):
            cv2.imwrite(str(folder / f"{n:06d}.png"), frame.image[..., ::-1])
    (root / "annotations" / "val").mkdir(parents=True)
    annotation = root / "annotations" / "val" / f"{SEQUENCE}.json"
    text = json.dumps(file([[]] * FRAMES, SEQUENCE)).replace(".jpg", ".png")
    annotation.write_text(text.replace('"is_labeled": false', '"is_labeled": true'))
    system = table5.options.load_tracker("light", "cpu")
    (sequence,) = table5.posetrack_sequences(*table5.split_folders(root, "val"))
    (row,) = [row for row in table5.rows(find("light").tracker, [8]) if row.name == "flow_flow_oks_8_greedy"]
    table5.track_all(system, {"truth": FlowTracker(row.settings)}, sequence, root, "truth")
    truth = read_annotations(root / "truth" / f"{SEQUENCE}.json")
    for person in truth.annotations:  # type: ignore[union-attr]
        person.bbox_head = [0.0, 0.0, 20.0, 20.0]
        person.scores = []
    write_annotations(truth, annotation)
    return root


def test_every_row_has_its_numbers(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "table5.json"
    assert table5.main(root=root, preset="light", device="cpu", json=out) == 0
    lines = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in capsys.readouterr().out.splitlines()
    ]
    assert lines[0][:4] == ["joint propagation", "similarity", "L_Q", "matching"]
    assert len(lines) == 2 + 2 * (2 + 4) * 2
    assert lines[-2][:6] == ["yes", "flow OKS", "8", "greedy", "100.0", "100.0"]  # the truth's own settings
    assert {line[0] for line in lines[2:14]} == {"no"}
    numbers = json.loads(out.read_text())
    assert numbers["rows"]["flow_flow_oks_8_greedy"]["mota"] == 100
    assert len(numbers["rows"]) == 24


def test_the_letter_asks_for_flow_between_any_two_pictures(root: Path) -> None:
    lines = table5.rows(PAPER_LETTER, [2])
    direct = [row.name for row in lines if row.settings.direct_flow]
    assert direct == ["none_flow_oks_2_greedy", "none_flow_oks_2_hungarian",
                      "flow_flow_oks_2_greedy", "flow_flow_oks_2_hungarian"]  # fmt: skip
    system = table5.options.load_tracker("light", "cpu")
    between = table5._between("lucas_kanade", "cpu", None)
    trackers = {row.name: FlowTracker(row.settings, between) for row in lines if row.settings.direct_flow}
    (sequence,) = table5.posetrack_sequences(*table5.split_folders(root, "val"))
    frames: list[Frame] = list(sequence.frames())
    found = [tracks for _, tracks in table5.follow_all(system, trackers, frames)]
    for name in direct:
        ids = [set(tracks[name].ids.tolist()) for tracks in found]
        assert len(set.intersection(*ids)) >= 3  # of the four people, who hardly move in four frames
