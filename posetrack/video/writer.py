"""Video out: H.264 in MP4 with the source's timestamps and sound, readable at any moment while it is written.

    >>> with open_video("clip.mp4") as video, VideoWriter("out/clip.mp4", video) as out:  # doctest: +SKIP
    ...     for frame in video:
    ...         out.write(frame.image, frame.time)

The encoder is x264, which PyAV's wheels carry. The file appears with its first fragment and grows by
fragments (ISO 14496-12), so a killed run leaves all but the last half second; when it is closed, FFmpeg's
hybrid mode makes it a plain MP4. A file that still has fragments was not finished.
"""

from __future__ import annotations

import errno
import os
import threading
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import av
import cv2
import numpy as np
from av.codec.context import Flags
from av.container import OutputContainer
from av.packet import Packet
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from posetrack.errors import InputError, PoseTrackError
from posetrack.files import refuse_existing
from posetrack.video.clip_file import MOVFLAGS, ClipFile
from posetrack.video.frames import Channel, ClosedError
from posetrack.video.opening import reason
from posetrack.video.sound import Sound
from posetrack.video.source import Video

_CONTAINER = {
    "movflags": MOVFLAGS,
    "frag_duration": "100000",  # microseconds of video that a killed run may lose, besides what x264 holds
    "flush_packets": "1",
    "max_interleave_delta": "1000000",  # microseconds that a picture waits for sound that never comes
}
# Measured at 720p on one core of the development machine: 8 ms a frame. Macroblock trees, which `superfast`
# lacks, halve the size at the same PSNR; a short lookahead and no B-frames hold back 4 frames.
_X264 = {
    "preset": "superfast",
    "x264-params": "mbtree=1:rc-lookahead=3:sync-lookahead=0:bframes=0",
}
_THREADS = 4  # of the encoder, at most: each holds one more frame back
_KEY_FRAME_EVERY = 2  # seconds
_LONGEST_STILL = 86_400  # seconds that a last frame's own duration is believed
_QUEUE = 8  # frames that wait for the encoder
_WIDEST = 16_384  # pixels that x264 takes, either way
_MOST_TICKS = 2**31 - 1  # of one picture's duration
_FINEST = 10**6  # ticks per second of videos so long that a gap could have more ticks than MP4 can hold

Image = NDArray[np.uint8]


class VideoWriter:
    """Encodes in a thread of its own. A context manager: leaving it, even by an error, finishes the file.

    Pictures of odd width or height get one more column or row, a copy of the last, since 4:2:0 needs pairs;
    those that are larger than x264 takes are made smaller, and `warnings` says so. Colours are BT.709,
    limited range, and tagged so. Sound packets are copied as they are; what MP4 cannot hold is encoded to
    AAC. All timestamps are the source's, except where its clock starts late or anywhere (MPEG-TS): then
    picture and sound are moved together to begin near zero.

    Args:
        path: of the MP4 file; its folder is made where it is missing.
        like: the source: size, rate, clock, pixel aspect and sound are taken from it.
        overwrite: replace a file that is there already.
        quality: x264's CRF; 18 is hardly told from the source, 28 is small.

    Raises:
        PoseTrackError: the file exists, is the source itself, or cannot be written. An error of the encoder's
            thread is raised by the next `write` or by `close`.
    """

    def __init__(
        self, path: str | Path, like: Video, *, overwrite: bool = False, quality: float = 20.0
    ) -> None:
        self.path = Path(path)
        self.warnings: list[str] = []  # about sound and size; complete after `close`
        self._like = like
        _reserve(self.path, like, overwrite)
        self._channel: Channel[tuple[Image, float]] = Channel(_QUEUE)
        ticks = (like.duration or _MOST_TICKS) / float(like.time_base)
        fine = like.time_base.denominator > _FINEST and ticks > _MOST_TICKS
        self._tick = Fraction(1, _FINEST) if fine else like.time_base
        self._size = _encodable(like.size)
        self._file = ClipFile(self.path)
        self._written = 0
        self._output, self._stream, self._sound = self._open(quality)
        self._thread = threading.Thread(target=self._work, name=f"write {self.path.name}", daemon=True)
        self._thread.start()

    def write(self, image: Image, time: float) -> None:
        """Add a picture, shown from `time` on.

        Args:
            image: (H, W, 3) uint8 RGB of the source's size; do not change it afterwards.
            time: seconds, as in `Frame.time`.
        """
        if image.shape != (self._like.height, self._like.width, 3):
            raise ValueError(
                f"a picture of shape {image.shape} does not fit a video of size {self._like.size}"
            )
        try:
            self._channel.put((image, time))
        except ClosedError:
            raise ValueError(f"{self.path} is closed") from None

    def close(self) -> None:
        """Encode what waits and finish the file."""
        self._channel.close()
        self._thread.join()
        self.warnings = [*self._scaled(), *self._sound.warnings]
        if self._channel.error is not None:
            raise self._channel.error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except PoseTrackError:
            if error is None:  # else the error that is on its way says what came first
                raise

    def _open(self, quality: float) -> tuple[OutputContainer, VideoStream, Sound]:
        like = self._like
        # first timestamps go into edit lists, which count in movie time: thousandths of a second by default
        options = _CONTAINER | {"movie_timescale": str(max(1000, self._tick.denominator))}
        output = av.open(self._file, "w", format="mp4", container_options=options)
        rate = Fraction(like.fps).limit_denominator(1001) or Fraction(25)
        try:
            stream = output.add_stream("libx264", rate=rate, options={**_X264, "crf": str(quality)})
        except (av.FFmpegError, ValueError) as error:
            raise PoseTrackError(
                "this FFmpeg has no x264 encoder; install PyAV's own build: pip install --force-reinstall av"
            ) from error
        stream.width, stream.height = self._size[0] + self._size[0] % 2, self._size[1] + self._size[1] % 2
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.time_base = self._tick
        context.thread_count = min(_THREADS, os.cpu_count() or 1)
        context.gop_size = max(1, round(_KEY_FRAME_EVERY * like.fps))
        context.flags |= Flags.frame_duration  # else every frame counts as 1 / fps long
        context.sample_aspect_ratio = like.pixel_aspect
        context.color_range, context.colorspace = ColorRange.MPEG, Colorspace.ITU709
        context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        sound = Sound(like, output, like.sound)
        try:
            output.start_encoding()
        except (av.FFmpegError, OSError) as error:
            sound.close()
            raise InputError(
                f"no clip of {like.name} can be written: the encoder refuses pictures of "
                f"{like.width}x{like.height} ({reason(error)}); use --no-video"
            ) from error
        return output, stream, sound

    def _scaled(self) -> list[str]:
        if self._size == self._like.size:
            return []
        small, large = ("x".join(map(str, size)) for size in (self._size, self._like.size))
        return [f"the clip is {small} in place of {large}: H.264 takes no more than {_WIDEST} pixels a side"]

    def _work(self) -> None:
        try:
            try:
                self._encode_all()
            finally:
                self._finish()
        except (av.FFmpegError, OSError) as error:
            self._fail(self._unwritable(error))
        except BaseException as error:
            self._fail(error)

    def _unwritable(self, error: Exception) -> PoseTrackError:
        why = reason(self._file.error or error)
        return PoseTrackError(f"cannot write {self.path}: {why}; is there room on the disk?")

    def _fail(self, error: BaseException) -> None:
        self._channel.close(error, discard=True)

    def _encode_all(self) -> None:
        """A picture is encoded when the next one comes: only then is it known how long it is shown."""
        scaler = VideoReformatter()
        held: av.VideoFrame | None = None
        at = 0  # when the held picture is shown, in ticks
        shown = max(1, round(1 / (self._like.fps * self._tick)))  # for how long
        while (item := self._next()) is not None:
            image, time = item
            now = self._ticks(Fraction(time))
            picture = self._picture(image, scaler)
            if held is not None:
                now = max(now, at + 1)
                shown = now - at
                self._encode(held, at, shown)
            held, at = picture, now
        if held is not None:
            if self._like.complete:
                shown = self._last_shown(at, shown)
            self._encode(held, at, shown)
            self._mux(self._stream.encode(None))
            self._sound.write_until(None if self._like.complete else self._seconds(at + shown))

    def _next(self) -> tuple[Image, float] | None:
        try:
            return self._channel.get()
        except ClosedError:
            return None

    def _ticks(self, time: Fraction) -> int:
        return round((time - self._like.start) / self._tick)

    def _last_shown(self, at: int, before: int) -> int:
        """For how long the last picture is shown: as the source says, else like the one before."""
        end = self._like.end
        own = 0 if end is None else self._ticks(end) - at
        return own if 0 < own * self._tick <= _LONGEST_STILL else before

    def _seconds(self, ticks: int) -> Fraction:
        """Time of the source."""
        return self._like.start + ticks * self._tick

    def _encode(self, picture: av.VideoFrame, at: int, shown: int) -> None:
        picture.pts, picture.duration = at, shown
        self._sound.write_until(self._seconds(at))
        self._mux(self._stream.encode(picture))
        self._written += 1

    def _mux(self, packets: list[Packet[VideoStream]]) -> None:
        """FFmpeg sorts packets of picture and sound: sound that it refuses may come up with a picture."""
        for packet in packets:
            try:
                self._output.mux_one(packet)
            except av.InvalidDataError as error:
                if not self._sound.streams:
                    raise
                self._sound.damaged(error)

    def _picture(self, image: Image, scaler: VideoReformatter) -> av.VideoFrame:
        if self._size != self._like.size:
            image = cast(Image, cv2.resize(image, self._size, interpolation=cv2.INTER_AREA))
        height, width = image.shape[:2]
        if height % 2 or width % 2:
            image = cast(Image, cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE))
        rgb = av.VideoFrame.from_numpy_buffer(np.ascontiguousarray(image), "rgb24")
        picture = scaler.reformat(
            rgb,
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            threads=1,
        )
        picture.time_base = self._tick
        return picture

    def _finish(self) -> None:
        try:
            if self._written:
                self._sound.close()
            self._output.close()
            if self._written:  # a file without a picture would not play
                self._file.flush()
        finally:
            self._file.finish()


def _encodable(size: tuple[int, int]) -> tuple[int, int]:
    """The largest size of the same shape that x264 takes."""
    scale = min(1.0, _WIDEST / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _reserve(path: Path, like: Video, overwrite: bool) -> None:
    """Make sure that the file can be written."""
    if path.exists():
        if like.path is not None and path.samefile(like.path):
            raise PoseTrackError(f"{path} is the source itself; write to another folder")
        refuse_existing(path, overwrite=overwrite)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(path.parent, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise PoseTrackError(f"cannot write {path}: {error.strerror}; choose another folder") from error
