"""Videos that FFmpeg reads, by PyAV: frames from first to last, and an account of what was lost."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.format import Flags as FormatFlags
from av.packet import Packet
from av.video.stream import VideoStream

from posetrack.errors import InputError
from posetrack.types import Frame
from posetrack.video.account import Account
from posetrack.video.damage import missing_bytes
from posetrack.video.frame_times import FrameClock, in_order, rate_of
from posetrack.video.names import address_name, shown, stem_of
from posetrack.video.opening import closing_container, end_of, no_ranges, packets_of, reason, video_stream
from posetrack.video.pipe import Spool
from posetrack.video.seeking import Entry, entry_before
from posetrack.video.server import serves_ranges
from posetrack.video.source import Video
from posetrack.video.timeline import picture_clock
from posetrack.video.upright import UprightRgb, orientation

_LIVE = ("rtsp://", "rtsps://", "rtmp://", "rtmps://", "udp://", "rtp://", "srt://", "tcp://")
_WHOLE_INDEX = "mov"  # containers that list every packet up front
_WITH_KEYS = ("mov", "matroska")  # containers that can be entered at a key frame, on the same clock
_DECODE_ORDER = {"avi"}  # containers that know only when a frame is decoded
_ONE_THREAD = {"vp8"}  # decoders that, with a thread for every frame, show a damaged one and say nothing
_STRANGEST_PIXEL = Fraction(100)  # width / height, or the inverse, that a header is believed
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
            self.fps, self._clock_is_true = rate_of(stream)
            self.clock_jumps = FormatFlags.ts_discont in FormatFlags(container.format.flags)
            self._only_decoding_times = container.format.name in _DECODE_ORDER
            self._shuffled = False
            account = Account()
            picture = next(self._pictures(container, stream, account), None)
            # frames are shown in another order than they are decoded, but the times know nothing of it
            self._shuffled = stream.codec_context.has_b_frames and not account.reordered
            exact = self._clock_is_true and not (self.clock_jumps or self._shuffled)
            self._jumps = exact and container.format.name.startswith(_WITH_KEYS)
            if picture is None:
                if path is None and not serves_ranges(source):
                    raise InputError(no_ranges(self.name, "no frame can be decoded"))
                raise InputError(f"no frame of {self.name} can be decoded; is the file cut off or damaged?")
            turned = orientation(picture)[0]
            sides = (picture.height, picture.width) if turned else (picture.width, picture.height)
            self.width, self.height = sides
            self.time_base = stream.time_base or Fraction(1, 90_000)
            aspect = stream.sample_aspect_ratio or Fraction(1)
            if not 1 / _STRANGEST_PIXEL <= aspect <= _STRANGEST_PIXEL:
                aspect = Fraction(1)
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
        return self.between(None, None)

    def between(self, start: float | None, end: float | None) -> Iterator[Frame]:
        """Indices count from 0 in every part. It is read from a key frame on, where the file allows it."""
        self.warnings, self.complete, self.end = [], False, None
        account, clock, to_rgb = Account(), FrameClock(self.time_base, self.fps), UprightRgb()
        index = 0
        for picture in self._read(account, start):
            time = clock(picture.pts if self._clock_is_true else None)
            if start is not None and float(time) < start:
                continue
            if end is not None and float(time) >= end:
                break
            image = to_rgb(picture)
            if (image.shape[1], image.shape[0]) != self.size:
                account.resized = f"{image.shape[1]}x{image.shape[0]} at {float(time):.2f} s"
                break
            account.last_time = time
            account.last_duration = self._duration_of(picture)
            yield Frame(image, index, float(time))
            index += 1
        if start is not None or end is not None:
            account.promised, account.expected = 0, None  # nobody listed how many frames a part has
        account.gaps += clock.gaps
        self.warnings = account.warnings(self.size, self.path)
        if self._silenced:
            self.warnings.append("the sound of a live stream is not carried over")
        self.complete = end is None and not account.resized and not account.stopped
        if account.last_duration and self.complete:
            self.end = account.last_time + account.last_duration * self.time_base

    def good_start(self, time: float) -> float:
        entry = self._entry(time)
        return time if entry is None else float(entry.pts * self.time_base)

    def close(self) -> None:
        if self._spool is not None:
            self._spool.close()

    def _entry(self, time: float) -> Entry | None:
        """Where to begin reading for all that is shown from `time` on; None: only at the beginning."""
        if not self._jumps:
            return None
        with closing_container(self._url, self.name, self.path) as container:
            return entry_before(container, video_stream(container, self.name), time)

    def _read(self, account: Account, start: float | None = None) -> Iterator[av.VideoFrame]:
        """All pictures that can be decoded, in order; with a `start`, at least those from there on.

        With several threads, FFmpeg loses the neighbours of a picture that fails, and may not tell that it
        did. So when one is missing, the file is read again with one thread, past those given already.
        """
        given = 0
        entry = None if start is None else self._entry(start)
        threads = self.path is not None and not missing_bytes(self.path)
        while True:
            account.begin()
            with closing_container(self._url, self.name, self.path) as container:
                stream = video_stream(container, self.name)
                threads = threads and stream.codec_context.name not in _ONE_THREAD
                stream.thread_type = "AUTO" if threads else "SLICE"
                if entry is not None:
                    container.seek(entry.ticks, stream=stream)
                for number, picture in enumerate(self._pictures(container, stream, account)):
                    if threads and account.undecoded:
                        break
                    account.pictures += 1
                    if number == given:
                        given += 1
                        yield picture
                if not threads or not (account.undecoded or account.pictures < account.packets):
                    account.fragmented = stream.frames == 0
                    mov = container.format.name.startswith(_WHOLE_INDEX)
                    account.promised = _listed(stream) if mov else stream.frames
                    account.sure = mov
                    account.expected = self.duration if self.path is None and container.size < 0 else None
                    return
            threads = False

    def _pictures(
        self, container: InputContainer, stream: VideoStream, account: Account
    ) -> Iterator[av.VideoFrame]:
        """All pictures that can be decoded, in order, with times on one clock."""
        pictures = self._decoded(container, stream, account)
        return in_order(pictures) if self._shuffled else pictures

    def _decoded(
        self, container: InputContainer, stream: VideoStream, account: Account
    ) -> Iterator[av.VideoFrame]:
        """All pictures that can be decoded; the account tells of the others."""
        for packet in self._packets(container, stream, account):
            try:
                pictures = packet.decode()
            except av.FFmpegError:
                account.undecoded.append(_seconds(packet.pts, stream))
                continue
            for picture in pictures:
                if picture.is_corrupt:
                    account.damaged.append(_seconds(picture.pts, stream))
                yield picture

    def _packets(
        self, container: InputContainer, stream: VideoStream, account: Account
    ) -> Iterator[Packet[VideoStream]]:
        """All packets that can be read, and an empty one at the end, with times on one clock."""
        packets = packets_of(container, stream)
        clock = picture_clock(self)
        account.gaps = clock.gaps
        while True:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError) as error:
                account.stopped = reason(error)
                packet = end_of(stream)
            if packet is None:
                return
            account.packets += packet.size > 0 and not packet.is_discard
            if self._only_decoding_times:
                packet.pts = packet.dts
            account.reordered = account.reordered or packet.pts != packet.dts
            yield from clock.moved(packet)
            if account.stopped:
                return

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


def _duration(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None


def _listed(stream: VideoStream) -> int:
    """Packets that the index names, but for those that an edit list hides where it is made up front."""
    hidden = stream.frames > 0
    return sum(entry.size > 0 and not (hidden and entry.is_discard) for entry in stream.index_entries)


def _seconds(pts: int | None, stream: VideoStream) -> Fraction | None:
    return None if pts is None or stream.time_base is None else pts * stream.time_base
