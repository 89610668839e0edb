from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from posetrack.datasets.boxes import Picture, read_pictures, soften, upright_weights
from posetrack.errors import PoseTrackError


def write_tar(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def write_json(path: Path, names: list[str], annotations: list[dict[str, Any]]) -> Path:
    images = [{"id": i, "file_name": name} for i, name in enumerate(names)]
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    return path


def jpeg(colour: tuple[int, int, int]) -> bytes:
    image = np.full((16, 24, 3), colour, np.uint8)
    return cv2.imencode(".jpg", image[..., ::-1])[1].tobytes()


def test_pictures_with_their_boxes(tmp_path: Path) -> None:
    tar = write_tar(
        tmp_path / "a.tar",
        {"red.jpg": jpeg((250, 0, 0)), "unlisted.jpg": jpeg((0, 0, 0)), "sky.jpg": jpeg((0, 0, 250))},
    )
    annotations = [
        {"image_id": 0, "bbox": [1, 2, 3, 4], "score": 0.5},
        {"image_id": 0, "bbox": [5, 5, 10, 10]},  # by hand: no score
    ]
    red, sky = read_pictures([tar], write_json(tmp_path / "b.json", ["red.jpg", "sky.jpg"], annotations))
    assert red.image.shape == (16, 24, 3)
    np.testing.assert_allclose(red.image[8, 8], [250, 0, 0], atol=4)  # RGB
    assert red.boxes.tolist() == [[1, 2, 4, 6], [5, 5, 15, 15]]
    assert red.scores.tolist() == [0.5, 1.0]
    assert (sky.name, sky.boxes.shape) == ("sky.jpg", (0, 4))


def test_what_does_not_fit_together_is_refused(tmp_path: Path) -> None:
    listed = write_json(tmp_path / "b.json", ["x.jpg"], [])
    with pytest.raises(PoseTrackError, match=r"x\.jpg does not decode"):
        read_pictures([write_tar(tmp_path / "a.tar", {"x.jpg": b"text"})], listed)
    with pytest.raises(PoseTrackError, match="no picture of"):
        read_pictures([write_tar(tmp_path / "c.tar", {"y.jpg": jpeg((0, 0, 0))})], listed)


def test_soft_targets() -> None:
    scores = np.array([0.05, 0.1, 0.18, 0.325, 0.55, 0.9, 1.0], np.float32)
    assert soften(scores).tolist() == pytest.approx([0, 0, 0, 0.5, 1, 1, 1])  # 0.18 would be 0.18 < FLOOR


@pytest.mark.parametrize(
    ("shoulders", "hips", "weight"),
    [
        ((50, 10), (50, 60), 1.6),  # upright
        ((50, 60), (50, 10), 0.5),  # upside down
        ((10, 50), (70, 55), 1.0),  # lying
        (None, (50, 60), 1.0),  # unknown
    ],
)
def test_upright_people_are_drawn_more_often(
    tmp_path: Path, shoulders: tuple[int, int] | None, hips: tuple[int, int], weight: float
) -> None:
    joints = np.zeros((17, 3))
    joints[[11, 12]] = [*hips, 1]
    if shoulders is not None:
        joints[[5, 6]] = [*shoulders, 1]
    path = write_json(tmp_path / "k.json", ["a.jpg"], [{"image_id": 0, "keypoints": joints.ravel().tolist()}])
    nobody = np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
    pictures = [Picture(name, np.zeros((9, 9, 3), np.uint8), *nobody) for name in ("a.jpg", "other.jpg")]
    assert upright_weights(path, pictures).tolist() == [weight, 1.0]
