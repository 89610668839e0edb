"""The overlay clip from tracks.jsonl and its video, without any network."""

from __future__ import annotations

from pathlib import Path

from posetrack.drawing.overlay import Trails, overlay
from posetrack.errors import PoseTrackError
from posetrack.presets import joint_score_of
from posetrack.progress import progress
from posetrack.results.jsonl import read_jsonl
from posetrack.types import Tracks
from posetrack.video import VideoWriter, open_video, prefetch


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

    Returns:
        What was not as it should be: frames that could not be decoded, or that have no tracks.

    Raises:
        PoseTrackError: a file cannot be read, or the tracks are of a video of another size.
    """
    file = read_jsonl(tracks_path)
    threshold = joint_score_of(file.header.preset) if joint_score is None else joint_score
    by_index: dict[int, Tracks] = {tracks.index: tracks for tracks in file.tracks}
    memory = Trails() if trails else None
    undrawn = frames = 0
    with open_video(source) as video:
        size, told = (video.width, video.height), (file.header.width, file.header.height)
        if size != told:
            raise PoseTrackError(
                f"{video.name} is {size[0]}x{size[1]}, but {tracks_path} is of a video of "
                f"{told[0]}x{told[1]}: give the video that it was made from"
            )
        with (
            VideoWriter(out, video, overwrite=overwrite) as clip,
            progress(video.name, video.frame_count) as report,
        ):
            for frame in prefetch(video, 8):
                tracks = by_index.get(frame.index)
                image = frame.image
                if tracks is None:
                    undrawn += 1
                else:
                    image = overlay(image, tracks, joint_threshold=threshold, boxes=draw_boxes, trails=memory)
                clip.write(image, frame.time)
                frames += 1
                report(frames, len(tracks) if tracks is not None else 0)
        losses = [*video.losses, *clip.warnings]
    if file.cut_off:
        losses.append(f"{tracks_path}: the last line is cut off and left out")
    if undrawn:
        losses.append(f"{undrawn} of {frames} frames have no line in {tracks_path}")
    return losses
