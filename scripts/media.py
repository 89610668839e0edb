"""Real media for tests and the soak: small videos whose frames carry their number, so order and time show.

>>> write_video("clip.mp4", numbered(30), fps=25, rotation=90, sound=True)
>>> [number_of(frame.image) for frame in open_video("clip.mp4")] == list(range(30))
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

SIZE = (96, 64)  # (width, height): small, so that encoding takes no time
SAMPLE_RATE = 48_000
UNEVEN = [0, 512, 1536, 1792, 1800, 9000, 9512, 20_000, 20_001, 23_000]  # ticks of 1/15360 s
_BITS = 8
_NEAR_LOSSLESS = {"libx264": {"crf": "8", "bf": "2", "g": "12"}, "libx265": {"x265-params": "log-level=none"}}


def numbered(count: int, size: tuple[int, int] = SIZE) -> list[Image]:
    return [picture(n, size) for n in range(count)]


def picture(number: int, size: tuple[int, int] = SIZE) -> Image:
    """(H, W, 3) RGB: eight bars above say the number in binary, red and blue below tell left from right."""
    width, height = size
    image = np.zeros((height, width, 3), np.uint8)
    for bit in range(_BITS):
        if number >> bit & 1:
            image[: height // 2, bit * width // _BITS : (bit + 1) * width // _BITS] = 255
    image[height // 2 :, : width // 2] = (220, 40, 40)
    image[height // 2 :, width // 2 :] = (40, 60, 220)
    return image


def noisy(count: int) -> list[Image]:
    """Frames that no codec makes small: so that half the bytes are half the frames."""
    random = np.random.default_rng(0)
    return [random.integers(0, 255, (64, 96, 3), dtype=np.uint8) for _ in range(count)]


PATCHES = np.array(
    [[255, 255, 255], [0, 0, 0], [128, 128, 128], [220, 30, 30], [30, 200, 40], [30, 40, 220]], np.uint8
)


def patches(size: tuple[int, int] = (96, 64)) -> Image:
    """Six flat colours side by side: what a colour conversion must not change."""
    return np.ascontiguousarray(np.broadcast_to(np.repeat(PATCHES, size[0] // 6, 0), (size[1], size[0], 3)))


def number_of(image: Image) -> int:
    """The number that `picture` wrote, also after lossy coding."""
    height, width = image.shape[:2]
    middles = [(2 * bit + 1) * width // (2 * _BITS) for bit in range(_BITS)]
    return sum((int(image[height // 4, x].mean()) > 128) << bit for bit, x in enumerate(middles))


def write_video(
    path: str | Path,
    frames: Iterable[Image],
    *,
    fps: Fraction | float = 25,
    times: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    rotation: int = 0,
    hflip: bool = False,
    sound: bool | str = False,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    matrix: int | None = None,
    full_range: bool | None = None,
    pixel_aspect: Fraction | None = None,
    options: dict[str, str] | None = None,
    container: dict[str, str] | None = None,
    format: str | None = None,
) -> Path:
    """Encode frames; the container follows from the name's ending.

    Args:
        frames: (H, W, 3) RGB or, for pixel formats with alpha, (H, W, 4) RGBA.
        times: when each frame is shown, in units of `time_base`; every 1 / fps without it.
        rotation: the display matrix turns the stored picture by so many degrees, counter-clockwise.
        hflip: and mirrors it.
        sound: True for AAC, or the name of an encoder: a tone as long as the video.
        matrix: colour matrix written and tagged (1 BT.709, 5 BT.601); untagged BT.601 without it.
        full_range: tag 0..255 or 16..235.
        container: options of the muxer, e.g. {"movflags": "faststart"}.
    """
    frames = list(frames)
    height, width = frames[0].shape[:2]
    rate = Fraction(fps).limit_denominator(1001)
    tick = time_base or 1 / rate
    times = list(times) if times is not None else [round(n / rate / tick) for n in range(len(frames))]
    with av.open(str(path), "w", format=format, container_options=container or {}) as output:
        stream: Any = output.add_stream(
            codec, rate=rate, options=_NEAR_LOSSLESS.get(codec, {}) | (options or {})
        )
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.codec_context.time_base = tick
        if pixel_aspect is not None:
            stream.codec_context.sample_aspect_ratio = pixel_aspect
        if rotation or hflip:
            stream.set_display_rotation(rotation, hflip=hflip)
        colours: dict[str, Any] = {}
        if matrix is not None:
            stream.codec_context.colorspace = colours["dst_colorspace"] = matrix
        if full_range is not None:
            stream.codec_context.color_range = colours["dst_color_range"] = 2 if full_range else 1
        tone = _Tone(output, sound, times[0] * tick) if sound else None
        for frame, time in zip(frames, times, strict=True):
            shape = "rgba" if frame.shape[2] == 4 else "rgb24"
            coded = av.VideoFrame.from_ndarray(frame, shape).reformat(format=pix_fmt, **colours)
            coded.pts, coded.time_base = time, tick
            if tone:
                tone.until(time * tick)
            output.mux(stream.encode(coded))
        output.mux(stream.encode(None))
        if tone:
            tone.until(times[-1] * tick + 1 / rate)
            tone.finish()
    return Path(path)


class _Tone:
    """A stereo sine of 440 Hz."""

    def __init__(self, output: Any, codec: bool | str, start: Fraction) -> None:
        self._output, self._start, self._done = output, start, 0
        self._stream = output.add_stream("aac" if codec is True else codec, rate=SAMPLE_RATE)
        self._stream.codec_context.layout = "stereo"

    def until(self, time: Fraction) -> None:
        while self._start + Fraction(self._done, SAMPLE_RATE) < time:
            n = np.arange(self._done, self._done + 1024)
            wave = np.tile((0.3 * np.sin(n * 440 * 2 * np.pi / SAMPLE_RATE)).astype(np.float32), (2, 1))
            frame = av.AudioFrame.from_ndarray(wave, "fltp", "stereo")
            frame.sample_rate, frame.time_base = SAMPLE_RATE, Fraction(1, SAMPLE_RATE)
            frame.pts = round(self._start * SAMPLE_RATE) + self._done
            self._output.mux(self._stream.encode(frame))
            self._done += 1024

    def finish(self) -> None:
        self._output.mux(self._stream.encode(None))


def cut(path: Path, share: float) -> Path:
    """A copy of a file that ends after `share` of its bytes."""
    data = path.read_bytes()
    out = path.with_name(f"cut_{path.name}")
    out.write_bytes(data[: round(len(data) * share)])
    return out


def sound_packets(path: str | Path) -> list[bytes]:
    """The coded sound of a file, packet by packet."""
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def sound_times(path: str | Path) -> list[float]:
    """When each packet of sound is heard, in seconds."""
    with av.open(str(path)) as container:
        return [float((p.pts or 0) * p.time_base) for p in container.demux(audio=0) if p.size]


def stored_times(path: str | Path) -> list[Fraction]:
    """When each frame of a file is shown, in seconds, exactly; asked of FFmpeg, not of our reader."""
    with av.open(str(path)) as container:
        return [Fraction((f.pts or 0) * (f.time_base or 0)) for f in container.decode(video=0)]
