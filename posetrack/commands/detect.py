"""`posetrack detect`: person boxes for the pictures of a data set, for `--boxes` elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from posetrack.commands import options
from posetrack.errors import InputError, PoseTrackError
from posetrack.files import refuse_existing

if TYPE_CHECKING:
    from posetrack.types import Detections, Frame

Data = Literal["coco", "mpii", "posetrack"]


def detect(
    dataset: Annotated[Path, "folder of COCO, MPII or PoseTrack as distributed"],
    *,
    out: Annotated[Path, "file to write: COCO detection results"],
    data: Annotated[Data | None, "what the folder holds; else it is told by its files"] = None,
    split: Annotated[str, "of the data set; COCO also has test-dev"] = "val",
    detector: Annotated[str, "light, or one of torchvision's"] = "light",
    min_score: Annotated[float, "boxes below it are left out"] = 0.05,
    device: options.Device = "auto",
    batch_size: options.BatchSize = 1,
    overwrite: options.Overwrite = False,
) -> int:
    """Find the people in every picture of a data set and write their boxes as COCO detection results.

    Boxes are keyed by image_id; pictures without one (MPII) by file_name. Frames of PoseTrack 2017, which has
    no ids either, get those that PoseTrack 2018 would give them.
    Exit code 1: some pictures cannot be read (named; the rest is done).
    """
    from posetrack import detectors
    from posetrack.progress import progress
    from posetrack.runtime.device import find_device

    options.check_batch_size(batch_size)
    refuse_existing(out, overwrite=overwrite)
    pictures = PICTURES[data or kind_of(dataset)](dataset, split)
    find = detectors.create(detector, device=find_device(device), min_score=min_score)
    results: list[dict[str, Any]] = []
    lost: list[str] = []
    with progress(f"{dataset.name} {split}", len(pictures)) as report:
        for batch in _batches(_frames(pictures, lost), batch_size):
            for frame, found in zip(batch, find(batch), strict=True):
                results += list(_entries(pictures[frame.index].key, found))
                report(frame.index + 1, len(found))
    options.write_json(out, results)
    print(f"{dataset}: {len(results)} boxes in {len(pictures) - len(lost)} pictures -> {out}")
    for line in lost:
        options.complain(line)
    return options.SOME_FAILED if lost else options.DONE


@dataclass(frozen=True)
class Picture:
    """One to look at, and what its boxes are keyed by."""

    path: Path
    key: dict[str, int | str]


def coco_pictures(root: Path, split: str) -> list[Picture]:
    """Every picture that the split lists, also those without people; test sets come with a mere list."""
    from posetrack.datasets.coco import annotation_file, image_names, picture_folder

    path = annotation_file(root, split)
    if not path.is_file():
        path = root / "annotations" / f"image_info_{split}2017.json"
    folder = picture_folder(root, "test" if split.startswith("test") else split)
    return [Picture(folder / name, {"image_id": image}) for image, name in image_names(path).items()]


def mpii_pictures(root: Path, split: str) -> list[Picture]:
    from posetrack.documents import read_json

    path = root / "annot" / f"{'valid' if split == 'val' else split}.json"
    try:
        names = dict.fromkeys(str(entry["image"]) for entry in read_json(path))
    except (TypeError, KeyError) as error:
        raise InputError(f"{path}: no MPII annotations as in HRNet's release ({error!r})") from None
    return [Picture(root / "images" / name, {"file_name": name}) for name in names]


def posetrack_pictures(root: Path, split: str) -> list[Picture]:
    """Every frame of every sequence, labelled or not: a tracker needs them all."""
    from posetrack.datasets.posetrack import frame_keys, posetrack_sequences, split_folders

    pictures = []
    for sequence in posetrack_sequences(*split_folders(root, split)):
        ids, names = frame_keys(sequence.annotation)
        for path, image, name in zip(sequence.images, ids, names, strict=True):
            pictures.append(Picture(path, {"image_id": image} if image >= 0 else {"file_name": name}))
    return pictures


PICTURES = {"coco": coco_pictures, "mpii": mpii_pictures, "posetrack": posetrack_pictures}


def kind_of(root: Path) -> Data:
    """What a folder holds, by the files that only it has."""
    if (root / "annot").is_dir():
        return "mpii"
    if any((root / "annotations").glob("*2017.json")):
        return "coco"
    if (root / "annotations").is_dir() or (root / "posetrack_data").is_dir():
        return "posetrack"
    raise PoseTrackError(f"{root}: neither COCO, MPII nor PoseTrack as distributed: say which by --data")


def _frames(pictures: Sequence[Picture], lost: list[str]) -> Iterator[Frame]:
    """The pictures that can be read; what cannot goes to `lost`. Reading runs ahead."""
    from posetrack.datasets.pictures import read_picture
    from posetrack.types import Frame
    from posetrack.video import prefetch

    def read() -> Iterator[Frame]:
        for index, picture in enumerate(pictures):
            try:
                yield Frame(read_picture(picture.path), index, 0.0)
            except InputError as error:
                lost.append(str(error))

    return prefetch(read(), 8)


def _batches(frames: Iterator[Frame], size: int) -> Iterator[list[Frame]]:
    from posetrack.pipeline import batched

    return batched(frames, size)


def _entries(key: dict[str, int | str], found: Detections) -> Iterator[dict[str, Any]]:
    from posetrack.results.numbers import decimals, sized_boxes

    for box, score in zip(sized_boxes(found.boxes).tolist(), decimals(found.scores).tolist(), strict=True):
        yield {**key, "category_id": 1, "bbox": [round(value, 2) for value in box], "score": round(score, 5)}
