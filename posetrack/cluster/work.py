"""One task, done: claimed, tracked into a place of its own, put where it belongs, and marked."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from posetrack.cluster.board import Board
from posetrack.cluster.tasks import Task, TrackSettings
from posetrack.commands.options import load_tracker
from posetrack.errors import PoseTrackError
from posetrack.files import refuse_existing

if TYPE_CHECKING:
    from posetrack.pipeline import PoseTracker

MAX_TRIES = 3  # a video that killed its worker so often is set aside


@dataclass(frozen=True)
class Outcome:
    """What became of a task."""

    state: Literal["done", "failed", "elsewhere"]
    line: str  # for a person
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Request:
    """What all workers of a run are told."""

    out: Path
    settings: TrackSettings
    overwrite: bool = False


class Worker:
    """Does one task after the other with one set of networks."""

    def __init__(self, request: Request) -> None:
        self.board, self.settings, self.overwrite = Board(request.out), request.settings, request.overwrite
        self._tracker: PoseTracker | None = None

    def run(self, task: Task, identity: str) -> Outcome:
        with self.board.claim(identity) as mine:
            if not mine:
                return Outcome("elsewhere", f"{task.source}: another process is at it")
            if (known := self.board.done(identity)) is not None:
                return Outcome("done", f"{task.source}: done by another process", known["warnings"])
            tries = self.board.tries(identity)
            if tries >= MAX_TRIES:
                return self._give_up(task, identity, f"it killed its worker {tries} times", tries)
            try:
                if tries == 0:  # later, what stands there may be half of what this very task wrote
                    refuse_existing(*self._outputs(task), overwrite=self.overwrite)
                self.board.write("tried", identity, count=tries + 1, source=task.source)
                return self._track(task, identity)
            except PoseTrackError as error:
                return self._give_up(task, identity, str(error), tries + 1)
            except Exception as error:  # a fault of ours: the other videos go on
                reason = f"unexpected {type(error).__name__}: {str(error)[:200]}"
                return self._give_up(task, identity, reason, tries + 1, traceback.format_exc())

    def _track(self, task: Task, identity: str) -> Outcome:
        from posetrack.commands.track import track_video

        s, start, final = self.settings, time.time(), self._outputs(task)
        _refuse_changed(task)
        with self.board.workplace(identity) as folder:
            result = track_video(
                task.source, folder, tracker=self._load(), boxes=s.boxes, batch_size=s.batch_size,
                video=s.video, trails=s.trails, draw_boxes=s.draw_boxes,
            )  # fmt: skip
            for path in final:
                (folder / path.name).replace(path)
        self.board.write(
            "done", identity, source=task.source, outputs=[path.name for path in final], started=start,
            frames=result.summary.frames, identities=len(result.summary.ids), warnings=result.warnings,
        )  # fmt: skip
        outputs = ", ".join(map(str, final))
        return Outcome("done", f"{result.name}: {result.summary} -> {outputs}", result.warnings)

    def _outputs(self, task: Task) -> list[Path]:
        ends = (".jsonl", ".mp4") if self.settings.video else (".jsonl",)
        return [self.board.out / f"{task.stem}{end}" for end in ends]

    def _load(self) -> PoseTracker:
        if self._tracker is None:
            s = self.settings
            self._tracker = load_tracker(
                s.preset, s.device, detector=s.detector, flow=s.flow, flow_scale=s.flow_scale,
                weights=None if s.weights is None else Path(s.weights), tracker=s.tracker,
                boxes=None if s.boxes is None else Path(s.boxes),
            )  # fmt: skip
        return self._tracker

    def _give_up(self, task: Task, identity: str, reason: str, tries: int, trace: str = "") -> Outcome:
        self.board.clear_work(identity)
        details = {"traceback": trace} if trace else {}
        self.board.write("failed", identity, source=task.source, reason=reason, tries=tries, **details)
        return Outcome("failed", reason if task.source in reason else f"{task.source}: {reason}")


def _refuse_changed(task: Task) -> None:
    path = Path(task.source)
    if task.bytes is not None and path.is_file() and path.stat().st_size != task.bytes:
        raise PoseTrackError(
            f"{task.source} has {path.stat().st_size} bytes, but had {task.bytes} when the run was planned: "
            "plan it again"
        )
