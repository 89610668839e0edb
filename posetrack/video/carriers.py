"""How the packets of one stream of sound come into a clip: as they are, or encoded to AAC."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Sequence
from fractions import Fraction
from typing import TypeAlias, cast

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.bitstream import BitStreamFilterContext
from av.container import OutputContainer
from av.packet import Packet

from posetrack.video.clip_file import MOVFLAGS

AudioPacket: TypeAlias = "Packet[AudioStream]"

COPIED = {"aac", "mp3", "mp3float", "ac3", "eac3", "opus", "flac", "alac"}  # what players take in MP4
# AAC's numbers for rates and channels (ISO 14496-3, tables 1.18 and 1.19)
_RATES = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000, 7350)
_LAYOUTS = ("stereo", "mono", "stereo", "3.0", "4.0", "5.0", "5.1", "7.1")


class Carrier(ABC):
    """Brings the packets of one stream into the clip."""

    def __init__(self, decoder: AudioStream | AudioCodecContext) -> None:
        self.out_of_order = 0  # packets that were left out
        self.undecoded = 0  # that give no sound
        self._decoder = decoder
        self._last: int | None = None

    @abstractmethod
    def carry(self, packet: AudioPacket) -> list[AudioPacket]:
        """What goes into the clip for a packet of the source."""

    def finish(self) -> list[AudioPacket]:
        """What is still held."""
        return []

    def decoded(self, packet: AudioPacket | None) -> list[AudioFrame]:
        try:
            return self._decoder.decode(packet)
        except av.InvalidDataError:
            self.undecoded += 1
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


class Copy(Carrier):
    """The packets as they are; they are decoded only to learn which of them are damaged."""

    def __init__(self, stream: AudioStream, output: OutputContainer, first: bytes) -> None:
        # Not the stream's own decoder, whose settings the clip takes over.
        decoder = av.CodecContext.create(stream.codec_context.name, "r")
        decoder.extradata = stream.codec_context.extradata
        super().__init__(cast(AudioCodecContext, decoder))
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
        self.decoded(packet)
        packets = [packet] if self._filter is None else self._filter.filter(packet)
        return [self._addressed(p) for p in packets if self.in_order(p)]

    def _addressed(self, packet: AudioPacket) -> AudioPacket:
        packet.stream = self._stream
        return packet


class Encode(Carrier):
    """Decoded, and encoded to AAC."""

    def __init__(self, stream: AudioStream, output: OutputContainer, first: bytes) -> None:
        super().__init__(stream)
        self._stream = output.add_stream("aac", rate=_nearest_rate(stream.codec_context.sample_rate))

    def carry(self, packet: AudioPacket) -> list[AudioPacket]:
        return self._encoded(self.decoded(packet))

    def finish(self) -> list[AudioPacket]:
        return self._encoded([*self.decoded(None), None])

    def _encoded(self, frames: Sequence[AudioFrame | None]) -> list[AudioPacket]:
        return [p for frame in frames for p in self._stream.encode(frame) if self.in_order(p)]


def rehearse(kind: type[Copy] | type[Encode], stream: AudioStream, first: bytes) -> None:
    """Raises one of _FAILURES where a clip with this stream could not be written."""
    output = av.open(io.BytesIO(), "w", format="mp4", container_options={"movflags": MOVFLAGS})
    try:
        carrier = kind(stream, output, first)
        output.start_encoding()
        if isinstance(carrier, Copy):
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
