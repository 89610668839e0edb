"""Pictures of people with exact joints before photos without people, to train the pose network on."""

from __future__ import annotations

import io
import json
import multiprocessing
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from posetrack.datasets.archives import read_tar_images
from posetrack.files import replacing
from scripts.render import portraits, truth
from scripts.render.bodies import Library

LEAST_SEEN = 0.35  # share of a person
HIDDEN_SCORE = 0.1  # posetrack.datasets.boxes.UNSURE

_studio: portraits.Studio | None = None  # of a worker process


def draw_people(assets: Path, photos: Path, out: Path, count: int, seed: int, processes: int) -> int:
    """Write people.tar (JPEG) and people.json (COCO keypoints, 17 PoseTrack18 joints); how many people.

    Of people who are mostly hidden it has a box alone, with a score at which a detector is neither to find
    nor to leave them. A picture depends on the seed and its number alone.

    Args:
        assets: unpacked MakeHuman assets.
        photos: folder with backgrounds.tar and backgrounds_boxes.json.
    """
    images: list[dict[str, Any]] = []
    people: list[dict[str, Any]] = []
    spawn = multiprocessing.get_context("spawn")  # OpenCV's threads do not outlive a fork
    with (
        replacing(out / "people.tar") as temporary,
        tarfile.open(temporary, "w") as archive,
        spawn.Pool(processes, _begin, (assets, photos, seed)) as pool,
    ):
        for number, (picture, found) in enumerate(pool.imap(_draw, range(count), chunksize=8)):
            member = tarfile.TarInfo(f"r{number:06d}.jpg")
            member.size = len(picture)
            archive.addfile(member, io.BytesIO(picture))
            side = portraits.SIZE
            images.append({"id": number, "file_name": member.name, "width": side, "height": side})
            people += [
                {"id": len(people) + k, "image_id": number, "category_id": 1} | p for k, p in enumerate(found)
            ]
            if number % 100 == 99:
                print(f"{number + 1} pictures, {len(people)} people", flush=True)
    category = {"id": 1, "name": "person", "keypoints": list(truth.KEYPOINTS)}
    with replacing(out / "people.json") as temporary:
        document = {"images": images, "annotations": people, "categories": [category]}
        temporary.write_text(json.dumps(document) + "\n")
    return len(people)


def places_without_people(folder: Path) -> Sequence[NDArray[np.uint8]]:
    """The backgrounds in which the machine saw nobody."""
    boxes = json.loads((folder / "backgrounds_boxes.json").read_text())
    peopled = {box["image_id"] for box in boxes["annotations"]}
    names = [image["file_name"] for image in boxes["images"] if image["id"] not in peopled]
    photos = read_tar_images([folder / "backgrounds.tar"], names)
    return [photos[name] for name in sorted(names)]


def _begin(folder: Path, photos: Path, seed: int) -> None:
    global _studio
    cv2.setNumThreads(1)
    _studio = portraits.Studio(Library(folder), places_without_people(photos), seed)


def _draw(number: int) -> tuple[bytes, list[dict[str, Any]]]:
    assert _studio is not None
    picture, found = _studio.picture(number)
    quality = [cv2.IMWRITE_JPEG_QUALITY, 92]
    return cv2.imencode(".jpg", picture[..., ::-1], quality)[1].tobytes(), [person(t) for t in found]


def person(known: truth.Truth) -> dict[str, Any]:
    """COCO form. Ears are left out, as nothing else labels them, and so is a nose that cannot be seen."""
    sure = known.seen >= LEAST_SEEN
    there = known.inside & sure
    for k, name in enumerate(truth.KEYPOINTS):
        if name.endswith("ear") or (name == "nose" and not known.visible[k]):
            there[k] = False
    points = np.where(there[:, None], known.keypoints, 0).round(1)
    x1, y1, x2, y2 = (round(float(v), 1) for v in known.box)
    return {
        "keypoints": [float(v) for (x, y), t in zip(points, there, strict=True) for v in (x, y, int(t))],
        "bbox": [x1, y1, round(x2 - x1, 1), round(y2 - y1, 1)],
        "score": 1.0 if sure else HIDDEN_SCORE,
    }
