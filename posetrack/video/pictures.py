"""A folder, a glob or a list of pictures as a video, in natural order (2 before 10), at a given rate."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import cast

import cv2
import numpy as np

from posetrack.errors import InputError
from posetrack.types import Frame
from posetrack.video.source import Video
from posetrack.video.upright import Image, on_black

ENDINGS = frozenset(
    f".{e}" for e in ("jpg", "jpeg", "jpe", "png", "bmp", "tif", "tiff", "webp", "ppm", "pgm", "pbm", "jp2")
)
_JPEG = b"\xff\xd8"


class PictureVideo(Video):
    """Pictures one after the other; `index` is the position in the list, `time` is index / fps."""

    def __init__(self, paths: Sequence[Path], name: str, fps: float) -> None:
        self.name, self.fps, self.warnings = name, fps, []
        self.stem = name if len(paths) > 1 or name != paths[0].name else paths[0].stem
        self.frame_count, self.duration = len(paths), len(paths) / fps
        self._step = 1 / Fraction(fps).limit_denominator(100_000)
        self.time_base = self._step
        self.paths = list(paths)
        first = next((image for p in paths if (image := read_picture(p)) is not None), None)
        if first is None:
            raise InputError(f"none of the {len(paths)} pictures of {name} can be read, e.g. {paths[0]}")
        self.height, self.width = first.shape[:2]

    def __iter__(self) -> Iterator[Frame]:
        """Frames in order. A picture that cannot be read leaves a gap; one of another size ends the video."""
        self.warnings, self.complete = [], False
        unreadable: list[str] = []
        for index, path in enumerate(self.paths):
            image = read_picture(path)
            if image is None:
                unreadable.append(path.name)
                continue
            if image.shape[:2] != (self.height, self.width):
                self.warnings.append(
                    f"{path.name} is {image.shape[1]}x{image.shape[0]} and the pictures before it are "
                    f"{self.width}x{self.height}: what follows was not read"
                )
                break
            yield Frame(image, index, float(index * self._step))
        else:
            self.complete = True
        if unreadable:
            many = (
                f"{len(unreadable)} pictures, the first {unreadable[0]}," if unreadable[1:] else unreadable[0]
            )
            self.warnings.append(f"{many} cannot be read")


def pictures_in(folder: Path) -> list[Path]:
    """The pictures of a folder in natural order; hidden files are left out."""
    return natural_order(p for p in folder.iterdir() if is_picture(p) and not p.name.startswith("."))


def is_picture(path: Path) -> bool:
    return path.suffix.lower() in ENDINGS


def natural_order(paths: Iterator[Path]) -> list[Path]:
    """frame2 before frame10."""
    return sorted(
        paths, key=lambda p: [(int(s), s) if s.isdigit() else (-1, s) for s in re.split(r"(\d+)", str(p))]
    )


def read_picture(path: Path) -> Image | None:
    """(H, W, 3) uint8 RGB, turned as a JPEG's EXIF says, 16 bit as 8, alpha on black; None if unreadable."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    if not data:
        return None
    buffer = np.frombuffer(data, np.uint8)
    if data.startswith(_JPEG):
        return cast("Image | None", cv2.imdecode(buffer, cv2.IMREAD_COLOR_RGB))
    pixels = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED)  # other flags would drop alpha
    if pixels is None or pixels.dtype not in (np.uint8, np.uint16):
        return None
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if pixels.ndim == 2:
        return cast(Image, cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB))
    if pixels.shape[2] == 4:
        return on_black(cast(Image, cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA)))
    return cast(Image, cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))
