"""What goes over the WebSocket of a visitor's camera, and what is refused.

Up: settings as JSON text, pictures as binary: `HEADER` (number of the picture, moment of its capture by the
sender's clock in ms, both little-endian), then a baseline JPEG. Down: JSON text; "tracks" and "bad" each give
one credit back. A sender may have `CREDIT` pictures on the way; one more, and the connection ends with 1008.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pictures
from PIL import UnidentifiedImageError

from posetrack.results.jsonl import frame_line
from posetrack.types import Tracks

Image = NDArray[np.uint8]  # (H, W, 3) RGB

CREDIT = 2  # pictures that one sender may have on the way
HEADER = struct.Struct("<Id")
MAX_BYTES = 2**20  # of a message: a JPEG of 1280x720 at high quality has a third
MAX_PIXELS = 1920 * 1200
MIN_SIDE = 32
_END_OF_JPEG = b"\xff\xd9"

OVERRUN, FULL = 1008, 1013  # close codes (RFC 6455 and its registry): policy violation, try again later


class BadPictureError(ValueError):
    """A picture that is not looked at; says why."""


def unpack(message: bytes) -> tuple[int, float, bytes]:
    """Number, moment (ms) and JPEG of a binary message. Raises BadPictureError."""
    if len(message) <= HEADER.size:
        raise BadPictureError(f"a message of {len(message)} bytes holds no picture")
    number, moment = HEADER.unpack_from(message)
    if not np.isfinite(moment):
        raise BadPictureError("the moment of capture is not a number")
    return number, moment, message[HEADER.size :]


def decode_jpeg(data: bytes) -> Image:
    """A whole baseline JPEG as RGB.

    Raises:
        BadPictureError: it is something else, cut off, larger than `MAX_PIXELS`, or progressive (whose many
            passes would let a small message cost minutes).
    """
    try:
        picture = Pictures.open(io.BytesIO(data), formats=["JPEG"])
        width, height = picture.size
        if width * height > MAX_PIXELS or min(width, height) < MIN_SIDE:
            raise BadPictureError(
                f"a picture of {width}x{height}: {MIN_SIDE} pixels a side, {MAX_PIXELS} in all at most"
            )
        if picture.info.get("progressive"):
            raise BadPictureError("a progressive JPEG: send baseline ones")
        if not data.rstrip(b"\0").endswith(_END_OF_JPEG):
            raise BadPictureError("the JPEG is cut off")
        return cast(Image, np.asarray(picture.convert("RGB")))
    except BadPictureError:
        raise
    except (
        UnidentifiedImageError,
        OSError,
        SyntaxError,
        ValueError,
        Pictures.DecompressionBombError,
    ) as error:
        raise BadPictureError("the picture is no JPEG that can be decoded") from error


def tracks_message(tracks: Tracks, **more: Any) -> dict[str, Any]:
    """A frame's people as in tracks.jsonl, with what the page needs beside them."""
    width, height = tracks.size
    return {"type": "tracks", "width": width, "height": height, **frame_line(tracks), **more}


def files_message(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Finished recordings, as the page lists them."""
    return [{"name": path.name, "bytes": path.stat().st_size} for path in paths]
