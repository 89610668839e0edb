"""Files and addresses as FFmpeg opens them, with its errors as one line each."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from posetrack.errors import InputError
from posetrack.video.damage import missing_bytes
from posetrack.video.server import serves_ranges

NETWORK_TIMEOUT = (10.0, 20.0)  # seconds to open an address, and to wait for its next packet
_RECONNECT = {"reconnect": "1", "reconnect_on_network_error": "1", "reconnect_delay_max": "4"}
_TEXT_ART = {"tty"}  # FFmpeg would draw a text file as a picture


def open_input(url: str, local: bool, **options: str) -> InputContainer:
    """FFmpeg's view of a file or an address. Raises FFmpeg's own errors."""
    if local:
        return av.open(url, "r", metadata_errors="replace", options=options)
    options |= _RECONNECT if url.lower().startswith("http") else {}
    return av.open(url, "r", metadata_errors="replace", timeout=NETWORK_TIMEOUT, options=options)


def packets_of(container: InputContainer, *streams: Stream) -> Iterator[Packet[Any]]:
    """Packets of the streams in the order of the file, and an empty one at the end of each.

    FFmpeg takes the end of an answer whose length the server did not tell for an error.
    """
    try:
        yield from container.demux(*streams)
    except OSError as error:
        if error.errno != errno.EIO or container.size >= 0:
            raise
        yield from (end_of(stream) for stream in streams)


def end_of(stream: Stream) -> Packet[Any]:
    """The empty packet for which a decoder gives what it still holds."""
    packet: Packet[Any] = Packet()
    packet.stream = stream
    return packet


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
            return no_ranges(name, reason(error))
        return f"cannot open {name}: {reason(error)}; check the address and the network"
    if isinstance(error, PermissionError):
        return f"cannot read {path}: permission denied; check the file's rights"
    if missing_bytes(path):
        return (
            f"{name} is cut off and its index, which MP4 keeps at the end, is lost; copy or record it again"
        )
    return f"{name} is not a video that FFmpeg can read ({reason(error)}); check that it plays elsewhere"


def no_ranges(name: str, why: str) -> str:
    """The line for a video that a server cannot give in parts."""
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


def reason(error: Exception) -> str:
    """FFmpeg's or the system's own words for an error, without codes."""
    return getattr(error, "strerror", None) or os.strerror(getattr(error, "errno", 0) or 0) or str(error)
