"""One clock for all streams of a file whose clocks start again, as in recordings that were joined.

The video leads. Where its decoding times step back, what follows is moved to go on where the video ended;
sound that steps back at the same place is moved by the same amount, so that picture and sound keep together.
Works on packets, before they are decoded: only decoding times tell a join from frames out of order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, TypeAlias

from av.packet import Packet

from posetrack.video.frame_times import HOLE, MOST_B_FRAMES, Gap
from posetrack.video.source import Video

_PATIENCE = 200  # packets of sound that wait for the picture to step back, too (4 s of AAC)
_JUMP = 10  # seconds ahead that are a new clock where clocks jump (MPEG-TS), as in FFmpeg

AnyPacket: TypeAlias = "Packet[Any]"


class PictureClock:
    """Moves the packets of the leading stream, in place.

    Where the clock starts again, packets wait until it is known which of them is shown first: with B-frames
    that is not the first to come, and frames of the old clock may come behind a jump ahead.

    Args:
        step: seconds between two frames.
        jumps: the container's clock may also jump ahead.
    """

    def __init__(self, step: Fraction, jumps: bool) -> None:
        self.shifts = [Fraction(0)]  # seconds, one more for every time that the clock started again
        self.gaps: list[Gap] = []  # jumps ahead, which are closed
        self.end: Fraction | None = None  # where the pictures so far end, moved
        self.ahead = Fraction(_JUMP) if jumps else max(Fraction(HOLE), 100 * step)  # seconds that are a jump
        self._step = step
        self._last: Fraction | None = None  # decoding time, unmoved
        self._latest: Fraction | None = None  # time of showing on this clock, unmoved
        self._older: Fraction | None = None  # unmoved times before it belong to the clock before this one
        self._waiting: list[AnyPacket] = []

    def moved(self, packet: AnyPacket) -> Iterator[AnyPacket]:
        """The packets that can go on, moved; an empty one, as the last is, lets all go on."""
        if self._waiting and (not packet.size or self._first_is_known(packet)):
            yield from self._start_again()
        if not (self._waiting or self._jumps_ahead(packet) or self._steps_back(packet)):
            yield self._move(packet)
            return
        self._waiting.append(packet)
        if self._first_is_known(packet):
            yield from self._start_again()

    def _jumps_ahead(self, packet: AnyPacket) -> bool:
        at = _shown(packet)
        if at is None or self._latest is None or at <= self._latest + self.ahead:
            return False
        self._older = (self._latest + at) / 2
        return True

    def _steps_back(self, packet: AnyPacket) -> bool:
        """Behind a join of Matroska, FFmpeg gives times of showing for those of decoding, not in order."""
        if self._last is None or packet.dts is None:
            return False
        steps = Fraction(1, 2) if packet.is_keyframe else MOST_B_FRAMES
        if self._last - packet.dts * packet.time_base < self._step * steps:
            return False
        self._older = None
        return True

    def _first_is_known(self, packet: AnyPacket) -> bool:
        """Nothing is shown before it is decoded, and packets come in order of decoding."""
        known = packet.dts is not None and packet.dts * packet.time_base >= min(self._new())
        return known or len(self._waiting) > MOST_B_FRAMES

    def _new(self) -> list[Fraction]:
        """When packets that wait are shown, on the new clock."""
        times = [at for packet in self._waiting if (at := _shown(packet)) is not None]
        return [at for at in times if self._older is None or at >= self._older]

    def _start_again(self) -> Iterator[AnyPacket]:
        packets, self._waiting, new = self._waiting, [], self._new()
        old = [at for p in packets if (at := _shown(p)) is not None and at not in new]
        end = max([self.end or Fraction(0), *(at + self.shifts[-1] + self._step for at in old)])
        self.shifts.append(end - min(new))
        if (seconds := self.shifts[-2] - self.shifts[-1]) > 0:
            self.gaps.append((end, seconds))
        self._latest = None
        for packet in packets:
            yield self._move(packet)

    def _move(self, packet: AnyPacket) -> AnyPacket:
        at = _shown(packet)
        if at is not None:
            end: Fraction = at + self._shift(at) + self._step
            self.end = end if self.end is None else max(self.end, end)
            self._latest = at if self._latest is None else max(self._latest, at)
        if packet.dts is not None:
            self._last = packet.dts * packet.time_base
        packet.pts, packet.dts = (self._moved_ticks(t, packet.time_base) for t in (packet.pts, packet.dts))
        return packet

    def _moved_ticks(self, ticks: int | None, tick: Fraction) -> int | None:
        return None if ticks is None else ticks + round(self._shift(ticks * tick) / tick)

    def _shift(self, time: Fraction) -> Fraction:
        return self.shifts[-2 if self._older is not None and time < self._older else -1]


class SoundClock:
    """Moves the packets of one stream of sound as the pictures beside them were moved."""

    def __init__(self, lead: PictureClock) -> None:
        self._lead = lead
        self._part = 0  # which of the lead's shifts is ours
        self._shift = Fraction(0)
        self._last: Fraction | None = None  # unmoved
        self._end = Fraction(0)  # moved
        self._waiting: deque[AnyPacket] = deque()

    def moved(self, packet: AnyPacket | None) -> Iterator[AnyPacket]:
        """The packets that can go on, moved; with None, those that wait."""
        if packet is not None:
            at = packet.dts if packet.dts is not None else packet.pts
            if at is None:
                return
            time = at * packet.time_base
            if self._waiting or self._starts_again(time):
                self._waiting.append(packet)
            self._last = time
        if self._waiting:
            if not self._follow(at_once=packet is None or len(self._waiting) > _PATIENCE):
                return
            while self._waiting:
                yield self._move(self._waiting.popleft())
        elif packet is not None:
            yield self._move(packet)

    def _starts_again(self, time: Fraction) -> bool:
        if self._last is None:
            return False
        return time < self._last - Fraction(1, 20) or time > self._last + self._lead.ahead

    def _follow(self, at_once: bool) -> bool:
        """Take the picture's newest shift; where it has none for us, in the end go on where we were."""
        if self._part < len(self._lead.shifts) - 1:
            self._part = len(self._lead.shifts) - 1
            self._shift = self._lead.shifts[-1]
            return True
        if at_once:
            first = self._waiting[0]
            at = first.dts if first.dts is not None else first.pts
            self._shift = self._end - (at or 0) * first.time_base
        return at_once

    def _move(self, packet: AnyPacket) -> AnyPacket:
        move(packet, self._shift)
        at = packet.dts if packet.dts is not None else packet.pts
        self._end = ((at or 0) + (packet.duration or 0)) * packet.time_base
        return packet


def _shown(packet: AnyPacket) -> Fraction | None:
    """Seconds: when a packet of pictures is shown, or decoded where nobody knows."""
    at = packet.pts if packet.pts is not None else packet.dts
    return None if at is None else Fraction(at * packet.time_base)


def picture_clock(video: Video) -> PictureClock:
    return PictureClock(Fraction(1 / video.fps).limit_denominator(100_000), video.clock_jumps)


def move(packet: AnyPacket, seconds: Fraction) -> None:
    """Later by so many seconds."""
    if seconds:
        ticks = round(seconds / packet.time_base)
        packet.pts = None if packet.pts is None else packet.pts + ticks
        packet.dts = None if packet.dts is None else packet.dts + ticks
