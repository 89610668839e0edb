"""Where tracked frames go: context managers that take (frame, tracks) pairs. `run` gives every pair to all.

>>> with TracksSink("out/clip.jsonl", header) as lines, OverlaySink("out/clip.mp4", video) as clip:
...     summary = run(tracker.follow(video), [lines, clip])
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from posetrack.drawing.overlay import Trails, overlay
from posetrack.files import refuse_existing
from posetrack.pipeline import PoseTracker
from posetrack.results.annotations import Annotations17, read_annotations
from posetrack.results.jsonl import Header, JsonlWriter
from posetrack.results.posetrack import export_posetrack
from posetrack.types import Frame, Tracks
from posetrack.video import Video, VideoWriter

Kind = type[BaseException] | None
Trace = TracebackType | None


class Sink(Protocol):
    """One output. Leaving it by an error keeps what may be kept, and lets the error pass."""

    warnings: list[str]  # what was not as it should be; complete once the sink is left

    def write(self, frame: Frame, tracks: Tracks) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: Kind, error: BaseException | None, trace: Trace) -> None: ...


@dataclass
class Summary:
    """What passed through a run."""

    frames: int = 0
    seconds: float = 0.0
    ids: set[int] = field(default_factory=set)

    def __str__(self) -> str:
        rate = self.frames / self.seconds if self.seconds else 0.0
        people = f"{len(self.ids)} {'identity' if len(self.ids) == 1 else 'identities'}"
        return f"{self.frames} frames in {self.seconds:.1f} s ({rate:.1f} frames/s), {people}"


def run(
    pairs: Iterable[tuple[Frame, Tracks]],
    sinks: Sequence[Sink],
    report: Callable[[int, int], None] = lambda done, people: None,
) -> Summary:
    """Give every pair to every sink; `report` hears of frames done and people in the newest one."""
    summary, start = Summary(), time.perf_counter()
    for frame, tracks in pairs:
        for sink in sinks:
            sink.write(frame, tracks)
        summary.frames += 1
        summary.ids.update(tracks.ids.tolist())
        report(summary.frames, len(tracks))
    summary.seconds = time.perf_counter() - start
    return summary


class TracksSink:
    """tracks.jsonl, a line as soon as its frame is tracked.

    It is opened for the first frame: a run that fails before leaves what was there, or nothing.
    """

    def __init__(
        self, path: Path, header: Header, *, overwrite: bool = False, unfinished: Sequence[str] = ()
    ) -> None:
        refuse_existing(path, overwrite=overwrite)
        self.path = path
        self.warnings: list[str] = []
        self._open = partial(JsonlWriter, path, header, overwrite=overwrite, unfinished=unfinished)
        self._writer: JsonlWriter | None = None

    def write(self, frame: Frame, tracks: Tracks) -> None:
        self._writer = self._writer or self._open()
        self._writer.write(tracks)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Kind, error: BaseException | None, trace: Trace) -> None:
        if self._writer is not None:
            self._writer.__exit__(kind, error, trace)


class OverlaySink:
    """The clip with everybody drawn in: the size, times and sound of the video that it is made `like`."""

    def __init__(
        self,
        path: Path,
        like: Video,
        *,
        min_joint_score: float = 0.0,
        boxes: bool = False,
        trails: bool = False,
        overwrite: bool = False,
    ) -> None:
        self.warnings: list[str] = []
        self._min_joint_score, self._boxes = min_joint_score, boxes
        self._trails = Trails() if trails else None
        self._writer = VideoWriter(path, like, overwrite=overwrite)

    def write(self, frame: Frame, tracks: Tracks) -> None:
        image = overlay(
            frame.image, tracks, joint_threshold=self._min_joint_score, boxes=self._boxes, trails=self._trails
        )
        self._writer.write(image, frame.time)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Kind, error: BaseException | None, trace: Trace) -> None:
        try:
            self._writer.__exit__(kind, error, trace)
        finally:
            self.warnings = self._writer.warnings


class PredictionSink:
    """The prediction file of one PoseTrack sequence, written when the sequence is whole.

    It has every frame entry of the annotation file, in the format of that file's year, weak joints as
    (0, 0, 0), and joint score x person score as scores, which AP ranks better.
    """

    def __init__(self, path: Path, annotation: Path, tracker: PoseTracker) -> None:
        self.warnings: list[str] = []
        self._path, self._annotation, self._tracker = path, annotation, tracker
        self._tracks: list[Tracks] = []

    def write(self, frame: Frame, tracks: Tracks) -> None:
        self._tracks.append(tracks)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Kind, error: BaseException | None, trace: Trace) -> None:
        if error is not None:
            return
        export_posetrack(
            self._tracks,
            self._path,
            year=2017 if isinstance(read_annotations(self._annotation), Annotations17) else 2018,
            skeleton=self._tracker.skeleton,
            source=self._annotation.stem,
            annotation=self._annotation,
            joint_score=self._tracker.min_joint_score,
            rescore=True,
        )
