"""A folder, a glob or a list of pictures as a video, in natural order (2 before 10), at a given rate."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from posetrack.errors import InputError
from posetrack.types import Frame
from posetrack.video.names import fitting, shown, stem_of
from posetrack.video.picture import PictureFile
from posetrack.video.source import Video

ENDINGS = frozenset(
    f".{e}" for e in ("jpg", "jpeg", "jpe", "png", "bmp", "tif", "tiff", "webp", "ppm", "pgm", "pbm", "jp2")
)
_ANIMATION_TICK = Fraction(1, 1000)  # seconds


class PictureVideo(Video):
    """Pictures one after the other; `index` is the position in the list, `time` is index / fps."""

    def __init__(self, paths: Sequence[Path], name: str, fps: float) -> None:
        self.name, self.fps, self.warnings = shown(name), fps, []
        self.stem = stem_of(name) if len(paths) == 1 and name == paths[0].name else fitting(name)
        self.frame_count, self.duration = len(paths), len(paths) / fps
        self._step = 1 / Fraction(fps).limit_denominator(100_000)
        self.time_base = self._step
        self.paths = list(paths)
        self.names = [str(path) for path in paths]
        first = next((image for p in paths if (image := PictureFile(p).first()) is not None), None)
        if first is None:
            raise InputError(
                f"none of the {len(paths)} pictures of {self.name} can be read, e.g. {shown(paths[0])}"
            )
        self.height, self.width = first.shape[:2]

    def __iter__(self) -> Iterator[Frame]:
        """Frames in order. A picture that cannot be read leaves a gap; one of another size ends the video."""
        self.warnings, self.complete = [], False
        unreadable: list[str] = []
        with_more: list[str] = []
        for index, path in enumerate(self.paths):
            file = PictureFile(path)
            image = file.first()
            if image is None:
                unreadable.append(shown(path.name))
                continue
            if file.count > 1:
                with_more.append(shown(path.name))
            if image.shape[:2] != (self.height, self.width):
                self.warnings.append(
                    f"{shown(path.name)} is {image.shape[1]}x{image.shape[0]} and the pictures before it are "
                    f"{self.width}x{self.height}: what follows was not read"
                )
                break
            yield Frame(image, index, float(index * self._step))
        else:
            self.complete = True
        if unreadable:
            self.warnings.append(f"{_counted(unreadable)} cannot be read")
        if with_more:
            self.warnings.append(f"of {_counted(with_more)} only the first of several pictures was read")


class AnimationVideo(Video):
    """One file of several pictures: the pages of a TIFF, the frames of an animated PNG or WebP.

    Frames that have durations keep them; pages are shown at `fps`.
    """

    def __init__(self, file: PictureFile, fps: float) -> None:
        self.name, self.stem, self.warnings = shown(file.path.name), stem_of(file.path.name), []
        self._file = file
        step = 1 / Fraction(fps).limit_denominator(100_000)
        self._steps = [d if d else step for d in file.durations]
        self.time_base = step if not any(file.durations) else _ANIMATION_TICK
        self.frame_count, total = file.count, sum(self._steps)
        self.duration = float(total)
        self.fps = float(file.count / total)
        first = next(file.images(), None)
        if first is None:
            raise InputError(f"none of the {file.count} pictures of {self.name} can be read")
        self.height, self.width = first.shape[:2]

    def __iter__(self) -> Iterator[Frame]:
        self.warnings, self.complete, self.end = [], False, None
        time, index = Fraction(0), -1
        for index, image in enumerate(self._file.images()):
            if image.shape[:2] != (self.height, self.width):
                self.warnings.append(
                    f"picture {index + 1} is {image.shape[1]}x{image.shape[0]} and those before it are "
                    f"{self.width}x{self.height}: what follows was not read"
                )
                return
            yield Frame(image, index, float(time))
            time += self._steps[index]
        if (lost := self._file.count - index - 1) > 0:
            self.warnings.append(f"{lost} of {self._file.count} pictures cannot be read")
        self.complete, self.end = True, time


def pictures_in(folder: Path) -> list[Path]:
    """The pictures of a folder in natural order; hidden files are left out."""
    return natural_order(p for p in folder.iterdir() if is_picture(p) and not p.name.startswith("."))


def is_picture(path: Path) -> bool:
    return path.suffix.lower() in ENDINGS


def natural_order(paths: Iterable[Path]) -> list[Path]:
    """frame2 before frame10."""

    def key(path: Path) -> list[tuple[int, str]]:
        parts = re.split(r"([0-9]+)", str(path))
        return [(int(s), s) if s.isdecimal() and s.isascii() else (-1, s) for s in parts]

    return sorted(paths, key=key)


def _counted(names: list[str]) -> str:
    return f"{len(names)} pictures, the first {names[0]}," if names[1:] else names[0]
