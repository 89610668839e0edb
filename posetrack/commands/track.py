"""What `posetrack track` does to each of its inputs: a video in, the overlay clip and tracks.jsonl out."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from posetrack.detectors.from_file import FileDetector
from posetrack.drawing.overlay import Trails, overlay
from posetrack.errors import InputError, PoseTrackError
from posetrack.pipeline import PoseTracker
from posetrack.presets import Preset, build, find
from posetrack.progress import progress
from posetrack.results.jsonl import Header, JsonlWriter
from posetrack.types import Frame, Tracks
from posetrack.video import Video, VideoWriter, open_video, prefetch

AHEAD = 8  # decoded frames that wait for the networks, at least


@dataclass
class Summary:
    """What became of one input."""

    name: str
    outputs: list[Path]
    frames: int = 0
    seconds: float = 0.0
    ids: set[int] = field(default_factory=set)
    losses: list[str] = field(default_factory=list)  # what could not be decoded, or copied

    def __str__(self) -> str:
        rate = self.frames / self.seconds if self.seconds else 0.0
        people = f"{len(self.ids)} {'identity' if len(self.ids) == 1 else 'identities'}"
        files = ", ".join(map(str, self.outputs))
        speed = f"{self.frames} frames in {self.seconds:.1f} s ({rate:.1f} frames/s)"
        return f"{self.name}: {speed}, {people} -> {files}"


def track_video(
    source: str | Path,
    out: str | Path,
    *,
    preset: str = "light",
    device: str = "auto",
    boxes: str | Path | None = None,
    weights: str | Path | None = None,
    batch_size: int = 1,
    overwrite: bool = False,
    video: bool = True,
    trails: bool = False,
    draw_boxes: bool = False,
    tracker: PoseTracker | None = None,
) -> Summary:
    """Track one video into `out`/NAME.jsonl and, unless `video` is False, `out`/NAME.mp4.

    Args:
        source: file, folder of pictures, glob or URL.
        out: folder; made where it is missing.
        tracker: a system built before, from this `preset`, `boxes` and `weights`; else they and `device`
            say which to build. The header of the tracks names them.

    Raises:
        InputError: the source cannot be read, or its results are there already.
        PoseTrackError: the request itself is wrong.
    """
    chosen = find(preset)
    boxes, weights = (None if path is None else Path(path) for path in (boxes, weights))
    out = make_folder(out)
    with open_video(source) as clip:
        outputs = output_paths(clip, source, out, video)
        if not overwrite:
            refuse_existing(outputs)
        system = tracker or build(chosen, device, boxes, weights)
        summary = Summary(clip.name, outputs)
        matched = system.detector.matched if isinstance(system.detector, FileDetector) else 0
        start = time.perf_counter()
        with ExitStack() as stack:
            header = header_of(clip, system, chosen, boxes, weights)
            lines = stack.enter_context(JsonlWriter(outputs[0], header, overwrite=overwrite))
            pictures = None
            if video:
                pictures = stack.enter_context(VideoWriter(outputs[1], clip, overwrite=overwrite))
            report = stack.enter_context(progress(clip.name, clip.frame_count))
            memory = Trails() if trails else None
            for frame, tracks in with_frames(system, clip, batch_size):
                lines.write(tracks)
                if pictures is not None:
                    drawn = overlay(
                        frame.image,
                        tracks,
                        joint_threshold=chosen.joint_score,
                        boxes=draw_boxes,
                        trails=memory,
                    )
                    pictures.write(drawn, frame.time)
                summary.frames += 1
                summary.ids.update(tracks.ids.tolist())
                report(summary.frames, len(tracks))
        summary.seconds = time.perf_counter() - start
        summary.losses = [*clip.losses, *(pictures.warnings if pictures is not None else [])]
        if isinstance(system.detector, FileDetector) and system.detector.matched == matched:
            summary.losses.append(f"{boxes} has no box for any of the {summary.frames} frames")
    if summary.frames == 0:
        raise InputError(
            f"{clip.name}: not one frame could be decoded: {'; '.join(summary.losses) or 'it is empty'}"
        )
    return summary


def with_frames(system: PoseTracker, video: Video, batch_size: int) -> Iterator[tuple[Frame, Tracks]]:
    """Every frame with its tracks; decoding runs ahead in a thread of its own."""
    pending: deque[Frame] = deque()

    def remembered() -> Iterator[Frame]:
        for frame in prefetch(video, max(AHEAD, 2 * batch_size)):
            pending.append(frame)
            yield frame

    for tracks in system.track(remembered(), batch_size):
        yield pending.popleft(), tracks


def header_of(
    video: Video, system: PoseTracker, preset: Preset, boxes: Path | None = None, weights: Path | None = None
) -> Header:
    """Files that took the place of the preset's own parts are named in it."""
    models = preset.models()
    models |= {role: path.name for role, path in (("detector", boxes), ("pose", weights)) if path is not None}
    return Header(
        source=video.name,
        width=video.width,
        height=video.height,
        fps=video.fps,
        skeleton=system.skeleton,
        preset=preset.name,
        models=models,
    )


def output_paths(video: Video, source: str | Path, out: Path, with_video: bool) -> list[Path]:
    """tracks first, then the clip. The source itself is never among them."""
    paths = [out / f"{video.stem}.jsonl"] + ([out / f"{video.stem}.mp4"] if with_video else [])
    for path in paths:
        if path.exists() and Path(source).exists() and path.samefile(source):
            raise InputError(
                f"{source}: the result would replace this very file: choose another --out than '{out}'"
            )
    return paths


def refuse_existing(paths: list[Path]) -> None:
    for path in paths:
        if path.exists():
            raise InputError(f"{path} exists already: use --overwrite to replace it, or another --out")


def make_folder(path: str | Path) -> Path:
    """The folder, made where it is missing."""
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PoseTrackError(
            f"cannot make the folder '{folder}' ({error.strerror}): choose another place"
        ) from error
    return folder
