"""Decoded pictures of any pixel format as upright RGB arrays.

Colours: a picture that does not name its YUV matrix is BT.709 from 720 lines up and BT.601 below, as players
have it. Limited and full range both become 0..255. Transparent pictures are laid on black, HDR is mapped to
the standard range. Interlaced pictures stay interlaced, pixels that are not square stay as they are.
"""

from __future__ import annotations

from typing import cast

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from numpy.typing import NDArray

from posetrack.video.tone import is_hdr, to_standard_range

Image = NDArray[np.uint8]  # (H, W, 3) RGB
Orientation = tuple[bool, bool, bool]  # transpose first, then mirror left-right, then mirror top-bottom

_UNSPECIFIED = 2  # AVCOL_SPC_UNSPECIFIED
_HD_LINES = 720


class UprightRgb:
    """Converter for the pictures of one stream; keeps FFmpeg's scaler from one picture to the next."""

    def __init__(self) -> None:
        self._scaler = VideoReformatter()

    def __call__(self, picture: av.VideoFrame) -> Image:
        """(H, W, 3) uint8 RGB, contiguous."""
        transparent = picture.format.has_palette or any(c.is_alpha for c in picture.format.components)
        matrix = None
        if picture.colorspace == _UNSPECIFIED and not picture.format.is_rgb:
            matrix = Colorspace.ITU709 if picture.height >= _HD_LINES else Colorspace.ITU601
        pixels = self._scaler.reformat(
            picture,
            format="rgba" if transparent else "rgb24",
            src_colorspace=matrix,
            dst_color_range=ColorRange.JPEG,
            threads=1,
        ).to_ndarray()
        rgb = cast(Image, pixels)
        image = on_black(rgb) if transparent else np.ascontiguousarray(rgb)
        if is_hdr(picture.color_trc):
            image = to_standard_range(image, picture.color_trc)
        return turn(image, orientation(picture))


def on_black(rgba: NDArray[np.uint8]) -> Image:
    """(H, W, 4) with straight alpha, laid on black: (H, W, 3)."""
    alpha = cv2.cvtColor(np.ascontiguousarray(rgba[..., 3]), cv2.COLOR_GRAY2RGB)
    return cast(Image, cv2.multiply(np.ascontiguousarray(rgba[..., :3]), alpha, scale=1 / 255))


def orientation(picture: av.VideoFrame) -> Orientation:
    """How to turn the picture, from its display matrix (ISO 14496-12, tkhd)."""
    try:
        found = picture.side_data.get("DISPLAYMATRIX")
    except ValueError:  # PyAV 18 knows no name for some side data, EXIF for one; its angle still works
        angle = round(picture.rotation / 90) % 4  # quarter turns, counter-clockwise
        return (angle % 2 == 1, angle in (2, 3), angle in (1, 2))
    if found is None:
        return (False, False, False)
    a, b, _, c, d = (int(n) for n in np.frombuffer(cast(bytes, found), np.int32)[:5])
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return (False, a < 0, d < 0)
    return (True, c < 0, b < 0)


def turn(image: Image, how: Orientation) -> Image:
    transpose, mirror_x, mirror_y = how
    turned = cv2.transpose(image) if transpose else image
    if mirror_x or mirror_y:
        turned = cv2.flip(turned, -1 if mirror_x and mirror_y else int(mirror_x))
    return cast(Image, turned)
