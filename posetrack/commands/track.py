"""`posetrack track`: videos in, for each the overlay clip and tracks.jsonl out."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from posetrack.cluster.many import Many
from posetrack.commands import options
from posetrack.commands.options import complain, complain_of
from posetrack.commands.render import refuse_no_frames
from posetrack.errors import InputError, PoseTrackError
from posetrack.files import locked, refuse_existing
from posetrack.video.names import is_address

if TYPE_CHECKING:
    from posetrack.detectors.box_file import BoxFile
    from posetrack.pipeline import PoseTracker
    from posetrack.results.jsonl import Header
    from posetrack.sinks import Sink, Summary
    from posetrack.video import Video

AHEAD = 8  # decoded frames that wait for the networks, at least


def track(
    input: Annotated[list[str], "video files, folders of pictures, globs or URLs"] = [],  # noqa: B006
    *,
    out: Annotated[str, "folder for NAME.mp4 and NAME.jsonl, or s3://BUCKET/FOLDER"],
    preset: options.PresetName = "light",
    device: options.Device = "auto",
    boxes: Annotated[Path | None, "detections to use instead of the detector: COCO results JSON"] = None,
    detector: options.Detector = None,
    weights: options.Weights = None,
    flow: options.Flow = None,
    flow_scale: options.FlowScale = None,
    tracker: options.Tracker = None,
    batch_size: options.BatchSize = 1,
    overwrite: options.Overwrite = False,
    video: Annotated[bool, "write no overlay clip, only NAME.jsonl"] = True,
    trails: options.Trails = False,
    draw_boxes: options.DrawBoxes = False,
    jobs: options.Jobs = None,
    ray: options.Ray = None,
    shard: options.Shard = None,
    manifest: Annotated[Path | None, 'more videos, a line of JSON each: {"source": "clip.mp4"}'] = None,
    retry_failed: options.RetryFailed = False,
    pieces: Annotated[
        float | None,
        "cut longer videos into pieces of so many minutes, stitched: not quite what one run gives",
    ] = None,
) -> int:
    """Track people in videos: an overlay clip and tracks.jsonl for each."""
    from posetrack.detectors.box_file import read_box_file
    from posetrack.video import expand_sources, output_stem

    options.check_batch_size(batch_size)
    sources = expand_sources(input)
    many = Many(jobs, ray, shard, retry_failed, overwrite, pieces)
    if many.asked or manifest is not None or is_address(out):
        if pieces is not None and boxes is not None:
            raise PoseTrackError("--pieces and --boxes, which go by frame numbers: give one of them")
        from posetrack.cluster.jobs import TrackJob
        from posetrack.cluster.tasks import make_tasks, read_manifest

        job = TrackJob(
            preset, device, boxes and boxes.absolute(), detector, weights and weights.absolute(), flow,
            flow_scale, tracker, batch_size, video, trails, draw_boxes,
        )  # fmt: skip
        tasks = make_tasks(sources) + ([] if manifest is None else read_manifest(manifest))
        done = many.run(tasks, job, out)
        print(done)
        return options.SOME_FAILED if done.failed or done.warnings else options.DONE
    if not sources:
        raise PoseTrackError("no videos: name some, or give a --manifest")
    refuse_same_names(sources)
    given = None if boxes is None else read_box_file(boxes)
    options.make_folder(out)
    system = options.load_tracker(
        preset, device, weights=weights, detector=detector, boxes=boxes,
        flow=flow, flow_scale=flow_scale, tracker=tracker,
    )  # fmt: skip
    warnings = refused = broken = 0
    for source in sources:
        try:
            result = track_video(
                source,
                out,
                tracker=system,
                boxes=given,
                batch_size=batch_size,
                overwrite=overwrite,
                video=video,
                trails=trails,
                draw_boxes=draw_boxes,
            )
        except Exception as error:  # whoever has more videos still gets theirs
            ours = complain_of(error, source, Path(out) / f"{output_stem(source)}.error.log")
            broken += ours
            refused += not ours
        else:
            print(result)
            for warning in result.warnings:
                warnings += 1
                complain(f"{result.name}: {warning}")
    if refused == len(sources):
        return options.WRONG_REQUEST
    return options.SOME_FAILED if refused or broken or warnings else options.DONE


@dataclass
class TrackedVideo:
    """What became of one input."""

    name: str
    outputs: list[Path]
    summary: Summary
    warnings: list[str] = field(default_factory=list)  # what could not be decoded, or copied

    def __str__(self) -> str:
        return f"{self.name}: {self.summary} -> {', '.join(map(str, self.outputs))}"


def track_video(
    source: str | Path,
    out: str | Path,
    *,
    preset: str = "light",
    device: str = "auto",
    tracker: PoseTracker | None = None,
    weights: str | Path | None = None,
    boxes: BoxFile | str | Path | None = None,
    batch_size: int = 1,
    overwrite: bool = False,
    video: bool = True,
    trails: bool = False,
    draw_boxes: bool = False,
    start: float | None = None,
    end: float | None = None,
    stem: str | None = None,
    task: str = "",
) -> TrackedVideo:
    """Track one video into `out`/NAME.jsonl and, unless `video` is False, `out`/NAME.mp4.

    Args:
        source: file, folder of pictures, glob or URL.
        out: folder; made where it is missing.
        tracker: a system loaded before; else `preset`, `device` and `weights` say which to load.
        boxes: detections to use in place of its detector.
        start, end: seconds of the video; only the frames between them, without sound.
        stem: NAME, in place of the source's own.
        task: for the header; see cluster/tasks.py.

    Raises:
        InputError: the source cannot be read, or its results are there already.
        PoseTrackError: the request itself is wrong.
    """
    from posetrack.detectors.from_file import CachedDetections
    from posetrack.presets import load, min_detector_score_of
    from posetrack.progress import progress
    from posetrack.results.jsonl import unfinished
    from posetrack.sinks import OverlaySink, TracksSink, run
    from posetrack.video import open_video, prefetch

    out = options.make_folder(out)
    with open_video(source) as clip, locked(out / f"{stem or clip.stem}.jsonl"):
        if start is not None or end is not None:
            clip.sound, clip.start = None, max(clip.start, Fraction(start or 0))
        outputs = output_paths(clip, out, video, stem)
        left = unfinished(outputs[0])  # by a run that was broken off: this one has all that it had
        refuse_existing(*(path for path in outputs if path.suffix not in left), overwrite=overwrite)
        system = tracker or load(preset, device, weights=weights)
        given = None
        if boxes is not None:
            if start is not None or end is not None:
                raise InputError(f"{clip.name}: --boxes go by frame numbers, which a part of it counts anew")
            given = CachedDetections.for_video(
                boxes, clip.stem, clip.names, clip.frame_count, min_detector_score_of(system.preset)
            )
            models = {**system.models, "detector": Path(given.name).name}
            system = replace(system, detector=given, models=models)
        with ExitStack() as stack:
            header = replace(header_of(clip, system), task=task)
            lines = TracksSink(
                outputs[0], header, overwrite=True, unfinished=[path.suffix for path in outputs]
            )
            sinks: list[Sink] = [stack.enter_context(lines)]
            if video:
                overlay = OverlaySink(
                    outputs[1],
                    clip,
                    min_joint_score=system.min_joint_score,
                    boxes=draw_boxes,
                    trails=trails,
                    overwrite=True,
                )
                sinks.append(stack.enter_context(overlay))
            report = stack.enter_context(progress(clip.name, clip.frame_count))
            frames = prefetch(clip.between(start, end), max(AHEAD, 2 * batch_size))
            summary = run(system.follow(frames, batch_size), sinks, report)
        warnings = [*clip.warnings, *(warning for sink in sinks for warning in sink.warnings)]
        warnings += given.warnings if given is not None else []
    refuse_no_frames(clip, summary, warnings)
    return TrackedVideo(clip.name, outputs, summary, warnings)


def header_of(video: Video, tracker: PoseTracker) -> Header:
    """The first line of tracks.jsonl."""
    from posetrack.results.jsonl import Header

    return Header(
        source=video.name,
        width=video.width,
        height=video.height,
        fps=video.fps,
        skeleton=tracker.skeleton,
        preset=tracker.preset,
        models=tracker.models,
        pixel_aspect=float(video.pixel_aspect),
    )


def output_paths(video: Video, out: Path, with_video: bool, stem: str | None = None) -> list[Path]:
    """tracks first, then the clip. The source itself is never among them."""
    stem = stem or video.stem
    paths = [out / f"{stem}.jsonl"] + ([out / f"{stem}.mp4"] if with_video else [])
    for path in paths:
        if video.path is not None and path.exists() and path.samefile(video.path):
            raise InputError(
                f"{video.name}: the result would replace this very file: choose another --out than '{out}'"
            )
    return paths


def refuse_same_names(sources: Sequence[str]) -> None:
    """Two inputs of one name would write the same files."""
    from posetrack.video import output_stem

    seen: dict[str, str] = {}
    for source in sources:
        stem = output_stem(source)
        if stem in seen:
            raise PoseTrackError(
                f"'{seen[stem]}' and '{source}' would both write {stem}.jsonl: give them different folders"
            )
        seen[stem] = source
