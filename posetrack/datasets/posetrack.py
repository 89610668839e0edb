"""PoseTrack 2017, 2018 and 2021 folders as they are distributed, one video at a time.

    >>> annotations, images = split_folders("posetrack18", "val")              # doctest: +SKIP
    >>> for sequence in posetrack_sequences(annotations, images):              # doctest: +SKIP
    ...     tracks = list(tracker.track(sequence.frames()))

Distributed layouts (annotations / images):
    2017: annotations/{train,val,test}/*.json  /  images/bonn_5sec/000342_mpii/00000001.jpg ...
    2018: annotations/{train,val,test}/*.json  /  images/{train,val,test}/000342_mpii_test/000000.jpg ...
    2021: posetrack_data/{train,val}/*.json    /  images/{train,val}/000342_mpii_test/000000.jpg ...
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from posetrack.datasets.pictures import read_picture
from posetrack.errors import PoseTrackError
from posetrack.results.annotations import Annotations, Annotations17, read_annotations
from posetrack.results.check import frame_names, json_files
from posetrack.results.formats import image_id
from posetrack.types import Frame

FPS = 25.0  # PoseTrack records no times; its videos are broadcast and web material of about this rate


@dataclass(frozen=True)
class PoseTrackSequence:
    """One video: its annotation file, and an image for every frame entry, in order."""

    name: str  # of the annotation file, without .json
    annotation: Path
    images: tuple[Path, ...]
    labelled: tuple[bool, ...]  # of every frame

    def __len__(self) -> int:
        return len(self.images)

    @property
    def missing(self) -> tuple[Path, ...]:
        """Images that are not there."""
        return tuple(path for path in self.images if not path.is_file())

    def frames(self, *, labelled_only: bool = False, fps: float = FPS) -> Iterator[Frame]:
        """The frames in order, read as they are asked for; `index` is the place in the annotation file.

        Args:
            labelled_only: leave out frames without annotation.
            fps: for the times.

        Raises:
            InputError: an image is missing or cannot be read.
        """
        for index, (path, labelled) in enumerate(zip(self.images, self.labelled, strict=True)):
            if labelled or not labelled_only:
                yield Frame(read_picture(path), index, index / fps)


def posetrack_sequences(annotations: str | Path, images: str | Path) -> list[PoseTrackSequence]:
    """Every sequence of a folder of annotation files.

    Args:
        annotations: folder with one .json file for each sequence, of any year.
        images: root of the images: the folder that holds `images/`, or any folder further down the names
            in the annotation files.

    Raises:
        PoseTrackError: a folder is missing or empty, or an annotation file is broken.
    """
    root = Path(images)
    if not root.is_dir():
        raise PoseTrackError(f"{root}: no such folder; give the root of the PoseTrack images")
    return [sequence_of(read_annotations(path), path, root) for path in json_files(annotations)]


def sequence_of(file: Annotations, annotation: Path, root: Path) -> PoseTrackSequence:
    """The sequence of an annotation file that was read from `annotation`."""
    names = frame_names(file)
    if isinstance(file, Annotations17):
        labelled = [bool(f.is_labeled[0]) if f.is_labeled else bool(f.annorect) for f in file.annolist]
    else:
        people = {person.image_id for person in file.annotations}
        labelled = [i.id in people if i.is_labeled is None else bool(i.is_labeled) for i in file.images]
    return PoseTrackSequence(annotation.stem, annotation, _locate(names, root), tuple(labelled))


def frame_keys(annotation: str | Path) -> tuple[list[int], list[str]]:
    """Image id and name of every frame of an annotation file.

    Files of 2017 have no ids: those that the names of 2018 would have, -1 where a name is not of that kind.
    """
    file = read_annotations(annotation)
    names = frame_names(file)
    if isinstance(file, Annotations17):
        return [image_id(name, -1) for name in names], names
    return [image.id for image in file.images], names


def _locate(names: Sequence[str], root: Path) -> tuple[Path, ...]:
    """The images under the root, which may stand anywhere along the folders of their names."""
    if not names:
        return ()
    depth = len(PurePosixPath(names[0]).parts)
    skip = next((n for n in range(depth) if (root / _without(names[0], n)).parent.is_dir()), 0)
    if skip == depth - 1:  # only the root itself was found, which says nothing
        skip = skip if (root / _without(names[0], skip)).is_file() else 0
    return tuple(root / _without(name, skip) for name in names)


def _without(name: str, folders: int) -> PurePosixPath:
    return PurePosixPath(*PurePosixPath(name).parts[folders:])


def missing_images(sequences: Sequence[PoseTrackSequence]) -> list[str]:
    """What is not there, a line for each sequence; empty when all is complete."""
    lines = []
    for sequence in sequences:
        missing = sequence.missing
        if not missing:
            continue
        if len(missing) == len(sequence):
            lines.append(
                f"{sequence.name}: all {len(missing)} images missing; expected in {missing[0].parent}"
            )
        else:
            lines.append(
                f"{sequence.name}: {len(missing)} of {len(sequence)} images missing, first {missing[0]}"
            )
    return lines


def split_folders(root: str | Path, split: str) -> tuple[Path, Path]:
    """The annotation folder and the image root of a split ("train", "val" or "test") under a data set's root.

    Raises:
        PoseTrackError: no annotation folder in any of the distributed places.
    """
    root = Path(root)
    places = [root / name / split for name in ("annotations", "posetrack_data", "posetrack_data/annotations")]
    for place in places:
        if place.is_dir():
            return place, root
    expected = ", ".join(str(place) for place in places)
    raise PoseTrackError(f"{root}: no annotations of the split {split!r}; expected one of {expected}")
