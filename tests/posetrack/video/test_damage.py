"""What is broken: what can be decoded comes out, and the loss is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import pytest

from posetrack.errors import InputError
from posetrack.video import open_video
from scripts.media import cut, noisy, number_of, numbered, write_video


def test_cut_off_with_the_index_ahead(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "c.mp4", noisy(40), container={"movflags": "faststart"})
    video = open_video(cut(whole, 0.5))
    frames = list(video)
    assert 10 < len(frames) < 30
    assert [f.time for f in frames] == [n / 25 for n in range(len(frames))]
    end = f"{frames[-1].time:.2f} s"
    assert video.warnings == [f"{40 - len(frames)} of 40 frames lost: the file is cut off at {end}"]
    assert video.complete


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("c.mp4", {"container": {"movflags": "frag_keyframe+delay_moov"}}),
        ("c.mkv", {}),
        ("live.mkv", {"container": {"live": "1"}}),  # of unknown length, as recordings that crash
        ("c.webm", {"codec": "libvpx", "sound": "libopus", "container": {"live": "1"}}),
        ("c.ts", {}),
        ("c.m2ts", {}),
        ("c.mpg", {"codec": "mpeg2video", "sound": "mp2"}),
        ("c.ogg", {"codec": "libvpx", "sound": "libopus"}),
        ("c.gif", {"codec": "gif", "pix_fmt": "rgb8"}),
        ("c.mjpeg", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}),
    ],
)
def test_cut_off_without_an_index(name: str, how: dict[str, Any], tmp_path: Path) -> None:
    whole = write_video(tmp_path / name, noisy(40), **how)
    video = open_video(whole)
    assert (len(list(video)), video.warnings) == (40, [])
    for share in (0.6, 0.7, 0.801):
        video = open_video(cut(whole, share))
        frames = list(video)
        assert (
            10 < len(frames) <= (40 if name == "c.mpg" else 35)
        )  # of which even MPEG-2 says little of noise
        line, *more = video.warnings
        assert line == f"the file is cut off: nothing can be read after {frames[-1].time:.2f} s"
        assert not more or more[0].startswith("1 frame damaged")


def test_a_cut_that_costs_sound_alone(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "c.mp4", noisy(10), sound=True, container={"movflags": "faststart"})
    video = open_video(cut(whole, 0.995))
    assert len(list(video)) == 10
    assert video.warnings == ["the file is cut off: nothing can be read after 0.36 s"]


def test_cut_off_avi(tmp_path: Path) -> None:
    video = open_video(cut(write_video(tmp_path / "c.avi", noisy(40), codec="mpeg4"), 0.5))
    frames = list(video)
    assert video.warnings[0].endswith(f"of 40 frames lost: the file is cut off at {frames[-1].time:.2f} s")


def test_cut_off_with_the_index_at_the_end(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"^cut_c\.mp4 is cut off and its index, .* is lost; copy or record it again$"
    ):
        open_video(cut(write_video(tmp_path / "c.mp4", noisy(40)), 0.5))


def test_whole_files_have_no_losses_whatever_follows_them(tmp_path: Path) -> None:
    path = write_video(tmp_path / "c.mp4", numbered(5))
    path.write_bytes(path.read_bytes() + bytes(100))
    video = open_video(path)
    assert (len(list(video)), video.warnings) == (5, [])


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
    assert any("could not be decoded (the first at 0." in line for line in video.warnings)


def test_a_size_that_changes_ends_the_video(tmp_path: Path) -> None:
    big = write_video(tmp_path / "big.ts", numbered(12))
    small = write_video(tmp_path / "small.ts", numbered(12, (64, 48)))
    both = tmp_path / "both.ts"
    both.write_bytes(big.read_bytes() + small.read_bytes())
    video = open_video(both)
    frames = list(video)
    assert [number_of(f.image) for f in frames] == list(range(12))
    (line,) = video.warnings
    assert line.startswith("the frame size changes from 96x64 to 64x48 at ")
    assert not video.complete


@pytest.mark.parametrize("ending", ["mp4", "flv"])
def test_of_joined_files_that_ffmpeg_reads_in_part_the_rest_is_told(ending: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / f"a.{ending}", numbered(5), sound=True)
    path.write_bytes(path.read_bytes() * 2)
    video = open_video(path)
    assert len(list(video)) == 5
    assert video.warnings == ["another video follows in the same file, which is not read: take them apart"]


def test_joined_fragments_that_cannot_be_decoded_are_counted(tmp_path: Path) -> None:
    """FFmpeg reads the packets of both with the index of the first, and loses some without an error."""
    path = write_video(tmp_path / "a.mp4", numbered(20), container={"movflags": "frag_keyframe+empty_moov"})
    path.write_bytes(path.read_bytes() * 2)
    video = open_video(path)
    seen = len(list(video))
    assert 20 <= seen < 40
    assert video.warnings == [f"{40 - seen} of 40 frames lost: they cannot be read"]


def test_frames_that_threads_lose_without_an_error(tmp_path: Path) -> None:
    """A failure in the last packet, which costs the frames that other threads were at."""
    path = write_video(tmp_path / "a.mp4", numbered(8))
    with av.open(path) as container:
        last = [bytes(packet) for packet in container.demux(video=0) if packet.size][-1]
    data = path.read_bytes()
    assert data.count(last) == 1
    path.write_bytes(data.replace(last, last[:4] + bytes(len(last) - 4)))
    video = open_video(path)
    assert [number_of(f.image) for f in video] == [0, 1, 2, 3, 4, 5, 7]
    assert video.warnings == ["1 frame could not be decoded (the first at 0.24 s)"]


def test_damage_that_vp8_in_threads_would_show(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.webm", numbered(20), codec="libvpx")
    with av.open(path) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    data, at = bytearray(path.read_bytes()), 0
    for number, packet in enumerate(packets):
        at = data.index(packet, at)
        if number in (5, 6):
            data[at + 4 : at + len(packet)] = b"\xff" * (len(packet) - 4)
    path.write_bytes(data)
    video = open_video(path)
    assert [number_of(f.image) for f in video] == [n for n in range(20) if n not in (5, 6)]
    assert video.warnings == ["2 frames could not be decoded (the first at 0.20 s)"]
