"""The flags of `posetrack track` and `submit` for many inputs: --jobs, --ray, --shard, --retry-failed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from posetrack.errors import PoseTrackError
from posetrack.video.names import is_address

if TYPE_CHECKING:
    from posetrack.cluster.run import Engine, RunResult
    from posetrack.cluster.tasks import Task
    from posetrack.cluster.work import Job


@dataclass(frozen=True)
class Many:
    """How the work is shared out."""

    jobs: int | None = None
    ray: str | None = None
    shard: str | None = None
    retry_failed: bool = False
    overwrite: bool = False
    pieces: float | None = None  # minutes; longer videos are cut up

    @property
    def asked(self) -> bool:
        return any(way is not None for way in (self.jobs, self.ray, self.shard, self.pieces))

    def run(self, tasks: list[Task], job: Job, out: str) -> RunResult:
        """Check the request, and do what is missing, the largest first."""
        from posetrack.cluster.pieces import cut_up, forget
        from posetrack.cluster.run import Run
        from posetrack.cluster.tasks import shard_of
        from posetrack.commands.options import make_folder

        if self.jobs is not None and self.jobs < 1:
            raise PoseTrackError(f"--jobs {self.jobs}: give 1 or more")
        if self.ray is not None and (self.jobs is not None or self.shard is not None):
            raise PoseTrackError("--ray shares out the work itself: leave --jobs and --shard away")
        if self.pieces is not None and self.pieces <= 0:
            raise PoseTrackError(f"--pieces {self.pieces:g}: give a length in minutes, such as 10")
        shard_of([], self.shard)  # refuses what is no shard
        if not tasks:
            raise PoseTrackError("no videos: name some, or give a --manifest with a line each")
        _refuse_same_stems(tasks)
        work, joins = cut_up(tasks, None if self.pieces is None else 60 * self.pieces)
        run = Run(job, out if is_address(out) else os.path.abspath(out), self._engine())
        if not is_address(out):
            make_folder(out)
        run.plan([*(task for task in work if task.piece is None), *joins], self.overwrite)
        joined = {task.stem for task in run.finished(joins)}
        mine = [t for t in shard_of(work, self.shard) if t.piece is None or t.stem not in joined]
        result = run.do(mine, retry_failed=self.retry_failed)
        if joins:
            result += run.do(joins, retry_failed=self.retry_failed)
            forget(joins, run.board, run.id)
        return result

    def _engine(self) -> Engine:
        from posetrack.cluster import engines

        if self.ray is not None:
            from posetrack.cluster import ray_engine

            return partial(ray_engine.actors, cluster=ray_engine.connect(self.ray))
        if self.jobs is not None and self.jobs > 1:
            return partial(engines.processes, jobs=self.jobs)
        return engines.here


def _refuse_same_stems(tasks: Sequence[Task]) -> None:
    seen: dict[str, str] = {}
    for task in tasks:
        if (other := seen.setdefault(task.stem, task.source)) != task.source:
            raise PoseTrackError(
                f"'{other}' and '{task.source}' would both write {task.stem}: give them a \"stem\" each in a "
                "--manifest, or different folders"
            )
