"""Videos written from real sources: times, sound, colours, and what happens when a run is broken off."""

from __future__ import annotations

import os
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from posetrack.errors import PoseTrackError
from posetrack.video import Video, VideoWriter, open_video
from scripts.media import (
    PATCHES,
    SAMPLE_RATE,
    UNEVEN,
    noisy,
    number_of,
    numbered,
    patches,
    picture,
    sound_packets,
    sound_times,
    stored_times,
    write_video,
)

FINE = Fraction(1, 15_360)


def copy(source: Path, out: Path, count: int | None = None) -> VideoWriter:
    """Write the frames of a source, all or the first few, without drawing on them."""
    with open_video(source) as video, VideoWriter(out, video) as writer:
        for frame in video:
            if frame.index == count:
                break
            writer.write(frame.image, frame.time)
    return writer


SOURCES: list[tuple[str, dict[str, Any]]] = [
    ("even.mp4", {}),
    ("ntsc.mp4", {"fps": Fraction(30_000, 1001)}),
    ("uneven.mp4", {"times": UNEVEN, "time_base": FINE}),
    ("late.mp4", {"times": [t + 7687 for t in UNEVEN], "time_base": FINE}),
    ("milliseconds.mkv", {"fps": 30}),
    ("clockwork.avi", {"codec": "mpeg4", "fps": 12.5}),
]


@pytest.mark.parametrize("sound", [False, True])
@pytest.mark.parametrize(("name", "how"), SOURCES, ids=lambda value: value if isinstance(value, str) else "")
def test_same_frames_same_times_same_sound(
    name: str, how: dict[str, Any], sound: bool, tmp_path: Path
) -> None:
    source = write_video(tmp_path / name, numbered(10), sound=sound, **how)
    writer = copy(source, tmp_path / "out" / "clip.mp4")
    assert stored_times(writer.path) == stored_times(source)
    with av.open(writer.path) as out:
        assert [s.type for s in out.streams] == (["video", "audio"] if sound else ["video"])
        assert out.streams.video[0].frames == 10  # a plain MP4: the index knows
        images = [f.to_ndarray(format="rgb24") for f in out.decode(video=0)]
    assert [number_of(image) for image in images] == list(range(10))
    if sound:
        assert sound_packets(writer.path) == sound_packets(source)
        assert sound_times(writer.path) == pytest.approx(sound_times(source), abs=1e-3)
    assert writer.warnings == []


def test_the_last_frame_is_shown_as_long_as_the_one_before(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", numbered(3), times=[0, 10, 40], time_base=Fraction(1, 100))
    copy(source, tmp_path / "out.mp4")
    assert open_video(tmp_path / "out.mp4").duration == pytest.approx(0.7)


def test_transport_streams_move_to_zero_with_their_sound(tmp_path: Path) -> None:
    source = write_video(tmp_path / "tv.ts", numbered(10), sound=True, container={"output_ts_offset": "5000"})
    assert stored_times(source)[0] >= 5000
    copy(source, tmp_path / "out.mp4")
    times, sounds = stored_times(tmp_path / "out.mp4"), sound_times(tmp_path / "out.mp4")
    was, heard = stored_times(source), sound_times(source)
    assert min(times[0], sounds[0]) == pytest.approx(0, abs=1e-3)
    assert [t - times[0] for t in times] == [t - was[0] for t in was]
    assert times[0] - sounds[0] == pytest.approx(was[0] - heard[0], abs=1e-3)
    assert [p[7:] for p in sound_packets(source)] == sound_packets(tmp_path / "out.mp4")  # less ADTS


@pytest.mark.parametrize(
    ("name", "codec", "written"),
    [
        ("c.mkv", "libopus", "opus"),
        ("c.mp4", "ac3", "ac3"),
        ("c.avi", "pcm_s16le", "aac"),
        ("c.mkv", "pcm_f32le", "aac"),
    ],
)
def test_other_sound(name: str, codec: str, written: str, tmp_path: Path) -> None:
    """What MP4 players know is copied; the rest becomes AAC of the same length."""
    source = write_video(tmp_path / name, numbered(25), sound=codec)
    writer = copy(source, tmp_path / "out.mp4")
    with av.open(writer.path) as out:
        assert out.streams.audio[0].codec_context.name == written
        samples = sum(f.samples for f in out.decode(audio=0))
    assert samples / SAMPLE_RATE == pytest.approx(1.0, abs=0.12)
    assert written == "aac" or sound_packets(source) == sound_packets(writer.path)
    assert writer.warnings == []


def test_sound_ends_with_the_video_that_was_written(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", numbered(50), sound=True)
    copy(source, tmp_path / "out.mp4", count=20)
    assert len(stored_times(tmp_path / "out.mp4")) == 20
    assert 0.8 <= sound_times(tmp_path / "out.mp4")[-1] < 1.1  # a quarter of a second runs ahead


def test_sound_that_outlasts_the_picture_is_kept(tmp_path: Path) -> None:
    short = write_video(tmp_path / "a.mp4", numbered(5), sound=True)
    long = write_video(tmp_path / "b.mp4", numbered(50), sound=True)
    source = tmp_path / "both.mp4"
    with av.open(short) as a, av.open(long) as b, av.open(source, "w") as out:
        streams = {s.type: out.add_stream_from_template(s) for s in (a.streams.video[0], b.streams.audio[0])}
        for packet in [*a.demux(video=0), *b.demux(audio=0)]:
            if packet.size:
                packet.stream = streams[packet.stream.type]
                out.mux(packet)
    writer = copy(source, tmp_path / "out.mp4")
    assert sound_packets(writer.path) == sound_packets(long)


def test_odd_sides_get_a_copy_of_the_last_row_and_column(tmp_path: Path) -> None:
    image = np.zeros((63, 95, 3), np.uint8)
    image[-3:] = image[:, -3:] = 250
    source = write_video(tmp_path / "odd.mkv", [image], codec="ffv1", pix_fmt="bgr0")
    copy(source, tmp_path / "out.mp4")
    (frame,) = open_video(tmp_path / "out.mp4")
    assert frame.size == (96, 64)
    assert frame.image[-1].min() > 230
    assert frame.image[:, -1].min() > 230


def test_colours_pixel_aspect_and_tags(tmp_path: Path) -> None:
    aspect = Fraction(4, 3)
    source = write_video(tmp_path / "a.mp4", [patches()], pixel_aspect=aspect)
    copy(source, tmp_path / "out.mp4")
    video = open_video(tmp_path / "out.mp4")
    (frame,) = video
    assert np.abs(frame.image[32, 8::16].astype(int) - PATCHES).max() <= 6
    assert video.pixel_aspect == aspect
    with av.open(tmp_path / "out.mp4") as out:
        context = out.streams.video[0].codec_context
        assert (context.pix_fmt, context.codec.name) == ("yuv420p", "h264")
        tags = (context.color_range, context.colorspace, context.color_primaries, context.color_trc)
        assert tags == (1, 1, 1, 1)  # limited range, and BT.709 three times


def test_turned_sources_are_written_upright(tmp_path: Path) -> None:
    stored = np.ascontiguousarray(np.rot90(picture(9), -1))
    source = write_video(tmp_path / "a.mp4", [stored], rotation=90)
    copy(source, tmp_path / "out.mp4")
    with av.open(tmp_path / "out.mp4") as out:
        (frame,) = out.decode(video=0)
    assert (frame.width, frame.height, frame.rotation) == (96, 64, 0)
    assert number_of(frame.to_ndarray(format="rgb24")) == 9


def test_an_error_in_the_loop_leaves_a_playable_file(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", numbered(30), sound=True)

    def interrupted() -> None:
        with open_video(source) as video, VideoWriter(tmp_path / "out.mp4", video) as writer:
            for frame in video:
                if frame.index == 7:
                    raise KeyboardInterrupt
                writer.write(frame.image, frame.time)

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [number_of(f.image) for f in open_video(tmp_path / "out.mp4")] == list(range(7))


def boxes(path: Path) -> list[str]:
    """Names of the top-level boxes of an MP4 file, as far as it goes."""
    data, names, at = path.read_bytes(), [], 0
    while at + 8 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        names.append(data[at + 4 : at + 8].decode("latin-1"))
        at += length if length >= 8 else 8 if length == 0 else int.from_bytes(data[at + 8 : at + 16], "big")
    return names


def test_fragments_while_written_and_plain_in_the_end(tmp_path: Path) -> None:
    source = open_video(write_video(tmp_path / "a.mp4", numbered(60)))
    with VideoWriter(tmp_path / "out.mp4", source) as writer:
        for frame in source:
            writer.write(frame.image, frame.time)
            if frame.index == 50:
                (tmp_path / "snapshot.mp4").write_bytes(writer.path.read_bytes())
    assert boxes(tmp_path / "snapshot.mp4").count("moof") >= 3
    so_far = [number_of(f.image) for f in open_video(tmp_path / "snapshot.mp4")]
    assert so_far == list(range(len(so_far)))
    assert len(so_far) >= 25  # the queue, the encoder and the fragment hold the rest
    assert "moof" not in boxes(writer.path)
    assert boxes(writer.path)[-1] == "moov"


def test_pictures_become_a_video_at_their_rate(tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    for number in range(6):
        rgb = av.VideoFrame.from_ndarray(picture(number), "rgb24")
        rgb.to_image().save(tmp_path / "frames" / f"{number}.png")
    with (
        open_video(tmp_path / "frames", picture_rate=12) as video,
        VideoWriter(tmp_path / "o.mp4", video) as out,
    ):
        for frame in video:
            out.write(frame.image, frame.time)
    assert stored_times(tmp_path / "o.mp4") == [Fraction(n, 12) for n in range(6)]


@pytest.fixture
def clip(tmp_path: Path) -> Video:
    return open_video(write_video(tmp_path / "clip.mp4", numbered(3)))


def test_refuses_to_replace(clip: Video, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    out.write_bytes(b"dear")
    with pytest.raises(PoseTrackError, match=r"out\.mp4 exists already: use --overwrite to replace it, or"):
        VideoWriter(out, clip)
    assert out.read_bytes() == b"dear"
    with VideoWriter(out, clip, overwrite=True) as writer:
        writer.write(picture(0), 0.0)
    assert len(stored_times(out)) == 1


@pytest.mark.parametrize("overwrite", [False, True])
def test_never_replaces_its_source(overwrite: bool, clip: Video, tmp_path: Path) -> None:
    os.link(tmp_path / "clip.mp4", tmp_path / "same.mp4")
    for path in (tmp_path / "clip.mp4", tmp_path / "same.mp4"):
        with pytest.raises(PoseTrackError, match=r"is the source itself; write to another folder$"):
            VideoWriter(path, clip, overwrite=overwrite)
    assert len(list(clip)) == 3


def test_a_folder_that_cannot_be_written(clip: Video, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PoseTrackError, match=r"^cannot write .*o\.mp4: .+; choose another folder$"):
        VideoWriter(tmp_path / "file" / "o.mp4", clip)


@pytest.mark.parametrize("frames", [3, 12])
def test_a_disk_that_is_full_at_any_byte(frames: int, tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk: told once, and what is there plays to its end."""
    resource = pytest.importorskip("resource")
    source = write_video(tmp_path / "clip.mp4", noisy(frames), sound=True)
    whole = copy(source, tmp_path / "whole.mp4").path.stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    played = []
    for room in range(0, whole, whole // 40):
        out = tmp_path / f"{room}.mp4"
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
        try:
            with pytest.raises(
                PoseTrackError, match=r"^cannot write .*\d\.mp4: .+; is there room on the disk\?$"
            ):
                copy(source, out)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        played.append(len(stored_times(out)) if out.exists() else 0)  # FFmpeg raises at half a picture
    assert played == sorted(played)
    assert played[0] == 0 < played[-1] <= frames


@pytest.mark.parametrize("size", [4, 12, 24, 60])
def test_a_disk_that_is_full(size: int, tmp_path: Path) -> None:
    """A real file system of a few kB: one line, and what is there plays."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}k", "none", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a small disk")
    try:
        source = write_video(tmp_path / "clip.mp4", noisy(40))
        with pytest.raises(PoseTrackError, match=r"out\.mp4: No space left on device; is there room on the"):
            copy(source, disk / "out.mp4")
        left = [path.name for path in disk.iterdir()]
        assert left in ([], ["out.mp4"])
        if left:
            assert len(list(open_video(disk / "out.mp4"))) >= 1
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_nothing_written_leaves_no_file(clip: Video, tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "out.mp4", clip):
        pass
    assert not (tmp_path / "out.mp4").exists()


def test_wrong_use(clip: Video, tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "out.mp4", clip) as writer:
        with pytest.raises(ValueError, match="does not fit"):
            writer.write(picture(0, (64, 48)), 0.0)
        writer.write(picture(0), 0.0)
    with pytest.raises(ValueError, match="is closed"):
        writer.write(picture(0), 0.1)


def test_times_that_stand_still_are_spread(clip: Video, tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "out.mp4", clip) as writer:
        for number, time in enumerate([0.0, 0.04, 0.04, 0.02, 0.2]):
            writer.write(picture(number), time)
    tick = clip.time_base
    step = round(Fraction(1, 25) / tick) * tick
    assert stored_times(tmp_path / "out.mp4") == [0, step, step + tick, step + 2 * tick, 5 * step]
