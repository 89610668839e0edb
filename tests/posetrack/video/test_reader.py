"""Real files of every awkward kind, made here and read back."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posetrack.video import expand_sources, open_video
from posetrack.video.frame_times import FrameClock
from posetrack.video.names import address_name
from scripts.media import UNEVEN, number_of, numbered, picture, write_video


@dataclass
class Clip:
    name: str  # of the file
    how: dict[str, Any] = field(default_factory=dict)
    times: list[float] = field(default_factory=lambda: [n / 25 for n in range(10)])
    fps: float = 25.0


FINE = Fraction(1, 15_360)
CLIPS = [
    Clip("even.mp4"),
    Clip("odd.mp4", {"pix_fmt": "yuv444p", "frames": numbered(10, (95, 63))}),
    Clip("ntsc.mp4", {"fps": Fraction(30_000, 1001)}, [n * 1001 / 30_000 for n in range(10)], 30_000 / 1001),
    Clip("uneven.mp4", {"times": UNEVEN, "time_base": FINE}, [t / 15_360 for t in UNEVEN], 7.0),
    Clip("late.mp4", {"times": [n * 512 + 7680 for n in range(10)], "time_base": FINE, "fps": 30},
         [0.5 + n / 30 for n in range(10)], 30.0),
    Clip("fragments.mp4", {"container": {"movflags": "frag_keyframe+delay_moov"}}),
    Clip("milliseconds.mkv", {"fps": 30}, [round(n / 0.03) / 1000 for n in range(10)], 30.0),
    Clip("vp9.webm", {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}}),
    Clip("clockwork.avi", {"codec": "mpeg4", "options": {"qscale": "2"}}),
    Clip("broadcast.ts", {"container": {"muxdelay": "0"}}, [1.4 + n / 25 for n in range(10)]),
    Clip("no_clock.h264"),
]  # fmt: skip


@pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: clip.name)
def test_every_frame_once_with_the_time_of_the_file(clip: Clip, tmp_path: Path) -> None:
    how = {"frames": numbered(10)} | clip.how
    path = write_video(tmp_path / clip.name, **how)
    with open_video(path) as video:
        frames = list(video)
    assert [number_of(f.image) for f in frames] == list(range(10))
    assert [f.index for f in frames] == list(range(10))
    if clip.name == "broadcast.ts":  # the muxer chooses where its clock starts
        clip.times = [frames[0].time + n / 25 for n in range(10)]
    assert [f.time for f in frames] == pytest.approx(clip.times, abs=1e-12)
    assert video.name == clip.name
    assert video.fps == pytest.approx(clip.fps, rel=0.01)
    assert (video.warnings, video.complete) == ([], True)
    height, width = how["frames"][0].shape[:2]
    assert video.size == (width, height)
    for frame in frames:
        assert frame.image.shape == (height, width, 3)
        assert frame.image.dtype == np.uint8
        assert frame.image.flags.c_contiguous
        assert np.abs(frame.image.astype(int) - how["frames"][frame.index]).mean() < 6


def test_reading_twice_gives_the_same(tmp_path: Path) -> None:
    video = open_video(write_video(tmp_path / "clip.mp4", numbered(5)))
    first, second = list(video), list(video)
    assert [f.time for f in first] == [f.time for f in second]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(first, second, strict=True))


def test_what_the_header_says(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mp4", numbered(10), fps=20, sound=True)
    video = open_video(str(path))
    assert (video.frame_count, video.duration, video.fps) == (10, 0.5, 20.0)
    assert (video.stem, video.start, video.sound) == ("clip", 0, f"file:{path}")


@pytest.mark.parametrize("hflip", [False, True])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_upright(rotation: int, hflip: bool, tmp_path: Path) -> None:
    """The display matrix turns the stored picture counter-clockwise, then mirrors it; so must the reader."""
    upright = picture(5)
    stored = np.rot90(upright[:, ::-1] if hflip else upright, -rotation // 90)
    path = write_video(
        tmp_path / "turned.mp4", [np.ascontiguousarray(stored)], rotation=rotation, hflip=hflip
    )
    video = open_video(path)
    (frame,) = video
    assert video.size == (96, 64)
    assert number_of(frame.image) == 5
    assert np.abs(frame.image.astype(int) - upright).mean() < 6


def test_pixel_aspect_is_told_not_applied(tmp_path: Path) -> None:
    video = open_video(
        write_video(tmp_path / "wide.mp4", [picture(1)], pixel_aspect=Fraction(4, 3), rotation=90)
    )
    assert (video.size, video.pixel_aspect) == ((64, 96), Fraction(3, 4))


def test_a_clock_that_starts_again_goes_on(tmp_path: Path) -> None:
    part = write_video(tmp_path / "part.ts", numbered(50), container={"muxdelay": "0"})
    both = tmp_path / "both.ts"
    both.write_bytes(part.read_bytes() * 2)
    times = np.array([f.time for f in open_video(both)])
    assert len(times) == 100
    assert np.diff(times) == pytest.approx(1 / 25, abs=1e-3)


def test_clock() -> None:
    clock = FrameClock(Fraction(1, 100), fps=10.0)
    ticks = [5, 15, None, 35, 30, 60, 60, None, 10**9, 10**9 + 20]
    seconds = [
        0.05,
        0.15,
        0.25,
        0.35,
        0.36,
        0.6,
        0.61,
        0.71,
        0.81,
        1.01,
    ]  # None and steps back: see FrameClock
    assert [float(clock(t)) for t in ticks] == pytest.approx(seconds)


def test_names_that_ffmpeg_would_take_for_something_else(tmp_path: Path) -> None:
    for name in ("12:30 at home.mp4", "100%d.mp4", "clip [1].mp4", "-i.mp4"):
        path = write_video(tmp_path / "plain.mp4", numbered(2)).rename(tmp_path / name)
        assert len(list(open_video(path))) == 2
        assert open_video(path.as_uri()).name == name


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("http://host/films/my%20clip.mp4?key=1/2#t=3", "my clip.mp4"),
        ("rtsp://user:secret@camera/stream1", "stream1"),
        ("rtsp://user:secret@camera/", "camera"),
    ],
)
def test_names_of_addresses_hold_no_password(address: str, name: str) -> None:
    assert address_name(address) == name


def test_expand_sources(tmp_path: Path) -> None:
    for name in ("b10.mp4", "b9.mp4", "x.jpg"):
        (tmp_path / name).touch()
    videos, pictures = str(tmp_path / "b*.mp4"), str(tmp_path / "*.jpg")
    assert expand_sources([videos, pictures, "no*thing"]) == [
        str(tmp_path / "b9.mp4"), str(tmp_path / "b10.mp4"), pictures, "no*thing",
    ]  # fmt: skip
