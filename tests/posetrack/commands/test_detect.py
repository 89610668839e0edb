"""`posetrack detect` on folders in the layouts of COCO, MPII and PoseTrack, and its boxes back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from posetrack.cli import main
from posetrack.commands.detect import kind_of
from posetrack.detectors.box_file import read_box_file
from posetrack.detectors.from_file import CachedDetections
from posetrack.results.annotations import Annotations18, write_annotations
from posetrack.results.formats import to_2017
from posetrack.video import open_video
from tests.posetrack.evaluation.worlds import file

DEMO = Path(__file__).parents[3] / "posetrack" / "demo" / "demo.mp4"
SEQUENCE = "000342_mpii_test"


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """Of four people."""
    with open_video(DEMO) as video:
        return next(iter(video)).image


def put(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image[..., ::-1])


def found(root: Path, *words: str) -> list[dict[str, Any]]:
    out = root / "detections.json"
    assert main(["detect", str(root), "--out", str(out), "--device", "cpu", *words]) == 0
    return json.loads(out.read_text())


@pytest.mark.parametrize("split", ["val", "test-dev"])
def test_coco_has_boxes_by_image_id(split: str, picture: np.ndarray, tmp_path: Path) -> None:
    name = "person_keypoints_val2017" if split == "val" else "image_info_test-dev2017"
    folder = "val2017" if split == "val" else "test2017"
    images = [{"id": 7, "file_name": "empty.png"}, {"id": 9, "file_name": "people.png"}]
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / f"{name}.json").write_text(json.dumps({"images": images, "annotations": []}))
    put(tmp_path / folder / "empty.png", np.full_like(picture, 90))
    put(tmp_path / folder / "people.png", picture)
    boxes = found(tmp_path, "--split", split, "--min-score", "0.4")
    assert {box["image_id"] for box in boxes} == {9}
    assert 3 <= len(boxes) <= 5
    assert set(boxes[0]) == {"image_id", "category_id", "bbox", "score"}
    assert all(box["score"] >= 0.4 for box in boxes)


def test_mpii_has_boxes_by_name(picture: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "annot").mkdir()
    (tmp_path / "annot" / "valid.json").write_text(json.dumps([{"image": "a.jpg"}, {"image": "a.jpg"}]))
    put(tmp_path / "images" / "a.jpg", picture)
    boxes = found(tmp_path, "--min-score", "0.4")
    assert {box["file_name"] for box in boxes} == {"a.jpg"}
    assert 3 <= len(boxes) <= 5  # once, though two people of it are listed


@pytest.mark.parametrize("year", [2017, 2018])
def test_posetrack_boxes_find_their_frames_again(year: int, picture: np.ndarray, tmp_path: Path) -> None:
    content = Annotations18.model_validate(file([[], [], []], SEQUENCE))
    annotation = tmp_path / "annotations" / "val" / f"{SEQUENCE}.json"
    write_annotations(to_2017(content) if year == 2017 else content, annotation)
    for n in range(3):
        shown = picture if n == 1 else np.full_like(picture, 90)
        put(tmp_path / "images" / "val" / SEQUENCE / f"{n:06d}.jpg", shown)
    boxes = found(tmp_path, "--min-score", "0.4")
    assert {box["image_id"] for box in boxes} == {10003420001}
    from posetrack.datasets.posetrack import frame_keys

    given = CachedDetections.for_sequence(
        read_box_file(tmp_path / "detections.json"), *frame_keys(annotation)
    )
    assert list(given.rows) == [1]


def test_a_picture_that_is_missing_is_named_and_the_rest_done(
    picture: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "annot").mkdir()
    (tmp_path / "annot" / "valid.json").write_text(json.dumps([{"image": "gone.jpg"}, {"image": "a.jpg"}]))
    put(tmp_path / "images" / "a.jpg", picture)
    assert main(["detect", str(tmp_path), "--out", str(tmp_path / "d.json")]) == 1
    assert "gone.jpg: cannot be read" in capsys.readouterr().err
    assert {box["file_name"] for box in json.loads((tmp_path / "d.json").read_text())} == {"a.jpg"}
    assert main(["detect", str(tmp_path), "--out", str(tmp_path / "d.json")]) == 2
    assert "d.json exists already" in capsys.readouterr().err


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="neither COCO, MPII nor PoseTrack"):
        kind_of(tmp_path)
