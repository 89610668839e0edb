"""What `posetrack submit` does: predictions for PoseTrack, one file per annotation file, then a zip."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from posetrack.datasets.posetrack import PoseTrackSequence, missing_images, posetrack_sequences
from posetrack.detectors.from_file import FileDetector, read_rows
from posetrack.errors import InputError, PoseTrackError
from posetrack.files import replacing
from posetrack.pipeline import PoseTracker
from posetrack.presets import Preset
from posetrack.progress import progress
from posetrack.results.annotations import Annotations17, read_annotations
from posetrack.results.check import check_submission
from posetrack.results.posetrack import export_posetrack
from posetrack.types import Frame, Tracks
from posetrack.video import prefetch


@dataclass
class Submission:
    """What became of a folder of sequences."""

    done: int = 0
    kept: int = 0  # finished by an earlier run
    failed: int = 0


def submit(
    annotations: Path,
    images: Path,
    out: Path,
    system: PoseTracker,
    preset: Preset,
    *,
    boxes: Path | None = None,
    batch_size: int = 1,
    overwrite: bool = False,
) -> Submission:
    """Track every sequence and write its prediction file; sequences finished before are kept.

    A file is written when its sequence is complete, under the annotation file's name, with every frame entry,
    joints below the preset's threshold as (0, 0, 0), and joint score x person score as scores, which AP
    ranks better.

    Args:
        boxes: detections keyed by the annotation files' image ids, to use instead of the system's detector.

    Raises:
        PoseTrackError: a folder is missing or empty, images are missing, an annotation file is broken, or
            `out` is the folder of the annotations themselves.
    """
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
    result = Submission()
    given = {} if boxes is None else read_rows(boxes, by_image=True)
    for number, sequence in enumerate(sequences, 1):
        target = out / f"{sequence.name}.json"
        if target.exists() and not overwrite:
            result.kept += 1
            continue
        if boxes is not None:
            frame_of = image_frames(sequence)
            rows = {frame_of[image]: given[image] for image in frame_of.keys() & given.keys()}
            if not rows:
                print(
                    f"posetrack: {sequence.name}: {boxes} has no box for any of its images", file=sys.stderr
                )
            system.detector = FileDetector(rows, preset.detector_score)
        try:
            tracks = list(_track(sequence, system, batch_size, f"{number}/{len(sequences)} {sequence.name}"))
        except InputError as error:
            result.failed += 1
            print(f"posetrack: {sequence.name}: {error}", file=sys.stderr)
            continue
        write_prediction(sequence, tracks, target, system, preset)
        result.done += 1
        people = len({i for t in tracks for i in t.ids.tolist()})
        print(f"{sequence.name}: {len(tracks)} frames, {people} identities -> {target}")
    return result


def image_frames(sequence: PoseTrackSequence) -> dict[int, int]:
    """Image id to frame index."""
    file = read_annotations(sequence.annotation)
    if isinstance(file, Annotations17):
        raise PoseTrackError(
            f"{sequence.annotation.name}: a file of 2017 has no image ids, so --boxes cannot be told apart; "
            "convert the annotations to 2018"
        )
    return {image.id: index for index, image in enumerate(file.images)}


def _track(sequence: PoseTrackSequence, system: PoseTracker, batch_size: int, title: str) -> Iterator[Tracks]:
    frames: Iterable[Frame] = prefetch(sequence.frames(), max(8, 2 * batch_size))
    with progress(title, len(sequence)) as report:
        for done, tracks in enumerate(system.track(frames, batch_size), 1):
            report(done, len(tracks))
            yield tracks


def write_prediction(
    sequence: PoseTrackSequence, tracks: list[Tracks], target: Path, system: PoseTracker, preset: Preset
) -> None:
    """In the format of the annotation file's year."""
    old = isinstance(read_annotations(sequence.annotation), Annotations17)
    export_posetrack(
        tracks,
        target,
        year=2017 if old else 2018,
        skeleton=system.skeleton,
        source=sequence.name,
        annotation=sequence.annotation,
        joint_score=preset.joint_score,
        rescore=True,
    )


def zip_path(folder: Path) -> Path:
    """Beside the folder, under its name."""
    folder = folder.resolve()
    return folder.with_name(folder.name + ".zip")


def zip_submission(folder: Path, annotations: Path, *, overwrite: bool = False) -> Path:
    """All prediction files in `folder`.zip, flat, as the server takes them.

    Raises:
        PoseTrackError: a file breaks the rules (the first fault is named), or the zip is there already.
    """
    path = zip_path(folder)
    if path.exists() and not overwrite:
        raise PoseTrackError(f"{path} exists already: use --overwrite to replace it")
    problems = check_submission(folder, annotations)
    if problems:
        raise PoseTrackError(
            f"{problems[0]} ({len(problems)} problems; see posetrack submit --check {folder})"
        )
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.glob("*.json")):
            archive.write(file, file.name)
    return path
