"""Long videos in pieces: each piece is a task, and so is joining them once all are done.

A piece begins at a key frame and ends `OVERLAP` seconds after the next one begins; who is who is read from
the frames that both have (trackers/stitching.py). The result is a file and a clip like any other, but not
what one run gives, and its header says so. Pieces lie in OUT/.posetrack/pieces until they are joined.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from posetrack.cluster.board import Board
from posetrack.cluster.store import PIECES
from posetrack.cluster.tasks import Task
from posetrack.cluster.work import Finished, NotReadyError
from posetrack.errors import InputError, PoseTrackError

if TYPE_CHECKING:
    from posetrack.cluster.jobs import TrackJob
    from posetrack.pipeline import PoseTracker
    from posetrack.types import Frame, Tracks
    from posetrack.video import Video

OVERLAP = 5.0  # seconds; the light preset remembers nobody for longer than 3 (docs/scale.md)
AHEAD = 8  # decoded frames that wait for the networks

Span = tuple[float | None, float | None]  # seconds from where to where; None: the beginning, the end


def cut_up(tasks: Iterable[Task], seconds: float | None) -> tuple[list[Task], list[Task]]:
    """Short videos and pieces of those longer than `seconds`, the largest first; and what is to be joined."""
    videos = [task if seconds is None else replace(task, parts=_parts(task, seconds)) for task in tasks]
    videos.sort(key=lambda task: -(task.bytes or 0) / max(1, len(task.parts)))
    work = [piece for task in videos for piece in (pieces_of(task) or [task])]
    return work, [task for task in videos if task.parts]


def pieces_of(task: Task) -> list[Task]:
    """The tasks that must be done before a task with parts."""
    return [
        replace(task, start=start, end=end, parts=(), piece=number)
        for number, (start, end) in enumerate(task.parts)
    ]


def name_of(piece: Task) -> str:
    """The tracks of a piece, in the store; other cuts of the same video have other names."""
    return f"{PIECES}/{piece.stem}-{piece.start or 0:.3f}-{piece.end or 0:.3f}.jsonl"


def _parts(task: Task, seconds: float) -> tuple[Span, ...]:
    """None for short videos, for parts, and where the length is unknown or the file is cut off."""
    from posetrack.video import open_video
    from posetrack.video.damage import missing_bytes

    if task.start is not None or task.end is not None:
        return ()
    try:
        with open_video(task.source) as video:
            whole = video.path is None or not missing_bytes(video.path)
            return spans(video, seconds) if whole else ()
    except InputError:
        return ()  # whoever tracks it says why it cannot be read


def spans(video: Video, seconds: float, overlap: float = OVERLAP) -> tuple[Span, ...]:
    """Equal pieces of at most about `seconds`, moved back to key frames where those are near."""
    length = video.duration or 0.0
    count = int(-(-length // seconds))
    if count < 2:
        return ()
    overlap = min(overlap, seconds / 4)
    first, step = float(video.start), length / count
    starts = [first]
    for n in range(1, count):
        place = first + n * step
        key = video.good_start(place)
        starts.append(key if place - key <= step / 4 else place)
    ends = [start + overlap for start in starts[1:]]
    return tuple(zip([None, *starts[1:]], [*ends, None], strict=True))


# ---- the work


def track_piece(task: Task, folder: Path, tracker: PoseTracker, batch_size: int) -> Finished:
    """The frames of a piece, a tracks.jsonl of its own; an empty file where there are none.

    A container may tell of more seconds than it has frames, as where the sound goes on without them.
    """
    from posetrack.commands.track import header_of
    from posetrack.sinks import TracksSink, run
    from posetrack.video import open_video, prefetch

    path = folder / Path(name_of(task)).name
    with open_video(task.source) as video:
        with TracksSink(path, header_of(video, tracker)) as lines:
            frames = prefetch(video.between(task.start, task.end), max(AHEAD, 2 * batch_size))
            summary = run(tracker.follow(frames, batch_size), [lines])
        path.touch()
        return Finished(f"{task.label}: {summary}", summary.frames, video.warnings)


def refuse_early(task: Task, board: Board, id_of: Callable[[Task], str]) -> None:
    """Raises NotReadyError where a video cannot be joined yet, and InputError where a piece has failed."""
    missing = 0
    for piece in pieces_of(task):
        if failure := board.read("failed", id_of(piece)):
            raise InputError(f"{piece.label} failed: {failure['reason']}")
        missing += board.read("done", id_of(piece)) is None
    if missing:
        raise NotReadyError(f"{task.label}: {missing} of its {len(task.parts)} pieces are missing yet")


def join(task: Task, folder: Path, board: Board, job: TrackJob, identity: str) -> Finished:
    """All pieces in one file and, if asked for, one clip in `folder`."""
    from posetrack.presets import min_joint_score_of
    from posetrack.results.jsonl import read_jsonl
    from posetrack.sinks import OverlaySink, Sink, TracksSink, run
    from posetrack.video import open_video, prefetch
    from trackers.stitching import stitch

    files = [folder / Path(name_of(piece)).name for piece in pieces_of(task)]
    for file in files:
        file.write_bytes(board.store.read(f"{PIECES}/{file.name}") or b"")
    header = replace(read_jsonl(files[0]).header, pieces=len(files), task=identity)
    stitched = stitch(read_jsonl(file).tracks if file.stat().st_size else [] for file in files)
    with open_video(task.source) as video, ExitStack() as stack:
        sinks: list[Sink] = [stack.enter_context(TracksSink(folder / f"{task.stem}.jsonl", header))]
        if job.video:
            overlay = OverlaySink(
                folder / f"{task.stem}.mp4", video, min_joint_score=min_joint_score_of(job.preset),
                boxes=job.draw_boxes, trails=job.trails,
            )  # fmt: skip
            sinks.append(stack.enter_context(overlay))
        summary = run(_together(prefetch(video, AHEAD), stitched), sinks)
    warnings = [*video.warnings, *(warning for sink in sinks for warning in sink.warnings)]
    line = f"{task.label}: {summary}, stitched from {len(files)} pieces"
    return Finished(line, summary.frames, warnings)


def _together(frames: Iterable[Frame], stitched: Iterator[Tracks]) -> Iterator[tuple[Frame, Tracks]]:
    """Every frame of the video with its tracks.

    Raises:
        PoseTrackError: they are not of the same frames: the file was not read alike both times.
    """
    try:
        for frame, tracks in zip(frames, stitched, strict=True):
            if round(frame.time, 6) != tracks.time:
                raise ValueError(
                    f"the video has a frame at {frame.time:g} s, the pieces at {tracks.time:g} s"
                )
            yield frame, replace(tracks, index=frame.index)
    except ValueError as error:
        raise PoseTrackError(f"the pieces do not fit ({error}): track the video without --pieces") from error


def forget(joins: Iterable[Task], board: Board, id_of: Callable[[Task], str]) -> None:
    """Take away the pieces of videos that are joined, and what is known of them."""
    done = board.known("done")
    for piece in (piece for task in joins if id_of(task) in done for piece in pieces_of(task)):
        board.forget(id_of(piece))
        board.store.remove(name_of(piece))
    board.store.tidy()
