"""Boxes that somebody else found, in place of a detector (`--boxes FILE`).

>>> detect = CachedDetections.for_video("boxes.json", "clip", frame_count=300)   # doctest: +SKIP
>>> detections = detect([frame])[0]                                              # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from posetrack.boxes import clip_and_sort
from posetrack.errors import InputError
from posetrack.types import Detections, Floats, Frame

if TYPE_CHECKING:
    from posetrack.detectors.box_file import BoxFile

MAX_BOXES = 1_000  # in a frame: every box costs a pose, and pairs of boxes memory


class CachedDetections:
    """Gives every frame the boxes that it has for its index; none where it has none."""

    def __init__(
        self, rows: Mapping[int, Floats], min_score: float = 0.0, name: str = "", warnings: Sequence[str] = ()
    ) -> None:
        """
        Args:
            rows: (M, 5) x1, y1, x2, y2, score by frame index.
            min_score: 0..1, lower scores are left out.
            name: of the file that they are from, for messages.
            warnings: what was not as it should be when it was read.

        Raises:
            InputError: more boxes in a frame than anybody can make poses of.
        """
        self.rows = {frame: table[table[:, 4] >= min_score] for frame, table in rows.items()}
        self.name, self.min_score = name, min_score
        self.frames = self.matched = 0  # seen so far, and how many of them have boxes
        self._warnings = list(warnings)
        self._last, self._covering = -1, False
        self._below = bool(rows) and not any(map(len, self.rows.values()))
        for frame, table in self.rows.items():
            if len(table) > MAX_BOXES:
                raise InputError(
                    f"{name}: {len(table)} boxes of score {min_score:g} and more in frame {frame}, at most "
                    f"{MAX_BOXES} can be taken: leave out the weak ones"
                )

    @classmethod
    def for_video(
        cls,
        file: BoxFile | str | Path,
        video: str = "",
        names: Sequence[str] | None = None,
        frame_count: int | None = None,
        min_score: float = 0.0,
    ) -> CachedDetections:
        """The boxes of one video.

        Args:
            file: read before, or a path.
            video: its name without ending, for a file of many videos.
            names: of its pictures, with folders, where it is made of pictures.
            frame_count: as far as it is known.

        Raises:
            PoseTrackError: the file is broken, or it cannot be told which frames its boxes belong to.
        """
        from posetrack.detectors.box_file import read_box_file  # pydantic takes a quarter second to import
        from posetrack.detectors.frame_matching import frames_of_pictures

        box_file = read_box_file(file) if isinstance(file, str | Path) else file
        frame_of, assumed = frames_of_pictures(box_file, video, names, frame_count)
        rows = {frame_of[key]: table for key, table in box_file.rows.items() if key in frame_of}
        return cls(rows, min_score, str(box_file.path), [*box_file.warnings, *assumed])

    @classmethod
    def for_sequence(
        cls, file: BoxFile, image_ids: Sequence[int], names: Sequence[str], min_score: float = 0.0
    ) -> CachedDetections:
        """The boxes of one sequence of a data set, from a file of many.

        Args:
            image_ids: of its frames; -1 for those of PoseTrack 2017 that have none.
            names: of its frames, with the sequence's folder.
        """
        from posetrack.detectors.frame_matching import match_names

        frame_of = {image: frame for frame, image in enumerate(image_ids) if image >= 0}
        rows = {frame_of[int(i)]: table for i, table in file.by_image.items() if i in frame_of}
        if not rows:
            keys = list(file.rows) if file.pictures is None else [picture.key for picture in file.pictures]
            listed = map(str, keys) if file.pictures is None else (p.name for p in file.pictures)
            found = match_names(file, list(listed), names, least=2)
            rows = {frame: file.rows[keys[n]] for n, frame in found.items() if keys[n] in file.rows}
        return cls(rows, min_score, str(file.path), file.warnings)

    @property
    def warnings(self) -> list[str]:
        """What was not as it should be, as far as the frames seen so far can tell."""
        result = list(self._warnings)
        if self.frames and self._below:
            result.append(f"{self.name}: every box scores below {self.min_score:g}, the least that counts")
        elif self.frames and not self.matched:
            result.append(f"{self.name} has no box for any of the {self.frames} frames")
        elif self.frames and not self._covering:
            result.append(
                f"{self.name}: no box covers a pixel of the {self.frames} frames: give x, y, width, "
                "height in pixels"
            )
        elif self.frames and max(self.rows) > self._last:
            result.append(
                f"{self.name} has boxes up to frame {max(self.rows)}, the video ends with frame {self._last} "
                "(frames count from 0)"
            )
        return result

    def __call__(self, frames: Sequence[Frame]) -> list[Detections]:
        found = []
        for frame in frames:
            table = self.rows.get(frame.index, np.zeros((0, 5), np.float32))
            self.frames += 1
            self.matched += frame.index in self.rows
            self._last = max(self._last, frame.index)
            found.append(clip_and_sort(table[:, :4], table[:, 4], frame.size))
            boxes = found[-1].boxes
            self._covering = self._covering or bool((boxes[:, 2:] - boxes[:, :2] >= 1).all(axis=1).any())
        return found
