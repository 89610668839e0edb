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

    Args:
        step: seconds between two frames.
        jumps: the container's clock may also jump ahead.
    """

    def __init__(self, step: Fraction, jumps: bool) -> None:
        self.shifts = [Fraction(0)]  # seconds, one more for every time that the clock started again
        self.gaps: list[Gap] = []  # jumps ahead, which are closed
        self._step = step
        self.ahead = Fraction(_JUMP) if jumps else max(Fraction(HOLE), 100 * step)  # seconds that are a jump
        self._last: Fraction | None = None  # decoding time, unmoved
        self.end: Fraction | None = None  # where the pictures so far end, moved

    def move(self, packet: AnyPacket) -> None:
        at = packet.pts if packet.pts is not None else packet.dts
        if at is None:
            return
        if packet.dts is not None:
            decoded = packet.dts * packet.time_base
            if self._starts_again(decoded, packet.is_keyframe) and self.end is not None:
                self.shifts.append(self.end - at * packet.time_base)
                if (seconds := self.shifts[-2] - self.shifts[-1]) > 0:
                    self.gaps.append((self.end, seconds))
            self._last = decoded
        end: Fraction = at * packet.time_base + self.shifts[-1] + self._step
        self.end = end if self.end is None or end > self.end else self.end
        move(packet, self.shifts[-1])

    def _starts_again(self, decoded: Fraction, key: bool) -> bool:
        """Behind a join of Matroska, FFmpeg gives times of showing for those of decoding, not in order."""
        if self._last is None:
            return False
        back = self._last - decoded
        return back >= self._step * (Fraction(1, 2) if key else MOST_B_FRAMES) or -back > self.ahead


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


def picture_clock(video: Video) -> PictureClock:
    return PictureClock(Fraction(1 / video.fps).limit_denominator(100_000), video.clock_jumps)


def move(packet: AnyPacket, seconds: Fraction) -> None:
    """Later by so many seconds."""
    if seconds:
        ticks = round(seconds / packet.time_base)
        packet.pts = None if packet.pts is None else packet.pts + ticks
        packet.dts = None if packet.dts is None else packet.dts + ticks
