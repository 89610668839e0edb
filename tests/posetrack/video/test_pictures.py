"""Folders and globs of pictures as videos."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from posetrack.errors import InputError
from posetrack.video import open_video
from tests.posetrack.media import number_of, picture


def save(path: Path, image: np.ndarray) -> Path:
    """RGB(A) or gray, in the format of the ending."""
    order = {2: lambda x: x, 3: lambda x: x[..., ::-1], 4: lambda x: x[..., [2, 1, 0, 3]]}[
        image.ndim if image.ndim == 2 else image.shape[2]
    ]
    done, data = cv2.imencode(path.suffix, np.ascontiguousarray(order(image)))
    assert done
    path.write_bytes(data.tobytes())
    return path


@pytest.mark.parametrize("ask", ["", "*.jpg", "frame%d.jpg", "frame?.jpg"])
def test_in_natural_order_with_even_times(ask: str, tmp_path: Path) -> None:
    folder = tmp_path / "walk.v2"
    folder.mkdir()
    names = [f"frame{n}.jpg" for n in ((8, 9, 10, 11) if ask != "frame?.jpg" else (6, 7, 8, 9))]
    for number, name in enumerate(names):
        save(folder / name, picture(number))
    (folder / ".hidden.jpg").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("no picture")
    with open_video(folder / ask, picture_rate=10) as video:
        frames = list(video)
    assert [number_of(f.image) for f in frames] == [0, 1, 2, 3]
    assert [(f.index, f.time) for f in frames] == [(0, 0.0), (1, 0.1), (2, 0.2), (3, 0.3)]
    assert (video.name, video.stem, video.size) == ("walk.v2", "walk.v2", (96, 64))
    assert (video.fps, video.frame_count, video.duration) == (10, 4, 0.4)
    assert (video.warnings, video.complete, video.sound) == ([], True, None)


def test_one_picture(tmp_path: Path) -> None:
    video = open_video(save(tmp_path / "one.png", picture(7)))
    (frame,) = video
    assert np.array_equal(frame.image, picture(7))
    assert (video.name, video.stem, video.frame_count) == ("one.png", "one", 1)


@pytest.mark.parametrize("ending", ["png", "tiff", "bmp", "webp", "ppm", "jp2"])
def test_formats(ending: str, tmp_path: Path) -> None:
    (frame,) = open_video(save(tmp_path / f"one.{ending}", picture(7)))
    assert np.abs(frame.image.astype(int) - picture(7)).mean() < 3
    assert frame.image.flags.c_contiguous


def test_gray_alpha_and_16_bit(tmp_path: Path) -> None:
    gray = picture(3)[..., 0]
    clear = np.dstack([np.full((64, 96, 3), (200, 100, 40), np.uint8), np.full((64, 96), 128, np.uint8)])
    deep = picture(3).astype(np.uint16) * 257
    images = [gray, clear, deep, gray.astype(np.uint16) * 257]
    for number, image in enumerate(images):
        save(tmp_path / f"{number}.png", image)
    frames = [f.image for f in open_video(tmp_path)]
    in_three = np.dstack([gray] * 3)
    expected = [in_three, np.full((64, 96, 3), (100, 50, 20)), picture(3), in_three]
    assert [np.abs(f.astype(int) - e).max() for f, e in zip(frames, expected, strict=True)] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("tag", "stored"),
    [
        (1, lambda upright: upright),
        (3, lambda upright: upright[::-1, ::-1]),
        (6, lambda upright: np.rot90(upright)),  # to be turned clockwise
        (8, lambda upright: np.rot90(upright, -1)),
        (2, lambda upright: upright[:, ::-1]),
    ],
)
def test_exif_orientation(tag: int, stored, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = save(tmp_path / "turned.jpg", np.ascontiguousarray(stored(picture(5))))
    jpeg = path.read_bytes()
    directory = struct.pack("<HHHIHHI", 1, 0x0112, 3, 1, tag, 0, 0)  # one entry: orientation, a short
    exif = b"Exif\0\0II*\0" + struct.pack("<I", 8) + directory
    path.write_bytes(jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:])
    video = open_video(path)
    (frame,) = video
    assert video.size == (96, 64)
    assert number_of(frame.image) == 5
    assert np.abs(frame.image.astype(int) - picture(5)).mean() < 3


def test_pictures_that_cannot_be_read_leave_a_gap(tmp_path: Path) -> None:
    for number in range(5):
        save(tmp_path / f"{number}.jpg", picture(number))
    whole = (tmp_path / "1.jpg").read_bytes()
    (tmp_path / "1.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "3.jpg").write_bytes(b"")
    video = open_video(tmp_path)
    assert [(f.index, number_of(f.image)) for f in video] == [(0, 0), (2, 2), (4, 4)]
    assert video.warnings == ["2 pictures, the first 1.jpg, cannot be read"]
    assert video.complete


def test_a_picture_of_another_size_ends_the_video(tmp_path: Path) -> None:
    for number in range(4):
        save(tmp_path / f"{number}.png", picture(number, (96, 64) if number < 2 else (64, 48)))
    video = open_video(tmp_path)
    assert [f.index for f in video] == [0, 1]
    assert video.warnings == [
        "2.png is 64x48 and the pictures before it are 96x64: what follows was not read"
    ]
    assert not video.complete


def test_no_picture_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(InputError, match=r"^none of the 1 pictures of .* can be read, e\.g\. .*a\.png$"):
        open_video(tmp_path)
