"""The sound of a video, carried over packet by packet; encoded anew only where MP4 cannot hold it."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from typing import TypeAlias

import av
from av.audio.stream import AudioStream
from av.bitstream import BitStreamFilterContext
from av.container import InputContainer, OutputContainer
from av.packet import Packet

from posetrack.video.container import reason
from posetrack.video.source import Video

AudioPacket: TypeAlias = "Packet[AudioStream]"

COPIED = {"aac", "mp3", "mp3float", "ac3", "eac3", "opus", "flac", "alac"}  # what players take in MP4
_LEAD = Fraction(1, 4)  # seconds that sound runs ahead of the picture, so that neither waits for the other
_PROBED = 100  # packets within which every stream should have shown itself
_FAILURES = (av.FFmpegError, OSError, ValueError)


class Sound:
    """Writes all sound streams at `address` (None for silence) into `output`, in step with the pictures.

    Timestamps stay as they are (less `video.start`, like the pictures'), so sound and picture keep together.
    What goes wrong ends the sound, not the video; `warnings` says so in one line each.
    """

    def __init__(self, video: Video, output: OutputContainer, address: str | None) -> None:
        self.warnings: list[str] = []
        self._name, self._start = video.name, video.start
        self._output = output
        self._input: InputContainer | None = None
        self._routes: dict[int, _Copy | _Encode] = {}
        self._packets: Iterator[AudioPacket] = iter(())
        self._next: AudioPacket | None = None
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
                position = packet.dts if packet.dts is not None else packet.pts
                if end is not None and position is not None and position * packet.time_base > end:
                    return
                self._next = None
                self._send(packet)
        except _FAILURES as error:
            self._warn(reason(error))
            self._packets = iter(())
            self._next = None

    def close(self) -> None:
        """Empty the encoders and let go of the input."""
        for carrier in self._routes.values():
            try:
                self._output.mux(carrier.finish())
            except _FAILURES as error:
                self._warn(reason(error))
        self._routes.clear()
        if self._input is not None:
            self._input.close()

    def _open(self, address: str) -> None:
        self._input = av.open(address, "r", metadata_errors="replace")
        streams = self._input.streams.audio
        packets = self._input.demux(tuple(streams))
        first: dict[int, AudioPacket] = {}
        seen = []
        for packet in packets:
            seen.append(packet)
            first.setdefault(packet.stream_index, packet)
            if len(first) == len(streams) or len(seen) == _PROBED:
                break
        for stream in streams:
            if stream.codec_context is None:
                self._warn(f"FFmpeg does not know the codec of its stream {stream.index}")
            elif stream.index in first:
                copied = stream.codec_context.name in COPIED
                make = _Copy if copied else _Encode
                self._routes[stream.index] = make(stream, self._output, bytes(first[stream.index]))
        self._packets = chain(seen, packets)

    def _peek(self) -> AudioPacket | None:
        if self._next is None:
            self._next = next(self._packets, None)
        return self._next

    def _send(self, packet: AudioPacket) -> None:
        carrier = self._routes.get(packet.stream_index)
        if carrier is None or not packet.size:
            return
        if self._start:
            shift = round(self._start / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts - shift
            packet.dts = None if packet.dts is None else packet.dts - shift
        self._output.mux(carrier.carry(packet))

    def _warn(self, why: str) -> None:
        self.warnings.append(f"the sound of {self._name} is not complete: {why}")


class _Copy:
    """The packets as they are."""

    def __init__(self, stream: AudioStream, output: OutputContainer, first: bytes) -> None:
        self._stream = output.add_stream_from_template(stream)
        self._stream.codec_context.codec_tag = "\0\0\0\0"  # another container's tag means nothing here
        self._filter = None
        self._last: int | None = None
        if stream.codec_context.name == "aac" and not stream.codec_context.extradata:
            # MPEG-TS repeats AAC's settings in every packet (ADTS); MP4 wants them once, ahead of all
            self._stream.codec_context.extradata = audio_specific_config(first)
            self._filter = BitStreamFilterContext("aac_adtstoasc", stream)

    def carry(self, packet: AudioPacket) -> list[AudioPacket]:
        packets = [packet] if self._filter is None else self._filter.filter(packet)
        return [self._addressed(p) for p in packets if self._in_order(p)]

    def finish(self) -> list[AudioPacket]:
        return []

    def _in_order(self, packet: AudioPacket) -> bool:
        """A clock that steps back, as in joined recordings, would stop the muxer: leave such packets out."""
        if packet.dts is None or (self._last is not None and packet.dts <= self._last):
            return False
        self._last = packet.dts
        return True

    def _addressed(self, packet: AudioPacket) -> AudioPacket:
        packet.stream = self._stream
        return packet


class _Encode:
    """Decoded, and encoded to AAC."""

    def __init__(self, stream: AudioStream, output: OutputContainer, first: bytes) -> None:
        self._source = stream
        self._stream = output.add_stream("aac", rate=stream.codec_context.sample_rate)

    def carry(self, packet: AudioPacket) -> list[AudioPacket]:
        return [coded for frame in packet.decode() for coded in self._stream.encode(frame)]

    def finish(self) -> list[AudioPacket]:
        last = self._source.decode(None)
        return [coded for frame in [*last, None] for coded in self._stream.encode(frame)]


def audio_specific_config(adts: bytes) -> bytes:
    """AAC's settings as MP4 has them (ISO 14496-3, 1.6.2.1) from the head of an ADTS packet (1.A.2.2)."""
    profile, rate = adts[2] >> 6, adts[2] >> 2 & 15
    channels = (adts[2] & 1) << 2 | adts[3] >> 6
    return ((profile + 1) << 11 | rate << 7 | channels << 3).to_bytes(2, "big")
