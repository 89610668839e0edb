"""A COCO-style file of person boxes, read and checked.

Two forms: a list of results,

    [{"image_id": 0, "bbox": [x, y, w, h], "score": 0.9, "category_id": 1}, ...]

where "frame_index" (counted from 0), "frame" (0 is assumed where it may count from 1), or a picture's name as
"file_name" or "image_id", may stand for the image id;
and an object with "images" and "annotations" (COCO, PoseTrack 2018, annotation tools).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, TypeAlias

import numpy as np
from annotated_types import Len
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from posetrack.documents import FrameIndex, Name, Pixel, Whole, first_fault, read_bytes, shortened
from posetrack.errors import PoseTrackError
from posetrack.types import Floats

PERSON = 1  # category of COCO and PoseTrack
_PERSON_NAMES = {"person", "people", "pedestrian", "human"}
_STRICT = ConfigDict(strict=True)  # other fields are passed over
Key: TypeAlias = int | str
Kind: TypeAlias = Literal["frame_index", "frame", "image_id", "file_name"]


@with_config(_STRICT)
class _Result(TypedDict):
    bbox: Annotated[list[Pixel], Len(4, 4)]
    frame_index: NotRequired[FrameIndex]
    frame: NotRequired[FrameIndex]
    frame_id: NotRequired[Whole]
    image_id: NotRequired[Whole | Name]
    file_name: NotRequired[Name]
    category_id: NotRequired[Whole]
    score: NotRequired[Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]]


@with_config(_STRICT)
class _Image(TypedDict):
    id: NotRequired[Whole]
    image_id: NotRequired[Whole]
    file_name: NotRequired[Name]
    frame_id: NotRequired[Whole | None]
    video_id: NotRequired[Whole | Name | None]
    vid_id: NotRequired[Whole | Name | None]


@with_config(_STRICT)
class _Category(TypedDict):
    id: Whole
    name: Name


@with_config(_STRICT)
class _Document(TypedDict):
    images: list[_Image]
    annotations: list[_Result]
    categories: NotRequired[list[_Category]]


_LIST, _OBJECT = TypeAdapter(list[_Result]), TypeAdapter(_Document)


@dataclass(frozen=True)
class Picture:
    """One that a file lists, or that its boxes name."""

    key: Key  # under which its boxes are kept
    name: str = ""  # with folders; "" where the file has none
    frame: int | None = None  # what the file calls its number, where that is not its id
    video: str = ""  # what the file says of the video it belongs to


@dataclass(frozen=True, eq=False)
class BoxFile:
    """Rows (M, 5) x1, y1, x2, y2, score of every picture, by one kind of key."""

    path: Path
    kind: Kind
    rows: Mapping[Key, Floats]
    pictures: tuple[Picture, ...] | None  # in the file's order; None for a list of results
    warnings: tuple[str, ...] = ()
    by_image: Mapping[Key, Floats] = field(default_factory=dict)  # the same by image id, where all have one


def read_box_file(path: str | Path) -> BoxFile:
    """Read and check a file; people only.

    Raises:
        PoseTrackError: names the file, the entry and the field at fault.
    """
    path = Path(path)
    raw = read_bytes(path)
    listed = raw.lstrip()[:1] == b"["
    try:
        content: Any = _LIST.validate_json(raw) if listed else _OBJECT.validate_json(raw)
    except ValidationError as error:
        raise PoseTrackError(f"{path}: {first_fault(error)}; give COCO results or a COCO data set") from None
    if listed:
        return _from_results(path, content)
    return _from_data_set(path, content)


def _from_results(path: Path, results: list[_Result]) -> BoxFile:
    people, warnings = _people(path, results, [])
    kinds: tuple[Kind, ...] = ("frame_index", "frame", "image_id", "file_name")
    kind = next((kind for kind in kinds if people and all(_key(r, kind) is not None for r in people)), None)
    if kind is None:
        for number, result in enumerate(results):
            if all(_key(result, kind) is None for kind in kinds):
                raise PoseTrackError(
                    f"{path}: [{number}] names no frame: give frame_index, image_id or file_name"
                )
        if people:
            raise PoseTrackError(f"{path}: some entries name their frame in another way than others: use one")
        kind = "frame"
    whole_ids = all(isinstance(result.get("image_id"), int) for result in people)
    by_image = _rows(path, people, "image_id") if whole_ids else {}
    return BoxFile(path, kind, _rows(path, people, kind), None, warnings, by_image)


def _from_data_set(path: Path, content: _Document) -> BoxFile:
    pictures = []
    for number, image in enumerate(content["images"]):
        identity = image.get("id", image.get("image_id"))
        if identity is None:
            raise PoseTrackError(f"{path}: images[{number}].id: missing; give every image its own")
        video = image.get("video_id", image.get("vid_id"))
        name = image.get("file_name", "")
        pictures.append(Picture(identity, name, image.get("frame_id"), "" if video is None else str(video)))
    if all(picture.frame == picture.key for picture in pictures):  # PoseTrack 2018: says nothing new
        pictures = [Picture(p.key, p.name, None, p.video) for p in pictures]
    twice = [key for key, count in Counter(p.key for p in pictures).items() if count > 1]
    if twice:
        raise PoseTrackError(f"{path}: images: the id {twice[0]} is used twice; give every image its own")
    people, warnings = _people(path, content["annotations"], content.get("categories", []))
    listed = {picture.key for picture in pictures}
    for number, result in enumerate(content["annotations"]):
        if (key := result.get("image_id")) not in listed:
            given = "missing" if key is None else f"{shortened(str(key))} is none of images"
            raise PoseTrackError(f"{path}: annotations[{number}].image_id: {given}; expected an id of images")
    rows = _rows(path, people, "image_id")
    return BoxFile(path, "image_id", rows, tuple(pictures), warnings, rows)


def _key(result: _Result, kind: Kind) -> Key | None:
    if kind == "frame":
        number = result.get("frame_id")
        return result.get("frame", number if number != result.get("image_id") else None)
    return result.get(kind)


def _people(
    path: Path, results: Sequence[_Result], categories: list[_Category]
) -> tuple[list[_Result], tuple[str, ...]]:
    """The entries of people, by the file's own categories or else by COCO's, where a person is 1."""
    warnings: tuple[str, ...] = ()
    person = {PERSON}
    if categories:
        person = {c["id"] for c in categories if c["name"].casefold() in _PERSON_NAMES}
        if not person and len(categories) == 1:
            person = {categories[0]["id"]}
            warnings = (
                f"{path}: its only category, {shortened(categories[0]['name'])}, is taken for people",
            )
        if not person:
            names = shortened(", ".join(c["name"] for c in categories))
            raise PoseTrackError(f"{path}: no category is called person, only {names}: rename that of people")
    elif any(result.get("category_id") == 0 for result in results):
        person = {0}
        warnings = (
            f"{path}: category_id 0 is taken for people, as tools write it that count from 0; "
            f"COCO counts from 1",
        )
    return [r for r in results if r.get("category_id") in (None, *person)], warnings


def _rows(path: Path, people: Sequence[_Result], kind: Kind) -> dict[Key, Floats]:
    boxes = np.array([result["bbox"] for result in people], np.float64).reshape(-1, 4)
    wrong = np.flatnonzero((boxes[:, 2:] < 0).any(axis=1))
    if len(wrong):
        bbox = people[wrong[0]]["bbox"]
        raise PoseTrackError(f"{path}: bbox is {bbox}: width and height must not be negative")
    scores = [result.get("score", 1.0) for result in people]  # annotations made by hand have none
    table = np.column_stack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:], scores]).astype(np.float32)
    places: dict[Key, list[int]] = defaultdict(list)
    for row, result in enumerate(people):
        key = _key(result, kind)
        if key is not None:
            places[key].append(row)
    return {key: table[rows] for key, rows in places.items()}
