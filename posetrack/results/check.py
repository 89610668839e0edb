"""Checks of PoseTrack files: what the evaluator cannot use, and what the benchmark's server refuses.

>>> for problem in check_submission("predictions", "annotations/val"):    # doctest: +SKIP
...     print(problem)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from posetrack.documents import shortened, shown
from posetrack.errors import PoseTrackError
from posetrack.results.annotations import (
    Annotations,
    Annotations17,
    Annotations18,
    BrokenFile,
    Problem,
    frame_label,
    read_annotations,
    short_name,
)
from posetrack.results.formats import image_id
from posetrack.skeletons import COCO17, POSETRACK17

MAX_TRACK_ID = 999
_JOINTS = set(POSETRACK17.keypoints)


def json_files(folder: str | Path) -> list[Path]:
    """The PoseTrack files of a folder, by name.

    Raises:
        PoseTrackError: no such folder, or no JSON file in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise PoseTrackError(f"{folder}: no such folder")
    files = sorted(path for path in folder.glob("*.json") if not path.name.startswith("."))
    if not files:
        raise PoseTrackError(f"{folder}: no .json file in this folder; give the folder that holds them")
    return files


def faults(file: Annotations, name: str, *, ground_truth: bool = False) -> list[Problem]:
    """What makes a well-formed file unusable: unknown joints, wrong lengths, a person twice in one frame ...

    Ground truth may hold an id twice in a frame (poseval takes it), but must give every head box.
    """
    if isinstance(file, Annotations17):
        return list(_faults17(file, name, ground_truth))
    return list(_faults18(file, name, ground_truth))


def _faults18(file: Annotations18, name: str, ground_truth: bool) -> Iterator[Problem]:
    names = file.categories[0].keypoints
    yield from _joint_faults(names, name)
    frames: dict[int, str] = {}
    for index, image in enumerate(file.images):
        label = frame_label(index, image.file_name)
        if image.id in frames:
            yield Problem(name, label, f"images[{index}].id", f"{image.id} is used twice; ids must be unique")
        frames.setdefault(image.id, label)
        x, y = image.ignore_regions_x, image.ignore_regions_y
        if [len(part) for part in x] != [len(part) for part in y]:
            what = "ignore_regions_x and ignore_regions_y differ in length"
            yield Problem(name, label, f"images[{index}].ignore_regions_x", what)
    seen: set[tuple[int, int]] = set()
    for index, person in enumerate(file.annotations):
        frame = frames.get(person.image_id)
        field = f"annotations[{index}]"
        if frame is None:
            yield Problem(
                name, "", f"{field}.image_id", f"{person.image_id} is the id of no image of this file"
            )
            continue
        if len(person.keypoints) != 3 * len(names):
            what = (
                f"{len(person.keypoints)} numbers, expected {3 * len(names)}: x, y, visibility of every joint"
            )
            yield Problem(name, frame, f"{field}.keypoints", what)
        if len(person.scores) not in (0, len(names)):
            what = f"{len(person.scores)} scores, expected {len(names)}, one for every joint"
            yield Problem(name, frame, f"{field}.scores", what)
        if ground_truth and person.bbox_head is None:
            yield Problem(name, frame, f"{field}.bbox_head", "missing; ground truth needs the head box")
        if not ground_truth and (person.image_id, person.track_id) in seen:
            yield _twice(name, frame, f"{field}.track_id", person.track_id)
        seen.add((person.image_id, person.track_id))


def _joint_faults(names: list[str], name: str) -> Iterator[Problem]:
    field = "categories[0].keypoints"
    missing, unknown = _JOINTS - set(names), set(names) - _JOINTS - {"left_ear", "right_ear"}
    if len(set(names)) != len(names):
        twice = [joint for joint, count in Counter(names).items() if count > 1]
        yield Problem(name, "", field, f"joint named twice: {shortened(', '.join(twice))}")
    elif set(names) == set(COCO17.keypoints):
        return  # converted when read
    elif missing or unknown:
        parts = [f"missing {shortened(', '.join(sorted(missing)))}"] * bool(missing)
        parts += [f"unknown {shortened(', '.join(sorted(unknown)))}"] * bool(unknown)
        what = f"{'; '.join(parts)}: name the 15 joints of PoseTrack (and the ears), or the 17 of COCO"
        yield Problem(name, "", field, what)


def _faults17(file: Annotations17, name: str, ground_truth: bool) -> Iterator[Problem]:
    for index, frame in enumerate(file.annolist):
        label = frame_label(index, frame.image[0].name)
        seen = set()
        for number, rect in enumerate(frame.annorect):
            field = f"annolist[{index}].annorect[{number}]"
            identity = rect.track_id[0]
            points = rect.annopoints[0].point if rect.annopoints else None
            if not ground_truth and identity in seen:
                yield _twice(name, label, f"{field}.track_id", identity)
            seen.add(identity)
            if ground_truth and points is not None and None in (rect.x1, rect.y1, rect.x2, rect.y2):
                yield Problem(
                    name, label, f"{field}.x1", "missing; ground truth needs the head box x1, y1, x2, y2"
                )
            for place, point in enumerate(points or []):
                if point.id is not None and not 0 <= point.id[0] < len(POSETRACK17):
                    what = f"{point.id[0]} is an unknown joint; PoseTrack 2017 has 0 to 14"
                    yield Problem(name, label, f"{field}.annopoints[0].point[{place}].id", what)


def _twice(name: str, frame: str, field: str, identity: int) -> Problem:
    return Problem(name, frame, field, f"{identity} is used twice in this frame; give every person an own id")


def check_submission(folder: str | Path, annotations: str | Path | None = None) -> list[Problem]:
    """Everything that the PoseTrack server would refuse in a folder of prediction files, and how to mend it.

    Args:
        folder: with one .json file for each sequence.
        annotations: folder of the annotation files; when given, names, frames and their order are compared.

    Raises:
        PoseTrackError: a folder does not exist or holds no .json file, or an annotation file is broken.
    """
    files = json_files(folder)
    expected = {path.name: path for path in json_files(annotations)} if annotations is not None else {}
    problems: list[Problem] = []
    years: dict[str, int] = {}
    for path in files:
        name = short_name(path)
        truth = read_annotations(expected[path.name]) if path.name in expected else None
        try:
            file = read_annotations(path)
        except BrokenFile as broken:
            problems += broken.problems
            continue
        problems += faults(file, name)
        problems += _rule_breaks(file, name)
        if truth is not None:
            problems += _frame_differences(file, truth, name)
        years[name] = 2017 if isinstance(file, Annotations17) else 2018
    if len(set(years.values())) > 1:
        few = min((2017, 2018), key=list(years.values()).count)
        odd = next(name for name, year in years.items() if year == few)
        what = f"a file of {few} among files of {2018 if few == 2017 else 2017}; use one format for all"
        problems.append(Problem(odd, "", "annolist" if few == 2017 else "images", what))
    if expected:
        here = Path(folder).name
        absent = sorted(expected.keys() - {path.name for path in files})
        strange = [path for path in files if path.name not in expected]
        what = "missing; every annotation file needs its answer"
        problems += [Problem(f"{here}/{name}", "", "", what) for name in absent]
        problems += [
            Problem(short_name(path), "", "", "answers no annotation file; remove it") for path in strange
        ]
    return problems


def _rule_breaks(file: Annotations, name: str) -> Iterator[Problem]:
    """Ids outside 0 to 999; once a file: a category or frame names poseval stops at, and missing scores."""
    if isinstance(file, Annotations18):
        if file.categories[0].name != "person":
            what = f"{shown(file.categories[0].name)} instead of 'person'"
            yield Problem(name, "", "categories[0].name", what)
        for index, image in enumerate(file.images):
            if image_id(image.file_name, -1) < 0:
                what = f"{shortened(image.file_name)} is none like .../000342_mpii_test/000012.jpg"
                yield Problem(name, frame_label(index, image.file_name), f"images[{index}].file_name", what)
                break
    unscored = 0
    first = None
    for frame, field, identity, scored, joints in _people(file):
        if not 0 <= identity <= MAX_TRACK_ID:
            what = f"{identity} is outside 0 to {MAX_TRACK_ID}; number the tracks anew in every sequence"
            yield Problem(name, frame, f"{field}.track_id", what)
        if joints and not scored:
            first = first or (frame, f"{field}.scores")
            unscored += 1
    if first:
        what = f"missing (in {unscored} poses); without scores every joint counts as -9999, which ruins AP"
        yield Problem(name, *first, what)


def _people(file: Annotations) -> Iterator[tuple[str, str, int, bool, bool]]:
    """Frame, field, id, whether all joints are scored, whether there are joints, for every pose."""
    if isinstance(file, Annotations17):
        for index, frame in enumerate(file.annolist):
            for number, rect in enumerate(frame.annorect):
                points = (rect.annopoints[0].point or []) if rect.annopoints else []
                yield (
                    frame_label(index, frame.image[0].name),
                    f"annolist[{index}].annorect[{number}]",
                    rect.track_id[0],
                    all(point.score for point in points),
                    bool(points),
                )
        return
    frames = {image.id: frame_label(index, image.file_name) for index, image in enumerate(file.images)}
    for number, person in enumerate(file.annotations):
        frame_name = frames.get(person.image_id, "")
        yield (
            frame_name,
            f"annotations[{number}]",
            person.track_id,
            bool(person.scores),
            any(person.keypoints),
        )


def frame_names(file: Annotations) -> list[str]:
    """The file name of every frame, in the order of the file."""
    if isinstance(file, Annotations17):
        return [frame.image[0].name for frame in file.annolist]
    return [image.file_name for image in file.images]


def _frame_differences(file: Annotations, truth: Annotations, name: str) -> Iterator[Problem]:
    """poseval pairs frames by place, so number and order must be those of the annotations."""
    given, wanted = frame_names(file), frame_names(truth)
    field = "annolist" if isinstance(file, Annotations17) else "images"
    if len(given) != len(wanted):
        what = (
            f"{len(given)} frames, the annotation file has {len(wanted)}; answer every frame, empty ones too"
        )
        yield Problem(name, "", field, what)
        return
    for index, (ours, theirs) in enumerate(zip(given, wanted, strict=True)):
        if ours.rsplit("/", 1)[-1] != theirs.rsplit("/", 1)[-1]:
            what = f"is {shortened(ours)}, the annotation file has {theirs} in this place; keep its order"
            yield Problem(name, frame_label(index, theirs), f"{field}[{index}]", what)
            return
