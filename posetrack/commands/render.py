"""`posetrack render`: the overlay clip from tracks.jsonl and its video, without any network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from posetrack.commands import options
from posetrack.errors import InputError, PoseTrackError
from posetrack.files import refuse_existing, replacing

if TYPE_CHECKING:
    from posetrack.results.jsonl import TracksFile
    from posetrack.sinks import Summary
    from posetrack.types import Frame, Tracks
    from posetrack.video import Video


def render(
    tracks: Annotated[Path, "TRACKS.jsonl of an earlier run"],
    video: Annotated[str, "the video that it was made from"],
    *,
    out: Annotated[Path, "the clip to write, .mp4"],
    joint_score: Annotated[float | None, "leave out joints below this score; default: the preset's"] = None,
    overwrite: options.Overwrite = False,
    trails: options.Trails = False,
    draw_boxes: options.DrawBoxes = False,
) -> int:
    """Draw the overlay clip again from tracks.jsonl; no network is needed."""
    warnings = render_video(
        tracks, video, out, joint_score=joint_score, overwrite=overwrite, trails=trails, draw_boxes=draw_boxes
    )
    print(f"{tracks} drawn over {video} -> {out}")
    for warning in warnings:
        options.complain(warning)
    return options.SOME_FAILED if warnings else options.DONE


def render_video(
    tracks_path: Path,
    source: str | Path,
    out: Path,
    *,
    joint_score: float | None = None,
    overwrite: bool = False,
    trails: bool = False,
    draw_boxes: bool = False,
) -> list[str]:
    """Draw every frame of `source` with its tracks; frames without a line stay as they are.

    The clip is there when it is whole: a run that fails leaves none, and an old one as it was.

    Returns:
        What was not as it should be: frames that could not be decoded, or that have no tracks.

    Raises:
        PoseTrackError: a file cannot be read or is the output itself, or the tracks are of another video.
    """
    from posetrack.presets import min_joint_score_of
    from posetrack.progress import progress
    from posetrack.results.jsonl import read_jsonl
    from posetrack.sinks import OverlaySink, run
    from posetrack.video import open_video, prefetch

    refuse_own_source(out, tracks_path)
    refuse_existing(out, overwrite=overwrite)
    file = read_jsonl(tracks_path)
    least = min_joint_score_of(file.header.preset) if joint_score is None else joint_score
    lined = {tracks.index for tracks in file.tracks}
    with open_video(source) as video, replacing(out) as temporary:
        refuse_own_source(out, *([video.path] if video.path else map(Path, video.names or [])))
        _refuse_other_size(video, file, tracks_path)
        clip = OverlaySink(temporary, video, min_joint_score=least, boxes=draw_boxes, trails=trails)
        with clip, progress(video.name, video.frame_count) as report:
            summary = run(_pairs(prefetch(video, 8), file), [clip], report)
        warnings = [*video.warnings, *clip.warnings]
        refuse_no_frames(video, summary, warnings)
    if file.broken_off:
        warnings.append(f"{tracks_path}: {file.broken_off}")
    if undrawn := summary.frames - len(lined & set(range(summary.frames))):
        warnings.append(f"{undrawn} of {summary.frames} frames have no line in {tracks_path}")
    return warnings


def refuse_own_source(out: Path, *sources: Path) -> None:
    if out.exists() and any(source.exists() and out.samefile(source) for source in sources):
        raise PoseTrackError(f"--out {out} is the input itself: choose another name")


def refuse_no_frames(video: Video, summary: Summary, warnings: list[str]) -> None:
    if summary.frames == 0:
        raise InputError(
            f"{video.name}: not one frame could be decoded: {'; '.join(warnings) or 'it is empty'}"
        )


def _pairs(frames: Iterable[Frame], file: TracksFile) -> Iterator[tuple[Frame, Tracks]]:
    """Every frame with its tracks; with nobody where it has no line."""
    from posetrack.types import Tracks

    by_index = {tracks.index: tracks for tracks in file.tracks}
    for frame in frames:
        nobody = Tracks.empty(file.header.skeleton, frame.index, frame.time, frame.size)
        yield frame, by_index.get(frame.index, nobody)


def _refuse_other_size(video: Video, file: TracksFile, tracks_path: Path) -> None:
    size, told = (video.width, video.height), (file.header.width, file.header.height)
    if size != told:
        raise PoseTrackError(
            f"{video.name} is {size[0]}x{size[1]}, but {tracks_path} is of a video of "
            f"{told[0]}x{told[1]}: give the video that it was made from"
        )
