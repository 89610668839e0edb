"""Video in: any file that FFmpeg reads, a folder or a glob of pictures, an address.

>>> with open_video("clip.mp4") as video:  # doctest: +SKIP
...     for frame in video:
...         print(frame.index, frame.time, frame.image.shape)
...     print(video.warnings)
"""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from posetrack.errors import InputError
from posetrack.video.container import FileVideo, address_name
from posetrack.video.pictures import PictureVideo, is_picture, natural_order, pictures_in
from posetrack.video.source import Video


def open_video(source: str | Path, *, picture_rate: float = 25.0) -> Video:
    """Open a source of frames and learn its size.

    Frames come as RGB uint8, upright (the display matrix and EXIF are applied), whatever the pixel format.
    `time` is in seconds as the file says: it need not start at 0, nor advance evenly.

    Args:
        source: a file, a folder of pictures, a glob of pictures, a pattern such as %06d.jpg, or an address.
        picture_rate: frames per second given to pictures, which have no clock of their own.

    Raises:
        InputError: there is nothing to read, in one line that says what to do.
    """
    text = str(source)
    if not text:
        raise InputError("the name of the video is empty; name a file, a folder or an address")
    if _is_address(text):
        if urlsplit(text).scheme != "file":
            return FileVideo(text, None)
        text = unquote(urlsplit(text).path)
    path = Path(text)
    if path.is_dir():
        return _folder(path, picture_rate)
    if path.exists():
        return _file(path, picture_rate)
    pattern = re.sub(r"%0?\d*d", "*", text)
    if glob.has_magic(pattern):
        return _glob(text, pattern, picture_rate)
    raise InputError(f"no such file or folder: {text}; check the path")


read_video = open_video


def expand_sources(sources: Iterable[str]) -> list[str]:
    """Sources one by one: a glob that the shell left alone and that matches videos stands for each."""
    out = []
    for source in sources:
        found = []
        if glob.has_magic(source) and not _is_address(source) and not Path(source).exists():
            found = [
                p for p in natural_order(map(Path, glob.iglob(source, recursive=True))) if not is_picture(p)
            ]
        out += [str(p) for p in found] or [source]
    return out


def output_stem(source: str) -> str:
    """The `stem` that the source's Video has, without opening it: what its outputs are named after."""
    if _is_address(source):
        return Path(address_name(source)).stem
    path = Path(source)
    if path.is_dir():
        return path.resolve().name
    pattern = re.sub(r"%0?\d*d", "*", source)
    if not path.exists() and glob.has_magic(pattern):
        pictures = natural_order(p for p in map(Path, glob.iglob(pattern, recursive=True)) if is_picture(p))
        return pictures[0].resolve().parent.name if pictures else path.stem
    return path.stem


def _is_address(text: str) -> bool:
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text) is not None


def _folder(path: Path, rate: float) -> Video:
    try:
        pictures = pictures_in(path)
    except OSError as error:
        raise InputError(f"cannot list the folder {path}: {error.strerror}; check its rights") from error
    if not pictures:
        raise InputError(
            f"no pictures in the folder {path}; name a video file, or a folder that holds .jpg or .png frames"
        )
    return PictureVideo(pictures, path.resolve().name, rate)


def _file(path: Path, rate: float) -> Video:
    if path.is_file() and path.stat().st_size == 0:
        raise InputError(f"{path.name} is empty (0 bytes); copy or record it again")
    if is_picture(path):
        return PictureVideo([path], path.name, rate)
    return FileVideo(str(path), path)


def _glob(text: str, pattern: str, rate: float) -> Video:
    found = [p for p in natural_order(map(Path, glob.iglob(pattern, recursive=True))) if p.is_file()]
    pictures = [p for p in found if is_picture(p)]
    if not found:
        raise InputError(f"nothing matches {text}; check the path and the pattern")
    if not pictures:
        raise InputError(f"{text} matches {len(found)} files but no pictures; give videos one by one")
    return PictureVideo(pictures, pictures[0].resolve().parent.name, rate)
