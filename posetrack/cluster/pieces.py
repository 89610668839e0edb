"""Long videos in pieces: each piece is a task, and so is joining them once all are done.

A piece begins at a key frame and ends `OVERLAP` seconds after the next one begins; who is who is read from the
frames that both have (trackers/stitching.py). The result is a file and a clip like any other, but not what one
run gives, and its header says so. Pieces lie in OUT/.posetrack/pieces until they are joined.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from posetrack.cluster.board import Board
from posetrack.cluster.tasks import Task, TrackSettings, task_id
from posetrack.errors import InputError, PoseTrackError

if TYPE_CHECKING:
    from posetrack.commands.track import TrackedVideo
    from posetrack.pipeline import PoseTracker
    from posetrack.types import Frame, Tracks
    from posetrack.video import Video

OVERLAP = 5.0  # seconds; the trackers here remember nobody for longer than 3
AHEAD = 8  # decoded frames that wait for the networks

Span = tuple[float | None, float | None]  # seconds from where to where; None: the beginning, the end


def cut_up(tasks: Iterable[Task], seconds: float) -> tuple[list[Task], list[Task]]:
    """Short videos and the pieces of those longer than `seconds`, the largest first; and the tasks of joining."""
    videos = [replace(task, parts=_parts(task, seconds)) for task in tasks]
    joins = [task for task in videos if task.parts]
    pieces = [(piece, len(task.parts)) for task in videos for piece in (pieces_of(task) or [task])]
    pieces.sort(key=lambda pair: -(pair[0].bytes or 0) / max(pair[1], 1))
    return [piece for piece, _ in pieces], joins


def unfinished(tasks: list[Task], joins: list[Task], out: Path, settings: TrackSettings) -> list[Task]:
    """Without the pieces of videos that are joined: those are gone."""
    board, identity = Board(out), settings.identity()
    joined = {task.stem for task in joins if board.done(task_id(task, identity)) is not None}
    return [task for task in tasks if not (task.is_piece and task.stem in joined)]


def pieces_of(task: Task) -> list[Task]:
    """The tasks that must be done before a task with parts."""
    return [replace(task, start=start, end=end, parts=()) for start, end in task.parts]


def label(task: Task) -> str:
    """For messages and marks: the source, of a piece with the time that it begins and ends."""
    if not task.is_piece:
        return task.source
    end = "the end" if task.end is None else f"{task.end:.1f} s"
    return f"{task.source}, {task.start or 0:.1f} s to {end}"


def file_of(piece: Task, board: Board) -> Path:
    """The tracks of a piece."""
    return board.folder / "pieces" / f"{piece.stem}-{piece.start or 0:.3f}.jsonl"


def _parts(task: Task, seconds: float) -> tuple[Span, ...]:
    """None for short videos, and for those whose length is unknown or whose file is cut off."""
    from posetrack.video import open_video
    from posetrack.video.damage import missing_bytes

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


def track_piece(task: Task, path: Path, tracker: PoseTracker, batch_size: int) -> TrackedVideo:
    """The frames of a piece into `path`, a tracks.jsonl of its own; an empty file where there are none."""
    from posetrack.commands.track import TrackedVideo, header_of
    from posetrack.sinks import TracksSink, run
    from posetrack.video import open_video, prefetch

    with open_video(task.source) as video:
        with TracksSink(path, header_of(video, tracker)) as lines:
            frames = prefetch(video.between(task.start, task.end), max(AHEAD, 2 * batch_size))
            summary = run(tracker.follow(frames, batch_size), [lines])
        path.touch()
        return TrackedVideo(label(task), [path], summary, video.warnings)


def waiting(task: Task, board: Board, settings: TrackSettings) -> str:
    """Why a video cannot be joined yet; empty once all its pieces are done.

    Raises:
        PoseTrackError: a piece has failed.
    """
    identity, open_pieces = settings.identity(), 0
    for piece in pieces_of(task):
        mark = task_id(piece, identity)
        if failure := board.read("failed", mark):
            raise PoseTrackError(f"{label(piece)} failed: {failure['reason']}")
        open_pieces += board.done(mark) is None
    return f"{open_pieces} of its {len(task.parts)} pieces are missing yet" if open_pieces else ""


def join(task: Task, folder: Path, board: Board, settings: TrackSettings) -> tuple[TrackedVideo, float]:
    """All pieces in one file and, if asked for, one clip in `folder`; and when the first of them was begun."""
    from posetrack.commands.track import TrackedVideo
    from posetrack.presets import min_joint_score_of
    from posetrack.results.jsonl import read_jsonl
    from posetrack.sinks import OverlaySink, Sink, TracksSink, run
    from posetrack.video import open_video, prefetch
    from trackers.stitching import stitch

    identity = settings.identity()
    marks = [board.done(task_id(piece, identity)) or {} for piece in pieces_of(task)]
    files = [board.out / mark["outputs"][0] for mark in marks]
    header = replace(read_jsonl(files[0]).header, pieces=len(files))
    stitched = stitch(read_jsonl(file).tracks if file.stat().st_size else [] for file in files)
    with open_video(task.source) as video, ExitStack() as stack:
        outputs = [folder / f"{task.stem}.jsonl"]
        sinks: list[Sink] = [stack.enter_context(TracksSink(outputs[0], header))]
        if settings.video:
            outputs.append(folder / f"{task.stem}.mp4")
            overlay = OverlaySink(
                outputs[1], video, min_joint_score=min_joint_score_of(settings.preset),
                boxes=settings.draw_boxes, trails=settings.trails,
            )  # fmt: skip
            sinks.append(stack.enter_context(overlay))
        summary = run(_together(prefetch(video, AHEAD), stitched), sinks)
    warnings = [*video.warnings, *(warning for sink in sinks for warning in sink.warnings)]
    return TrackedVideo(label(task), outputs, summary, warnings), min(mark["started"] for mark in marks)


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


def forget(task: Task, board: Board, settings: TrackSettings) -> None:
    """Take away the pieces of a video that is joined, and what is known of them."""
    identity = settings.identity()
    for piece in pieces_of(task):
        mark = task_id(piece, identity)
        for path in (file_of(piece, board), *(board.folder / s / f"{mark}.json" for s in ("done", "tried"))):
            path.unlink(missing_ok=True)
    with suppress(OSError):
        (board.folder / "pieces").rmdir()  # unless other videos have pieces
