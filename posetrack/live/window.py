"""The live picture in a window: skeletons, numbers and keys. Only where a display is (display.py)."""

from __future__ import annotations

import time
from collections import deque
from typing import Self, cast

import cv2
import numpy as np

from posetrack.drawing.overlay import Trails, overlay
from posetrack.errors import PoseTrackError
from posetrack.live.recorder import Recorder
from posetrack.pipeline import PoseTracker
from posetrack.sinks import Kind, Trace
from posetrack.types import Frame, Tracks
from posetrack.video import CameraSource
from posetrack.video.upright import Image

KEYS = "space pause, r record, t trails, q quit"
_ESCAPE = 27
_FONT = cv2.FONT_HERSHEY_DUPLEX
_WINDOW = 2.0  # seconds that frames per second are counted over
_LEAST_WIDTH = 480  # pixels of the shown picture: the words need room


class WindowSink:
    """A sink that shows every frame it is given; `poll` handles the keys and must be called often."""

    def __init__(
        self,
        camera: CameraSource,
        tracker: PoseTracker,
        recorder: Recorder | None = None,
        *,
        trails: bool = False,
        boxes: bool = False,
    ) -> None:
        self.warnings: list[str] = []
        self.paused = False
        self._camera, self._tracker, self._recorder = camera, tracker, recorder
        self._trails, self._show_trails, self._boxes = Trails(), trails, boxes
        self._title = f"posetrack live: {camera.name}"
        self._shown: deque[float] = deque()  # when frames were shown
        self._drawn: Image | None = None  # the last one, without words
        self._words = ""
        self._note = KEYS
        self._note_until = time.monotonic() + 5
        self._open = False

    def write(self, frame: Frame, tracks: Tracks) -> None:
        self._trails.update(tracks, self._tracker.min_joint_score)
        self._drawn = overlay(
            frame.image,
            tracks,
            joint_threshold=self._tracker.min_joint_score,
            boxes=self._boxes,
            trails=self._trails if self._show_trails else None,
        )
        now = time.monotonic()
        self._shown.append(now)
        while self._shown[0] < now - _WINDOW:
            self._shown.popleft()
        rate = len(self._shown) / _WINDOW
        people = "1 person" if len(tracks) == 1 else f"{len(tracks)} people"
        delay = 1000 * self._camera.age(frame)
        self._words = f"{rate:.1f} fps   {delay:.0f} ms   {people}   {self._camera.dropped} dropped"
        self._show()

    def poll(self) -> bool:
        """Do what was asked by keys; False once the window is to close."""
        key = cv2.waitKey(1) & 0xFF
        if key in (ord("q"), _ESCAPE):
            return False
        if self._open and cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1:
            return False
        if key == ord(" "):
            self.paused = not self.paused
            self._show()
        elif key == ord("t"):
            self._show_trails = not self._show_trails
            self._tell(f"trails {'on' if self._show_trails else 'off'}")
        elif key == ord("r"):
            self._record()
        return True

    def wait(self) -> None:
        """No frame came for a while: say why."""
        if self._camera.state == "lost":
            self._tell(f"{self._camera.name} has gone quiet, try {max(self._camera.tries, 1)}", seconds=1)

    def _record(self) -> None:
        if self._recorder is None:
            self._tell("start with --record FOLDER to record")
        elif self._recorder.on:
            paths = self._recorder.stop()
            self._tell(f"kept {paths[-1].name}" if paths else "nothing was recorded")
        else:
            try:
                self._recorder.start(self._tracker)
                self._tell("recording")
            except PoseTrackError as error:
                self._tell(str(error))

    def _tell(self, note: str, seconds: float = 2.5) -> None:
        self._note, self._note_until = note, time.monotonic() + seconds
        self._show()

    def _show(self) -> None:
        if self._drawn is None:
            return
        picture = self._drawn
        if picture.shape[1] < _LEAST_WIDTH:
            scale = _LEAST_WIDTH / picture.shape[1]
            picture = np.asarray(cv2.resize(picture, None, fx=scale, fy=scale), np.uint8)
        shown = cast(Image, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        note = "paused" if self.paused else self._note if time.monotonic() < self._note_until else ""
        _bar(shown, self._words, top=True, dot=self._recorder is not None and self._recorder.on)
        if note:
            _bar(shown, note, top=False, dot=False)
        if not self._open:
            cv2.namedWindow(self._title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
            cv2.resizeWindow(self._title, shown.shape[1], shown.shape[0])
            self._open = True
        cv2.imshow(self._title, shown)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Kind, error: BaseException | None, trace: Trace) -> None:
        if self._open:
            cv2.destroyWindow(self._title)


def _bar(picture: Image, words: str, *, top: bool, dot: bool) -> None:
    """Words on a dark strip, white; a red dot before them while recording."""
    height, width = picture.shape[:2]
    size = min(max(width / 1280, 0.5), 1.2) * 0.8
    thick = 2 if size > 0.8 else 1
    (w, h), base = cv2.getTextSize(words, _FONT, size, thick)
    pad = round(0.7 * h)
    lead = 2 * h if dot else 0
    left, tall = pad, h + base + 2 * pad
    y = pad if top else height - tall - pad
    strip = picture[max(y, 0) : y + tall, left : left + w + lead + 2 * pad]
    strip[:] = (strip * 0.35).astype(np.uint8)
    if dot:
        centre = (left + pad + h // 2, y + tall // 2)
        cv2.circle(picture, centre, max(h // 2, 3), (60, 60, 235), -1, cv2.LINE_AA)
    place = (left + pad + lead, y + pad + h)
    cv2.putText(picture, words, place, _FONT, size, (245, 245, 245), thick, cv2.LINE_AA)
