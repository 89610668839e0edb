"""A live picture into tracks.jsonl and an overlay clip, without holding up whoever is tracked.

>>> with Recorder(Path("recordings"), "camera 0") as recorder:  # doctest: +SKIP
...     recorder.start(tracker)
...     for frame, tracks in pairs: recorder.write(frame, tracks)
"""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Self

from posetrack.errors import PoseTrackError
from posetrack.pipeline import PoseTracker
from posetrack.results.jsonl import Header
from posetrack.sinks import Kind, OverlaySink, Trace, TracksSink
from posetrack.types import Frame, Tracks
from posetrack.video import Video
from posetrack.video.frames import Channel, ClosedError

MOST_SECONDS = 3600.0  # of one recording
LEAST_ROOM = 500e6  # bytes that a recording leaves free on the disk
_WAITING = 24  # frames that may wait for the encoder; more, and the clip lacks some
_LOOK_EVERY = 100  # frames from one look at the disk to the next


class LiveVideo(Video):
    """What a recording is told of a live source."""

    time_base = Fraction(1, 1000)

    def __init__(self, name: str, size: tuple[int, int], fps: float) -> None:
        self.name = self.stem = name
        self.width, self.height = size
        self.fps = fps
        self.warnings = []

    def __iter__(self) -> Iterator[Frame]:
        return iter(())


@dataclass
class Recording:
    """One pair of files being written."""

    tracks: Path
    clip: Path
    size: tuple[int, int]
    start: float  # seconds of the first frame; files begin at zero
    pictures: Channel[tuple[Frame, Tracks]]
    thread: threading.Thread | None = None
    frames: int = 0
    lost: int = 0  # frames that the clip lacks
    seconds: float = 0.0
    error: str = ""


@dataclass
class Recorder:
    """A sink that writes while it is told to. Its files get names that nobody can guess.

    Args:
        folder: where all files go.
        stem: what their names begin with.
        made: learns of each finished file, name to path.
    """

    folder: Path
    stem: str
    made: dict[str, Path] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    trails: bool = False
    boxes: bool = False
    _tracker: PoseTracker | None = None
    _now: Recording | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)  # writing and stopping are two threads'

    @property
    def on(self) -> bool:
        return self._tracker is not None

    def start(self, tracker: PoseTracker) -> None:
        """Record from the next frame on. Args: tracker: what the header tells of."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(self.folder).free
        except OSError as error:
            raise PoseTrackError(f"cannot record into {self.folder}: {error.strerror}") from error
        if free < LEAST_ROOM:
            raise PoseTrackError(f"the disk of {self.folder} is nearly full: free some of it")
        self._tracker = tracker

    def write(self, frame: Frame, tracks: Tracks) -> None:
        """Keep a frame, if a recording is on. A picture of another size ends it, as do time and disk."""
        with self._lock:
            if self._tracker is not None:
                self._keep(frame, tracks, self._tracker)

    def _keep(self, frame: Frame, tracks: Tracks, tracker: PoseTracker) -> None:
        now = self._now = self._now or self._begin(frame, tracker)
        late = frame.time - now.start
        full = now.frames % _LOOK_EVERY == 0 and shutil.disk_usage(self.folder).free < LEAST_ROOM
        if frame.size != now.size or late > MOST_SECONDS or full or now.error:
            why = (
                "the picture changed its size"
                if frame.size != now.size
                else now.error or ("the disk is nearly full" if full else "it is as long as one may be")
            )
            self.warnings.append(f"{now.clip.name}: ended, {why}")
            self._tracker = None
            return
        now.frames, now.seconds = now.frames + 1, late
        moved = (Frame(frame.image, now.frames - 1, late), _at(tracks, now.frames - 1, late))
        try:
            now.lost += not now.pictures.offer(moved)
        except ClosedError:
            now.error = now.error or "its files cannot be written"

    def stop(self) -> list[Path]:
        """End the recording and wait until its files are whole; gives their paths."""
        with self._lock:
            self._tracker, now, self._now = None, self._now, None
        if now is None or now.thread is None:
            return []
        now.pictures.close()
        now.thread.join()
        if now.lost:
            self.warnings.append(f"{now.clip.name}: {now.lost} frames lost, the encoder was too slow")
        if now.error:
            self.warnings.append(f"{now.clip.name}: {now.error}")
        paths = [path for path in (now.tracks, now.clip) if path.exists()]
        self.made.update({path.name: path for path in paths})
        return paths

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Kind, error: BaseException | None, trace: Trace) -> None:
        self.stop()

    def _begin(self, frame: Frame, tracker: PoseTracker) -> Recording:
        name = f"{_plain(self.stem)}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}"
        recording = Recording(
            self.folder / f"{name}.jsonl",
            self.folder / f"{name}.mp4",
            frame.size,
            frame.time,
            Channel(_WAITING),
        )
        recording.thread = threading.Thread(
            target=self._encode, args=(recording, tracker), name=f"record {name}", daemon=True
        )
        recording.thread.start()
        return recording

    def _encode(self, recording: Recording, tracker: PoseTracker) -> None:
        video = LiveVideo(self.stem, recording.size, fps=30.0)
        header = Header(video.name, *video.size, video.fps, tracker.skeleton, tracker.preset, tracker.models)
        try:
            with ExitStack() as stack:
                lines = stack.enter_context(TracksSink(recording.tracks, header))
                clip = stack.enter_context(
                    OverlaySink(
                        recording.clip,
                        video,
                        min_joint_score=tracker.min_joint_score,
                        boxes=self.boxes,
                        trails=self.trails,
                    )
                )
                while True:
                    frame, tracks = recording.pictures.get()
                    lines.write(frame, tracks)
                    clip.write(frame, tracks)
        except ClosedError:
            pass
        except PoseTrackError as error:
            recording.error = str(error)
        finally:
            recording.pictures.close(discard=True)


def _at(tracks: Tracks, index: int, time: float) -> Tracks:
    return Tracks(tracks.poses, tracks.ids, tracks.propagated, index, time, tracks.size)


def _plain(name: str) -> str:
    """A name without anything that a path could be made of."""
    return "".join(c if c.isalnum() else "_" for c in name)[:40] or "live"
