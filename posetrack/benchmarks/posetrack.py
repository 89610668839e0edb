"""Single-frame AP on PoseTrack 2017, 2018 and 2021, by the evaluator of the tracking benchmark.

Only labelled frames are looked at. Predictions are written as PoseTrack files with dummy track ids, so what
is measured is what `posetrack eval` measures; its tracking numbers would mean nothing and are left out.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posetrack.benchmarks.predict import PosedBoxes, find_people
from posetrack.benchmarks.result import BenchmarkResult, Options, benchmark_result, kept_rows
from posetrack.datasets.pictures import read_picture
from posetrack.datasets.posetrack import PoseTrackSequence, frame_keys, posetrack_sequences, split_folders
from posetrack.detectors.box_file import read_box_file
from posetrack.detectors.from_file import CachedDetections
from posetrack.errors import PoseTrackError
from posetrack.evaluation import PoseTrackReport, evaluate_posetrack
from posetrack.evaluation.numbers import columns
from posetrack.evaluation.report import PARTS, part_means
from posetrack.pose.estimator import HeatmapEstimator
from posetrack.results.annotations import Annotations17, read_annotations, write_annotations
from posetrack.results.posetrack import export_posetrack, read_posetrack
from posetrack.types import Tracks

Place = tuple[int, int]  # sequence, frame


@dataclass(frozen=True, eq=False)
class _Boxes:
    """N boxes in labelled frames."""

    places: Sequence[Place]
    boxes: NDArray[np.float32]  # (N, 4)
    scores: NDArray[np.float32]  # (N,)


def posetrack(estimator: HeatmapEstimator, root: Path, options: Options) -> BenchmarkResult:
    """AP of the 15 joints, joint score x person score as scores, as `posetrack submit` writes them.

    Labelled boxes are those of the files: since 2018 the extent of the joints and 15 % more on each side,
    made alike for 2017.

    Raises:
        PoseTrackError: annotations or detections that cannot be used, no picture.
    """
    annotations, images = split_folders(root, options.split)
    sequences = posetrack_sequences(annotations, images)
    found = _labelled(sequences) if options.boxes is None else _detected(sequences, options)
    names = [str(sequences[s].images[frame]) for s, frame in found.places]
    seen = find_people(
        estimator, names, found.boxes, found.scores, lambda name: read_picture(Path(name)), "posetrack"
    )
    with tempfile.TemporaryDirectory(prefix="posetrack-") as folder:
        truth, answers = Path(folder, "truth"), Path(folder, "answers")
        kept = kept_rows(seen, found.places, options)
        for number, sequence in enumerate(sequences):
            if _write_truth(sequence, truth, seen.lost):
                mine = {frame: rows for (s, frame), rows in kept.items() if s == number}
                _write_answer(sequence, answers, seen, mine)
        report = evaluate_posetrack(truth, answers)
        results = {path.name: json.loads(path.read_text()) for path in sorted(answers.iterdir())}
    metrics, table = _metrics(report)
    return benchmark_result(seen, found.places, metrics, table, results)


def _labelled(sequences: Sequence[PoseTrackSequence]) -> _Boxes:
    places: list[Place] = []
    boxes: list[NDArray[np.float32]] = []
    for number, sequence in enumerate(sequences):
        for tracks in read_posetrack(sequence.annotation):
            if sequence.labelled[tracks.index]:
                there = tracks.poses.keypoint_scores.any(axis=1)  # a person without a joint has no box either
                boxes.append(tracks.poses.boxes[there])
                places += [(number, tracks.index)] * int(there.sum())
    return _Boxes(places, np.concatenate(boxes), np.ones(len(places), np.float32))


def _detected(sequences: Sequence[PoseTrackSequence], options: Options) -> _Boxes:
    assert options.boxes is not None
    file = read_box_file(options.boxes)
    places: list[Place] = []
    tables = [np.zeros((0, 5), np.float32)]  # x1, y1, x2, y2, score
    for number, sequence in enumerate(sequences):
        given = CachedDetections.for_sequence(file, *frame_keys(sequence.annotation))
        for frame, table in given.rows.items():
            kept = table[table[:, 4] >= options.box_score] if sequence.labelled[frame] else table[:0]
            tables.append(kept)
            places += [(number, frame)] * len(kept)
    if not places:
        raise PoseTrackError(f"{options.boxes} has no box for any labelled frame: give boxes of these videos")
    boxes = np.concatenate(tables)
    return _Boxes(places, boxes[:, :4], boxes[:, 4])


def _write_truth(sequence: PoseTrackSequence, folder: Path, lost: Mapping[str, str]) -> bool:
    """The annotation file without the people of lost pictures, whose frames so do not count; is any left?"""
    file = read_annotations(sequence.annotation)
    gone = {frame for frame, path in enumerate(sequence.images) if str(path) in lost}
    if isinstance(file, Annotations17):
        for frame in gone:
            file.annolist[frame].annorect = []
        left = any(frame.annorect for frame in file.annolist)
    else:
        ids = {file.images[frame].id for frame in gone}
        file.annotations = [person for person in file.annotations if person.image_id not in ids]
        left = bool(file.annotations)
    if left or not gone:
        write_annotations(file, folder / f"{sequence.name}.json")
    return left or not gone


def _write_answer(
    sequence: PoseTrackSequence, folder: Path, seen: PosedBoxes, kept: Mapping[int, NDArray[np.intp]]
) -> None:
    """The poses of one sequence in the format of its year; track ids count the people of each frame."""
    tracks = [
        Tracks(seen.poses[rows], range(1, len(rows) + 1), np.zeros(len(rows), np.bool_), frame, 0.0, (0, 0))
        for frame, rows in kept.items()
    ]
    old = isinstance(read_annotations(sequence.annotation), Annotations17)
    export_posetrack(
        tracks,
        folder / f"{sequence.name}.json",
        year=2017 if old else 2018,
        skeleton=seen.poses.skeleton,
        source=sequence.name,
        annotation=sequence.annotation,
        rescore=True,
    )


def _metrics(report: PoseTrackReport) -> tuple[dict[str, Any], str]:
    content = report.to_json()
    parts = dict(zip(PARTS, part_means(report.scores["ap"]), strict=True)) | {"Total": report.totals["ap"]}
    sizes = {name: content[name] for name in ("sequences", "labelled_frames")}
    if not report.labelled_frames:
        raise PoseTrackError("no labelled frame is left to measure: fetch the pictures and annotations again")
    return sizes | {name: content[name] for name in ("ap", "precision_ap", "recall_ap")}, columns(parts)
