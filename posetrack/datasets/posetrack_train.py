"""PoseTrack 2017, 2018 and 2021 people for training, in the 17 joints of PoseTrack 2018.

    data = read_posetrack(Path("posetrack18"), "train")

Ears are listed but never labelled. A COCO network keeps all its channels when it is fine-tuned on these
people, but two of them mean another joint from then on: the eyes' become neck and head top.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posetrack.datasets.people import Person, PoseData
from posetrack.datasets.pictures import with_pictures
from posetrack.datasets.posetrack import sequence_of, split_folders
from posetrack.errors import PoseTrackError
from posetrack.results.annotations import read_annotations, short_name
from posetrack.results.check import json_files
from posetrack.results.formats import to_2018
from posetrack.skeletons import POSETRACK18

# "15 %" of the paper, shared by both sides, as the tracker enlarges the joints that flow carries, so that
# training shows what tracking will. Other readings: 1.3, as the boxes in PoseTrack 2018 files; 1 / 0.85, as
# DetectAndTrack.
GROWTH = 1.15
SMALLEST_AREA = 1000.0  # square pixels of the box; one joint, or a few close together, say nothing of a body


def read_posetrack(
    root: Path, split: str, year: int = 2018, growth: float = GROWTH, smallest_area: float = SMALLEST_AREA
) -> PoseData:
    """People in the labelled frames of a split, boxed by their joints.

    Args:
        root: of the data set, in any of the distributed layouts; the files tell their form.
        year: names the data set.
        growth: sides of a box over the extent of its joints.
        smallest_area: people with a smaller box are left out.

    Raises:
        PoseTrackError: no such split, or nobody remains.
    """
    folder, images = split_folders(root, split)
    found = (person for path in json_files(folder) for person in _video(path, images, growth, smallest_area))
    return with_pictures(f"posetrack{year} {split}", POSETRACK18, found, images)


def _video(path: Path, images: Path, growth: float, smallest_area: float) -> Iterator[Person | str]:
    """The people of one video, or why they are left out."""
    try:
        file = read_annotations(path)
    except PoseTrackError as error:
        yield str(error)
        return
    sequence = sequence_of(file, path, images)
    file = to_2018(file)
    slots = {joint: slot for slot, joint in enumerate(file.categories[0].keypoints)}
    order = [slots.get(joint, -1) for joint in POSETRACK18.keypoints]  # -1: the empty joint added at the end
    in_frame = defaultdict(list)
    for annotation in file.annotations:
        in_frame[annotation.image_id].append(annotation)
    for image, place, labelled in zip(file.images, sequence.images, sequence.labelled, strict=True):
        annotations = in_frame.pop(image.id, [])
        for annotation in annotations if labelled else ():
            who = f"{short_name(path)}: {place.name}: person {annotation.track_id}"
            if len(annotation.keypoints) != 3 * len(slots):
                yield f"{who}: {len(annotation.keypoints)} numbers for {len(slots)} joints"
                continue
            triples = np.array([*annotation.keypoints, 0, 0, 0], np.float32).reshape(-1, 3)[order]
            person = _boxed(place.relative_to(images).as_posix(), triples, growth)
            if (area := float(np.prod(person.box[2:] - person.box[:2]))) < smallest_area:
                yield f"{who}: {person.labelled.sum()} joints in a box of {area:.0f} square pixels"
            else:
                yield person
    for identity, strangers in in_frame.items():
        yield (
            f"{short_name(path)}: image_id {identity}: {len(strangers)} people in a frame that is not listed"
        )


def _boxed(image: str, triples: NDArray[np.float32], growth: float) -> Person:
    """Somebody with the joints x, y, v (K, 3). (x, y, 0) is a hidden joint, (0, 0, 0) none, as in poseval."""
    labelled = (triples != 0).any(axis=1)
    box = grown_box(triples[labelled, :2], growth)
    return Person(image, box, triples[:, :2], labelled, np.zeros(len(labelled), np.bool_))


def grown_box(points: NDArray[np.floating], growth: float) -> NDArray[np.float32]:
    """Box (4,) round points (N, 2), its sides `growth` times their extent; without points all zero."""
    if not len(points):
        return np.zeros(4, np.float32)
    low, high = points.min(axis=0), points.max(axis=0)
    centre, half = (low + high) / 2, (high - low) * growth / 2
    return np.concatenate([centre - half, centre + half]).astype(np.float32)
