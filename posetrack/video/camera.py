"""Live sources: a camera, a network stream, or a file played at its own pace. The newest frame wins.

>>> with CameraSource(0, reconnect=None) as camera:  # doctest: +SKIP
...     for frame in camera:
...         print(frame.time, camera.age(frame), camera.dropped)
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, cast

import av
import cv2

from posetrack.errors import InputError
from posetrack.types import Frame
from posetrack.video.frames import Channel, ClosedError
from posetrack.video.source import Video
from posetrack.video.streams import GONE, Picture, open_feed
from posetrack.video.upright import Image, UprightRgb

State = Literal["live", "lost", "ended"]
FIRST_WAIT, LONGEST_WAIT = 0.5, 8.0  # seconds before a lost source is tried again


class CameraSource(Video):
    """Frames as they happen. Whoever is too slow misses some: `dropped` counts them.

    `time` is in seconds since the first frame by the wall clock, also over an outage; `index` counts the
    frames that were seen. A thread of its own fills a mailbox for one frame, from the start, a file's from
    the first iteration on, until `close` or the end. Frames that come while nobody looks are dropped too.

    Args:
        source: a camera's number or name, the address of a stream, or a file or folder.
        reconnect: how often a lost source is tried again before it is given up; None: for ever.

    Raises:
        InputError: the camera or the stream is not there.
    """

    def __init__(self, source: int | str | Path, *, reconnect: int | None = 0) -> None:
        self.warnings = []
        self.dropped = 0
        self.outages = 0
        self.state: State = "live"
        self.tries = 0  # to get a lost source back
        self._source, self._reconnect = source, reconnect
        self._stop = threading.Event()
        self._mailbox: Channel[tuple[Picture, float]] = Channel(1)
        self._thread: threading.Thread | None = None
        self._seen = 0
        self._started: float | None = None  # by the wall clock, when the first frame came
        self._to_rgb = UprightRgb()
        self._feed = open_feed(source)
        self.name, self.stem, self.fps = self._feed.name, self._feed.stem, self._feed.fps
        self.width, self.height = self._feed.size
        if (file := self._feed.video) is not None:
            self.pixel_aspect, self.path = file.pixel_aspect, file.path
        if self._feed.live:
            self._begin()  # what waits in its buffers would be old when somebody looks

    def __iter__(self) -> Iterator[Frame]:
        return (frame for frame in self.follow(None) if frame is not None)

    def follow(self, patience: float | None) -> Iterator[Frame | None]:
        """Frames as they come, and None whenever none has come for `patience` seconds."""
        self._begin()
        while True:
            try:
                picture, moment = self._mailbox.get(patience)
            except TimeoutError:
                yield None
                continue
            except ClosedError:
                self.complete = not self._stop.is_set()
                return
            self._seen += 1
            yield Frame(self._image(picture), self._seen - 1, moment)

    def age(self, frame: Frame) -> float:
        """Seconds since the frame was captured, or came over the network."""
        return time.monotonic() - (self._started or 0.0) - frame.time

    def close(self) -> None:
        self._stop.set()
        self._mailbox.close(discard=True)
        if self._thread is not None:
            self._thread.join()
        self._feed.pictures.close()

    # ---- the thread that grabs

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=f"camera {self.name}", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        error: BaseException | None = None
        try:
            while self._play() and self._feed.live and self._find_again():
                pass
        except ClosedError:
            pass
        except BaseException as problem:  # for whoever iterates
            error = problem
        finally:
            self.state = "ended"
            self._feed.pictures.close()
            if self._feed.video is not None:
                self.warnings += self._feed.video.warnings
            self._mailbox.close(error)

    def _play(self) -> bool:
        """Hand on pictures until the source is lost or has ended; False where somebody asked to stop."""
        begin: float | None = None  # when the first of them was shown
        try:
            for picture, due in self._feed.pictures:
                now = time.monotonic()
                begin = now if begin is None else begin
                if self._stop.wait(0.0 if due is None else max(0.0, begin + due - now)):
                    return False
                now = time.monotonic()
                self._started = now if self._started is None else self._started
                self.state, self.tries = "live", 0
                self.dropped += self._mailbox.replace((picture, now - self._started))
        except GONE:
            if not self._feed.live:
                raise
        finally:
            self._feed.pictures.close()
        return not self._stop.is_set()

    def _find_again(self) -> bool:
        """Wait for a lost source to return, trying less and less often. False where it is given up."""
        self.state = "lost"
        self.outages += 1
        wait, name = FIRST_WAIT, self._feed.name
        while self._reconnect is None or self.tries < self._reconnect:
            self.tries += 1
            if self._stop.wait(wait):
                return False
            wait = min(2 * wait, LONGEST_WAIT)
            try:
                self._feed = open_feed(self._source)
                return True
            except InputError:
                continue
        tried = f" and did not return in {self.tries} tries" if self.tries else ""
        self.warnings.append(f"{name} stopped giving pictures{tried}")
        return False

    # ---- whoever iterates

    def _image(self, picture: Picture) -> Image:
        """Upright, and of the size that the first one had: a source may come back with another."""
        image = self._to_rgb(picture) if isinstance(picture, av.VideoFrame) else picture
        if (image.shape[1], image.shape[0]) != self.size:
            image = cast(Image, cv2.resize(image, self.size, interpolation=cv2.INTER_AREA))
        return image
