"""The server's own source: one camera and one tracker, however many watch, and sinks that always get all.

What watchers get is the newest there is: a slow one misses frames and never falls behind.
"""

from __future__ import annotations

import asyncio
import threading
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from functools import cached_property, partial

import cv2

from posetrack.drawing.overlay import Trails, overlay
from posetrack.live.hub import Hub
from posetrack.live.recorder import Recorder
from posetrack.live.rota import RotaClosedError
from posetrack.live.session import Session
from posetrack.sinks import Sink
from posetrack.types import Frame, Tracks
from posetrack.video import CameraSource
from posetrack.video.upright import Image

QUALITY = 80  # of the JPEGs, 0..100


@dataclass
class Moment:
    """A tracked frame, in the forms that watchers want, each made once."""

    frame: Frame
    tracks: Tracks
    captured: float  # seconds, time.monotonic
    min_joint_score: float
    trails: Trails | None = None
    boxes: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def age(self) -> float:
        """Milliseconds since it was captured."""
        return 1000 * (time.monotonic() - self.captured)

    def jpeg(self) -> bytes:
        """The bare picture."""
        with self._lock:
            return self._jpeg

    def annotated(self) -> bytes:
        """With everybody drawn in."""
        with self._lock:
            return self._annotated

    @cached_property
    def _jpeg(self) -> bytes:
        return encode_jpeg(self.frame.image)

    @cached_property
    def _annotated(self) -> bytes:
        drawn = overlay(
            self.frame.image,
            self.tracks,
            joint_threshold=self.min_joint_score,
            boxes=self.boxes,
            trails=self.trails,
        )
        return encode_jpeg(drawn)


def encode_jpeg(image: Image) -> bytes:
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()


class Room:
    """Runs in a thread of its own from `start` to `close`.

    Args:
        sinks: get every tracked frame; the recorder is one more.
    """

    def __init__(self, camera: CameraSource, hub: Hub, sinks: Sequence[Sink] = ()) -> None:
        self.camera = camera
        self.recorder: Recorder | None = hub.recorder(camera.stem)
        self._hub = hub
        self._sinks: list[Sink] = [*sinks, *([self.recorder] if self.recorder else [])]
        self._trails = Trails() if hub.trails else None
        self._thread = threading.Thread(target=self._work, name=f"room {camera.name}", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed: asyncio.Event = asyncio.Event()
        self._newest: Moment | None = None
        self.number = 0  # of the newest moment
        self.error: BaseException | None = None

    def start(self) -> None:
        """From the event loop that watchers run in."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def close(self) -> None:
        self.camera.close()
        if self._thread.is_alive():
            self._thread.join()
        if self.recorder:
            self.recorder.stop()

    @property
    def over(self) -> bool:
        """No frame will come any more."""
        return self.error is not None or self.camera.state == "ended"

    async def after(self, number: int, patience: float) -> tuple[int, Moment | None]:
        """The newest moment and its number, as soon as there is one after `number`; else None in the end."""
        if self.number <= number:
            try:
                await asyncio.wait_for(self._changed.wait(), patience)
            except TimeoutError:
                return number, None
        return self.number, self._newest

    def _work(self) -> None:
        session: Session | None = None

        def step(frame: Frame) -> tuple[Frame, Tracks]:
            nonlocal session
            session = session or Session(self._hub.system(self._hub.preset), self._hub.detect_every)
            return session.step(frame.image, frame.time)

        try:
            for taken in self.camera:
                captured = time.monotonic() - self.camera.age(taken)
                frame, tracks = self._hub.rota.submit(self, partial(step, taken)).result()
                for sink in self._sinks:
                    sink.write(frame, tracks)
                score, boxes = self._hub.min_joint_score, self._hub.boxes
                moment = Moment(frame, tracks, captured, score, self._trails, boxes)
                if self._loop is not None:
                    self._loop.call_soon_threadsafe(self._publish, moment)
        except (RotaClosedError, CancelledError):  # the server ends
            pass
        except Exception as error:
            traceback.print_exc()
            self.error = error

    def _publish(self, moment: Moment) -> None:
        self._newest = moment
        self.number += 1
        self._changed.set()
        self._changed = asyncio.Event()
