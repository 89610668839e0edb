"""Live sources: a camera, a network stream, or a file played at its own pace. The newest frame wins.

>>> with CameraSource(0) as camera:  # doctest: +SKIP
...     for frame in camera:
...         print(frame.time, camera.dropped)
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import cast

import cv2

from posetrack.errors import InputError
from posetrack.types import Frame
from posetrack.video.frames import Channel, ClosedError
from posetrack.video.reader import open_video
from posetrack.video.source import Video
from posetrack.video.upright import Image

Pictures = Generator[tuple[Image, float | None]]  # each with the second that it is due, None for at once
_LIVE = ("rtsp://", "rtsps://", "rtmp://", "rtmps://", "udp://", "rtp://", "srt://", "tcp://")


class CameraSource(Video):
    """Frames as they happen. Whoever is too slow misses some: `dropped` counts them.

    `time` is in seconds since the first frame by the wall clock, `index` counts the frames that were seen.
    A thread of its own fills a mailbox for one frame; it starts with the first iteration and ends with
    `close` or with the source. Frames that arrive while nobody looks are dropped, too.

    Args:
        source: a camera's number (also as text), the address of a stream, or a file or folder.

    Raises:
        InputError: the camera or the stream is not there.
    """

    def __init__(self, source: int | str | Path) -> None:
        self.warnings = []
        self.dropped = 0
        self._stop = threading.Event()
        self._mailbox: Channel[tuple[Image, float]] = Channel(1)
        self._thread: threading.Thread | None = None
        self._seen = 0
        self._open: Callable[[], Pictures]
        if str(source).isdecimal():
            self._from_camera(int(str(source)))
        else:
            self._from_video(Path(source) if isinstance(source, Path) else str(source))

    def __iter__(self) -> Iterator[Frame]:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=f"camera {self.name}", daemon=True)
            self._thread.start()
        while True:
            try:
                image, moment = self._mailbox.get()
            except ClosedError:
                self.complete = not self._stop.is_set()
                return
            self._seen += 1
            yield Frame(image, self._seen - 1, moment)

    def close(self) -> None:
        self._stop.set()
        self._mailbox.close(discard=True)
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        error: BaseException | None = None
        pictures = self._open()
        start = None
        try:
            for image, due in pictures:
                now = time.monotonic()
                start = now if start is None else start
                if due is not None and self._stop.wait(max(0.0, start + due - now)):
                    return
                self.dropped += self._mailbox.replace((image, time.monotonic() - start))
        except ClosedError:
            pass
        except BaseException as problem:  # for whoever iterates
            error = problem
        finally:
            pictures.close()
            self._mailbox.close(error)

    def _from_camera(self, number: int) -> None:
        self.name = self.stem = f"camera {number}"
        capture = None if _known_absent(number) else cv2.VideoCapture(number)
        picture = _grab(capture) if capture is not None and capture.isOpened() else None
        if capture is None or picture is None:
            there = ", ".join(sorted(p.name.removeprefix("video") for p in _devices())) or "none"
            raise InputError(f"camera {number} gives no picture (there are: {there}); connect it or free it")
        self.height, self.width = picture.shape[:2]
        self.fps = capture.get(cv2.CAP_PROP_FPS) or 30.0

        def pictures() -> Pictures:
            try:
                image: Image | None = picture
                while image is not None and not self._stop.is_set():
                    yield image, None
                    image = _grab(capture)
                if image is None:
                    self.warnings.append(f"{self.name} stopped giving pictures")
            finally:
                capture.release()

        self._open = pictures

    def _from_video(self, source: str | Path) -> None:
        video = open_video(source)
        live = str(source).startswith(_LIVE) or video.duration is None
        self.name, self.stem, self.fps = video.name, video.stem, video.fps
        self.width, self.height = video.size
        self.pixel_aspect, self.path = video.pixel_aspect, video.path

        def pictures() -> Pictures:
            first: float | None = None
            for frame in video:
                first = frame.time if first is None else first
                yield frame.image, None if live else frame.time - first
            self.warnings += video.warnings

        self._open = pictures


def _grab(capture: cv2.VideoCapture) -> Image | None:
    found, picture = capture.read()
    return cast(Image, cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)) if found else None


def _devices() -> list[Path]:
    return list(Path("/dev").glob("video*")) if sys.platform == "linux" else []


def _known_absent(number: int) -> bool:
    """Linux names its cameras; asking OpenCV for one that is not there prints warnings."""
    return sys.platform == "linux" and not Path(f"/dev/video{number}").exists()
