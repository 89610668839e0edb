"""Where a file can be entered: at a key frame from which all that is shown later can be decoded."""

from __future__ import annotations

from dataclasses import dataclass

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from posetrack.video.opening import packets_of


@dataclass(frozen=True)
class Entry:
    """A key frame."""

    ticks: int  # what FFmpeg is asked to seek to
    pts: int  # when the frame is shown, ticks


def entry_before(container: InputContainer, stream: VideoStream, time: float) -> Entry | None:
    """The last key frame at or before `time` seconds; None where only the beginning is left.

    FFmpeg seeks by times of decoding, which are earlier than those of showing: it may stop at a key frame
    that is shown too late, so what it finds is looked at. Frames shown before the key frame may refer to what
    was skipped, and are not to be used.
    """
    if stream.time_base is None:
        return None
    wanted, second = round(time / stream.time_base), round(1 / stream.time_base)
    back = 0
    while True:
        target = wanted - back
        try:
            container.seek(target, stream=stream)
            packet = next(packets_of(container, stream), None)
        except (av.FFmpegError, OSError):
            return None
        if packet is None or packet.pts is None:
            return None
        if packet.is_keyframe and packet.pts <= wanted:
            return Entry(target, packet.pts)
        if target <= (stream.start_time or 0):
            return None
        back = max(2 * back, second)
