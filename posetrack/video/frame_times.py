"""When the frames of a stream are shown: always increasing, whatever its header and its packets say."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from heapq import heappop, heappush
from typing import TypeAlias

import av
from av.video.stream import VideoStream

MOST_B_FRAMES = 16  # pictures between a frame's place in decoding and in showing
HOLE = 3600  # seconds ahead that are a new clock: nobody shows a picture for an hour, and MP4 cannot for long
Gap: TypeAlias = tuple[Fraction, Fraction]  # where it was in the clip, and how many seconds were left out
_RATES = (1e-5, 1e5)  # frames per second that a header is believed
_FASTEST_GUESS = 1000  # and FFmpeg: beyond, it took the ticks of the clock for frames


class FrameClock:
    """Times that always increase: the container's where it has them, the average rate where it does not."""

    def __init__(self, time_base: Fraction, fps: float) -> None:
        self._tick = time_base
        self._step = max(time_base, Fraction(1 / fps).limit_denominator(100_000))
        self._last: Fraction | None = None
        self._shift = Fraction(0)
        self.gaps: list[Gap] = []
        self._hole: Fraction = max(Fraction(HOLE), 100 * self._step)

    def __call__(self, pts: int | None) -> Fraction:
        last = self._last
        if pts is None:
            time = Fraction(0) if last is None else last + self._step
        else:
            time = pts * self._tick + self._shift
            if last is not None and time > last + self._hole:
                self.gaps.append((last + self._step, time - last - self._step))
                time = last + self._step
                self._shift -= self.gaps[-1][1]
            elif last is not None and time <= last:
                time = last + self._tick
        self._last = time
        return time


def in_order(pictures: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """Pictures in order of showing, with times of decoding: each gets the earliest time that is left."""
    held: deque[av.VideoFrame] = deque()
    times: list[int] = []
    for picture in pictures:
        held.append(picture)
        if picture.pts is not None:
            heappush(times, picture.pts)
        if len(held) > MOST_B_FRAMES:
            yield _timed(held.popleft(), times)
    while held:
        yield _timed(held.popleft(), times)


def _timed(picture: av.VideoFrame, times: list[int]) -> av.VideoFrame:
    picture.pts = heappop(times) if times else None
    return picture


def rate_of(stream: VideoStream) -> tuple[float, bool]:
    """Frames per second, and whether the header's own figure, and with it its clock, can be believed."""
    slowest, fastest = _RATES
    for rate, limit in ((stream.average_rate, fastest), (stream.guessed_rate, _FASTEST_GUESS)):
        if rate and slowest <= rate <= limit:
            return float(rate), not stream.average_rate or stream.average_rate <= fastest
    return 25.0, not stream.average_rate
