"""PoseTrack folders as distributed: every year's layout, frames in order, what is missing."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from posetrack.datasets.posetrack import missing_images, posetrack_sequences, split_folders
from posetrack.errors import InputError, PoseTrackError
from posetrack.results.annotations import read_annotations, write_annotations
from posetrack.results.formats import to_2017
from tests.posetrack.evaluation.worlds import file, person, write

NAME = "000001_mpii_test"
# frames 0 and 2 are labelled
VIDEO = file([[person(0, 100, 100)], [], [person(0, 100, 100)]], NAME)


def picture(path: Path, red: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.zeros((48, 64, 3), np.uint8)
    image[..., 2] = red  # cv2 writes blue first
    cv2.imwrite(str(path.with_suffix(".png")), image)
    path.with_suffix(".png").rename(path)  # exact colours under the distributed name


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path / "annotations" / "val", [VIDEO])
    for t in range(3):
        picture(tmp_path / f"images/val/{NAME}/{t:06d}.jpg", 100 + t)
    return tmp_path


def test_frames_come_in_order_with_their_labels(root: Path) -> None:
    (sequence,) = posetrack_sequences(*split_folders(root, "val"))
    assert (sequence.name, len(sequence), sequence.labelled) == ("000000", 3, (True, False, True))
    frames = list(sequence.frames())
    assert [(f.index, f.time, f.image[0, 0].tolist()) for f in frames] == [
        (0, 0, [100, 0, 0]), (1, 0.04, [101, 0, 0]), (2, 0.08, [102, 0, 0]),
    ]  # fmt: skip
    assert frames[0].size == (64, 48)
    assert [f.index for f in sequence.frames(labelled_only=True)] == [0, 2]
    assert missing_images([sequence]) == []


def test_frames_are_read_only_when_asked_for(root: Path) -> None:
    (sequence,) = posetrack_sequences(*split_folders(root, "val"))
    stream = sequence.frames()
    next(stream)
    sequence.images[1].unlink()
    with pytest.raises(InputError, match=r"000001\.jpg: cannot be read \(No such file"):
        next(stream)


def test_2017_and_2021_layouts(root: Path) -> None:
    old = root / "annotations" / "train" / "a.json"
    write_annotations(to_2017(read_annotations(root / "annotations/val/000000.json")), old)
    (sequence,) = posetrack_sequences(*split_folders(root, "train"))
    assert (sequence.labelled, sequence.missing) == ((True, False, True), ())
    write(root / "posetrack_data" / "test", [VIDEO])
    assert split_folders(root, "test")[0] == root / "posetrack_data" / "test"
    with pytest.raises(
        PoseTrackError, match=r"no annotations of the split 'dev'; expected one of .*annotations/dev"
    ):
        split_folders(root, "dev")


@pytest.mark.parametrize("place", [".", "images", "images/val"])
def test_the_image_root_may_stand_anywhere_along_the_names(root: Path, place: str) -> None:
    (sequence,) = posetrack_sequences(root / "annotations" / "val", root / place)
    assert sequence.images[2].samefile(root / f"images/val/{NAME}/000002.jpg")


def test_what_is_missing_is_listed(root: Path) -> None:
    write(root / "annotations" / "val", [VIDEO, file([[person(0, 100, 100)]] * 2, "000002_mpii_test")])
    gone = root / f"images/val/{NAME}/000001.jpg"
    gone.unlink()
    sequences = posetrack_sequences(*split_folders(root, "val"))
    assert missing_images(sequences) == [
        f"000000: 1 of 3 images missing, first {gone}",
        f"000001: all 2 images missing; expected in {root / 'images/val/000002_mpii_test'}",
    ]


def test_wrong_folders_and_pictures(root: Path) -> None:
    with pytest.raises(PoseTrackError, match="none: no such folder; give the root of the PoseTrack images"):
        posetrack_sequences(root / "annotations" / "val", root / "none")
    with pytest.raises(PoseTrackError, match=r"images: no \.json file in this folder"):
        posetrack_sequences(root / "images", root)
    (sequence,) = posetrack_sequences(*split_folders(root, "val"))
    sequence.images[0].write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"000000\.jpg: 10 bytes that do not decode"):
        next(sequence.frames())
