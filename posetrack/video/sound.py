"""The sound of a video, carried over packet by packet; encoded anew only where MP4 cannot hold it."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from typing import TypeAlias, cast

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.bitstream import BitStreamFilterContext
from av.container import InputContainer, OutputContainer
from av.packet import Packet

from posetrack.video.clip_file import MOVFLAGS
from posetrack.video.opening import open_input, packets_of, reason, video_stream
from posetrack.video.source import Video
from posetrack.video.timeline import AnyPacket, SoundClock, move, picture_clock

AudioPacket: TypeAlias = "Packet[AudioStream]"

COPIED = {"aac", "mp3", "mp3float", "ac3", "eac3", "opus", "flac", "alac"}  # what players take in MP4
_LEAD = Fraction(1, 4)  # seconds that sound runs ahead of the picture, so that neither waits for the other
_PROBED = 60  # seconds within which all sound must begin: the first fragment waits for every stream
_PROBED_PACKETS = 20_000
_OVERLAP = 25  # packets (half a second) that a join may lose
_FAILURES = (av.FFmpegError, OSError, ValueError, OverflowError, LookupError)
# AAC's numbers for rates and channels (ISO 14496-3, tables 1.18 and 1.19)
_RATES = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000, 7350)
_LAYOUTS = ("stereo", "mono", "stereo", "3.0", "4.0", "5.0", "5.1", "7.1")


class Sound:
    """Writes all sound streams at `address` (None for silence) into `output`, in step with the pictures.

    Timestamps are moved as the pictures' are (`video.start`, and clocks that start again), so that both keep
    together. What goes wrong ends the sound, not the video; `warnings` says so in one line each.
    """

    def __init__(self, video: Video, output: OutputContainer, address: str | None) -> None:
        self.warnings: list[str] = []
        self._video = video
        self._output = output
        self._input: InputContainer | None = None
        self._routes: dict[int, _Route] = {}
        self._packets: Iterator[AnyPacket] = iter(())
        self._next: AnyPacket | None = None
        self._lead = picture_clock(video)
        self._leader = -1  # index of the stream of pictures
        self._told: set[int] = set()  # streams that were said to be left out
        if address is not None:
            try:
                self._open(address)
            except _FAILURES as error:
                self._warn(reason(error))

    @property
    def streams(self) -> int:
        """How many are carried over."""
        return len(self._routes)

    def write_until(self, time: Fraction | None) -> None:
        """Write what sounds up to `time` (seconds of the video), or everything that is left with None."""
        end = None if time is None else time + _LEAD
        try:
            while (packet := self._peek()) is not None:
                if end is not None and self._position(packet) > end:
                    return
                self._next = None
                self._take(packet)
        except _FAILURES as error:
            self._warn(reason(error))
            self._packets = iter(())
            self._next = None

    def close(self) -> None:
        """Empty the encoders and let go of the input."""
        for route in self._routes.values():
            try:
                for packet in route.clock.moved(None):
                    self._carry(packet, route)
                self._output.mux(route.carrier.finish())
            except _FAILURES as error:
                self._warn(reason(error))
            self._account(route.carrier)
        self._routes.clear()
        if self._input is not None:
            self._input.close()

    def damaged(self, error: Exception) -> None:
        """The muxer refused a packet; the writer found out."""
        self._warn(reason(error))

    def _open(self, address: str) -> None:
        self._input = open_input(address, local=self._video.path is not None)
        streams = self._input.streams.audio
        leader = video_stream(self._input, self._video.name)
        self._leader = leader.index
        packets = packets_of(self._input, leader, *streams)
        first: dict[int, AnyPacket] = {}
        seen = []
        for packet in packets:
            seen.append(packet)
            if packet.size:
                first.setdefault(packet.stream_index, packet)
            if all(s.index in first for s in streams) or self._probed_enough(first, packet, len(seen)):
                break
        for stream in streams:
            if stream.codec_context is None:
                self._told.add(stream.index)
                self._warn(f"FFmpeg does not know the codec of its stream {stream.index}")
            elif stream.index in first:
                self._route(stream, bytes(first[stream.index]))
            elif not (stream.codec_context.channels and stream.codec_context.sample_rate):
                self._warn(f"its stream {stream.index} cannot be read")
        self._packets = chain(seen, packets)

    def _probed_enough(self, first: dict[int, AnyPacket], packet: AnyPacket, count: int) -> bool:
        began = first.get(packet.stream_index)
        if count >= _PROBED_PACKETS:
            return True
        if began is None or began.dts is None or packet.dts is None:
            return False
        return (packet.dts - began.dts) * packet.time_base > _PROBED

    def _route(self, stream: AudioStream, first: bytes) -> None:
        """Copied where MP4 takes it, else encoded; tried in memory first, so that nothing spoils the clip."""
        kinds: list[type[_Copy] | type[_Encode]] = [_Encode]
        if stream.codec_context.name in COPIED:
            kinds.insert(0, _Copy)
        for kind in kinds:
            try:
                _rehearse(kind, stream, first)
            except _FAILURES as error:
                why = reason(error)
            else:
                self._routes[stream.index] = _Route(kind(stream, self._output, first), SoundClock(self._lead))
                return
        self._told.add(stream.index)
        self._warn(f"its stream {stream.index} cannot be written ({why})")

    def _peek(self) -> AnyPacket | None:
        if self._next is None:
            self._next = next(self._packets, None)
        return self._next

    def _position(self, packet: AnyPacket) -> Fraction:
        """When it is due, in seconds of the video; at once for those that are not written."""
        at = packet.dts if packet.dts is not None else packet.pts
        if at is None or packet.stream_index not in self._routes:
            return Fraction(-(10**9))
        return at * packet.time_base + self._lead.shifts[-1]

    def _take(self, packet: AnyPacket) -> None:
        if packet.stream_index == self._leader:
            self._lead.move(packet)
        elif route := self._routes.get(packet.stream_index):
            if packet.size:
                for moved in route.clock.moved(packet):
                    self._carry(moved, route)
        elif packet.size:
            self._late(packet)

    def _late(self, packet: AnyPacket) -> None:
        stream = packet.stream
        if stream.codec_context is not None and stream.index not in self._told:
            self._told.add(stream.index)
            at = "" if packet.pts is None else f" at {float(packet.pts * packet.time_base):.0f} s"
            self._warn(f"its stream {stream.index} begins only{at} and is left out")

    def _carry(self, packet: AnyPacket, route: _Route) -> None:
        move(packet, -self._video.start)
        for coded in route.carrier.carry(packet):
            self._output.mux_one(coded)

    def _account(self, carrier: _Carrier) -> None:
        if carrier.out_of_order > _OVERLAP:
            self._warn(f"{carrier.out_of_order} packets have no time of their own and are left out")
        if carrier.undecoded:
            self._warn(f"{carrier.undecoded} packets could not be decoded")

    def _warn(self, why: str) -> None:
        line = f"the sound of {self._video.name} is not complete: {why}"
        if line not in self.warnings:
            self.warnings.append(line)


class _Carrier(ABC):
    """Brings the packets of one stream into the clip."""

    def __init__(self) -> None:
        self.out_of_order = self.undecoded = 0  # packets that were left out
        self._last: int | None = None

    @abstractmethod
    def carry(self, packet: AudioPacket) -> list[AudioPacket]:
        """What goes into the clip for a packet of the source."""

    def finish(self) -> list[AudioPacket]:
        """What is still held."""
        return []

    def in_order(self, packet: AudioPacket) -> bool:
        """A clock that steps back, if only by the end of a joined recording, would stop the muxer."""
        if packet.dts is None:
            packet.dts = packet.pts
        if packet.dts is None or (self._last is not None and packet.dts <= self._last):
            self.out_of_order += 1
            return False
        if packet.pts is None or packet.pts < packet.dts:
            packet.pts = packet.dts
        self._last = packet.dts
        return True


@dataclass
class _Route:
    carrier: _Carrier
    clock: SoundClock


class _Copy(_Carrier):
    """The packets as they are."""

    def __init__(self, stream: AudioStream, output: OutputContainer, first: bytes) -> None:
        super().__init__()
        self._stream = output.add_stream_from_template(stream)
        self._stream.codec_context.codec_tag = "\0\0\0\0"  # another container's tag means nothing here
        self._filter = None
        if stream.codec_context.name == "aac" and not stream.codec_context.extradata:
            # MPEG-TS repeats AAC's settings in every packet (ADTS); MP4 wants them once, ahead of all
            self._stream.codec_context.extradata = audio_specific_config(first)
            if not stream.codec_context.sample_rate:  # it began after FFmpeg had looked
                self._stream.codec_context.sample_rate = _RATES[first[2] >> 2 & 15]
                self._stream.codec_context.layout = _LAYOUTS[(first[2] & 1) << 2 | first[3] >> 6]
            self._filter = BitStreamFilterContext("aac_adtstoasc", stream)

    def carry(self, packet: AudioPacket) -> list[AudioPacket]:
        packets = [packet] if self._filter is None else self._filter.filter(packet)
        return [self._addressed(p) for p in packets if self.in_order(p)]

    def _addressed(self, packet: AudioPacket) -> AudioPacket:
        packet.stream = self._stream
        return packet


class _Encode(_Carrier):
    """Decoded, and encoded to AAC."""

    def __init__(self, stream: AudioStream, output: OutputContainer, first: bytes) -> None:
        super().__init__()
        self._source = stream
        self._stream = output.add_stream("aac", rate=_nearest_rate(stream.codec_context.sample_rate))

    def carry(self, packet: AudioPacket) -> list[AudioPacket]:
        return self._encoded(self._decoded(packet))

    def finish(self) -> list[AudioPacket]:
        return self._encoded([*self._decoded(None), None])

    def _decoded(self, packet: AudioPacket | None) -> list[AudioFrame]:
        try:
            return self._source.decode(packet)
        except av.InvalidDataError:
            self.undecoded += 1
            return []

    def _encoded(self, frames: Sequence[AudioFrame | None]) -> list[AudioPacket]:
        return [p for frame in frames for p in self._stream.encode(frame) if self.in_order(p)]


def _rehearse(kind: type[_Copy] | type[_Encode], stream: AudioStream, first: bytes) -> None:
    """Raises one of _FAILURES where a clip with this stream could not be written."""
    output = av.open(io.BytesIO(), "w", format="mp4", container_options={"movflags": MOVFLAGS})
    try:
        carrier = kind(stream, output, first)
        output.start_encoding()
        if isinstance(carrier, _Copy):
            packet = cast(AudioPacket, Packet(first))
            packet.pts = packet.dts = 0
            packet.duration, packet.time_base = 1, stream.time_base or Fraction(1, 48_000)
            for copied in carrier.carry(packet):
                output.mux_one(copied)
    finally:
        output.close()


def _nearest_rate(rate: int) -> int:
    """The lowest of AAC's rates that keeps everything, else its highest."""
    return min((known for known in _RATES if known >= rate), default=_RATES[0])


def audio_specific_config(adts: bytes) -> bytes:
    """AAC's settings as MP4 has them (ISO 14496-3, 1.6.2.1) from the head of an ADTS packet (1.A.2.2)."""
    if len(adts) < 4:
        raise ValueError("its first packet is cut off")
    profile, rate = adts[2] >> 6, adts[2] >> 2 & 15
    channels = (adts[2] & 1) << 2 | adts[3] >> 6
    return ((profile + 1) << 11 | rate << 7 | channels << 3).to_bytes(2, "big")
