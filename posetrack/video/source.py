"""What every source of frames shows of itself: files, pictures and cameras are all a `Video`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

from posetrack.types import Frame


class Video(ABC):
    """A sequence of upright RGB frames with their times. A context manager; iterate to get the frames.

    `warnings`, `complete` and `end` speak of the last iteration: `warnings` has one line for each kind of
    damage, e.g. "31 of 60 frames lost: the file is cut off at 0.97 s", and `complete` is True once the end
    was reached.
    """

    name: str  # of the file, the folder or the address: "clip.mp4"
    stem: str  # the name without a file's ending: what outputs are named after
    width: int  # pixels, upright
    height: int
    fps: float  # frames per second, on average
    frame_count: int | None = None  # an estimate from the header; None where nobody knows
    duration: float | None = None  # seconds
    time_base: Fraction = Fraction(1, 90_000)  # seconds: every frame's time is a multiple of it
    clock_jumps: bool = False  # the container's clock starts anywhere and may start again (MPEG-TS)
    start: Fraction = Fraction(0)  # seconds that a copy is moved by, so that it starts near zero
    end: Fraction | None = None  # seconds: when the last frame ends, where the file says so
    pixel_aspect: Fraction = Fraction(1)  # width / height of one pixel, upright
    names: Sequence[str] | None = None  # of the pictures, with folders, where that is what it is made of
    path: Path | None = None  # of the local file that this is; None for pictures, addresses and cameras
    sound: str | None = None  # what FFmpeg opens for the sound; None where there is none
    warnings: list[str]
    complete: bool = False

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]: ...

    def between(self, start: float | None, end: float | None) -> Iterator[Frame]:
        """The frames with `start` <= time < `end`, in seconds; None sets no limit.

        Sources that cannot jump are read from their beginning, for the same frames.
        """
        for frame in self:
            if end is not None and frame.time >= end:
                return
            if start is None or frame.time >= start:
                yield frame

    def good_start(self, time: float) -> float:
        """Where best to begin reading near `time`, seconds: a key frame at or before it, if there is one."""
        return time

    def close(self) -> None:  # noqa: B027 - most sources keep nothing open
        """Let go of files and threads."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.width, self.height

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
