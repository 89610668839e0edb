"""The sound of a video, carried over packet by packet; encoded anew only where MP4 cannot hold it."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer

from posetrack.video.carriers import COPIED, Carrier, Copy, Encode, rehearse
from posetrack.video.opening import open_input, packets_of, reason, video_stream
from posetrack.video.source import Video
from posetrack.video.timeline import AnyPacket, SoundClock, move, picture_clock

_LEAD = Fraction(1, 4)  # seconds that sound runs ahead of the picture, so that neither waits for the other
_PROBED = 60  # seconds within which all sound must begin: the first fragment waits for every stream
_PROBED_PACKETS = 20_000
_OVERLAP = 25  # packets (half a second) that a join may lose
_PAUSE = Fraction(1, 10)  # seconds without sound that make nobody suspicious
_FAILURES = (av.FFmpegError, OSError, ValueError, OverflowError, LookupError)


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
        self._ended = False
        self._told: set[int] = set()  # streams of which a line says that they are left out
        self._taken: Counter[int] = Counter()  # packets, by the index of their stream
        self._heard: dict[int, Fraction] = {}  # seconds
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
            with suppress(*_FAILURES):  # then what was heard is all that is known
                self._count_swallowed(self._input)
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
                self._told.add(stream.index)
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
        kinds: list[type[Copy] | type[Encode]] = [Encode]
        if stream.codec_context.name in COPIED:
            kinds.insert(0, Copy)
        for kind in kinds:
            try:
                rehearse(kind, stream, first)
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
            self._ended = self._next is None
        return self._next

    def _position(self, packet: AnyPacket) -> Fraction:
        """When it is due, in seconds of the video; at once for those that are not written."""
        at = packet.dts if packet.dts is not None else packet.pts
        if at is None or packet.stream_index not in self._routes:
            return Fraction(-(10**9))
        return at * packet.time_base + self._lead.shifts[-1]

    def _take(self, packet: AnyPacket) -> None:
        if packet.size:
            index, seconds = packet.stream_index, (packet.duration or 0) * packet.time_base
            self._taken[index] += 1
            self._heard[index] = self._heard.get(index, Fraction(0)) + seconds
        if packet.stream_index == self._leader:
            deque(self._lead.moved(packet), maxlen=0)
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

    def _count_swallowed(self, container: InputContainer) -> None:
        """FFmpeg's parser drops packets of Opus that it cannot read: where much is missing, ask without."""
        span = (self._lead.end or Fraction(0)) - self._video.start - _PAUSE
        suspects = [
            s
            for s in container.streams.audio
            if s.index not in self._told and s.codec_context.name == "opus"
            if self._heard.get(s.index, 0) < span
        ]
        if not suspects or not self._ended or not container.format.name.startswith("matroska"):
            return
        with closing(open_input(container.name, self._video.path is not None, fflags="noparse")) as again:
            stored = Counter(p.stream_index for p in packets_of(again, *again.streams.audio) if p.size)
        for stream in suspects:
            if (lost := stored[stream.index] - self._taken[stream.index]) > 0:
                self._warn(f"{lost} packets could not be decoded")

    def _carry(self, packet: AnyPacket, route: _Route) -> None:
        move(packet, -self._video.start)
        for coded in route.carrier.carry(packet):
            self._output.mux_one(coded)

    def _account(self, carrier: Carrier) -> None:
        if carrier.out_of_order > _OVERLAP:
            self._warn(f"{carrier.out_of_order} packets have no time of their own and are left out")
        if carrier.undecoded:
            self._warn(f"{carrier.undecoded} packets could not be decoded")

    def _warn(self, why: str) -> None:
        line = f"the sound of {self._video.name} is not complete: {why}"
        if line not in self.warnings:
            self.warnings.append(line)


@dataclass
class _Route:
    carrier: Carrier
    clock: SoundClock
