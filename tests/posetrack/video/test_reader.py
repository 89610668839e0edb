"""Real files of every awkward kind, made here and read back."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from posetrack.errors import InputError
from posetrack.video import expand_sources, open_video
from posetrack.video.container import _Clock, address_name
from tests.posetrack.media import cut, number_of, numbered, picture, write_video

UNEVEN = [0, 512, 1536, 1792, 1800, 9000, 9512, 20_000, 20_001, 23_000]  # ticks of 1/15360 s


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
    assert (video.losses, video.complete) == ([], True)
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


PATCHES = np.array(
    [[255, 255, 255], [0, 0, 0], [128, 128, 128], [220, 30, 30], [30, 200, 40], [30, 40, 220]], np.uint8
)


def patches(size: tuple[int, int] = (96, 64)) -> np.ndarray:
    """Six flat colours side by side: what a colour conversion must not change."""
    return np.ascontiguousarray(np.broadcast_to(np.repeat(PATCHES, size[0] // 6, 0), (size[1], size[0], 3)))


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("untagged, small: BT.601", {}),
        ("BT.709, limited", {"matrix": 1, "full_range": False}),
        ("BT.709, full", {"matrix": 1, "full_range": True}),
        ("BT.601, limited", {"matrix": 5, "full_range": False}),
        ("BT.601, full", {"matrix": 5, "full_range": True}),
        ("full by pixel format", {"codec": "mjpeg", "pix_fmt": "yuvj420p", "ending": "avi"}),
        ("10 bit", {"pix_fmt": "yuv420p10le"}),
        ("10 bit, 4:4:4", {"codec": "ffv1", "pix_fmt": "yuv444p10le", "ending": "mkv"}),
        ("12 bit RGB", {"codec": "ffv1", "pix_fmt": "gbrp12le", "ending": "mkv"}),
        ("RGB", {"codec": "ffv1", "pix_fmt": "bgr0", "ending": "mkv"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_colours(name: str, how: dict[str, Any], tmp_path: Path) -> None:
    ending = how.pop("ending", "mp4") if "ending" in how else "mp4"
    path = write_video(tmp_path / f"patches.{ending}", [patches()], **how)
    (frame,) = open_video(path)
    middles = frame.image[32, 8::16].astype(int)
    assert np.abs(middles - PATCHES).max() <= 6, name


def test_untagged_from_720_lines_up_is_bt709(tmp_path: Path) -> None:
    path = tmp_path / "hd.mp4"
    with av.open(str(path), "w") as output:  # pixels of BT.709 in a file that does not say so
        stream = output.add_stream("libx264", rate=25, options={"crf": "8"})
        stream.width, stream.height, stream.pix_fmt = 96, 720, "yuv420p"
        coded = av.VideoFrame.from_ndarray(patches((96, 720))).reformat(format="yuv420p", dst_colorspace=1)
        coded.colorspace = 2
        output.mux([*stream.encode(coded), *stream.encode(None)])
    (frame,) = open_video(path)
    assert np.abs(frame.image[360, 8::16].astype(int) - PATCHES).max() <= 6


@pytest.mark.parametrize(
    ("pix_fmt", "codec"), [("gray", "libx264"), ("gray10le", "ffv1"), ("gray16le", "ffv1")]
)
def test_gray_becomes_three_equal_channels(pix_fmt: str, codec: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / "gray.mkv", [patches()], pix_fmt=pix_fmt, codec=codec)
    (frame,) = open_video(path)
    middles = frame.image[32, 8:48:16].astype(int)  # white, black, middle gray
    assert np.abs(middles - PATCHES[:3]).max() <= 6
    assert np.ptp(frame.image, axis=2).max() == 0


@pytest.mark.parametrize(("alpha", "left"), [(255, (200, 100, 40)), (128, (100, 50, 20)), (0, (0, 0, 0))])
def test_transparent_video_lies_on_black(alpha: int, left: tuple[int, int, int], tmp_path: Path) -> None:
    image = np.full((64, 96, 4), (200, 100, 40, 255), np.uint8)
    image[:, :48, 3] = alpha
    path = write_video(tmp_path / "clear.mov", [image], codec="qtrle", pix_fmt="argb")
    (frame,) = open_video(path)
    assert np.abs(frame.image[32, 20].astype(int) - left).max() <= 1
    assert tuple(frame.image[32, 70]) == (200, 100, 40)


def test_pixel_aspect_is_told_not_applied(tmp_path: Path) -> None:
    video = open_video(
        write_video(tmp_path / "wide.mp4", [picture(1)], pixel_aspect=Fraction(4, 3), rotation=90)
    )
    assert (video.size, video.pixel_aspect) == ((64, 96), Fraction(3, 4))


# What is broken: what can be decoded comes out, and the loss is told.


def test_cut_off_with_the_index_ahead(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "c.mp4", noisy(40), container={"movflags": "faststart"})
    video = open_video(cut(whole, 0.5))
    frames = list(video)
    assert 10 < len(frames) < 30
    assert [f.time for f in frames] == [n / 25 for n in range(len(frames))]
    end = f"{frames[-1].time:.2f} s"
    assert video.losses == [f"{40 - len(frames)} of 40 frames lost: the file is cut off at {end}"]
    assert video.complete


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("c.mp4", {"container": {"movflags": "frag_keyframe+delay_moov"}}),
        ("c.mkv", {}),
    ],
)
def test_cut_off_without_an_index(name: str, how: dict[str, Any], tmp_path: Path) -> None:
    video = open_video(cut(write_video(tmp_path / name, noisy(40), **how), 0.6))
    frames = list(video)
    assert 10 < len(frames) < 35
    assert video.losses == [f"the file is cut off: nothing can be read after {frames[-1].time:.2f} s"]


def test_cut_off_avi(tmp_path: Path) -> None:
    video = open_video(cut(write_video(tmp_path / "c.avi", noisy(40), codec="mpeg4"), 0.5))
    frames = list(video)
    assert video.losses[0].endswith(f"of 40 frames lost: the file is cut off at {frames[-1].time:.2f} s")


def test_cut_off_with_the_index_at_the_end(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"^cut_c\.mp4 is cut off and its index, .* is lost; copy or record it again$"
    ):
        open_video(cut(write_video(tmp_path / "c.mp4", noisy(40)), 0.5))


def test_whole_files_have_no_losses_whatever_follows_them(tmp_path: Path) -> None:
    path = write_video(tmp_path / "c.mp4", numbered(5))
    path.write_bytes(path.read_bytes() + bytes(100))
    video = open_video(path)
    assert (len(list(video)), video.losses) == (5, [])


def test_damage_in_the_middle_costs_only_what_it_hits(tmp_path: Path) -> None:
    path = write_video(tmp_path / "c.mp4", noisy(40), options={"g": "10", "bf": "0"})
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + (len(data) - data.index(b"mdat")) // 2
    data[start : start + 12_000] = bytes(12_000)
    path.write_bytes(data)
    video = open_video(path)
    frames = list(video)
    assert 36 <= len(frames) < 40
    assert frames[-1].time == 39 / 25
    assert [f.index for f in frames] == list(range(len(frames)))
    assert any("could not be decoded (the first at 0." in line for line in video.losses)


def test_a_size_that_changes_ends_the_video(tmp_path: Path) -> None:
    big = write_video(tmp_path / "big.ts", numbered(12))
    small = write_video(tmp_path / "small.ts", numbered(12, (64, 48)))
    both = tmp_path / "both.ts"
    both.write_bytes(big.read_bytes() + small.read_bytes())
    video = open_video(both)
    frames = list(video)
    assert [number_of(f.image) for f in frames] == list(range(12))
    (line,) = video.losses
    assert line.startswith("the frame size changes from 96x64 to 64x48 at ")
    assert not video.complete


def test_a_clock_that_starts_again_goes_on(tmp_path: Path) -> None:
    part = write_video(tmp_path / "part.ts", numbered(50), container={"muxdelay": "0"})
    both = tmp_path / "both.ts"
    both.write_bytes(part.read_bytes() * 2)
    times = np.array([f.time for f in open_video(both)])
    assert len(times) == 100
    assert np.diff(times) == pytest.approx(1 / 25, abs=1e-3)


def test_clock() -> None:
    clock = _Clock(Fraction(1, 100), fps=10.0)
    ticks = [5, 15, None, 35, 30, 60, -1000, -990, None]
    seconds = [0.05, 0.15, 0.25, 0.35, 0.36, 0.6, 0.7, 0.8, 0.9]  # None and steps back: see _Clock
    assert [float(clock(t)) for t in ticks] == pytest.approx(seconds)


# What is no video at all: one line that says what to do.


def nothing(folder: Path) -> str:
    return str(folder / "absent.mp4")


def empty_file(folder: Path) -> str:
    (folder / "zero.mp4").write_bytes(b"")
    return str(folder / "zero.mp4")


def text_file(folder: Path) -> str:
    (folder / "notes.mp4").write_text("this is no video\n" * 50)
    return str(folder / "notes.mp4")


def honest_text(folder: Path) -> str:
    (folder / "notes.txt").write_text("this is no video\n" * 50)
    return str(folder / "notes.txt")


def only_sound(folder: Path) -> str:
    write_video(folder / "film.mp4", numbered(3), sound=True)
    with (
        av.open(str(folder / "film.mp4")) as film,
        av.open(str(folder / "song.m4a"), "w", format="mp4") as song,
    ):
        stream = song.add_stream_from_template(film.streams.audio[0])
        for packet in film.demux(audio=0):
            if packet.size:
                packet.stream = stream
                song.mux(packet)
    return str(folder / "song.m4a")


def header_only(folder: Path) -> str:
    path = write_video(folder / "head.mp4", noisy(5), container={"movflags": "faststart"})
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"mdat") + 40])
    return str(path)


def folder_without_pictures(folder: Path) -> str:
    (folder / "here" / "below").mkdir(parents=True)
    (folder / "here" / "clip.mp4").write_bytes(b"x")
    return str(folder / "here")


def glob_without_match(folder: Path) -> str:
    return str(folder / "*.jpg")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _: "", r"the name of the video is empty; name a file, a folder or an address"),
        (nothing, r"no such file or folder: .*absent\.mp4; check the path"),
        (empty_file, r"zero\.mp4 is empty \(0 bytes\); copy or record it again"),
        (text_file, r"notes\.mp4 is not a video that FFmpeg can read \(.+\); check that it plays elsewhere"),
        (honest_text, r"notes\.txt is text, not a video; name a video file"),
        (only_sound, r"song\.m4a has no video stream, only audio; name a video file"),
        (header_only, r"no frame of head\.mp4 can be decoded; is the file cut off or damaged\?"),
        (folder_without_pictures, r"no pictures in the folder .*here; name a video file, or a folder .*"),
        (glob_without_match, r"nothing matches .*\*\.jpg; check the path and the pattern"),
        (
            lambda _: "http://127.0.0.1:9/clip.mp4",
            r"cannot open clip\.mp4: Connection refused; check the address .*",
        ),
    ],
)
def test_one_clear_line(make: Callable[[Path], str], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        open_video(make(tmp_path))
    assert "\n" not in str(caught.value)
    assert re.fullmatch(message, str(caught.value)), str(caught.value)


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


def noisy(count: int) -> list[np.ndarray]:
    """Frames that no codec makes small: so that half the bytes are half the frames."""
    random = np.random.default_rng(0)
    return [random.integers(0, 255, (64, 96, 3), dtype=np.uint8) for _ in range(count)]
