"""Clocks of every awkward kind: what comes in, and what the clip shows."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.packet import Packet

from posetrack.results.jsonl import Header, JsonlWriter, read_jsonl
from posetrack.skeletons import COCO17
from posetrack.video import open_video
from posetrack.video.timeline import PictureClock
from scripts.media import number_of, numbered, sound_times, stored_times, write_video
from tests.posetrack.video.test_writer import copy

EVEN = [n / 25 for n in range(25)]


def shown_for(path: Path) -> float:
    """Seconds from the first picture to the end of the last."""
    with av.open(path) as clip:
        frames = [(f.pts, f.duration) for f in clip.decode(video=0)]
        return float((frames[-1][0] + frames[-1][1] - frames[0][0]) * clip.streams.video[0].time_base)


@pytest.mark.parametrize(("bframes", "codec"), [(3, "libx264"), (8, "libx264"), (2, "mpeg4")])
def test_frames_out_of_order_where_the_file_knows_only_decoding_times(
    bframes: int, codec: str, tmp_path: Path
) -> None:
    """AVI has no times of showing: 0.04, 0.16, 0.12, 0.2, ... in place of even steps from 0."""
    source = write_video(
        tmp_path / "a.avi", numbered(25), codec=codec, options={"bf": str(bframes), "g": "25"}
    )
    frames = list(open_video(source))
    assert [number_of(f.image) for f in frames] == list(range(25))
    assert [f.time for f in frames] == pytest.approx(EVEN)
    copy(source, tmp_path / "out.mp4")
    assert [float(t) for t in stored_times(tmp_path / "out.mp4")] == pytest.approx(EVEN)
    assert shown_for(tmp_path / "out.mp4") == pytest.approx(1.0)


def test_a_header_that_nobody_can_believe(tmp_path: Path) -> None:
    """The codec says 25 frames/s; the container's two billion would pass in 10 nanoseconds."""
    source = write_video(tmp_path / "a.avi", numbered(20), codec="mpeg4", sound="pcm_s16le")
    data = bytearray(source.read_bytes())
    rate = data.index(b"strh") + 8 + 20  # after type, handler, flags, priority and start
    data[rate : rate + 8] = (1).to_bytes(4, "little") + (2_000_000_000).to_bytes(4, "little")
    source.write_bytes(data)
    video = open_video(source)
    assert (video.fps, [f.time for f in video]) == (25.0, pytest.approx(EVEN[:20]))
    copy(source, tmp_path / "out.mp4")
    assert shown_for(tmp_path / "out.mp4") == pytest.approx(0.8)
    assert sound_times(tmp_path / "out.mp4")[-1] == pytest.approx(0.8, abs=0.05)


def test_the_last_frame_has_a_duration_of_its_own(tmp_path: Path) -> None:
    ticks = [0, 33, 167, 1667]
    source = write_video(tmp_path / "a.mkv", numbered(4), times=ticks, time_base=Fraction(1, 1000), fps=30)
    copy(source, tmp_path / "out.mp4")
    assert shown_for(tmp_path / "out.mp4") == pytest.approx(1.7, abs=0.002)


def test_a_last_picture_that_is_held(tmp_path: Path) -> None:
    source = write_video(
        tmp_path / "a.gif", numbered(5), fps=10, codec="gif", pix_fmt="rgb8", container={"final_delay": "200"}
    )
    copy(source, tmp_path / "out.mp4")
    assert shown_for(tmp_path / "out.mp4") == pytest.approx(2.4)


@pytest.mark.parametrize("name", ["a.mkv", "a.flv", "a.mp4"])
def test_a_clock_that_starts_late(name: str, tmp_path: Path) -> None:
    """Frames keep the file's times; the clip does not begin with an hour of nothing."""
    ticks = [3_600_000 + 40 * n for n in range(25)]
    source = write_video(tmp_path / name, numbered(25), times=ticks, time_base=Fraction(1, 1000), sound=True)
    with av.open(source) as container:
        assert container.start_time > 3599 * av.time_base
    assert [f.time for f in open_video(source)] == pytest.approx([t / 1000 for t in ticks])
    copy(source, tmp_path / "out.mp4")
    times, sounds = stored_times(tmp_path / "out.mp4"), sound_times(tmp_path / "out.mp4")
    assert 0 <= times[0] < 0.1
    assert [float(t - times[0]) for t in times] == pytest.approx(EVEN, abs=1e-3)
    assert sounds[0] == pytest.approx(float(times[0]), abs=0.06)  # the encoder's priming is heard before


def test_a_start_that_is_announced_after_the_first_frames(tmp_path: Path) -> None:
    """Raw MPEG-4: the demuxer takes its start time from a later packet."""
    source = write_video(tmp_path / "a.mp4", numbered(20))
    video = open_video(source)
    picture = next(av.open(source).decode(video=0))

    class Container:
        start_time = 760_000

    assert video._start(Container(), picture) == 0  # type: ignore[attr-defined]
    video.clock_jumps = True
    assert video._start(Container(), picture) == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize("seconds", [0.2, 0.6, 2])
@pytest.mark.parametrize("ending", ["ts", "mpg", "mkv"])
def test_joined_recordings_go_on_where_the_first_ended(ending: str, seconds: float, tmp_path: Path) -> None:
    """Picture and sound of the second part are as far apart as those of the first."""
    count = round(25 * seconds)
    how = {"codec": "mpeg2video", "sound": "mp2"} if ending == "mpg" else {"sound": True}
    part = write_video(tmp_path / f"part.{ending}", numbered(count), **how)  # type: ignore[arg-type]
    both = tmp_path / f"both.{ending}"
    both.write_bytes(part.read_bytes() * 2)
    frames = list(open_video(both))
    assert [number_of(f.image) for f in frames] == [*range(count), *range(count)]
    assert np.diff([f.time for f in frames]) == pytest.approx(1 / 25, abs=2e-3)
    writer = copy(both, tmp_path / "out.mp4")
    assert writer.warnings == []
    pictures, sounds = stored_times(writer.path), sound_times(writer.path)
    assert np.diff([float(t) for t in pictures]) == pytest.approx(1 / 25, abs=2e-3)
    before, step = 1152 if ending == "mpg" else 1024, 1024 / 48_000  # samples, seconds of a packet
    heard = len(sound_times(part)) * before / 48_000
    assert len(sounds) * step == pytest.approx(2 * heard, abs=6 * step)  # a join may cost or fill a moment
    apart = min(sounds, key=lambda t: abs(t - float(pictures[count]) - (sounds[0] - float(pictures[0]))))
    assert apart - float(pictures[count]) == pytest.approx(sounds[0] - float(pictures[0]), abs=step)


@pytest.mark.parametrize("bframes", [0, 2])
def test_what_an_edit_list_hides_is_not_lost(bframes: int, tmp_path: Path) -> None:
    """Clips that a phone has trimmed keep what is before their beginning, from a key frame on."""
    times = [40 * n for n in range(-5, 20)]
    source = write_video(tmp_path / "a.mov", numbered(25), times=times, time_base=Fraction(1, 1000),
                         options={"bf": str(bframes), "g": "100"})  # fmt: skip
    video = open_video(source)
    frames = list(video)
    assert [(number_of(f.image), f.time) for f in frames] == [(n + 5, n / 25) for n in range(20)]
    assert video.warnings == []


@pytest.mark.parametrize("hole", [10**12, 40_000_000])
def test_a_clock_that_jumps_by_hours(hole: int, tmp_path: Path) -> None:
    """Not one picture for 30 years, and no time that MP4 cannot hold."""
    ticks = [0, 40, 80, hole, hole + 40]
    source = write_video(tmp_path / "a.mkv", numbered(5), times=ticks, time_base=Fraction(1, 1000))
    video = open_video(source)
    frames = list(video)
    assert [number_of(f.image) for f in frames] == list(range(5))
    assert np.diff([f.time for f in frames]) == pytest.approx(1 / 25, abs=2e-3)
    assert video.warnings == [f"the clock jumps by {hole // 1000} s at 0.12 s: gap closed"]
    copy(source, tmp_path / "out.mp4")
    assert len(stored_times(tmp_path / "out.mp4")) == 5


@pytest.mark.parametrize("sound", [False, True])
@pytest.mark.parametrize("bframes", [0, 2, 3])
def test_a_clock_that_jumps_in_a_recording_without_an_end(bframes: int, sound: bool, tmp_path: Path) -> None:
    """MPEG-TS: seconds without reception, or another clock from there on; nobody can tell which.

    With B-frames, the first picture to come after the jump is not the first to be shown, and pictures from
    before the jump come behind it.
    """
    times = [40 * n for n in range(12)] + [15_000 + 40 * n for n in range(12)] + [30_000, 30_040]
    source = write_video(tmp_path / "a.ts", numbered(26), times=times, time_base=Fraction(1, 1000),
                         options={"bf": str(bframes), "g": "100"}, sound=sound)  # fmt: skip
    video = open_video(source)
    frames = list(video)
    assert [number_of(f.image) for f in frames] == list(range(26))
    assert np.diff([f.time for f in frames]) == pytest.approx(1 / 25, abs=2e-3)
    (line,) = video.warnings
    assert line.startswith("the clock jumps by 15 s at ")
    assert line.endswith(" s (and 1 more): gap closed")


OLD = [(0, -2), (3, -1), (1, 0), (2, 1)]  # times of showing and of decoding: two B-frames between I and P


@pytest.mark.parametrize(
    ("after", "shown"),
    [
        ([(1004, 1002), (1007, 1003), (1005, 1004), (1006, 1005)], [4, 7, 5, 6]),  # a key frame, shown first
        ([(1006, 1003), (1004, 1004), (1005, 1005)], [6, 4, 5]),  # B-frames that are shown before it
        ([(1005, 2), (4, 3), (1004, 4), (1008, 1004)], [6, 4, 5, 9]),  # and a frame of before the jump
        ([(-1006, -1009), (-1008, -1008), (-1007, -1007)], [6, 4, 5]),  # a step back
        ([(1006, None), (1004, None), (1005, None)], [6, 4, 5]),  # no times of decoding
        ([(10**6, 10**6), (5, 5), (6, 6)], [4, 5, 6]),  # one wrong time
        ([(7, 2), (6, 3), (8, 6)], [7, 6, 8]),  # a gap that is none
    ],
)
def test_where_the_clock_jumps(after: list[tuple[int, int | None]], shown: list[int], tmp_path: Path) -> None:
    clock, moved = PictureClock(Fraction(1, 25), jumps=True), []
    for number, (pts, dts) in enumerate([*OLD, *after, (None, None)]):
        packet: Any = Packet(b"x" if pts is not None else 0)
        packet.pts, packet.dts, packet.time_base = pts, dts, Fraction(1, 25)
        packet.is_keyframe = number in (0, len(OLD))
        moved += [p.pts for p in clock.moved(packet)]
    assert moved == [0, 3, 1, 2, *shown, None]


def test_the_size_of_pixels_is_told(tmp_path: Path) -> None:
    for aspect in (Fraction(4, 3), Fraction(1)):
        video = open_video(write_video(tmp_path / "a.mp4", numbered(1), pixel_aspect=aspect))
        header = Header("a.mp4", 96, 64, 25.0, COCO17, "light", pixel_aspect=float(video.pixel_aspect))
        path = tmp_path / f"{aspect.numerator}.jsonl"
        with JsonlWriter(path, header):
            pass
        assert ('"pixel_aspect": 1.333333' in path.read_text()) == (aspect != 1)
        assert read_jsonl(path).header.pixel_aspect == pytest.approx(float(aspect), abs=1e-6)


@pytest.mark.parametrize(("gap", "exact"), [(3, True), (300, False)])
def test_a_clock_finer_than_mp4_can_hold_for_long(gap: int, exact: bool, tmp_path: Path) -> None:
    """Clocks of 10 MHz: 215 seconds are more ticks than one picture of an MP4 may last."""
    tick = Fraction(1, 10_000_000)
    times = [0, 333_333, 400_003 + gap * 10_000_000 // 2, 400_003 + gap * 10_000_000]
    source = write_video(tmp_path / "a.mov", numbered(4), times=times, time_base=tick, options={"bf": "0"})
    assert open_video(source).time_base == tick
    copy(source, tmp_path / "out.mp4")
    shown = stored_times(tmp_path / "out.mp4")
    assert (shown == [t * tick for t in times]) == exact
    assert [float(t) for t in shown] == pytest.approx([float(t * tick) for t in times], abs=1e-6)
