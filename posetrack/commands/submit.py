"""`posetrack submit`: predictions for PoseTrack, one file per annotation file, then a zip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from posetrack.cluster.many import Many
from posetrack.commands import options
from posetrack.errors import InputError, PoseTrackError
from posetrack.files import refuse_existing, replacing

if TYPE_CHECKING:
    from posetrack.cluster.run import RunResult
    from posetrack.datasets.posetrack import PoseTrackSequence
    from posetrack.pipeline import PoseTracker
    from posetrack.sinks import Summary


def submit(
    *,
    annotations: Annotated[Path | None, "folder of PoseTrack annotation files"] = None,
    images: Annotated[Path | None, "root of the PoseTrack images"] = None,
    out: Annotated[Path | None, "folder for the prediction files"] = None,
    preset: options.PresetName = "paper",
    device: options.Device = "auto",
    boxes: Annotated[Path | None, "detections to use instead of the detector, keyed by image id"] = None,
    detector: options.Detector = None,
    weights: options.Weights = None,
    flow: options.Flow = None,
    flow_scale: options.FlowScale = None,
    tracker: options.Tracker = None,
    batch_size: options.BatchSize = 1,
    zip: Annotated[bool, "check the files and put them into OUT.zip"] = False,
    check: Annotated[Path | None, "only check this folder of prediction files"] = None,
    overwrite: Annotated[bool, "do finished sequences again"] = False,
    jobs: options.Jobs = None,
    ray: options.Ray = None,
    shard: options.Shard = None,
    retry_failed: options.RetryFailed = False,
) -> int:
    """Track every sequence of a PoseTrack folder and write what the benchmark takes.

    Finished sequences are kept, so an interrupted run goes on where it stopped.
    """
    if check is not None:
        return _check(check, annotations)
    if annotations is None or images is None or out is None:
        raise PoseTrackError(
            "give --annotations, --images and --out, or --check with a folder of predictions"
        )
    options.check_batch_size(batch_size)
    refuse_existing(zip_path(out) if zip else None, overwrite=overwrite)
    many = Many(jobs, ray, shard, retry_failed, overwrite)
    if many.asked:
        from posetrack.cluster.jobs import SubmitJob
        from posetrack.cluster.tasks import make_tasks

        sequences = checked_sequences(annotations, images, out)
        job = SubmitJob(
            preset, device, boxes and boxes.absolute(), detector, weights and weights.absolute(), flow,
            flow_scale, tracker, batch_size, images.absolute(),
        )  # fmt: skip
        result: RunResult | Submission = many.run(
            make_tasks(str(sequence.annotation) for sequence in sequences), job, str(out)
        )
        print(result)
    else:
        options.make_folder(out)
        system = options.load_tracker(
            preset, device, weights=weights, detector=detector, boxes=boxes,
            flow=flow, flow_scale=flow_scale, tracker=tracker,
        )  # fmt: skip
        result = submit_all(
            annotations, images, out, system, boxes=boxes, batch_size=batch_size, overwrite=overwrite
        )
        print(f"{result.done} sequences tracked, {result.kept} kept from before, {result.failed} failed")
    if zip and not result.failed:
        print(zip_submission(out, annotations, overwrite=overwrite))
    return options.SOME_FAILED if result.failed else options.DONE


def _check(folder: Path, annotations: Path | None) -> int:
    from posetrack.results.check import check_submission

    problems = check_submission(folder, annotations)
    for problem in problems:
        print(problem)
    print(f"{folder}: {len(problems) or 'no'} problem{'' if len(problems) == 1 else 's'}")
    return options.SOME_FAILED if problems else options.DONE


@dataclass
class Submission:
    """What became of a folder of sequences."""

    done: int = 0
    kept: int = 0  # finished by an earlier run
    failed: int = 0


def submit_all(
    annotations: Path,
    images: Path,
    out: Path,
    tracker: PoseTracker,
    *,
    boxes: Path | None = None,
    batch_size: int = 1,
    overwrite: bool = False,
) -> Submission:
    """Track every sequence and write its prediction file; sequences finished before are kept.

    A file is written when its sequence is complete, under the annotation file's name: see `PredictionSink`.

    Args:
        boxes: detections keyed by the annotation files' image ids, to use in place of the tracker's detector.

    Raises:
        PoseTrackError: a folder is missing or empty, images are missing, an annotation file is broken, or
            `out` is the folder of the annotations themselves.
    """
    sequences = checked_sequences(annotations, images, out)
    result = Submission()
    with_boxes = (lambda sequence: tracker) if boxes is None else box_source(tracker, boxes)
    for number, sequence in enumerate(sequences, 1):
        target = out / f"{sequence.name}.json"
        if target.exists() and not overwrite:
            result.kept += 1
            continue
        try:
            title = f"{number}/{len(sequences)} {sequence.name}"
            summary = track_sequence(sequence, with_boxes(sequence), target, batch_size, title)
        except InputError as error:
            result.failed += 1
            options.complain(f"{sequence.name}: {error}")
            continue
        except PoseTrackError:
            raise
        except Exception as error:  # a fault of ours: the other sequences are still done
            result.failed += 1
            options.complain_of(error, sequence.name, out / f"{sequence.name}.error.log")
            continue
        result.done += 1
        print(f"{sequence.name}: {summary.frames} frames, {len(summary.ids)} identities -> {target}")
    return result


def checked_sequences(annotations: Path, images: Path, out: Path) -> list[PoseTrackSequence]:
    """All sequences; raises as `submit_all` does."""
    from posetrack.datasets.posetrack import missing_images, posetrack_sequences

    if out.exists() and annotations.exists() and out.samefile(annotations):
        raise PoseTrackError(
            f"--out {out}: predictions would take the place of the annotations there; choose another folder"
        )
    sequences = posetrack_sequences(annotations, images)
    absent = missing_images(sequences)
    if absent:
        raise PoseTrackError(
            f"images are missing under {images}: {absent[0]} (and {len(absent) - 1} more lines)"
        )
    return sequences


def track_sequence(
    sequence: PoseTrackSequence, tracker: PoseTracker, target: Path, batch_size: int, title: str
) -> Summary:
    """One sequence to its prediction file."""
    from posetrack.progress import progress
    from posetrack.sinks import PredictionSink, run
    from posetrack.video import prefetch

    frames = prefetch(sequence.frames(), max(8, 2 * batch_size))
    with (
        PredictionSink(target, sequence.annotation, tracker) as sink,
        progress(title, len(sequence)) as report,
    ):
        return run(tracker.follow(frames, batch_size), [sink], report)


def box_source(tracker: PoseTracker, boxes: Path) -> Callable[[PoseTrackSequence], PoseTracker]:
    """Gives for each sequence the tracker that has the boxes of its images for a detector."""
    from posetrack.datasets.posetrack import frame_keys
    from posetrack.detectors.box_file import read_box_file
    from posetrack.detectors.from_file import CachedDetections
    from posetrack.presets import min_detector_score_of

    file, min_score = read_box_file(boxes), min_detector_score_of(tracker.preset)
    for warning in file.warnings:
        options.complain(warning)

    def with_boxes(sequence: PoseTrackSequence) -> PoseTracker:
        given = CachedDetections.for_sequence(file, *frame_keys(sequence.annotation), min_score)
        if not given.rows:
            options.complain(f"{sequence.name}: {boxes} has no box for any of its images")
        return replace(tracker, detector=given)

    return with_boxes


def zip_path(folder: Path) -> Path:
    """Beside the folder, under its name."""
    folder = folder.resolve()
    return folder.with_name(folder.name + ".zip")


def zip_submission(folder: Path, annotations: Path, *, overwrite: bool = False) -> Path:
    """All prediction files in `folder`.zip, flat, as the server takes them.

    Raises:
        PoseTrackError: a file breaks the rules (the first fault is named), or the zip is there already.
    """
    import zipfile

    from posetrack.results.check import check_submission

    path = zip_path(folder)
    refuse_existing(path, overwrite=overwrite)
    problems = check_submission(folder, annotations)
    if problems:
        raise PoseTrackError(
            f"{problems[0]} ({len(problems)} problems; see posetrack submit --check {folder})"
        )
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.glob("*.json")):
            archive.write(file, file.name)
    return path
