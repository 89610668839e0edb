"""tracks.jsonl, version 1: a header, then a line per frame, also where nobody is in view.

    {"format": "posetrack.tracks", "version": 1, "source": "clip.mp4", "width": 1280, "height": 720,
     "fps": 29.97, "skeleton": {"name": "posetrack18", "keypoints": [...], "edges": [[0, 1], ...]},
     "preset": "light", "models": {...}}
    {"frame": 0, "time": 0.0, "people": [{"id": 1, "score": 0.93, "box": [x1, y1, x2, y2],
     "keypoints": [[x, y, score], ...], "propagated": false}]}

A long video that was tracked in pieces, whose identities were matched where they overlap, has in its header
`"stitched": {"pieces": 6, "identical_to_one_run": false}`.

Positions are pixels of the upright frame, to 0.01; times are seconds, to 1e-6; scores go to 1e-4. Edges are
pairs of positions in the list of keypoints. A joint with score 0 has no position.

    >>> file = read_jsonl("out/clip.jsonl")  # doctest: +SKIP
    >>> for tracks in file.tracks: print(tracks.index, tracks.ids)
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from posetrack.errors import PoseTrackError
from posetrack.files import refuse_existing
from posetrack.limits import PIXELS
from posetrack.skeletons import Skeleton
from posetrack.types import Tracks

FORMAT, VERSION = "posetrack.tracks", 1


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
    pieces: int = 1  # that were tracked apart and stitched; written where there are several
    task: str = ""  # digest of the video and the settings, in a run over many; see cluster/tasks.py

    def to_dict(self) -> dict[str, Any]:
        aspect = round(self.pixel_aspect, 6)
        stitched = {"pieces": self.pieces, "identical_to_one_run": False}
        return {
            "format": FORMAT,
            "version": VERSION,
            "source": _text(self.source),
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
            **({} if self.pieces == 1 else {"stitched": stitched}),
            **({"task": self.task} if self.task else {}),
        }


@dataclass(frozen=True)
class TracksFile:
    """A tracks.jsonl file, read."""

    header: Header
    tracks: list[Tracks]  # in the order of the file, which is that of the frames
    broken_off: str = ""  # what tells that the run that wrote it was


class JsonlWriter:
    """Writes a line per frame and hands it to the system at once, so that a killed run leaves all of them.

    A context manager: leaving it closes the file. One that failed before its first frame leaves no file.

    Args:
        unfinished: endings of the files that the run writes. They stand in the header, `"unfinished":
            [".jsonl", ".mp4"]`, until the block ends well; then blanks take their place.

    Raises:
        PoseTrackError: the file exists and `overwrite` is False, or it cannot be written.
    """

    def __init__(
        self, path: str | Path, header: Header, *, overwrite: bool = False, unfinished: Sequence[str] = ()
    ) -> None:
        self.path = Path(path)
        self.header = header
        refuse_existing(self.path, overwrite=overwrite)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("w", encoding="utf-8", newline="\n")
        except OSError as error:
            raise self._unwritable(error, "choose another folder") from error
        self._lines = 0  # of frames
        self._head, mark = header.to_dict(), {"unfinished": list(unfinished)} if unfinished else {}
        self._line(self._head | mark)
        self._head_end = self._file.tell() - 1

    def write(self, tracks: Tracks) -> None:
        """Add a frame.

        Raises:
            ValueError: the tracks are of another skeleton, or a box or a person's score is not finite.
        """
        ours, theirs = self.header.skeleton.name, tracks.poses.skeleton.name
        if theirs != ours:
            raise ValueError(f"tracks with the skeleton {theirs} in a file of {ours}")
        self._line(frame_line(tracks))
        self._lines += 1

    def close(self) -> None:
        try:
            self._file.close()
        except OSError as error:  # what could not be written is tried once more
            raise self._unwritable(error, "is there room on the disk?") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._file.seek(0)
                self._put(json.dumps(self._head).ljust(self._head_end))
        finally:
            self.close()
        if isinstance(error, Exception) and not self._lines:  # a failure, no interruption
            self.path.unlink(missing_ok=True)

    def _line(self, values: dict[str, Any]) -> None:
        self._put(json.dumps(values, allow_nan=False) + "\n")

    def _put(self, text: str) -> None:
        try:
            self._file.write(text)
            self._file.flush()
        except OSError as error:
            raise self._unwritable(error, "is there room on the disk?") from error

    def _unwritable(self, error: OSError, what_to_do: str) -> PoseTrackError:
        return PoseTrackError(f"cannot write {self.path}: {error.strerror}; {what_to_do}")


def frame_line(tracks: Tracks) -> dict[str, Any]:
    """One frame as the object of its line."""
    poses = tracks.poses
    joints = np.concatenate([poses.keypoints, poses.keypoint_scores[..., None]], axis=2, dtype=np.float64)
    # (N, K, 3); a joint that is nowhere, or far beyond any picture, has no position
    joints[~(np.abs(joints) <= PIXELS).all(axis=2)] = 0.0
    positions, scores = _rounded(joints[..., :2], 2), _rounded(joints[..., 2:], 4)
    boxes, people = _rounded(np.clip(poses.boxes, -PIXELS, PIXELS), 2), _rounded(poses.scores, 4)
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
        InputError: the file is not there or a line is wrong: one line with the file, the line, the field and
            the reason.
    """
    from posetrack.results.jsonl_lines import read_lines  # pydantic takes a quarter second to import

    header, tracks, broken_off = read_lines(Path(path))
    return TracksFile(header, tracks, broken_off)


def unfinished(path: Path) -> list[str]:
    """Endings of the files that a run was writing which was broken off, as its tracks say."""
    from posetrack.results.jsonl_lines import read_unfinished

    return read_unfinished(path)


def _text(name: str) -> str:
    """A file's name as JSON may hold it: bytes that are not UTF-8 become question marks."""
    return name.encode("utf-8", "replace").decode("utf-8")


def _rounded(values: NDArray[np.floating[Any]], decimals: int) -> NDArray[np.float64]:
    """In double precision, so that 0.1 is written as 0.1; and without a negative zero."""
    doubles: NDArray[np.float64] = values.astype(np.float64)
    return np.round(doubles, decimals) + 0.0
