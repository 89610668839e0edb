"""PoseTrack annotation and prediction files of 2017, 2018 and 2021, as typed, validated, loss-free models.

    >>> file = read_annotations("annotations/val/000342_mpii_test.json")       # doctest: +SKIP
    >>> write_annotations(file, "copy.json")                                   # doctest: +SKIP

2021 files are 2018 files with a `person_id`. Fields that no model names are kept as they are, so a file
that is read and written again holds the same values. `formats.py` converts between the years.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from annotated_types import Len
from pydantic import BaseModel, ConfigDict, PlainSerializer, ValidationError
from pydantic_core import from_json

from posetrack.documents import Name as FileName
from posetrack.documents import Real, Whole, faults_of, place, read_bytes, shortened
from posetrack.errors import PoseTrackError
from posetrack.files import replacing


@dataclass(frozen=True)
class Problem:
    """One thing wrong with one file, said in one line."""

    file: str
    frame: str  # "frame 3 (000003.jpg)", or "" where it concerns the whole file
    field: str
    what: str  # what is wrong, and what to do

    def __str__(self) -> str:
        return ": ".join(part for part in (self.file, self.frame, self.field, self.what) if part)


class BrokenFile(PoseTrackError):  # noqa: N818  it names a state, as FileNotFoundError does not end in "Missing"
    """A file that cannot be used; `problems` holds every fault, the message is the first."""

    def __init__(self, problems: list[Problem]) -> None:
        more = f" (and {len(problems) - 1} more faults in this file)" if len(problems) > 1 else ""
        super().__init__(f"{problems[0]}{more}")
        self.problems = problems


class _Record(BaseModel):
    """Strict: "3" is not a number, NaN and infinity are refused. Unknown fields are kept, NaN as null."""

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False, ser_json_inf_nan="null")


# Whole numbers are written without ".0", as the distributed files have them.
Number: TypeAlias = Annotated[Real, PlainSerializer(lambda x: int(x) if x.is_integer() else x)]
OneNumber: TypeAlias = Annotated[list[Number], Len(1, 1)]  # 2017 wraps every scalar in a list
OneInteger: TypeAlias = Annotated[list[Whole], Len(1, 1)]
Box: TypeAlias = Annotated[list[Number], Len(4, 4)]


class Image(_Record):
    """One frame of a 2018 file."""

    file_name: FileName
    id: Whole
    is_labeled: bool | int | None = None
    ignore_regions_x: list[list[Number]] = []  # polygons
    ignore_regions_y: list[list[Number]] = []


class Person(_Record):
    """One pose of a 2018 file."""

    image_id: Whole
    track_id: Whole
    keypoints: list[Number]  # x, y, visibility for every joint of the category; (0, 0, 0) is no joint
    scores: list[Number] = []  # one for every joint, or none at all
    bbox: Box | None = None  # x, y, width, height
    bbox_head: Box | None = None
    score: Number | None = None
    person_id: Whole | None = None  # 2021: the same in every video


class Category(_Record):
    """The joint names, in the order of `keypoints`."""

    name: str = "person"
    keypoints: list[str]


class Annotations18(_Record):
    """A file of 2018 or 2021: one video."""

    images: list[Image]
    annotations: list[Person]
    categories: Annotated[list[Category], Len(1, 1)]


class Name(_Record):
    name: FileName


class Point(_Record):
    """One joint of a 2017 file, or a corner of an ignore region (then without id)."""

    x: OneNumber
    y: OneNumber
    id: OneInteger | None = None
    score: OneNumber | None = None


class Points(_Record):
    point: list[Point] | None = None


class Rect(_Record):
    """One pose of a 2017 file. The corners are those of the head box."""

    track_id: OneInteger
    x1: OneNumber | None = None
    y1: OneNumber | None = None
    x2: OneNumber | None = None
    y2: OneNumber | None = None
    score: OneNumber | None = None
    annopoints: list[Points] = []


class ListedFrame(_Record):
    """One frame of a 2017 file."""

    image: Annotated[list[Name], Len(1, 1)]
    annorect: list[Rect]
    is_labeled: list[bool | int] | None = None
    ignore_regions: list[Points] = []


class Annotations17(_Record):
    """A file of 2017: one video."""

    annolist: list[ListedFrame]


Annotations: TypeAlias = Annotations17 | Annotations18


def read_annotations(path: str | Path) -> Annotations:
    """A PoseTrack file of any year.

    Raises:
        InputError: it cannot be read.
        BrokenFile: not JSON, a field missing or of the wrong kind, NaN or infinity; names field and frame.
    """
    path = Path(path)
    raw = read_bytes(path)
    kind: type[Annotations17 | Annotations18] = Annotations17 if _is_2017(raw) else Annotations18
    try:
        with _no_garbage():
            return kind.model_validate_json(raw)
    except ValidationError as error:
        raise BrokenFile(_problems(path, raw, error)) from None


@contextmanager
def _no_garbage() -> Iterator[None]:
    """Python's collector looks through half-built files again and again: reading takes twice as long."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def write_annotations(file: Annotations, path: str | Path) -> None:
    """Write a file whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(file.model_dump_json(exclude_unset=True), encoding="utf-8")


def _is_2017(raw: bytes) -> bool:
    """2017 files are told by their top-level "annolist"; looking for the word first keeps this cheap."""
    if b'"annolist"' not in raw:
        return False
    try:
        return "annolist" in from_json(raw)
    except (ValueError, TypeError):
        return False


def short_name(path: Path) -> str:
    """A file as messages name it: with its folder, as answers bear the names of the annotation files."""
    return f"{path.parent.name}/{path.name}" if path.parent.name else path.name


def frame_label(index: int, file_name: str) -> str:
    """A frame as messages name it: its place in the list, counted from 0, and its file."""
    return f"frame {index} ({shortened(file_name.rsplit('/', 1)[-1])})"


def _problems(path: Path, raw: bytes, error: ValidationError) -> list[Problem]:
    """The faults of a file, each with the frame that it lies in."""
    try:
        content: Any = from_json(raw)
    except ValueError:
        content = None
    return [
        Problem(short_name(path), _frame_of(content, location), place(location), what)
        for location, what in faults_of(error)
    ]


def _frame_of(content: Any, location: tuple[int | str, ...]) -> str:
    """The frame that a place in a file belongs to, "" where it cannot be told."""
    try:
        if location[0] == "annolist":
            index = int(location[1])
            return frame_label(index, content["annolist"][index]["image"][0]["name"])
        if location[0] == "images":
            index = int(location[1])
        elif location[0] != "annotations":
            return ""
        else:
            wanted = content["annotations"][location[1]]["image_id"]
            index = next(i for i, image in enumerate(content["images"]) if image["id"] == wanted)
        return frame_label(index, content["images"][index]["file_name"])
    except (IndexError, KeyError, TypeError, ValueError, AttributeError, StopIteration):
        return ""
