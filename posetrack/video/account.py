"""What happened while a video was read, and the lines that tell of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from posetrack.video.damage import another_follows, missing_bytes
from posetrack.video.frame_times import Gap

_LONGER_SOUND = 0.5  # seconds that sound may go on after the last picture


@dataclass
class Account:
    """What happened while a stream was read."""

    packets: int = 0  # that should give a picture
    pictures: int = 0  # that they gave
    promised: int = 0  # packets that the container lists
    sure: bool = False  # and each of them should have been read
    fragmented: bool = False  # the list is not made up front
    undecoded: list[Fraction | None] = field(default_factory=list)  # times of packets that gave nothing
    damaged: list[Fraction | None] = field(default_factory=list)  # times of frames shown with damage
    expected: float | None = None  # seconds, where no server tells how many bytes come
    stopped: str = ""  # why reading ended before the end
    resized: str = ""  # to what size, and when
    gaps: list[Gap] = field(default_factory=list)  # jumps of the clock, which are closed
    last_time: Fraction = Fraction(0)
    reordered: bool = False  # times of showing differ from those of decoding
    last_duration: int = 0  # ticks that the last frame is shown, 0 where the file does not say

    def begin(self) -> None:
        """Count anew."""
        self.packets, self.pictures, self.undecoded, self.damaged = 0, 0, [], []

    def warnings(self, size: tuple[int, int], path: Path | None) -> list[str]:
        """A line for each kind of damage.

        Args:
            size: (width, height) of the video.
            path: of the local file; None for an address.
        """
        end = f"{float(self.last_time):.2f} s"
        if self.resized:
            return [
                f"the frame size changes from {size[0]}x{size[1]} to {self.resized}: "
                "what follows was not read"
            ]
        lines = []
        missing = missing_bytes(path) if path else 0
        lost = self.promised - (self.packets - len(self.undecoded))
        if missing and lost > 0 and not self.fragmented:
            lines.append(f"{lost} of {self.promised} frames lost: the file is cut off at {end}")
        elif missing:
            lines.append(f"the file is cut off: nothing can be read after {end}")
        else:  # where that is sure, every packet is a picture
            lost = max(lost, self.promised - self.pictures)
            if lost > len(self.undecoded) and self.sure:  # else those are all
                where = f"the server stopped sending at {end}" if path is None else "they cannot be read"
                lines.append(f"{lost} of {self.promised} frames lost: {where}")
            elif self.stopped:
                lines.append(f"reading stopped at {end}: {self.stopped}")
            elif self.expected is not None and self.last_time < self.expected - _LONGER_SOUND:
                lines.append(f"the server stopped sending at {end} of {self.expected:.2f} s")
        if len(self.undecoded) > bool(missing):  # a cut costs the frame that it goes through
            lines.append(_counted(self.undecoded, "could not be decoded"))
        if path and another_follows(path):
            lines.append("another video follows in the same file, which is not read: take them apart")
        if self.damaged:
            lines.append(_counted(self.damaged, "damaged"))
        for at, seconds in self.gaps[:1]:
            more = f" (and {len(self.gaps) - 1} more)" if self.gaps[1:] else ""
            lines.append(f"the clock jumps by {float(seconds):.0f} s at {float(at):.2f} s{more}: gap closed")
        return lines


def _counted(times: list[Fraction | None], what: str) -> str:
    first = "" if times[0] is None else f" (the first at {float(times[0]):.2f} s)"
    return f"{len(times)} frame{'s' * (len(times) > 1)} {what}{first}"
