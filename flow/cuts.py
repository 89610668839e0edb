"""Scene cuts, found on thumbnails: does this frame still show the scene of the frame before?

Two thumbnails are alike when their contents match after the best shift (so a pan or a shaking camera is no
cut) and when they hold the same colours. Both are measured after brightness and contrast are evened out, so a
change of exposure is no cut either. A dissolve is not found: its neighbouring frames are alike.

    >>> detector = CutDetector()
    >>> [detector(image) for image in images]
    [True, False, False, True, False]
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from flow.base import Image

Thumbnail = NDArray[np.uint8]  # (SIDE, SIDE, 3)

SIDE = 32  # pixels; every picture becomes a square, whatever its shape
SHIFT = 8  # thumbnail pixels: the scene may move by a quarter of the picture between two frames
BLANK = 4.0  # gray levels: a thumbnail with less contrast (black, white, fog) shows no scene
FLASH = 0.3  # of the picture burnt out that was not so before: a flash hides the scene
FLASH_FRAMES = 2  # a flash is over after so many frames; what stays white is a bright scene
STILL = 12  # gray levels: a thumbnail pixel that changed by less shows the same as before
STAYED = 0.6  # of the picture as it was: something moves before a background that stays, which is no cut
THRESHOLD = 0.73  # a scene less like the one before is another one; real motion stays above, real cuts below


class CutDetector:
    """Says for one frame after another whether it begins a new scene. Remembers the last scene."""

    def __init__(self, threshold: float = THRESHOLD) -> None:
        self._threshold = threshold
        self.reset()

    def reset(self) -> None:
        """Forget the frame before: a new video begins."""
        self._shape: tuple[int, ...] | None = None
        self._scene: Thumbnail | None = None  # None as long as every frame was blank
        self._small: Thumbnail | None = None  # the same frame, not evened out
        self._burnt = 0.0  # share of the scene that is burnt out
        self._flashes = 0  # frames since the scene was last seen

    def __call__(self, image: Image) -> bool:
        """True for the first frame, when the picture's size changed, and when the scene is another one.

        A blank or burnt-out frame is no cut by itself: the next clear one is compared with the scene before.
        """
        small = _shrink(image)
        blank = float(small.mean(axis=2).std()) < BLANK
        burnt = float((small.mean(axis=2) > 240).mean())
        if self._shape != image.shape:
            self._shape = image.shape
            self._scene = None
            self._remember(small, burnt, blank)
            return True
        flash = burnt - self._burnt > FLASH and self._flashes < FLASH_FRAMES
        if blank or flash:
            self._flashes += flash
            return False
        before, small_before = self._scene, self._small
        scene = self._remember(small, burnt, blank)
        if before is None or small_before is None:
            return True
        return likeness(before, scene) < self._threshold and stayed(small_before, small) < STAYED

    def _remember(self, small: Thumbnail, burnt: float, blank: bool) -> Thumbnail:
        scene = _even_out(small)
        self._scene, self._small = (None, None) if blank else (scene, small)
        self._burnt, self._flashes = burnt, 0
        return scene


def likeness(a: Thumbnail, b: Thumbnail) -> float:
    """How alike two evened-out scenes are, at most 1: two parts content, one part colours."""
    content = max(_best_match(a, b), _best_match(b, a))
    colours = float(np.minimum(_colours(a), _colours(b)).sum())
    return (2 * content + colours) / 3


def stayed(a: Thumbnail, b: Thumbnail) -> float:
    """Share of the pixels that hardly changed."""
    return float((np.abs(a.astype(np.int16) - b).max(axis=2) < STILL).mean())


def _shrink(image: Image) -> Thumbnail:
    # Picking 128 x 128 pixels first costs a tenth of averaging all of them.
    picked = cv2.resize(image, (4 * SIDE, 4 * SIDE), interpolation=cv2.INTER_NEAREST)
    return np.asarray(cv2.resize(picked, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def _even_out(small: Thumbnail) -> Thumbnail:
    """Mean luminance to 128 and its standard deviation to 32."""
    luminance = small.mean(axis=2)
    contrast = max(float(luminance.std()), BLANK)
    even = (small - luminance.mean()) * (32 / contrast) + 128.5
    return np.asarray(np.clip(even, 0, 255), np.uint8)  # not float32: matchTemplate is slow on float colours


def _best_match(a: Thumbnail, b: Thumbnail) -> float:
    """Correlation of the middle of a with the place in b where it fits best."""
    middle = np.ascontiguousarray(a[SHIFT:-SHIFT, SHIFT:-SHIFT])
    if middle.std() < 2:  # nothing to recognise there
        return 0.0
    match = cv2.matchTemplate(b, middle, cv2.TM_CCOEFF_NORMED)
    return float(match[np.isfinite(match)].max(initial=0.0))


def _colours(a: Thumbnail) -> NDArray[np.float64]:
    """Share of the pixels in each of 5 x 5 x 5 colours, bins one standard deviation wide."""
    level = np.clip((a.astype(np.int64) - 48) // 32, 0, 4).reshape(-1, 3)
    return np.bincount(level @ np.array([25, 5, 1]), minlength=125) / len(level)
