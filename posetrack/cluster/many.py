"""`posetrack track` over many videos: --jobs, --ray, --shard, --manifest."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from posetrack.cluster.tasks import TrackSettings
from posetrack.errors import PoseTrackError

if TYPE_CHECKING:
    from collections.abc import Callable

    from posetrack.cluster.engines import Outcomes, Work


@dataclass(frozen=True)
class Many:
    """One call of the command."""

    sources: list[str]
    out: Path
    settings: TrackSettings
    jobs: int | None
    ray: str | None
    shard: str | None
    manifest: Path | None
    retry_failed: bool
    overwrite: bool
    pieces: float | None = None  # minutes; longer videos are cut up

    def run(self) -> int:
        """Check the request, do what is missing, and say what became of it; the exit code."""
        from posetrack.cluster.pieces import cut_up, unfinished
        from posetrack.cluster.run import plan, run_tasks
        from posetrack.cluster.tasks import make_tasks, read_manifest, shard_of
        from posetrack.commands import options
        from posetrack.commands.track import refuse_same_names
        from posetrack.presets import find
        from posetrack.runtime.device import find_device

        if self.jobs is not None and self.jobs < 1:
            raise PoseTrackError(f"--jobs {self.jobs}: give 1 or more")
        if self.ray is not None and (self.jobs is not None or self.shard is not None):
            raise PoseTrackError("--ray shares out the work itself: leave --jobs and --shard away")
        if self.pieces is not None and self.pieces <= 0:
            raise PoseTrackError(f"--pieces {self.pieces:g}: give a length in minutes, such as 10")
        if self.pieces is not None and self.settings.boxes is not None:
            raise PoseTrackError("--pieces and --boxes, which go by frame numbers: give one of them")
        find(self.settings.preset)
        find_device(self.settings.device)
        given = make_tasks(self.sources) + ([] if self.manifest is None else read_manifest(self.manifest))
        tasks = sorted(given, key=lambda task: -(task.bytes or 0))
        if not tasks:
            raise PoseTrackError("no videos: name some, or give a --manifest with a line each")
        refuse_same_names([task.source for task in tasks])
        options.make_folder(self.out)
        plan(self.out, tasks)
        first, joins = (tasks, []) if self.pieces is None else cut_up(tasks, 60 * self.pieces)
        mine = first if self.shard is None else shard_of(first, self.shard)
        engine, retry = self._engine(), self.retry_failed
        mine = unfinished(mine, joins, self.out, self.settings)
        result = run_tasks(mine, self.settings, self.out, engine, retry_failed=retry)
        if joins:
            result += run_tasks(joins, self.settings, self.out, engine, retry_failed=retry)
        print(result)
        return options.SOME_FAILED if result.failed or result.warnings else options.DONE

    def _engine(self) -> Callable[[Work], Outcomes]:
        from posetrack.cluster import engines
        from posetrack.cluster.work import Request

        request = Request(self.out, self.settings, self.overwrite)
        if self.ray is not None:
            from posetrack.cluster import ray_engine

            return partial(ray_engine.actors, request=request, cluster=ray_engine.connect(self.ray))
        if self.jobs is not None and self.jobs > 1:
            return partial(engines.processes, request=request, jobs=self.jobs)
        return partial(engines.here, request=request)
