"""Sound that other tools lose: it is in the clip, or one line says why not."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from posetrack.video import open_video
from scripts import media
from scripts.media import numbered, sound_packets, stored_times, write_video
from tests.posetrack.video.test_writer import copy


def test_a_file_that_states_no_duration(tmp_path: Path) -> None:
    """What browsers record, and what a crash leaves of a recording."""
    how: dict[str, Any] = {"codec": "libvpx", "sound": "libopus", "container": {"live": "1"}}
    source = write_video(tmp_path / "a.webm", numbered(20), **how)
    assert open_video(source).duration is None
    writer = copy(source, tmp_path / "out.mp4")
    assert sound_packets(writer.path) == sound_packets(source)
    assert writer.warnings == []


@pytest.mark.parametrize(("ending", "late"), [("mkv", 4), ("mkv", 40), ("ts", 40)])
def test_a_second_sound_that_starts_late(ending: str, late: int, tmp_path: Path) -> None:
    """A commentary begins long after the first packets of the others."""
    first = write_video(tmp_path / "first.mp4", numbered(25 * (late + 1)), sound=True)
    second = write_video(tmp_path / "second.mp4", numbered(10), sound=True)
    source = tmp_path / f"both.{ending}"
    with av.open(first) as a, av.open(second) as b, av.open(source, "w") as out:
        picture, sound = (out.add_stream_from_template(s) for s in (a.streams.video[0], a.streams.audio[0]))
        comment = out.add_stream_from_template(b.streams.audio[0])
        packets = [(p, picture if p.stream.type == "video" else sound) for p in a.demux() if p.size]
        for packet in b.demux(audio=0):
            if packet.size:
                shift = round(late / packet.time_base)
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                packets.append((packet, comment))
        for packet, stream in sorted(packets, key=lambda pair: pair[0].dts * pair[0].time_base):
            packet.stream = stream
            out.mux(packet)
    writer = copy(source, tmp_path / "out.mp4")
    with av.open(writer.path) as out, av.open(source) as was:
        assert len(out.streams.audio) == 2
        for one, other in zip(out.streams.audio, was.streams.audio, strict=True):
            heard, said = ([bytes(p) for p in c.demux(s) if p.size] for c, s in ((out, one), (was, other)))
            assert heard == [packet[7 if ending == "ts" else 0 :] for packet in said]  # without ADTS's head
            out.seek(0)
            was.seek(0)
        start = next(p for p in out.demux(out.streams.audio[1]) if p.size)
        assert float(start.pts * start.time_base) == pytest.approx(late, abs=0.05)
    assert writer.warnings == []


@pytest.mark.parametrize(
    ("what", "kept", "line"),
    [
        ("header", False, "its stream 1 cannot be read"),
        ("packets", True, "40 packets could not be decoded"),
        ("all packets", False, "41 packets could not be decoded"),
        ("no header", True, None),  # without one, MP4 cannot hold Opus: it is encoded anew
    ],
)
def test_damaged_sound_does_not_cost_the_picture(
    what: str, kept: bool, line: str | None, tmp_path: Path
) -> None:
    source = write_video(tmp_path / "a.webm", numbered(20), codec="libvpx", sound="libopus")
    data, packets = bytearray(source.read_bytes()), sound_packets(source)
    if what.endswith("packets"):
        for packet in packets[what == "packets" :]:
            at = data.index(packet)
            data[at : at + 3] = b"\xff\xff\xff"
    elif what == "header":
        data = data.replace(b"OpusHead\x01\x02", b"OpusHead\x01\xff")
    else:
        at = data.index(b"\x63\xa2")  # CodecPrivate, which becomes Void
        data[at : at + 3] = b"\xec\x40" + bytes([data[at + 2] & 0x7F])
    source.write_bytes(data)
    writer = copy(source, tmp_path / "out.mp4")
    assert stored_times(writer.path) == stored_times(source)
    with av.open(writer.path) as out:
        assert len(out.streams.audio) == kept
    why = line and f"the sound of a.webm is not complete: {line}"
    assert writer.warnings == ([why] if why else [])


def test_sound_that_mp4_cannot_hold_and_nobody_can_decode(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.avi", numbered(10), codec="mpeg4", sound="pcm_s16le")
    data = bytearray(source.read_bytes())
    at = data.index(b"strf", data.index(b"auds")) + 8
    data[at : at + 2] = (0x1234).to_bytes(2, "little")  # a sound format that nobody has
    source.write_bytes(data)
    writer = copy(source, tmp_path / "out.mp4")
    assert len(stored_times(writer.path)) == 10
    (line,) = writer.warnings
    assert line.startswith("the sound of a.avi is not complete: ")


def test_sound_that_begins_after_a_minute_is_told(tmp_path: Path) -> None:
    """The clip's first fragment waits for every stream: it cannot wait for ever."""
    tick = Fraction(1, 10)
    first = write_video(tmp_path / "first.mp4", numbered(80), fps=1, times=[10 * n for n in range(80)],
                        time_base=tick, sound=True)  # fmt: skip
    source = tmp_path / "late.mkv"
    with av.open(first) as a, av.open(source, "w") as out:
        streams = {s.type: out.add_stream_from_template(s) for s in (a.streams.video[0], a.streams.audio[0])}
        second = out.add_stream_from_template(a.streams.audio[0])
        for packet in a.demux():
            if packet.size:
                late = packet.stream.type == "audio" and packet.dts * packet.time_base > 70
                if late:
                    packet.stream = second
                    out.mux(packet)
                    continue
                packet.stream = streams[packet.stream.type]
                out.mux(packet)
    writer = copy(source, tmp_path / "out.mp4")
    (line,) = writer.warnings
    assert line == "the sound of late.mkv is not complete: its stream 2 begins only at 70 s and is left out"


def test_sound_that_becomes_another_codec_does_not_cost_the_picture(tmp_path: Path) -> None:
    """Recordings of two programmes, joined: FFmpeg takes all of the sound for the second's."""
    both = tmp_path / "both.ts"
    parts = [write_video(tmp_path / f"{s}.ts", numbered(20), sound=s) for s in ("aac", "ac3")]
    both.write_bytes(b"".join(part.read_bytes() for part in parts))
    writer = copy(both, tmp_path / "out.mp4")
    assert len(stored_times(writer.path)) == 40
    assert len(sound_packets(writer.path)) > 30  # of the second, as AAC
    (line,) = writer.warnings
    assert line.endswith("packets could not be decoded")


@pytest.mark.parametrize(("rate", "coded"), [(192_000, 96_000), (6000, 7350)])
def test_sound_at_a_rate_that_aac_lacks(
    rate: int, coded: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "SAMPLE_RATE", rate)
    source = write_video(tmp_path / "a.avi", numbered(20), codec="mpeg4", sound="pcm_s16le")
    writer = copy(source, tmp_path / "out.mp4")
    assert writer.warnings == []
    with av.open(writer.path) as out:
        assert out.streams.audio[0].sample_rate == coded
        assert sum(f.samples for f in out.decode(audio=0)) / coded == pytest.approx(0.8, abs=0.3)
