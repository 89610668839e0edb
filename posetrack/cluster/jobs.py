"""What is done with a task: `posetrack track` for a video, `posetrack submit` for a sequence of PoseTrack."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from posetrack.cluster import pieces
from posetrack.cluster.board import Board
from posetrack.cluster.tasks import Task, release, task_id
from posetrack.cluster.work import Doing, Finished
from posetrack.errors import PoseTrackError

if TYPE_CHECKING:
    from posetrack.pipeline import PoseTracker


@dataclass(frozen=True)
class System:
    """The flags that say which tracker."""

    preset: str = "light"
    device: str = "auto"
    boxes: Path | None = None
    detector: str | None = None
    weights: Path | None = None
    flow: str | None = None
    flow_scale: float | None = None
    tracker: str | None = None
    batch_size: int = 1

    def __post_init__(self) -> None:
        from posetrack.presets import find

        find(self.preset)

    def identity(self) -> dict[str, Any]:
        """All but device and batch size, which leave the result as it is."""
        values = {"job": type(self).__name__, **asdict(self), "release": release()}
        del values["device"], values["batch_size"]
        return values | {n: _digest(values[n]) for n in ("boxes", "weights") if values[n] is not None}

    def load_tracker(self) -> PoseTracker:
        from posetrack.commands.options import load_tracker

        return load_tracker(
            self.preset, self.device, detector=self.detector, flow=self.flow, flow_scale=self.flow_scale,
            weights=self.weights, tracker=self.tracker, boxes=self.boxes,
        )  # fmt: skip


@dataclass(frozen=True)
class TrackJob(System):
    """`posetrack track`."""

    video: bool = True
    trails: bool = False
    draw_boxes: bool = False

    def outputs(self, task: Task) -> list[str]:
        if task.piece is not None:
            return [pieces.name_of(task)]
        return [f"{task.stem}{end}" for end in ((".jsonl", ".mp4") if self.video else (".jsonl",))]

    def load(self, board: Board) -> Doing:
        from posetrack.commands.track import track_video

        tracker, job_identity = self.load_tracker(), self.identity()

        def track(task: Task, folder: Path, identity: str) -> Finished:
            task.refuse_changed()
            if task.parts:
                pieces.refuse_early(task, board, lambda piece: task_id(piece, job_identity))
                return pieces.join(task, folder, board, self, identity)
            if task.piece is not None:
                return pieces.track_piece(task, folder, tracker, self.batch_size)
            result = track_video(
                task.source, folder, tracker=tracker, boxes=self.boxes, batch_size=self.batch_size,
                video=self.video, trails=self.trails, draw_boxes=self.draw_boxes,
                start=task.start, end=task.end, stem=task.stem, task=identity,
            )  # fmt: skip
            return Finished(f"{result.name}: {result.summary}", result.summary.frames, result.warnings)

        return track


@dataclass(frozen=True)
class SubmitJob(System):
    """`posetrack submit`: a task's source is the annotation file of its sequence."""

    images: Path = Path()  # root; only its place, not part of the result

    def identity(self) -> dict[str, Any]:
        values = super().identity()
        del values["images"]
        return values

    def outputs(self, task: Task) -> list[str]:
        return [f"{task.stem}.json"]

    def load(self, board: Board) -> Doing:
        from posetrack.commands.submit import box_source, track_sequence
        from posetrack.datasets.posetrack import sequence_of
        from posetrack.results.annotations import read_annotations

        tracker = self.load_tracker()
        with_boxes = (lambda sequence: tracker) if self.boxes is None else box_source(tracker, self.boxes)

        def predict(task: Task, folder: Path, identity: str) -> Finished:
            task.refuse_changed()
            path = Path(task.source)
            sequence = sequence_of(read_annotations(path), path, self.images)
            target = folder / f"{task.stem}.json"
            summary = track_sequence(sequence, with_boxes(sequence), target, self.batch_size, task.stem)
            people = len(summary.ids)
            return Finished(f"{task.stem}: {summary.frames} frames, {people} identities", summary.frames)

        return predict


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise PoseTrackError(f"cannot read {path}: {error.strerror}") from error
