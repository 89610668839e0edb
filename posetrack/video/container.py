"""Videos that FFmpeg reads, by PyAV: frames from first to last, and an account of what was lost."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from urllib.parse import unquote

import av
from av.container import InputContainer
from av.format import Flags as FormatFlags
from av.stream import Disposition
from av.video.stream import VideoStream

from posetrack.errors import InputError
from posetrack.types import Frame
from posetrack.video.damage import missing_bytes
from posetrack.video.source import Video
from posetrack.video.upright import UprightRgb, orientation

NETWORK_TIMEOUT = (10.0, 30.0)  # seconds to open an address, and to wait for its next packet
_TEXT_ART = {"tty"}  # FFmpeg would draw a text file as a picture
_WHOLE_INDEX = "mov"  # containers that list every packet up front
_CLOCK_RESTART = 1  # seconds: a step back of more than this is a clock that starts again


class FileVideo(Video):
    """A file or an address that FFmpeg opens. Every iteration reads it anew; nothing stays open between."""

    def __init__(self, source: str, path: Path | None) -> None:
        self.path = path
        self.name = path.name if path else address_name(source)
        self.stem = Path(self.name).stem
        self.warnings = []
        self._url = f"file:{path}" if path else source  # "file:", or a colon in a name would mean a protocol
        with closing_container(self._url, self.name, path) as container:
            stream = _video_stream(container, self.name)
            picture = next(_pictures(container, stream, _Account()), None)
            if picture is None:
                raise InputError(f"no frame of {self.name} can be decoded; is the file cut off or damaged?")
            turned = orientation(picture)[0]
            sides = (picture.height, picture.width) if turned else (picture.width, picture.height)
            self.width, self.height = sides
            self.time_base = stream.time_base or Fraction(1, 90_000)
            aspect = stream.sample_aspect_ratio or Fraction(1)
            self.pixel_aspect = 1 / aspect if turned else aspect
            self.fps = float(stream.average_rate or stream.guessed_rate or 25)
            self.duration = _duration(container, stream)
            self.frame_count = stream.frames or (round(self.duration * self.fps) if self.duration else None)
            if (
                FormatFlags.ts_discont in FormatFlags(container.format.flags)
                and container.start_time is not None
            ):
                self.start = Fraction(container.start_time, av.time_base)  # such clocks start anywhere
            self.sound = self._url if container.streams.audio and self.duration else None

    def __iter__(self) -> Iterator[Frame]:
        """Frames in order of presentation.

        `time` is the container's own, to the tick; where that is missing or steps back, it goes on at the
        average rate. A frame of another size ends the video: what came before it stands.
        """
        self.warnings, self.complete = [], False
        account, clock, to_rgb = _Account(), _Clock(self.time_base, self.fps), UprightRgb()
        for index, picture in enumerate(self._read(account)):
            time = clock(picture.pts)
            image = to_rgb(picture)
            if (image.shape[1], image.shape[0]) != self.size:
                account.resized = f"{image.shape[1]}x{image.shape[0]} at {float(time):.2f} s"
                break
            account.last_time = time
            yield Frame(image, index, float(time))
        self.warnings = self._warnings(account)
        self.complete = not account.resized and not account.stopped

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
                stream = _video_stream(container, self.name)
                stream.thread_type = "AUTO" if threads else "SLICE"
                for number, picture in enumerate(_pictures(container, stream, account)):
                    if threads and account.undecoded:
                        break
                    if number == given:
                        given += 1
                        yield picture
                if not threads or not account.undecoded:
                    account.fragmented = stream.frames == 0
                    mov = container.format.name.startswith(_WHOLE_INDEX)
                    account.promised = len(stream.index_entries) if mov else stream.frames
                    return
            threads = False

    def _warnings(self, account: _Account) -> list[str]:
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
            if account.stopped:
                lines.append(f"reading stopped at {end}: {account.stopped}")
            if account.undecoded:
                lines.append(_counted(account.undecoded, "could not be decoded"))
        if account.damaged:
            lines.append(_counted(account.damaged, "damaged"))
        return lines


@dataclass
class _Account:
    """What happened while a stream was read."""

    packets: int = 0
    promised: int = 0  # packets that the container lists
    fragmented: bool = False  # the list is not made up front
    undecoded: list[Fraction | None] = field(default_factory=list)  # times of packets that gave nothing
    damaged: list[Fraction | None] = field(default_factory=list)  # times of frames shown with damage
    stopped: str = ""  # why reading ended before the end
    resized: str = ""  # to what size, and when
    last_time: Fraction = Fraction(0)

    def begin(self) -> None:
        """Count anew."""
        self.packets, self.undecoded, self.damaged = 0, [], []


class _Clock:
    """Times that always increase: the container's where it has them, the average rate where it does not."""

    def __init__(self, time_base: Fraction, fps: float) -> None:
        self._tick = time_base
        self._step = max(time_base, Fraction(1 / fps).limit_denominator(100_000))
        self._last: Fraction | None = None
        self._shift = Fraction(0)

    def __call__(self, pts: int | None) -> Fraction:
        last = self._last
        if pts is None:
            time = Fraction(0) if last is None else last + self._step
        else:
            time = pts * self._tick + self._shift
            if last is not None and time <= last - _CLOCK_RESTART:
                self._shift += last + self._step - time
                time = last + self._step
            elif last is not None and time <= last:
                time = last + self._tick
        self._last = time
        return time


def _pictures(container: InputContainer, stream: VideoStream, account: _Account) -> Iterator[av.VideoFrame]:
    """All pictures that can be decoded; the account tells of the others."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except (av.FFmpegError, OSError) as error:
            account.stopped = reason(error)
            packet = None
        if packet is None:
            break
        account.packets += packet.size > 0
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


def closing_container(url: str, name: str, path: Path | None) -> AbstractContextManager[InputContainer]:
    """The opened container, closed after the with block. Raises InputError where FFmpeg cannot read it."""
    try:
        container = av.open(url, "r", metadata_errors="replace", timeout=None if path else NETWORK_TIMEOUT)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise InputError(_why_not(name, path, error)) from error
    if container.format.name in _TEXT_ART:
        container.close()
        raise InputError(f"{name} is text, not a video; name a video file")
    return closing(container)


def _why_not(name: str, path: Path | None, error: Exception) -> str:
    if path is None:
        return f"cannot open {name}: {reason(error)}; check the address and the network"
    if isinstance(error, PermissionError):
        return f"cannot read {path}: permission denied; check the file's rights"
    if missing_bytes(path):
        return (
            f"{name} is cut off and its index, which MP4 keeps at the end, is lost; copy or record it again"
        )
    return f"{name} is not a video that FFmpeg can read ({reason(error)}); check that it plays elsewhere"


def _video_stream(container: InputContainer, name: str) -> VideoStream:
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


def _seconds(pts: int | None, stream: VideoStream) -> Fraction | None:
    return None if pts is None or stream.time_base is None else pts * stream.time_base


def _counted(times: list[Fraction | None], what: str) -> str:
    first = "" if times[0] is None else f" (the first at {float(times[0]):.2f} s)"
    return f"{len(times)} frame{'s' * (len(times) > 1)} {what}{first}"


def reason(error: Exception) -> str:
    """FFmpeg's or the system's own words for an error, without codes."""
    return getattr(error, "strerror", None) or os.strerror(getattr(error, "errno", 0) or 0) or str(error)


def address_name(url: str) -> str:
    """The last part of an address that says something: "clip.mp4" of http://host/a/clip.mp4?x=1."""
    body = url.split("://", 1)[-1].split("?")[0].split("#")[0].rstrip("/")
    host_and_path = body.split("@")[-1]  # never show a password
    return unquote(host_and_path.rsplit("/", 1)[-1])
