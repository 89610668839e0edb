"""Pictures to classify: a folder per class, as ImageNet is laid out for torchvision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from posetrack.errors import InputError

SUFFIXES = frozenset((".jpeg", ".jpg", ".png", ".bmp", ".webp", ".ppm"))


@dataclass(frozen=True)
class ImageData:
    """One split of a classification data set."""

    name: str
    classes: Sequence[str]
    pictures: Sequence[tuple[Path, int]]  # file and class
    lost: Sequence[str] = ()


def read_image_folder(root: Path, split: str) -> ImageData:
    """The pictures of root/split/CLASS/; classes in sorted order.

    Raises:
        InputError: no such folder, or no pictures in it.
    """
    folder = root / split
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give the root of train/ and val/, a folder per class")
    classes = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
    pictures, lost = [], []
    for label, name in enumerate(classes):
        files = sorted(path for path in (folder / name).rglob("*") if path.suffix.lower() in SUFFIXES)
        pictures += [(path, label) for path in files]
        if not files:
            lost.append(f"{folder / name}: a class without pictures")
    if not pictures:
        raise InputError(f"{folder}: no pictures in the folders of its {len(classes)} classes")
    return ImageData(f"{root.name} {split}", classes, pictures, lost)
