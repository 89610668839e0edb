"""One picture file: upright RGB, whatever its format; also all pages or frames of a file that holds more."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from fractions import Fraction
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from posetrack.video.upright import Image, Orientation, on_black, turn

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

T = TypeVar("T")
_JPEG, _PNG = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"
_PNG_END = b"IEND\xaeB`\x82"
_FRAME_MARKS = (b"\0\0\0\x1afcTL", b"ANMF")  # before every frame of an animated PNG, WebP
_TIFFS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_EXIF, _ORIENTATION = 0, 0x0112  # OpenCV's kind of metadata; the tag (EXIF 2.32, 4.6.4)
# tag -> transpose first, then mirror left-right, then mirror top-bottom
_TURNS: dict[int, Orientation] = {
    2: (False, True, False),
    3: (False, True, True),
    4: (False, False, True),
    5: (True, False, False),
    6: (True, True, False),
    7: (True, True, True),
    8: (True, False, True),
}


class PictureFile:
    """What a file holds; read when first asked for. Nothing raises: what cannot be read is left out."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def first(self) -> Image | None:
        """(H, W, 3) uint8 RGB, turned as EXIF says, 16 bit as 8, alpha on black; None if unreadable."""
        return read_pixels(self._data)

    @cached_property
    def count(self) -> int:
        """Pictures in the file: pages, or frames of an animation."""
        joined = self._data.count(_PNG_END + _PNG) + 1  # one after the other: only the first can be read
        if not self._may_hold_more:
            return joined
        marked = max(self._data.count(mark) for mark in _FRAME_MARKS)
        with _opened(self._data) as file:
            return max(joined, marked, _told(lambda: getattr(file, "n_frames", 1)) or 1)

    @cached_property
    def durations(self) -> list[Fraction]:
        """Seconds that each picture is shown; 0 where the file does not say."""
        with _opened(self._data) as file:
            return [_told(partial(_duration, file, page)) or Fraction(0) for page in range(self.count)]

    def images(self) -> Iterator[Image]:
        """All pictures, one at a time; ends early where one cannot be read."""
        if self._data.startswith(_TIFFS):
            yield from self._pages()
            return
        with _opened(self._data) as file:
            for page in range(self.count):
                image = _told(partial(_frame, file, page))
                if image is None and page == 0:  # Pillow gives up where OpenCV does not
                    image = self.first()
                if image is None:
                    return
                yield image

    @cached_property
    def _data(self) -> bytes:
        try:
            return self.path.read_bytes() if self.path.is_file() else b""  # a pipe would never end
        except OSError:
            return b""

    @property
    def _may_hold_more(self) -> bool:
        data = self._data
        return (
            data.startswith(_TIFFS)
            or (data.startswith(_PNG) and b"acTL" in data[: data.find(b"IDAT")])
            or (data[8:12] == b"WEBP" and b"ANIM" in data[:100])
        )

    def _pages(self) -> Iterator[Image]:
        buffer = np.frombuffer(self._data, np.uint8)
        for number in range(self.count):
            try:
                done, pages = cv2.imdecodemulti(buffer, cv2.IMREAD_UNCHANGED, range=(number, number + 1))
            except cv2.error:
                return
            if not done or (image := _as_rgb(pages[0])) is None:
                return
            yield image


def read_pixels(data: bytes) -> Image | None:
    """The first picture of a file's bytes."""
    if not data:
        return None
    buffer = np.frombuffer(data, np.uint8)
    try:
        if data.startswith(_JPEG):
            return cast("Image | None", cv2.imdecode(buffer, cv2.IMREAD_COLOR_RGB))
        if data.startswith(_TIFFS):
            return _as_rgb(cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED))  # turned already
        # other flags would drop alpha; with this one, nothing is turned
        pixels, kinds, found = cv2.imdecodeWithMetadata(buffer, flags=cv2.IMREAD_UNCHANGED)
    except cv2.error:  # larger than OpenCV dares
        return None
    image = _as_rgb(pixels)
    exif = next((bytes(m) for kind, m in zip(kinds, found, strict=True) if kind == _EXIF), b"")
    return image if image is None else turn(image, exif_orientation(exif))


def exif_orientation(exif: bytes) -> Orientation:
    """How to turn a picture, from the first directory of its EXIF data, which is a small TIFF file."""
    order: Any = {b"II": "little", b"MM": "big"}.get(exif[:2])
    if order is None:
        return (False, False, False)
    start = int.from_bytes(exif[4:8], order)
    for entry in range(int.from_bytes(exif[start : start + 2], order)):
        tag = exif[start + 2 + 12 * entry :][:12]
        if len(tag) < 12:
            break
        if int.from_bytes(tag[:2], order) == _ORIENTATION:
            return _TURNS.get(int.from_bytes(tag[8:10], order), (False, False, False))
    return (False, False, False)


def _as_rgb(pixels: NDArray[Any] | None) -> Image | None:
    if pixels is None or pixels.dtype not in (np.uint8, np.uint16):
        return None
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if pixels.ndim == 2:
        return cast(Image, cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB))
    if pixels.shape[2] == 4:
        return on_black(cast(Image, cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA)))
    return cast(Image, cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))


def _opened(data: bytes) -> AbstractContextManager[PilImage | None]:
    """Pillow's view of a file: it goes through animations frame by frame, in the memory of one."""
    from PIL import Image as Pillow

    return _told(lambda: Pillow.open(io.BytesIO(data))) or nullcontext()


def _duration(file: Any, number: int) -> Fraction:
    file.seek(number)
    file.load()  # WebP knows its duration only then
    return Fraction(round(file.info.get("duration", 0)), 1000)


def _frame(file: Any, number: int) -> Image:
    file.seek(number)
    return on_black(np.asarray(file.convert("RGBA")))


def _told(ask: Callable[[], T]) -> T | None:
    """What Pillow answers; None at damage, where its plugins raise what they like, struct.error for one."""
    try:
        return ask()
    except Exception:
        return None
