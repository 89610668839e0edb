"""Scene cuts, found on thumbnails: does this frame still show the scene of the frame before?

Two thumbnails are alike when part of the one is found again in the other, wherever it moved (so a pan, a
shaking camera or somebody walking by is no cut), and when they hold the same colours. Brightness and contrast
are evened out first, so a change of exposure is no cut either. Before a plain background that stays there may
be nothing to find again but what moves: then it counts that most pixels stayed. A dissolve is not found: its
neighbouring frames are alike.

A cut that is taken back within `RETURN_FRAMES`, as one broken frame or a flash does, is reported as a return.

>>> detector = CutDetector()
>>> [detector(image) for image in images]
['cut', 'none', 'none', 'cut', 'return']
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from flow.base import Image

Thumbnail = NDArray[np.uint8]  # (SIDE, SIDE, 3)

SIDE = 32  # pixels; every picture becomes a square, whatever its shape
SHIFT = 8  # thumbnail pixels: the scene may move by a quarter of the picture between two frames
PARTS = ((8, 8, 16), (4, 2, 14), (4, 16, 14), (14, 2, 14), (14, 16, 14))  # top, left, side: middle, corners
BLANK = 4.0  # gray levels: a thumbnail with less contrast (black, white, fog) shows no scene
FLASH = 0.3  # of the picture burnt out that was not so before: a flash hides the scene
FLASH_FRAMES = 2  # a flash is over after so many frames; what stays white is a bright scene
STILL = 12  # gray levels: a thumbnail pixel that changed by less shows the same as before
STAYED = 0.6  # of the picture as it was: something moves before a background that stays, which is no cut
RETURN_FRAMES = 5  # after a cut the scene before it may be back: then it was a glitch, not a cut
THRESHOLD = 0.74  # a scene less like the one before is another one; real motion stays above, real cuts below


class Scene(NamedTuple):
    """What is remembered of a picture."""

    plain: Thumbnail
    even: Thumbnail  # mean luminance 128, its standard deviation 32


Change = Literal["none", "cut", "return"]


class CutDetector:
    """Says for one frame after another whether it begins a new scene. Remembers the last two scenes."""

    def __init__(self, threshold: float = THRESHOLD) -> None:
        self._threshold = threshold
        self.reset()

    def reset(self) -> None:
        """Forget the frame before: a new video begins."""
        self._shape: tuple[int, ...] | None = None
        self._scene: Scene | None = None  # None as long as every frame was blank
        self._burnt = 0.0  # share of the scene that is burnt out
        self._flashes = 0  # frames since the scene was last seen
        self._before_cut: Scene | None = None
        self.since_cut = 0  # frames since the scene that may return was last seen

    def __call__(self, image: Image) -> Change:
        """A cut: the first frame, a picture of another size, another scene. A return: the one before is back.

        A blank or burnt-out frame is no cut by itself: the next clear one is compared with the scene before.
        """
        small = _shrink(image)
        luminance = small.mean(axis=2)
        blank = float(luminance.std()) < BLANK
        burnt = float((luminance > 240).mean())
        resized, self._shape = self._shape != image.shape, image.shape
        flash = not resized and burnt - self._burnt > FLASH and self._flashes < FLASH_FRAMES
        self.since_cut += 1
        if flash or (blank and not resized):
            self._flashes += flash
            return "none"
        before = None if resized else self._scene
        scene = Scene(small, _even_out(small))
        self._scene = None if blank else scene
        self._burnt, self._flashes = burnt, 0
        if before is not None and self._same(before, scene):
            return "none"
        lost = None if resized or self.since_cut > RETURN_FRAMES else self._before_cut
        if lost is not None and self._same(lost, scene):
            self._before_cut = None
            return "return"
        if lost is None:  # else it may still return: a glitch can be several unlike frames
            self._before_cut, self.since_cut = before, 0
        return "cut"

    def _same(self, a: Scene, b: Scene) -> bool:
        return likeness(a, b) >= self._threshold or _stayed(a.plain, b.plain) >= STAYED


def likeness(a: Scene, b: Scene) -> float:
    """How alike two scenes are, at most 1: two parts content, one part colours."""
    content = max(_best_match(a.even, b.even, *part) for part in PARTS)
    colours = max(_shared_colours(a.even, b.even), _shared_colours(a.plain, b.plain))
    return (2 * content + colours) / 3


def _stayed(a: Thumbnail, b: Thumbnail) -> float:
    """Share of the pixels that hardly changed."""
    return float((cv2.absdiff(a, b).max(axis=2) < STILL).mean())


def _shrink(image: Image) -> Thumbnail:
    # Picking 128 x 128 pixels first costs a tenth of averaging all of them.
    picked = cv2.resize(image, (4 * SIDE, 4 * SIDE), interpolation=cv2.INTER_NEAREST)
    return np.asarray(cv2.resize(picked, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def _even_out(small: Thumbnail) -> Thumbnail:
    luminance = small.mean(axis=2)
    contrast = max(float(luminance.std()), BLANK)
    even = (small - luminance.mean()) * (32 / contrast) + 128.5
    return np.asarray(np.clip(even, 0, 255), np.uint8)  # not float32: matchTemplate is slow on float colours


def _best_match(a: Thumbnail, b: Thumbnail, top: int, left: int, side: int) -> float:
    """Correlation of a square part of a with the place in b, at most SHIFT away, where it fits best."""
    part = a[top : top + side, left : left + side]
    if part.std() < 2:  # nothing to recognise there
        return 0.0
    around = b[max(0, top - SHIFT) : top + side + SHIFT, max(0, left - SHIFT) : left + side + SHIFT]
    match = cv2.matchTemplate(np.ascontiguousarray(around), np.ascontiguousarray(part), cv2.TM_CCOEFF_NORMED)
    return float(match[np.isfinite(match)].max(initial=0.0))


def _shared_colours(a: Thumbnail, b: Thumbnail) -> float:
    """How much two histograms of 7 x 7 x 7 colours have in common, 0 to 1."""
    return float(np.minimum(_histogram(a), _histogram(b)).sum())


def _histogram(a: Thumbnail) -> NDArray[np.float64]:
    level = np.clip((a.astype(np.int64) - 16) // 32, 0, 6).reshape(-1, 3)
    return np.bincount(level @ np.array([49, 7, 1]), minlength=343) / len(level)
