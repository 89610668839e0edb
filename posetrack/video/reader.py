"""Video in: any file that FFmpeg reads, a folder or a glob of pictures, an address, a pipe.

>>> with open_video("clip.mp4") as video:  # doctest: +SKIP
...     for frame in video:
...         print(frame.index, frame.time, frame.image.shape)
...     print(video.warnings)
"""

from __future__ import annotations

import errno
import glob
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from posetrack.errors import InputError
from posetrack.video.buckets import in_bucket, signed
from posetrack.video.container import FileVideo
from posetrack.video.names import address_name, fitting, is_address, shown, stem_of
from posetrack.video.picture import PictureFile
from posetrack.video.pictures import AnimationVideo, PictureVideo, is_picture, natural_order, pictures_in
from posetrack.video.pipe import STDIN, Spool
from posetrack.video.source import Video

_NUMBER = re.compile(r"%(0?[0-9]*)d")  # printf's, as FFmpeg takes it
_NOTHING_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL}


def open_video(source: str | Path, *, picture_rate: float = 25.0) -> Video:
    """Open a source of frames and learn its size.

    Frames come as RGB uint8, upright (the display matrix and EXIF are applied), whatever the pixel format.
    `time` is in seconds as the file says: it need not start at 0, nor advance evenly.

    Args:
        source: a file, a folder of pictures, a glob of pictures, a pattern such as %06d.jpg, an address, a
            pipe, or "-" for standard input.
        picture_rate: frames per second given to pictures, which have no clock of their own.

    Raises:
        InputError: there is nothing to read, in one line that says what to do.
    """
    text = str(source)
    if not text:
        raise InputError("the name of the video is empty; name a file, a folder or an address")
    if "\0" in text or "%00" in text:
        raise InputError(f"the name {shown(text)} holds a null character; check it")
    if is_address(text):
        if _scheme(text) != "file":
            return FileVideo(signed(text) if in_bucket(text) else text, None)
        text = unquote(urlsplit(text).path)
    if text in STDIN:
        return _piped(text)
    path = Path(text)
    mode = _mode(path)
    if mode is None:
        return _matching(text, picture_rate)
    if stat.S_ISDIR(mode):
        return _folder(path, picture_rate)
    if stat.S_ISFIFO(mode):
        return _piped(text)
    if not stat.S_ISREG(mode):
        raise InputError(f"{shown(text)} is a device, not a video; name a file, a folder or an address")
    return _file(path, picture_rate)


read_video = open_video


def expand_sources(sources: Iterable[str]) -> list[str]:
    """Sources one by one: a glob that the shell left alone and that matches videos stands for each."""
    out = []
    for source in sources:
        found = []
        if glob.has_magic(source) and not is_address(source) and not os.path.exists(source):
            found = [p for p in matches(source) if not is_picture(p)]
        out += [str(p) for p in found] or [source]
    return out


def output_stem(source: str) -> str:
    """The `stem` that the source's Video has, without opening it: what its outputs are named after."""
    if is_address(source):
        return stem_of(address_name(source))
    if source in STDIN:
        return "stdin"
    path = Path(source)
    if os.path.isdir(source):
        return fitting(path.resolve().name)
    if not os.path.exists(source) and (pictures := [p for p in matches(source) if is_picture(p)]):
        return fitting(pictures[0].resolve().parent.name)
    return stem_of(path.name)


def matches(text: str) -> list[Path]:
    """The files that a glob (`*.png`) or a pattern of numbers (`frame_%06d.png`) means, in natural order.

    Folders that are there by that very name are taken at their word, brackets and all.
    """
    *folders, name = Path(text).parts or ("",)
    base = Path()
    while folders and os.path.isdir(base / folders[0]):
        base /= folders.pop(0)
    rest = [*folders, name]
    numbered = any(_NUMBER.search(part) for part in rest)
    if not numbered and not any(glob.has_magic(part) for part in rest):
        return []
    parts = [_NUMBER.sub("*", glob.escape(part)) for part in rest] if numbered else rest
    try:
        found = [Path(p) for p in glob.iglob(os.path.join(glob.escape(str(base)), *parts), recursive=True)]
    except (OSError, ValueError, re.error):
        return []
    if numbered:
        exact = re.compile(re.escape(os.sep).join(map(_exactly, rest)))
        found = [p for p in found if exact.fullmatch(os.path.relpath(p, base))]
    return natural_order(p for p in found if os.path.isfile(p))


def _exactly(part: str) -> str:
    """A regular expression for a name with printf's %d or %06d in it."""
    out, end = "", 0
    for number in _NUMBER.finditer(part):
        width = min(int(number[1].lstrip("0")[:3] or 0), 255) if number[1].startswith("0") else 0
        digits = f"(?:[0-9]{{{width}}}|[1-9][0-9]{{{width},}})" if width else "[0-9]+"
        out += re.escape(part[end : number.start()]) + digits
        end = number.end()
    return out + re.escape(part[end:])


def _scheme(address: str) -> str:
    try:
        return urlsplit(address).scheme.lower()
    except ValueError as error:
        raise InputError(f"{shown(address)} is no address ({error}); check it") from error


def _mode(path: Path) -> int | None:
    """What kind of thing the path names; None where there is nothing."""
    try:
        return path.stat().st_mode
    except PermissionError as error:
        raise InputError(
            f"cannot look at {shown(path)}: permission denied; check the rights of its folders"
        ) from error
    except OSError as error:
        if error.errno in _NOTHING_THERE:
            return None
        raise InputError(f"cannot look at {shown(path)}: {error.strerror}; check the path") from error


def _piped(text: str) -> Video:
    spool = Spool(text)
    try:
        return FileVideo(text, spool.path, spool)
    except BaseException:
        spool.close()
        raise


def _folder(path: Path, rate: float) -> Video:
    try:
        pictures = pictures_in(path)
    except OSError as error:
        raise InputError(
            f"cannot list the folder {shown(path)}: {error.strerror}; check its rights"
        ) from error
    if not pictures:
        raise InputError(
            f"no pictures in the folder {shown(path)}; name a video file, "
            "or a folder that holds .jpg or .png frames"
        )
    return PictureVideo(pictures, path.resolve().name, rate)


def _file(path: Path, rate: float) -> Video:
    if path.stat().st_size == 0:
        raise InputError(f"{shown(path.name)} is empty (0 bytes); copy or record it again")
    if not is_picture(path):
        return FileVideo(str(path), path)
    file = PictureFile(path)
    return AnimationVideo(file, rate) if file.count > 1 else PictureVideo([path], path.name, rate)


def _matching(text: str, rate: float) -> Video:
    found = matches(text)
    pictures = [p for p in found if is_picture(p)]
    if not found and not glob.has_magic(text) and not _NUMBER.search(text):
        raise InputError(f"no such file or folder: {shown(text)}; check the path")
    if not found:
        raise InputError(f"nothing matches {shown(text)}; check the path and the pattern")
    if not pictures:
        raise InputError(f"{shown(text)} matches {len(found)} files but no pictures; give videos one by one")
    return PictureVideo(pictures, pictures[0].resolve().parent.name, rate)
