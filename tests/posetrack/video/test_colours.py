"""Colours and transparency of every kind of pixel come out as RGB."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from posetrack.video import open_video
from tests.posetrack.media import PATCHES, patches, write_video


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("untagged, small: BT.601", {}),
        ("BT.709, limited", {"matrix": 1, "full_range": False}),
        ("BT.709, full", {"matrix": 1, "full_range": True}),
        ("BT.601, limited", {"matrix": 5, "full_range": False}),
        ("BT.601, full", {"matrix": 5, "full_range": True}),
        ("full by pixel format", {"codec": "mjpeg", "pix_fmt": "yuvj420p", "ending": "avi"}),
        ("10 bit", {"pix_fmt": "yuv420p10le"}),
        ("10 bit, 4:4:4", {"codec": "ffv1", "pix_fmt": "yuv444p10le", "ending": "mkv"}),
        ("12 bit RGB", {"codec": "ffv1", "pix_fmt": "gbrp12le", "ending": "mkv"}),
        ("RGB", {"codec": "ffv1", "pix_fmt": "bgr0", "ending": "mkv"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_colours(name: str, how: dict[str, Any], tmp_path: Path) -> None:
    ending = how.pop("ending", "mp4") if "ending" in how else "mp4"
    path = write_video(tmp_path / f"patches.{ending}", [patches()], **how)
    (frame,) = open_video(path)
    middles = frame.image[32, 8::16].astype(int)
    assert np.abs(middles - PATCHES).max() <= 6, name


def test_untagged_from_720_lines_up_is_bt709(tmp_path: Path) -> None:
    path = tmp_path / "hd.mp4"
    with av.open(str(path), "w") as output:  # pixels of BT.709 in a file that does not say so
        stream = output.add_stream("libx264", rate=25, options={"crf": "8"})
        stream.width, stream.height, stream.pix_fmt = 96, 720, "yuv420p"
        coded = av.VideoFrame.from_ndarray(patches((96, 720))).reformat(format="yuv420p", dst_colorspace=1)
        coded.colorspace = 2
        output.mux([*stream.encode(coded), *stream.encode(None)])
    (frame,) = open_video(path)
    assert np.abs(frame.image[360, 8::16].astype(int) - PATCHES).max() <= 6


@pytest.mark.parametrize(
    ("pix_fmt", "codec"), [("gray", "libx264"), ("gray10le", "ffv1"), ("gray16le", "ffv1")]
)
def test_gray_becomes_three_equal_channels(pix_fmt: str, codec: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / "gray.mkv", [patches()], pix_fmt=pix_fmt, codec=codec)
    (frame,) = open_video(path)
    middles = frame.image[32, 8:48:16].astype(int)  # white, black, middle gray
    assert np.abs(middles - PATCHES[:3]).max() <= 6
    assert np.ptp(frame.image, axis=2).max() == 0


@pytest.mark.parametrize(("alpha", "left"), [(255, (200, 100, 40)), (128, (100, 50, 20)), (0, (0, 0, 0))])
def test_transparent_video_lies_on_black(alpha: int, left: tuple[int, int, int], tmp_path: Path) -> None:
    image = np.full((64, 96, 4), (200, 100, 40, 255), np.uint8)
    image[:, :48, 3] = alpha
    path = write_video(tmp_path / "clear.mov", [image], codec="qtrle", pix_fmt="argb")
    (frame,) = open_video(path)
    assert np.abs(frame.image[32, 20].astype(int) - left).max() <= 1
    assert tuple(frame.image[32, 70]) == (200, 100, 40)
