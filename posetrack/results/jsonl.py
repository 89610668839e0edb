"""tracks.jsonl, version 1: a header, then a line per frame, also where nobody is in view.

    {"format": "posetrack.tracks", "version": 1, "source": "clip.mp4", "width": 1280, "height": 720,
     "fps": 29.97, "skeleton": {"name": "posetrack18", "keypoints": [...], "edges": [[0, 1], ...]},
     "preset": "light", "models": {...}}
    {"frame": 0, "time": 0.0, "people": [{"id": 1, "score": 0.93, "box": [x1, y1, x2, y2],
     "keypoints": [[x, y, score], ...], "propagated": false}]}

Positions are pixels of the upright frame, to 0.01; times are seconds, to 1e-6; scores go to 1e-4. Edges are
pairs of positions in the list of keypoints. A joint with score 0 has no position.

    >>> file = read_jsonl("out/clip.jsonl")  # doctest: +SKIP
    >>> for tracks in file.tracks: print(tracks.index, tracks.ids)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from posetrack.errors import InputError, PoseTrackError
from posetrack.skeletons import SKELETONS, Skeleton
from posetrack.types import Poses, Tracks

FORMAT, VERSION = "posetrack.tracks", 1
_UNKNOWN_SIGMA = 0.079  # a shoulder's, for joints that no skeleton here has


@dataclass(frozen=True)
class Header:
    """The first line: what the tracks were made from, and with what."""

    source: str  # name of the video
    width: int  # pixels, upright
    height: int
    fps: float  # on average
    skeleton: Skeleton
    preset: str
    models: Mapping[str, Any] = field(default_factory=dict)  # role → name, e.g. {"pose": "hrnet_w32"}
    pixel_aspect: float = 1.0  # width / height of one pixel; written where it is not square

    def to_dict(self) -> dict[str, Any]:
        aspect = round(self.pixel_aspect, 6)
        return {
            "format": FORMAT,
            "version": VERSION,
            "source": self.source,
            "width": self.width,
            "height": self.height,
            "fps": round(self.fps, 6),
            **({} if aspect == 1 else {"pixel_aspect": aspect}),
            "skeleton": {
                "name": self.skeleton.name,
                "keypoints": list(self.skeleton.keypoints),
                "edges": [list(edge) for edge in self.skeleton.edges],
            },
            "preset": self.preset,
            "models": dict(self.models),
        }

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> Header:
        """The inverse of `to_dict`; fields that this version does not know are passed over.

        Raises:
            ValueError: a field is missing or makes no sense.
        """
        if values.get("format") != FORMAT:
            raise ValueError(f'"format" is {values.get("format")!r}, expected {FORMAT!r}')
        if values.get("version") != VERSION:
            raise ValueError(f"version is {values.get('version')!r}, this release reads {VERSION}")
        return Header(
            str(values["source"]),
            int(values["width"]),
            int(values["height"]),
            float(values["fps"]),
            _skeleton(values["skeleton"]),
            str(values["preset"]),
            dict(values["models"]),
            float(values.get("pixel_aspect", 1.0)),
        )


@dataclass(frozen=True)
class TracksFile:
    """A tracks.jsonl file, read."""

    header: Header
    tracks: list[Tracks]  # in the order of the file, which is that of the frames
    cut_off: bool = False  # the last line was not whole and is left out


class JsonlWriter:
    """Writes a line per frame and hands it to the system at once, so that a killed run leaves all of them.

    A context manager: leaving it closes the file.

    Raises:
        PoseTrackError: the file exists and `overwrite` is False, or it cannot be written.
    """

    def __init__(self, path: str | Path, header: Header, *, overwrite: bool = False) -> None:
        self.path = Path(path)
        self.header = header
        if self.path.exists() and not overwrite:
            raise PoseTrackError(f"{self.path} exists already; use --overwrite to replace it")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("w", encoding="utf-8", newline="\n")
        except OSError as error:
            raise self._unwritable(error, "choose another folder") from error
        self._line(header.to_dict())

    def write(self, tracks: Tracks) -> None:
        """Add a frame.

        Raises:
            ValueError: the tracks are of another skeleton, or a box or a person's score is not finite.
        """
        ours, theirs = self.header.skeleton.name, tracks.poses.skeleton.name
        if theirs != ours:
            raise ValueError(f"tracks with the skeleton {theirs} in a file of {ours}")
        self._line(frame_line(tracks))

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _line(self, values: dict[str, Any]) -> None:
        try:
            self._file.write(json.dumps(values, allow_nan=False) + "\n")
            self._file.flush()
        except OSError as error:
            raise self._unwritable(error, "is there room on the disk?") from error

    def _unwritable(self, error: OSError, what_to_do: str) -> PoseTrackError:
        return PoseTrackError(f"cannot write {self.path}: {error.strerror}; {what_to_do}")


def frame_line(tracks: Tracks) -> dict[str, Any]:
    """One frame as the object of its line."""
    poses = tracks.poses
    joints = np.concatenate([poses.keypoints, poses.keypoint_scores[..., None]], axis=2, dtype=np.float64)
    joints[~np.isfinite(joints).all(axis=2)] = 0.0  # (N, K, 3); such a joint has no position
    positions, scores = _rounded(joints[..., :2], 2), _rounded(joints[..., 2:], 4)
    boxes, people = _rounded(poses.boxes, 2), _rounded(poses.scores, 4)
    return {
        "frame": tracks.index,
        "time": round(tracks.time, 6),
        "people": [
            {
                "id": int(tracks.ids[n]),
                "score": people[n].item(),
                "box": boxes[n].tolist(),
                "keypoints": np.concatenate([positions[n], scores[n]], axis=1).tolist(),
                "propagated": bool(tracks.propagated[n]),
            }
            for n in range(len(tracks))
        ],
    }


def read_jsonl(path: str | Path) -> TracksFile:
    """Read a whole file. Its last line may be cut off in the middle: it is left out.

    Raises:
        InputError: the file is not there or a line is wrong: one line with the file, the line and the reason.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; check the path") from error
    *lines, rest = text.split("\n")  # the rest is empty, or a line without its end
    cut_off = bool(rest) and not _is_json(rest)
    if rest and not cut_off:
        lines.append(rest)
    header: Header | None = None
    tracks: list[Tracks] = []
    for number, line in enumerate(lines, start=1):
        try:
            values = json.loads(line)
            if not isinstance(values, dict):
                raise ValueError("it is not an object")
            if header is None:
                header = Header.from_dict(values)
                continue
            tracks.append(_tracks(values, header))
            if len(tracks) > 1 and tracks[-1].index <= tracks[-2].index:
                raise ValueError(f"frame {tracks[-1].index} comes after frame {tracks[-2].index}")
        except (ValueError, TypeError, KeyError) as error:
            why = f"the field {error} is missing" if isinstance(error, KeyError) else str(error)
            raise InputError(f"{path} line {number}: {why}; is this a tracks.jsonl of posetrack?") from error
    if header is None:
        raise InputError(f"{path} holds no tracks: {'its first line is cut off' if rest else 'it is empty'}")
    return TracksFile(header, tracks, cut_off)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _tracks(values: Mapping[str, Any], header: Header) -> Tracks:
    people, K = values["people"], len(header.skeleton)
    joints = _numbers([p["keypoints"] for p in people], (len(people), K, 3), "keypoints")
    boxes = _numbers([p["box"] for p in people], (len(people), 4), "box")
    scores = _numbers([p["score"] for p in people], (len(people),), "score")
    time = _numbers(values["time"], (), "time")
    ids = [_whole(p["id"]) for p in people]
    if len(set(ids)) != len(ids) or any(i < 1 for i in ids):
        raise ValueError(f"the ids {ids} are not different whole numbers from 1 up")
    poses = Poses(joints[..., :2], joints[..., 2], boxes, scores, header.skeleton)
    propagated = [bool(p["propagated"]) for p in people]
    size = (header.width, header.height)
    return Tracks(poses, ids, propagated, _whole(values["frame"]), float(time), size)


def _numbers(values: Any, shape: tuple[int, ...], name: str) -> NDArray[np.float64]:
    """The values as an array of this shape; finite, or a ValueError that names the field."""
    try:
        array = np.array(values, np.float64)
    except ValueError:
        array = np.array(np.nan)  # lists of unequal length
    if array.size == 0 and 0 in shape:
        array = array.reshape(shape)
    if array.shape != shape or not np.isfinite(array).all():
        wanted = " x ".join(map(str, shape)) or "one"
        raise ValueError(f'"{name}" of the people is not {wanted} finite numbers')
    return array


def _skeleton(values: Mapping[str, Any]) -> Skeleton:
    """One of ours by its name, or a new one with whatever joints the file lists."""
    name, keypoints = str(values["name"]), tuple(map(str, values["keypoints"]))
    if name in SKELETONS:
        if SKELETONS[name].keypoints != keypoints:
            raise ValueError(f"the keypoints of {name} are not in the order that it has")
        return SKELETONS[name]
    edges = tuple((_whole(a), _whole(b)) for a, b in values["edges"])
    if any(not 0 <= end < len(keypoints) for edge in edges for end in edge):
        raise ValueError(f"an edge of {name} leads to no keypoint")
    known = {
        k: s for ours in SKELETONS.values() for k, s in zip(ours.keypoints, ours.sigma_values, strict=True)
    }
    return Skeleton(name, keypoints, edges, tuple(known.get(k, _UNKNOWN_SIGMA) for k in keypoints))


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{value!r} is not a whole number")
    return value


def _rounded(values: NDArray[np.floating[Any]], decimals: int) -> NDArray[np.float64]:
    """In double precision, so that 0.1 is written as 0.1; and without a negative zero."""
    doubles: NDArray[np.float64] = values.astype(np.float64)
    return np.round(doubles, decimals) + 0.0
