"""The lines of tracks.jsonl, read: every field, number and name is held to the limits of `documents.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired

import numpy as np
from annotated_types import Len
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from pydantic_core import from_json
from typing_extensions import TypedDict

from posetrack.documents import FrameIndex, Identity, Name, Pixel, Real, first_fault, read_bytes
from posetrack.errors import InputError
from posetrack.limits import FRAMES, PEOPLE, PIXELS
from posetrack.results.jsonl import Header
from posetrack.skeletons import SKELETONS, Skeleton
from posetrack.types import Poses, Tracks

_UNKNOWN_SIGMA = 0.079  # a shoulder's, for joints that no skeleton here has
_JOINTS = 1_000
_STRICT = ConfigDict(strict=True)  # "3" is not a number; unknown fields are passed over

Side = Annotated[int, Field(ge=1, le=PIXELS)]


@with_config(_STRICT)
class SkeletonField(TypedDict):
    name: Annotated[str, Len(0, 200)]
    keypoints: Annotated[list[Annotated[str, Len(0, 200)]], Len(1, _JOINTS)]
    edges: Annotated[list[Annotated[list[int], Len(2, 2)]], Len(0, 10 * _JOINTS)]


@with_config(_STRICT)
class StitchedField(TypedDict):
    pieces: Annotated[int, Field(ge=2, le=FRAMES)]


@with_config(_STRICT)
class HeaderLine(TypedDict):
    format: Literal["posetrack.tracks"]
    version: Literal[1]
    source: Name
    width: Side
    height: Side
    fps: Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
    skeleton: SkeletonField
    preset: Name
    models: dict[str, Any]
    unfinished: NotRequired[Annotated[list[Name], Len(0, 10)]]
    pixel_aspect: NotRequired[Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]]
    stitched: NotRequired[StitchedField]
    task: NotRequired[Annotated[str, Len(0, 64)]]


@with_config(_STRICT)
class PersonField(TypedDict):
    id: Identity
    score: Real
    box: Annotated[list[Pixel], Len(4, 4)]
    keypoints: list[Annotated[list[Pixel], Len(3, 3)]]  # x, y, score
    propagated: bool


@with_config(_STRICT)
class FrameLine(TypedDict):
    frame: FrameIndex
    time: Real
    people: Annotated[list[PersonField], Len(0, PEOPLE)]


_HEADER, _FRAME = TypeAdapter(HeaderLine), TypeAdapter(FrameLine)


def read_lines(path: Path) -> tuple[Header, list[Tracks], str]:
    """Header, frames in their order, and what tells that the run was broken off: "" if nothing.

    A last line that is cut off is left out.

    Raises:
        InputError: see `read_jsonl`.
    """
    *lines, rest = read_bytes(path).split(b"\n")  # the rest is empty, or a line without its end
    broken_off = ""
    if rest and _is_json(rest):
        lines.append(rest)
    elif rest:
        broken_off = "the last line is cut off and left out"
    header: Header | None = None
    tracks: list[Tracks] = []
    for number, line in enumerate(lines, start=1):
        try:
            if header is None:
                head = _HEADER.validate_json(line)
                header = _header(head)
                if head.get("unfinished") and not broken_off:
                    broken_off = "the run that wrote it was broken off"
                continue
            tracks.append(_tracks(_FRAME.validate_json(line), header))
            if len(tracks) > 1 and tracks[-1].index <= tracks[-2].index:
                raise ValueError(f"frame {tracks[-1].index} comes after frame {tracks[-2].index}")
        except ValueError as error:  # pydantic's are such, too
            why = first_fault(error) if isinstance(error, ValidationError) else str(error)
            why = why.replace(" at line 1 column ", " at column ")  # of this line
            raise InputError(f"{path} line {number}: {why}; is this a tracks.jsonl of posetrack?") from None
    if header is None:
        raise InputError(f"{path} holds no tracks: {'its first line is cut off' if rest else 'it is empty'}")
    return header, tracks, broken_off


def read_unfinished(path: Path) -> list[str]:
    """See `jsonl.unfinished`; none where there is no such file, or another."""
    try:
        if not path.is_file():
            return []
        with path.open("rb") as file:
            return _HEADER.validate_json(file.readline(1_000_000)).get("unfinished", [])
    except (OSError, ValueError):  # pydantic's are such
        return []


def _is_json(line: bytes) -> bool:
    try:
        from_json(line)
    except ValueError:
        return False
    return True


def _header(line: HeaderLine) -> Header:
    return Header(
        line["source"],
        line["width"],
        line["height"],
        line["fps"],
        _skeleton(line["skeleton"]),
        line["preset"],
        line["models"],
        line.get("pixel_aspect", 1.0),
        line["stitched"]["pieces"] if "stitched" in line else 1,
        line.get("task", ""),
    )


def _skeleton(field: SkeletonField) -> Skeleton:
    """One of ours by its name, or a new one with whatever joints the file lists."""
    name, keypoints = field["name"], tuple(field["keypoints"])
    if name in SKELETONS:
        if SKELETONS[name].keypoints != keypoints:
            raise ValueError(f"the keypoints of {name} are not in the order that it has")
        return SKELETONS[name]
    edges = tuple((a, b) for a, b in field["edges"])
    if any(not 0 <= end < len(keypoints) for edge in edges for end in edge):
        raise ValueError(f"an edge of {name} leads to no keypoint")
    known = {
        k: s for ours in SKELETONS.values() for k, s in zip(ours.keypoints, ours.sigma_values, strict=True)
    }
    return Skeleton(name, keypoints, edges, tuple(known.get(k, _UNKNOWN_SIGMA) for k in keypoints))


def _tracks(line: FrameLine, header: Header) -> Tracks:
    people, K = line["people"], len(header.skeleton)
    for n, person in enumerate(people):
        if len(person["keypoints"]) != K:
            raise ValueError(
                f"people[{n}].keypoints: {len(person['keypoints'])} joints, {header.skeleton.name} has {K}"
            )
    ids = [person["id"] for person in people]
    if len(set(ids)) != len(ids):
        twice = next(i for n, i in enumerate(ids) if i in ids[:n])
        raise ValueError(f"people[{ids.index(twice)}].id: {twice} is used twice in this frame")
    joints = np.array([person["keypoints"] for person in people], np.float32).reshape(len(people), K, 3)
    poses = Poses(
        joints[..., :2],
        joints[..., 2],
        [person["box"] for person in people],
        [person["score"] for person in people],
        header.skeleton,
    )
    propagated = [person["propagated"] for person in people]
    return Tracks(poses, ids, propagated, line["frame"], line["time"], (header.width, header.height))
