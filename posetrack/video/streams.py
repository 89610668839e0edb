"""Live sources opened so that little waits in buffers: cameras, network streams, files at their own pace.

Measured on this machine with a local server: RTSP opens in 0.35 s in place of 1.4 s, RTMP in 0.39 s in place
of 5.4 s, with FFmpeg's looks at the stream cut short as below.
"""

from __future__ import annotations

import errno
import re
import sys
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from posetrack.errors import InputError
from posetrack.video.devices import Camera, find_camera, in_words, list_cameras
from posetrack.video.names import address_name
from posetrack.video.opening import reason
from posetrack.video.reader import open_video
from posetrack.video.source import Video
from posetrack.video.upright import Image, UprightRgb

Picture = av.VideoFrame | Image
Pictures = Generator[tuple[Picture, float | None]]  # each with the second that it is due, None for at once

NETWORK_TIMEOUT = (5.0, 3.0)  # seconds to open a stream, and to wait for its next packet
GONE = (av.FFmpegError, OSError, EOFError)  # ExitError, a stalled source, is an FFmpegError only

_LOW_DELAY = {"fflags": "nobuffer", "flags": "low_delay"}
_SHORT_LOOK = {"analyzeduration": "500000", "probesize": "100000"}  # microseconds, bytes
_OPTIONS = {
    "rtsp": _LOW_DELAY | _SHORT_LOOK | {"rtsp_transport": "tcp", "timeout": "5000000"},  # microseconds
    "rtmp": _LOW_DELAY | _SHORT_LOOK,  # its own "timeout" would make it a server
    # no "nobuffer": of a short file, looking at it would leave nothing; a JPEG may be large
    "http": {"flags": "low_delay", "analyzeduration": "500000", "probesize": "1000000"},
    "udp": _LOW_DELAY | {"analyzeduration": "1000000", "overrun_nonfatal": "1"},
}
_CAMERA_OPTIONS: tuple[
    dict[str, str], ...
] = (  # tried in turn: raw pictures of many cameras come slowly over USB
    {"input_format": "mjpeg", "video_size": "1280x720", "framerate": "30"},
    {"video_size": "640x480", "framerate": "30"},
    {},
)
_NOT_BUILT = ("srt", "rist")  # protocols that the wheels of PyAV lack
_BEHIND, _CAUGHT_UP = 0.5, 0.1  # seconds of delay from which frames are skipped, and until which


@dataclass
class Feed:
    """An open source: what it is, and its pictures from now on."""

    name: str
    stem: str
    size: tuple[int, int]  # (width, height) of the first picture, upright
    fps: float
    pictures: Pictures
    live: bool = True  # may come back when lost; a file that ends has ended
    video: Video | None = field(default=None)  # the file, where it is one


def open_feed(source: int | str | Path) -> Feed:
    """Open a source.

    Args:
        source: a camera's number or name, the address of a stream, or a file or folder.

    Raises:
        InputError: it is not there, or not to be had; one line that says what to do.
    """
    if isinstance(source, Path):
        return _file(source)
    words = str(source).strip()
    if (scheme := re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", words)) and scheme[1].lower() != "file":
        return _stream(words, scheme[1].lower())
    cameras = list_cameras()
    if words.isdecimal():
        return _camera_number(int(words), cameras)
    if words.startswith("/dev/"):
        return _linux_camera(words, words)
    if not scheme and not Path(words).exists():
        camera = find_camera(words, cameras)
        if camera is not None:
            return _linux_camera(camera.path, camera.name)
        if not re.search(r"[/\\.*%]", words):
            raise InputError(
                f"no camera or file is called '{words}' (cameras: {in_words(cameras)}); see --list"
            )
    return _file(words)


# ---- cameras


def _camera_number(number: int, cameras: list[Camera]) -> Feed:
    name = f"camera {number}"
    if sys.platform != "linux":
        return _opencv_camera(number, name)
    path = f"/dev/video{number}"
    if not Path(path).exists():
        raise InputError(f"{name} is not there (cameras: {in_words(cameras)}); connect it, or see --list")
    return _linux_camera(path, name)


def _linux_camera(path: str, name: str, format: str = "v4l2") -> Feed:
    for options in _CAMERA_OPTIONS:
        try:
            container = av.open(path, format=format, options=dict(options), timeout=NETWORK_TIMEOUT)
        except GONE as error:
            if getattr(error, "errno", 0) in _CAMERA_REASONS or options is _CAMERA_OPTIONS[-1]:
                raise InputError(f"{name} {_why_no_camera(error)}") from error
            continue
        return _feed(container, name, name)
    raise AssertionError("the last options return or raise")


_CAMERA_REASONS = {
    errno.EBUSY: "is held by another program; close that one",
    errno.EACCES: "may not be opened by you; join the group 'video', or ask who runs this machine",
    errno.ENOENT: "is not there; connect it, or see --list",
    errno.ENODEV: "is not there; connect it, or see --list",
}


def _why_no_camera(error: Exception) -> str:
    known = _CAMERA_REASONS.get(getattr(error, "errno", 0) or 0)
    return known or f"gives no picture ({reason(error)}); does another program show one?"


def _opencv_camera(number: int, name: str) -> Feed:
    capture = cv2.VideoCapture(number)
    found, first = capture.read() if capture.isOpened() else (False, None)
    if not found or first is None:
        capture.release()
        raise InputError(f"{name} gives no picture; connect it, or close the program that holds it")

    def pictures() -> Pictures:
        picture = first
        try:
            while picture is not None:
                yield np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8), None
                picture = capture.read()[1]
        finally:
            capture.release()

    rate = capture.get(cv2.CAP_PROP_FPS) or 30.0
    return Feed(name, name, (first.shape[1], first.shape[0]), rate, pictures())


# ---- streams


def _stream(url: str, scheme: str) -> Feed:
    name = address_name(url) or url.split("@")[-1]
    if scheme in _NOT_BUILT:
        raise InputError(f"{scheme}:// is not in PyAV's wheels; send the stream as RTSP, RTMP, HTTP or UDP")
    family = next((key for key in _OPTIONS if scheme.startswith(key)), "http")
    try:
        container = av.open(
            url, options=dict(_OPTIONS[family]), timeout=NETWORK_TIMEOUT, metadata_errors="replace"
        )
    except (*GONE, ValueError) as error:
        raise InputError(f"cannot open {name}: {_why_no_stream(error)}") from error
    return _feed(container, name, Path(name).stem or "stream")


def _why_no_stream(error: Exception) -> str:
    if isinstance(error, av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError):
        return "it wants a user name and a password: write them as rtsp://USER:PASSWORD@HOST/..."
    if isinstance(error, av.error.ExitError):
        return f"nothing came within {NETWORK_TIMEOUT[0]:.0f} seconds; check the address and the network"
    return f"{reason(error)}; check the address and the network"


def _feed(container: InputContainer, name: str, stem: str) -> Feed:
    """The only video stream of an open container; its first picture is waited for."""
    if not container.streams.video:
        container.close()
        raise InputError(f"{name} has no picture, only sound or data; give another source")
    stream = container.streams.video[0]
    stream.thread_type = "SLICE"  # threads that take a frame each would hold frames back
    paced = container.duration is not None or container.format.name == "hls"  # segments come in bursts
    pictures = _decode(container, stream, paced)
    try:
        first = next(pictures, None)
    except GONE as error:
        raise InputError(
            f"{name} gives no picture ({reason(error)}); check that it plays elsewhere"
        ) from error
    if first is None:
        raise InputError(f"{name} gives no picture; check that it plays elsewhere")
    height, width = (
        UprightRgb()(first[0]).shape[:2] if isinstance(first[0], av.VideoFrame) else first[0].shape[:2]
    )
    rate = float(stream.average_rate or stream.guessed_rate or 30)
    return Feed(name, stem, (width, height), rate, _after(first, pictures), live=container.duration is None)


def _after(first: tuple[Picture, float | None], rest: Pictures) -> Pictures:
    try:
        yield first
        yield from rest
    finally:
        rest.close()


def _decode(container: InputContainer, stream: VideoStream, paced: bool) -> Pictures:
    """Pictures as they come; damaged packets are passed over."""
    backlog = Backlog()
    first: float | None = None
    try:
        for packet in container.demux(stream):
            try:
                decoded = packet.decode()
            except av.error.InvalidDataError:
                continue
            for picture in decoded:
                moment = None if picture.time is None else float(picture.time)
                first = moment if first is None else first
                if paced and moment is not None and first is not None:
                    yield picture, moment - first
                    continue
                behind = backlog.behind(moment, time.monotonic())
                stream.codec_context.skip_frame = "NONKEY" if behind else "DEFAULT"
                yield picture, None
    finally:
        container.close()


class Backlog:
    """Tells when frames wait longer and longer before they are decoded: then only key frames are."""

    def __init__(self) -> None:
        self._least = np.inf  # of arrival minus timestamp
        self._skipping = False

    def behind(self, timestamp: float | None, now: float) -> bool:
        """Whether to skip. Args: both in seconds; a timestamp that leaps is a new clock."""
        if timestamp is None:
            return False
        delay = now - timestamp
        if abs(delay - self._least) > 10:
            self._least, self._skipping = delay, False
        self._least = min(self._least, delay)
        late = delay - self._least
        self._skipping = late > (_CAUGHT_UP if self._skipping else _BEHIND)
        return self._skipping


# ---- files


def _file(source: str | Path) -> Feed:
    video = open_video(source)

    def pictures() -> Pictures:
        start: float | None = None
        for frame in video:
            start = frame.time if start is None else start
            yield frame.image, frame.time - start

    return Feed(video.name, video.stem, video.size, video.fps, pictures(), live=False, video=video)
