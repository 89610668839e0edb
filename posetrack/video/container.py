"""Videos that FFmpeg reads, by PyAV: frames from first to last, and an account of what was lost."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from fractions import Fraction
from heapq import heappop, heappush
from pathlib import Path

import av
from av.container import InputContainer
from av.format import Flags as FormatFlags
from av.stream import Disposition
from av.video.stream import VideoStream

from posetrack.errors import InputError
from posetrack.types import Frame
from posetrack.video.damage import missing_bytes
from posetrack.video.names import address_name, shown, stem_of
from posetrack.video.pipe import Spool
from posetrack.video.server import serves_ranges
from posetrack.video.source import Video
from posetrack.video.timeline import picture_clock
from posetrack.video.upright import UprightRgb, orientation

NETWORK_TIMEOUT = (10.0, 20.0)  # seconds to open an address, and to wait for its next packet
_RECONNECT = {"reconnect": "1", "reconnect_on_network_error": "1", "reconnect_delay_max": "4"}
_LIVE = ("rtsp://", "rtsps://", "rtmp://", "rtmps://", "udp://", "rtp://", "srt://", "tcp://")
_TEXT_ART = {"tty"}  # FFmpeg would draw a text file as a picture
_WHOLE_INDEX = "mov"  # containers that list every packet up front
_DECODE_ORDER = {"avi"}  # containers that know only when a frame is decoded
_MOST_B_FRAMES = 16  # pictures between a frame's place in decoding and in showing
_RATES = (1e-5, 1e5)  # frames per second that a header is believed
_LATEST_START = 1  # seconds of nothing before the first frame that a copy keeps


class FileVideo(Video):
    """A file or an address that FFmpeg opens. Every iteration reads it anew; nothing stays open between.

    Args:
        source: what FFmpeg opens where there is no `path`.
        path: of the local file.
        spool: what a pipe gave; `path` is its file, and goes with it.
    """

    def __init__(self, source: str, path: Path | None, spool: Spool | None = None) -> None:
        name = spool.name if spool else None
        self._spool = spool
        self.path = path
        self.name = shown(name or path.name) if path else address_name(source)
        self.stem = stem_of(name or path.name if path else self.name)
        self.warnings = []
        self._url = f"file:{path}" if path else source  # "file:", or a colon in a name would mean a protocol
        with closing_container(self._url, self.name, path) as container:
            stream = video_stream(container, self.name)
            self.fps, self._clock_is_true = _rate(stream)
            self.clock_jumps = FormatFlags.ts_discont in FormatFlags(container.format.flags)
            self._only_decoding_times = container.format.name in _DECODE_ORDER
            self._shuffled = False
            account = _Account()
            picture = next(self._pictures(container, stream, account), None)
            # frames are shown in another order than they are decoded, but the times know nothing of it
            self._shuffled = stream.codec_context.has_b_frames and not account.reordered
            if picture is None:
                if path is None and not serves_ranges(source):
                    raise InputError(_no_ranges(self.name, "no frame can be decoded"))
                raise InputError(f"no frame of {self.name} can be decoded; is the file cut off or damaged?")
            turned = orientation(picture)[0]
            sides = (picture.height, picture.width) if turned else (picture.width, picture.height)
            self.width, self.height = sides
            self.time_base = stream.time_base or Fraction(1, 90_000)
            aspect = stream.sample_aspect_ratio or Fraction(1)
            self.pixel_aspect = 1 / aspect if turned else aspect
            self.duration = _duration(container, stream)
            self.frame_count = stream.frames or (round(self.duration * self.fps) if self.duration else None)
            self.start = self._start(container, picture)
            self._live = source.startswith(_LIVE) and self.duration is None
            self.sound = self._url if container.streams.audio and not self._live else None
            self._silenced = bool(container.streams.audio) and self._live

    def __iter__(self) -> Iterator[Frame]:
        """Frames in order of presentation.

        `time` is the container's own, to the tick; where that is missing or steps back, it goes on at the
        average rate. A frame of another size ends the video: what came before it stands.
        """
        self.warnings, self.complete, self.end = [], False, None
        account, clock, to_rgb = _Account(), _Clock(self.time_base, self.fps), UprightRgb()
        for index, picture in enumerate(self._read(account)):
            time = clock(picture.pts if self._clock_is_true else None)
            image = to_rgb(picture)
            if (image.shape[1], image.shape[0]) != self.size:
                account.resized = f"{image.shape[1]}x{image.shape[0]} at {float(time):.2f} s"
                break
            account.last_time = time
            account.last_duration = self._duration_of(picture)
            yield Frame(image, index, float(time))
        self.warnings = self._account(account)
        self.complete = not account.resized and not account.stopped
        if account.last_duration and self.complete:
            self.end = account.last_time + account.last_duration * self.time_base

    def close(self) -> None:
        if self._spool is not None:
            self._spool.close()

    def _read(self, account: _Account) -> Iterator[av.VideoFrame]:
        """All pictures that can be decoded, in order.

        With several threads, FFmpeg loses the neighbours of a picture that fails. So when one fails, the
        file is read again with one thread, past the pictures that were given already.
        """
        given = 0
        threads = self.path is not None and not missing_bytes(self.path)
        while True:
            account.begin()
            with closing_container(self._url, self.name, self.path) as container:
                stream = video_stream(container, self.name)
                stream.thread_type = "AUTO" if threads else "SLICE"
                for number, picture in enumerate(self._pictures(container, stream, account)):
                    if threads and account.undecoded:
                        break
                    if number == given:
                        given += 1
                        yield picture
                if not threads or not account.undecoded:
                    account.fragmented = stream.frames == 0
                    mov = container.format.name.startswith(_WHOLE_INDEX)
                    account.promised = _listed(stream) if mov else stream.frames
                    account.sure = mov
                    return
            threads = False

    def _pictures(
        self, container: InputContainer, stream: VideoStream, account: _Account
    ) -> Iterator[av.VideoFrame]:
        """All pictures that can be decoded, in order, with times on one clock."""
        pictures = self._decoded(container, stream, account)
        return _in_order(pictures) if self._shuffled else pictures

    def _decoded(
        self, container: InputContainer, stream: VideoStream, account: _Account
    ) -> Iterator[av.VideoFrame]:
        """All pictures that can be decoded; the account tells of the others."""
        packets = container.demux(stream)
        clock = picture_clock(self)
        while True:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError) as error:
                account.stopped = reason(error)
                packet = None
            if packet is None:
                break
            account.packets += packet.size > 0
            if self._only_decoding_times:
                packet.pts = packet.dts
            account.reordered = account.reordered or packet.pts != packet.dts
            clock.move(packet)
            try:
                pictures = packet.decode()
            except av.FFmpegError:
                account.undecoded.append(_seconds(packet.pts, stream))
                continue
            for picture in pictures:
                if picture.is_corrupt:
                    account.damaged.append(_seconds(picture.pts, stream))
                yield picture
        if account.stopped:
            yield from stream.decode(None)  # what the decoder still holds

    def _account(self, account: _Account) -> list[str]:
        end = f"{float(account.last_time):.2f} s"
        if account.resized:
            return [
                f"the frame size changes from {self.width}x{self.height} to {account.resized}: "
                "what follows was not read"
            ]
        lines = []
        missing = missing_bytes(self.path) if self.path else 0
        lost = account.promised - (account.packets - len(account.undecoded))
        if missing and lost > 0 and not account.fragmented:
            lines.append(f"{lost} of {account.promised} frames lost: the file is cut off at {end}")
        elif missing and (account.fragmented or account.stopped):
            lines.append(f"the file is cut off: nothing can be read after {end}")
        else:
            if lost > 0 and account.sure:
                where = f"the server stopped sending at {end}" if self.path is None else "they cannot be read"
                lines.append(f"{lost} of {account.promised} frames lost: {where}")
            elif account.stopped:
                lines.append(f"reading stopped at {end}: {account.stopped}")
            if account.undecoded:
                lines.append(_counted(account.undecoded, "could not be decoded"))
        if account.damaged:
            lines.append(_counted(account.damaged, "damaged"))
        if self._silenced:
            lines.append("the sound of a live stream is not carried over")
        return lines

    def _duration_of(self, picture: av.VideoFrame) -> int:
        """Ticks, 0 where the file does not say."""
        return picture.duration if self._clock_is_true and not self._only_decoding_times else 0

    def _start(self, container: InputContainer, picture: av.VideoFrame) -> Fraction:
        """What a copy is moved by: where clocks start anywhere, begin late, or before zero."""
        first = Fraction(0) if picture.pts is None else picture.pts * self.time_base
        start = first
        if container.start_time is not None:
            start = min(first, Fraction(container.start_time, av.time_base))
        if self.clock_jumps or start > _LATEST_START:
            return start
        return min(first, Fraction(0))


@dataclass
class _Account:
    """What happened while a stream was read."""

    packets: int = 0
    promised: int = 0  # packets that the container lists
    sure: bool = False  # and each of them should have been read
    fragmented: bool = False  # the list is not made up front
    undecoded: list[Fraction | None] = field(default_factory=list)  # times of packets that gave nothing
    damaged: list[Fraction | None] = field(default_factory=list)  # times of frames shown with damage
    stopped: str = ""  # why reading ended before the end
    resized: str = ""  # to what size, and when
    last_time: Fraction = Fraction(0)
    reordered: bool = False  # times of showing differ from those of decoding
    last_duration: int = 0  # ticks that the last frame is shown, 0 where the file does not say

    def begin(self) -> None:
        """Count anew."""
        self.packets, self.undecoded, self.damaged = 0, [], []


class _Clock:
    """Times that always increase: the container's where it has them, the average rate where it does not."""

    def __init__(self, time_base: Fraction, fps: float) -> None:
        self._tick = time_base
        self._step = max(time_base, Fraction(1 / fps).limit_denominator(100_000))
        self._last: Fraction | None = None

    def __call__(self, pts: int | None) -> Fraction:
        last = self._last
        if pts is None:
            time = Fraction(0) if last is None else last + self._step
        else:
            time = pts * self._tick
            if last is not None and time <= last:
                time = last + self._tick
        self._last = time
        return time


def _in_order(pictures: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """Pictures in order of showing, with times of decoding: each gets the earliest time that is left."""
    held: deque[av.VideoFrame] = deque()
    times: list[int] = []
    for picture in pictures:
        held.append(picture)
        if picture.pts is not None:
            heappush(times, picture.pts)
        if len(held) > _MOST_B_FRAMES:
            yield _timed(held.popleft(), times)
    while held:
        yield _timed(held.popleft(), times)


def _timed(picture: av.VideoFrame, times: list[int]) -> av.VideoFrame:
    picture.pts = heappop(times) if times else None
    return picture


def open_input(url: str, local: bool) -> InputContainer:
    """FFmpeg's view of a file or an address. Raises FFmpeg's own errors."""
    if local:
        return av.open(url, "r", metadata_errors="replace")
    options = _RECONNECT if url.lower().startswith("http") else {}
    return av.open(url, "r", metadata_errors="replace", timeout=NETWORK_TIMEOUT, options=options)


def closing_container(url: str, name: str, path: Path | None) -> AbstractContextManager[InputContainer]:
    """The opened container, closed after the with block. Raises InputError where FFmpeg cannot read it."""
    try:
        container = open_input(url, local=path is not None)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise InputError(_why_not(url, name, path, error)) from error
    if container.format.name in _TEXT_ART:
        container.close()
        raise InputError(f"{name} is text, not a video; name a video file")
    return closing(container)


def _why_not(url: str, name: str, path: Path | None, error: Exception) -> str:
    if path is None:
        if not serves_ranges(url):
            return _no_ranges(name, reason(error))
        return f"cannot open {name}: {reason(error)}; check the address and the network"
    if isinstance(error, PermissionError):
        return f"cannot read {path}: permission denied; check the file's rights"
    if missing_bytes(path):
        return (
            f"{name} is cut off and its index, which MP4 keeps at the end, is lost; copy or record it again"
        )
    return f"{name} is not a video that FFmpeg can read ({reason(error)}); check that it plays elsewhere"


def _no_ranges(name: str, why: str) -> str:
    return (
        f"the server of {name} sends no parts of files (byte ranges), without which FFmpeg cannot "
        f"read it ({why}); download it and track the file"
    )


def video_stream(container: InputContainer, name: str) -> VideoStream:
    """The stream of pictures: FFmpeg's choice, but no cover art. Raises InputError where there is none."""
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        kinds = sorted({str(s.type) for s in container.streams}) or ["nothing"]
        raise InputError(f"{name} has no video stream, only {' and '.join(kinds)}; name a video file")
    best = container.streams.best("video")
    stream = best if isinstance(best, VideoStream) and best in streams else streams[0]
    if stream.codec_context is None:
        raise InputError(f"this FFmpeg has no decoder for the video in {name}; convert it to H.264")
    return stream


def _duration(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None


def _rate(stream: VideoStream) -> tuple[float, bool]:
    """Frames per second, and whether the header's own figure, and with it its clock, can be believed."""
    slowest, fastest = _RATES
    for rate in (stream.average_rate, stream.guessed_rate):
        if rate and slowest <= rate <= fastest:
            return float(rate), not stream.average_rate or stream.average_rate <= fastest
    return 25.0, not stream.average_rate


def _listed(stream: VideoStream) -> int:
    """Packets that the index names."""
    return sum(entry.size > 0 for entry in stream.index_entries)


def _seconds(pts: int | None, stream: VideoStream) -> Fraction | None:
    return None if pts is None or stream.time_base is None else pts * stream.time_base


def _counted(times: list[Fraction | None], what: str) -> str:
    first = "" if times[0] is None else f" (the first at {float(times[0]):.2f} s)"
    return f"{len(times)} frame{'s' * (len(times) > 1)} {what}{first}"


def reason(error: Exception) -> str:
    """FFmpeg's or the system's own words for an error, without codes."""
    return getattr(error, "strerror", None) or os.strerror(getattr(error, "errno", 0) or 0) or str(error)
