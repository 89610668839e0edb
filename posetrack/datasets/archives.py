"""Pictures in tar archives, as the data packs have them.

images = read_tar_images([root / "train-00.tar"], {person.image for person in people})
"""

from __future__ import annotations

import tarfile
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from posetrack.errors import InputError

Image = NDArray[np.uint8]  # (H, W, 3) RGB


def decoded(data: bytes) -> Image | None:
    """A picture file; None where it does not decode.

    A photo's note of how to turn it (EXIF) is left alone: annotators and the official code saw the pixels as
    they are stored.
    """
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    return (
        None
        if picture is None
        else np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB, dst=picture), np.uint8)
    )


def pictures_of(
    path: str | Path, wanted: Collection[str] | None = None
) -> Iterator[tuple[str, Image | None]]:
    """Name and picture of an archive's files, or of the wanted ones, in its order.

    Raises:
        InputError: it cannot be read.
    """
    with ThreadPoolExecutor() as pool:  # OpenCV lets Python go on while it decodes
        yield from pool.map(lambda member: (member[0], decoded(member[1])), _members(path, wanted))


def _members(path: str | Path, wanted: Collection[str] | None) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                named = wanted is None or member.name in wanted
                content = archive.extractfile(member) if named else None
                if content is not None:
                    yield member.name, content.read()
    except (OSError, tarfile.TarError) as error:
        raise InputError(
            f"{path} is no readable tar archive ({error}): give an archive of the pack"
        ) from error


def read_tar_images(paths: Iterable[Path], names: Collection[str]) -> dict[str, Image]:
    """The named pictures of some archives, all of them, in memory.

    Raises:
        InputError: an archive cannot be read, or some pictures are missing or do not decode: how many of
            each, and the names of the first.
    """
    wanted = set(names)
    images: dict[str, Image] = {}
    broken = set()
    for path in paths:
        for name, picture in pictures_of(path, wanted):
            if picture is None:
                broken.add(name)
            else:
                images[name] = picture
    lost = sorted(wanted - set(images))
    if lost:
        missing = len(lost) - len(broken - set(images))
        reason = f"{len(lost) - missing} do not decode, {missing} are missing"
        first = ", ".join(lost[:5]) + (" …" if len(lost) > 5 else "")
        raise InputError(f"{len(lost)} of {len(wanted)} pictures are lost ({reason}): {first}")
    return images
