"""Pictures of a folder, decoded as they are drawn: for data sets that do not fit in memory.

pictures = Folder(root / "train2017", names)
image = pictures["000000000139.jpg"]  # (H, W, 3) RGB
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from posetrack.datasets.archives import Image, decoded
from posetrack.datasets.people import Person, PoseData
from posetrack.errors import InputError
from posetrack.skeletons import Skeleton


class Folder(Mapping[str, Image]):
    """Pictures by their names below `root`; holds names only, so worker processes may each have a copy."""

    def __init__(self, root: Path, names: Iterable[str]) -> None:
        self.root = root
        self._names = dict.fromkeys(names)

    def __getitem__(self, name: str) -> Image:
        """The picture, (H, W, 3) RGB, as its pixels are stored.

        Raises:
            KeyError: a name that the folder was not made with.
            InputError: the file is gone or does not decode.
        """
        if name not in self._names:
            raise KeyError(name)
        return read_picture(self.root / name)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def read_picture(path: Path) -> Image:
    """A picture file as (H, W, 3) RGB, its pixels as they are stored.

    Raises:
        InputError: no such file, or it does not decode.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}): fetch this picture again") from None
    picture = decoded(data)
    if picture is None:
        raise InputError(f"{path}: {len(data)} bytes that do not decode: fetch this picture again")
    return picture


def existing(root: Path, names: Collection[str]) -> set[str]:
    """Those of `names` that are files below `root`; lists each folder once instead of asking for each file.

    Raises:
        InputError: none of them is there.
    """
    found: set[str] = set()
    for folder in {str(PurePosixPath(name).parent) for name in names}:
        prefix = "" if folder == "." else f"{folder}/"
        try:
            with os.scandir(root / folder) as entries:
                found.update(prefix + entry.name for entry in entries)
        except OSError:
            continue  # all pictures of this folder are missing, which the caller reports
    found.intersection_update(names)
    if names and not found:
        raise InputError(f"{root}: none of the {len(names)} annotated pictures is there: give their folder")
    return found


def with_pictures(name: str, skeleton: Skeleton, found: Iterable[Person | str], folder: Path) -> PoseData:
    """A data set of the people whose pictures are in `folder`, the only ones that can be drawn.

    Args:
        found: people, or in place of one a line that says why they are left out.

    Returns:
        In `lost` these lines, and one for every missing picture.

    Raises:
        InputError: nobody remains.
    """
    people, lost = [], []
    for person in found:
        if isinstance(person, Person):
            people.append(person)
        else:
            lost.append(person)
    wanted = Counter(person.image for person in people)  # how many people each picture shows
    there = existing(folder, wanted)
    lost += [f"{folder / image}: missing, {n} people" for image, n in wanted.items() if image not in there]
    people = [person for person in people if person.image in there]
    if not people:
        first = f", first {lost[0]}" if lost else ""
        raise InputError(f"{name}: nobody to train on, {len(lost)} left out{first}: check the annotations")
    return PoseData(name, skeleton, people, Folder(folder, [n for n in wanted if n in there]), lost)
