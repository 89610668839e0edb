"""Colours and transparency of every kind of pixel come out as RGB."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.reformatter import ColorTrc

from posetrack.video import open_video
from scripts.media import PATCHES, patches, write_video


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


def pq(light: np.ndarray) -> np.ndarray:
    """Code values 0..1 of light in cd/m2 (SMPTE ST 2084, equation 5.2)."""
    y = (light / 10_000) ** (2610 / 16_384)
    return ((3424 / 4096 + 2413 / 128 * y) / (1 + 2392 / 128 * y)) ** (2523 / 32)


@pytest.mark.parametrize(
    ("transfer", "codes", "gray"),
    [
        # 101.5 cd/m2 is half the reference white: 180 in BT.709 (1.099 * 0.5 ** 0.45 - 0.099); 203 is white
        (ColorTrc.SMPTE2084, pq(np.array([0.0, 20.3, 101.5, 203, 1000])), [0, 75, 180, 242, 255]),
        # HLG's reference white is at 75 %; half the signal is 50 cd/m2 on its screen of 1000 (BT.2408)
        (ColorTrc.ARIB_STD_B67, np.array([0.0, 0.5, 0.75, 1.0]), [0, 123, 242, 255]),
    ],
    ids=["PQ", "HLG"],
)
def test_hdr_is_not_washed_out(
    transfer: ColorTrc, codes: np.ndarray, gray: list[int], tmp_path: Path
) -> None:
    path = tmp_path / "hdr.mkv"
    ramp = np.repeat(np.round(codes * 65_535).astype(np.uint16), 16)
    image = np.ascontiguousarray(np.broadcast_to(ramp[None, :, None], (64, len(ramp), 3)))
    with av.open(str(path), "w") as output:
        stream = output.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = len(ramp), 64, "yuv420p10le"
        context = stream.codec_context
        context.color_trc, context.color_primaries, context.colorspace = transfer, 9, 9
        context.color_range = 1
        coded = av.VideoFrame.from_ndarray(image, "rgb48le").reformat(
            format="yuv420p10le", dst_colorspace=9, dst_color_range=1
        )
        output.mux([*stream.encode(coded), *stream.encode(None)])
    (frame,) = open_video(path)
    assert np.abs(frame.image[32, 8::16].astype(int) - np.array(gray)[:, None]).max() <= 4
