"""Folders and globs of pictures as videos."""

from __future__ import annotations

import os
import struct
import zlib
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from posetrack.errors import InputError
from posetrack.video import open_video, output_stem
from scripts.media import noisy, number_of, picture
from tests.posetrack.video.test_writer import copy


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
    (tmp_path / "3.jpg").unlink()
    os.mkfifo(tmp_path / "3.jpg")  # nobody writes into it
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


@pytest.mark.parametrize("pictures", [1, 2])
@pytest.mark.parametrize("ending", ["png", "webp", "tif"])
@pytest.mark.parametrize("tag", range(1, 9))
def test_exif_orientation_of_other_formats(tag: int, ending: str, pictures: int, tmp_path: Path) -> None:
    """Each tag undoes what was done to the stored picture, as it does for JPEG."""
    from PIL import Image

    turned = {
        1: lambda x: x, 2: lambda x: x[:, ::-1], 3: lambda x: x[::-1, ::-1], 4: lambda x: x[::-1],
        5: lambda x: x.swapaxes(0, 1), 6: lambda x: np.rot90(x),
        7: lambda x: np.rot90(x, 2).swapaxes(0, 1), 8: lambda x: np.rot90(x, -1),
    }[tag]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = tag
    path = tmp_path / f"turned.{ending}"
    first, *more = (Image.fromarray(np.ascontiguousarray(turned(picture(5 + n)))) for n in range(pictures))
    several = {"save_all": True, "append_images": more} if more else {}
    first.save(path, exif=exif, lossless=True, **several)
    video = open_video(path)
    frames = list(video)
    assert video.size == (96, 64)
    assert len(frames) == pictures
    assert all(np.array_equal(f.image, picture(5 + n)) for n, f in enumerate(frames))


@pytest.mark.parametrize("ending", ["png", "webp"])
def test_animations_come_whole_with_their_durations(ending: str, tmp_path: Path) -> None:
    from PIL import Image

    images = [Image.fromarray(picture(n)) for n in range(5)]
    path = tmp_path / f"a.{ending}"
    shown = [100, 100, 300, 100, 2000]  # milliseconds
    images[0].save(path, save_all=True, append_images=images[1:], duration=shown, lossless=True)
    with open_video(path) as video:
        frames = list(video)
    assert [number_of(f.image) for f in frames] == [0, 1, 2, 3, 4]
    assert [f.time for f in frames] == pytest.approx([0, 0.1, 0.2, 0.5, 0.6])
    assert (video.end, video.duration, video.frame_count) == (Fraction(26, 10), 2.6, 5)
    assert (video.warnings, video.complete, video.stem) == ([], True, "a")
    copy(path, tmp_path / "out.mp4")
    assert open_video(tmp_path / "out.mp4").duration == pytest.approx(2.6)


def test_pages_come_whole_at_the_rate_of_pictures(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    done, data = cv2.imencodemulti(".tif", [picture(n)[..., ::-1] for n in range(4)])
    assert done
    path.write_bytes(data.tobytes())
    frames = list(open_video(path, picture_rate=10))
    assert [number_of(f.image) for f in frames] == [0, 1, 2, 3]
    assert [f.time for f in frames] == pytest.approx([0, 0.1, 0.2, 0.3])


def test_several_pictures_in_one_of_many_files_are_told(tmp_path: Path) -> None:
    done, data = cv2.imencodemulti(".tif", [picture(n)[..., ::-1] for n in range(3)])
    assert done
    for name in ("1.tif", "2.tif"):
        (tmp_path / name).write_bytes(data.tobytes())
    video = open_video(tmp_path)
    assert [number_of(f.image) for f in video] == [0, 0]
    assert video.warnings == ["of 2 pictures, the first 1.tif, only the first of several pictures was read"]


def test_an_animation_that_is_cut_off(tmp_path: Path) -> None:
    from PIL import Image

    images = [Image.fromarray(noise) for noise in noisy(5)]
    path = tmp_path / "a.png"
    images[0].save(path, save_all=True, append_images=images[1:], duration=100)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    video = open_video(path)
    seen = len(list(video))
    assert 1 <= seen < 5
    assert video.warnings == [f"{5 - seen} of 5 pictures cannot be read"]


def test_pictures_that_nobody_reads_are_told(tmp_path: Path) -> None:
    """PNGs one after the other, and an animation whose head fails its check: viewers show the first."""
    from PIL import Image

    one = save(tmp_path / "one.png", picture(3)).read_bytes()
    images = [Image.fromarray(picture(n)) for n in (3, 4, 5)]
    images[0].save(tmp_path / "a.png", save_all=True, append_images=images[1:], duration=100)
    whole = (tmp_path / "a.png").read_bytes()
    head = whole.index(b"acTL")
    for data in (one * 3, whole[: head + 12] + b"????" + whole[head + 16 :]):
        (tmp_path / "b.png").write_bytes(data)
        video = open_video(tmp_path / "b.png")
        assert [number_of(f.image) for f in video] == [3]
        assert video.warnings == ["2 of 3 pictures cannot be read"]


def test_a_pattern_matches_its_numbers_only(tmp_path: Path) -> None:
    folder = tmp_path / "shots [old] 1"  # brackets are no glob where a folder has that very name
    folder.mkdir()
    for number in range(3):
        save(folder / f"frame_{number:06d}.png", picture(number))
        save(folder / f"frame_{number:06d}_mask.png", picture(99))
    save(folder / "frame_cover.png", picture(99))
    for name in ("frame_12.png", "frame_0000001.png"):  # printf would write neither
        save(folder / name, picture(99))
    ask = str(folder / "frame_%06d.png")
    assert [number_of(f.image) for f in open_video(ask)] == [0, 1, 2]
    assert output_stem(ask) == open_video(ask).stem == "shots [old] 1"
    assert len(list(open_video(folder / "frame_*.png"))) == 9
    assert [number_of(f.image) for f in open_video(folder / "frame_%d.png")] == [0, 99, 1, 2, 99]
    with pytest.raises(InputError, match=r"^nothing matches "):
        open_video(folder / f"frame_%0{'9' * 30}d.png")


def test_digits_that_are_no_decimals(tmp_path: Path) -> None:
    for number, name in enumerate(["1²3.png", "1²4.png", "٣.png", "①.png"]):
        save(tmp_path / name, picture(number))
    assert len(list(open_video(tmp_path))) == 4


def test_wider_than_the_encoder_takes(tmp_path: Path) -> None:
    path = save(tmp_path / "wide.png", np.full((20, 20_000, 3), 128, np.uint8))
    writer = copy(path, tmp_path / "out.mp4")
    assert open_video(writer.path).size == (16_384, 16)
    (line,) = writer.warnings
    assert line.startswith("the clip is 16384x16 in place of 20000x20: ")


def test_a_picture_larger_than_anybody_reads(tmp_path: Path) -> None:
    """A header of 33 bytes that asks for 30 GB."""
    head = b"IHDR" + struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    (tmp_path / "bomb.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    )
    with pytest.raises(InputError, match=r"bomb\.png"):
        open_video(tmp_path / "bomb.png")
