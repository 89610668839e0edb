"""The PoseTrack benchmark: two folders of JSON files in, a report with poseval's numbers out.

    >>> from posetrack.evaluation import evaluate_posetrack
    >>> report = evaluate_posetrack("annotations/val", "predictions")       # doctest: +SKIP
    >>> print(report.table())                                               # doctest: +SKIP

The reference is poseval (leonid-pishchulin/poseval) with motmetrics 1.4.0. What it does beyond its
description is copied and named QUIRK in the comments; `quirks.py` holds the switches.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from posetrack.documents import shortened
from posetrack.errors import PoseTrackError
from posetrack.evaluation.ap import assign_poses, detect
from posetrack.evaluation.hota import HotaCounts, Matches, Numbers, associate, count_hota, match_joints
from posetrack.evaluation.mot import count_mot
from posetrack.evaluation.people import MISSING_SCORE, Frames, People, read_people
from posetrack.evaluation.quirks import POSEVAL, STRICT, Quirks
from posetrack.evaluation.report import PoseTrackReport, SequenceResult
from posetrack.evaluation.scene import Scene, make_scene
from posetrack.evaluation.timeline import make_timeline
from posetrack.results.annotations import (
    Annotations,
    Annotations17,
    BrokenFile,
    Problem,
    frame_label,
    read_annotations,
    short_name,
)
from posetrack.results.check import faults, json_files


def evaluate_posetrack(
    gt_dir: str | Path, pred_dir: str | Path, *, strict: bool = False, quirks: Quirks | None = None
) -> PoseTrackReport:
    """AP, MOTA, MOTP, precision, recall, HOTA and IDF1 of a folder of predictions.

    Args:
        gt_dir: ground truth, one .json file for each sequence, PoseTrack 2017, 2018 or 2021.
        pred_dir: a file of the same name for each, in any of these formats; COCO joints are converted.
        strict: count the last labelled frame of every sequence and every real miss, which poseval does not.
        quirks: each deviation on its own, in place of `strict`.

    Raises:
        PoseTrackError: a folder or a file is missing or empty, or a file is broken; one line, naming file,
            frame and field.
    """
    quirks = quirks or (STRICT if strict else POSEVAL)
    truth_files, answers = _pair_files(Path(gt_dir), Path(pred_dir))
    results: list[SequenceResult] = []
    doubts: dict[str, list[Problem]] = {}
    years: dict[int, str] = {}
    shared: list[Matches] = []  # protocol 2
    shared_counts = HotaCounts.zero()
    truth_numbers: Numbers = {}
    prediction_numbers: Numbers = {}
    for truth_file, answer in zip(truth_files, answers, strict=True):
        frames, truth = _read(truth_file, ground_truth=True)[1:]
        file, answered, predictions = _read(answer)
        _same_frames(frames, answered, answer, file)
        years.setdefault(2017 if isinstance(file, Annotations17) else 2018, short_name(answer))
        for problem in _doubts(
            frames, answered, predictions, short_name(answer), isinstance(file, Annotations17)
        ):
            doubts.setdefault(problem.field, []).append(problem)
        scene = make_scene(truth_file.stem, frames, truth, predictions)
        results.append(_evaluate(scene, quirks))
        if (truth.persons >= 0).any():
            matches = match_joints(scene, protocol=2, truth=truth_numbers, prediction=prediction_numbers)
            shared.append(matches)
            shared_counts += count_hota(scene, matches, kit_empty_frames=quirks.kit_empty_frames)
    warnings = [_one_line(problems) for problems in doubts.values()]
    if len(years) > 1:
        what = "a file of 2017 among files of 2018; PoseTrack takes one format for all"
        warnings.append(str(Problem(years[2017], "", "annolist", what)))
    across = None
    if shared:
        counts = shared_counts
        across = HotaCounts(counts.matches, counts.misses, counts.false_positives, *associate(shared))
    return PoseTrackReport(tuple(results), quirks, across, tuple(warnings))


def _evaluate(scene: Scene, quirks: Quirks) -> SequenceResult:
    assigned = assign_poses(scene)
    matches = match_joints(scene)
    return SequenceResult(
        scene.name,
        detect(scene, assigned),
        count_mot(scene, quirks),
        count_hota(scene, matches, kit_empty_frames=quirks.kit_empty_frames),
        make_timeline(scene, assigned),
    )


def _pair_files(gt_dir: Path, pred_dir: Path) -> tuple[list[Path], list[Path]]:
    truth_files = json_files(gt_dir)
    json_files(pred_dir)  # says so if the folder is missing or empty
    answers = [pred_dir / path.name for path in truth_files]
    missing = [path.name for path in answers if not path.is_file()]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise PoseTrackError(
            f"{pred_dir / missing[0]}{more}: no such prediction file; every file of {gt_dir} needs one"
        )
    return truth_files, answers


def _read(path: Path, *, ground_truth: bool = False) -> tuple[Annotations, Frames, People]:
    file = read_annotations(path)
    found = faults(file, short_name(path), ground_truth=ground_truth)
    if found:
        raise BrokenFile(found)
    return file, *read_people(file)


def _same_frames(truth: Frames, answered: Frames, path: Path, file: Annotations) -> None:
    if len(truth.names) != len(answered.names):
        field = "annolist" if isinstance(file, Annotations17) else "images"
        what = f"{len(answered.names)} frames, the ground truth has {len(truth.names)}; answer every frame"
        raise BrokenFile([Problem(short_name(path), "", field, what)])


def _doubts(truth: Frames, answered: Frames, predictions: People, name: str, old: bool) -> Iterator[Problem]:
    """What poseval takes without a word but is probably a mistake."""
    for index, (ours, theirs) in enumerate(zip(answered.names, truth.names, strict=True)):
        if ours.rsplit("/", 1)[-1] != theirs.rsplit("/", 1)[-1]:
            # QUIRK paired-by-place: poseval compares the n-th frame with the n-th frame, whatever their names
            what = f"is {shortened(ours)}; frames are compared by their place in the file"
            yield Problem(name, frame_label(index, theirs), "image" if old else "file_name", what)
            break
    unscored = (predictions.present & (predictions.scores == MISSING_SCORE)).any(axis=1)
    if unscored.any():
        index = int(predictions.frame[unscored.argmax()])
        what = f"missing in {int(unscored.sum())} poses; joints without score rank last, which lowers AP"
        yield Problem(name, frame_label(index, answered.names[index]), "score" if old else "scores", what)


def _one_line(problems: list[Problem]) -> str:
    more = f" (and likewise in {len(problems) - 1} more files)" if len(problems) > 1 else ""
    return f"{problems[0]}{more}"
