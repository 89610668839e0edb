"""Draw people with exact joints before photos without people: more to train the pose network on.

    python scripts/render_people.py --assets ../shared/data/makehuman --photos ../shared/data/lspet \
        --out /tmp/runs/people --count 8000 --processes 2

Writes people.tar (JPEG) and people.json (COCO keypoints, 17 PoseTrack18 joints). Of people who are mostly
hidden it has a box alone, with a score at which a detector is neither to find nor to leave them. A picture
depends on the seed and its number alone; a core draws six a second. Nothing of it belongs in the repository.
"""

from __future__ import annotations

import argparse
import io
import json
import multiprocessing
import tarfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from render_demo import unpacked
from scene import portraits, truth
from scene.bodies import Library

from posetrack.datasets.people import read_tar_images

SPAWN = multiprocessing.get_context("spawn")  # OpenCV's threads do not outlive a fork
LEAST_SEEN = 0.35  # share of a person
HIDDEN_SCORE = 0.1  # posetrack.datasets.boxes.UNSURE

_studio: portraits.Studio | None = None  # of a worker process


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--assets", type=Path, required=True, help="folder of the MakeHuman assets")
    parser.add_argument(
        "--photos", type=Path, required=True, help="folder with backgrounds.tar and its boxes"
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=8000, help="pictures")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    images: list[dict[str, Any]] = []
    people: list[dict[str, Any]] = []
    with (
        unpacked(given.assets) as folder,
        tarfile.open(given.out / "people.tar", "w") as archive,
        multiprocessing.get_context("spawn").Pool(
            given.processes, _begin, (folder, given.photos, given.seed)
        ) as pool,
    ):
        for number, (picture, found) in enumerate(pool.imap(_draw, range(given.count), chunksize=8)):
            image = {"id": number, "file_name": f"r{number:06d}.jpg", "width": portraits.SIZE,
                     "height": portraits.SIZE}  # fmt: skip
            member = tarfile.TarInfo(image["file_name"])
            member.size = len(picture)
            archive.addfile(member, io.BytesIO(picture))
            images.append(image)
            people += [
                {"id": len(people) + k, "image_id": number, "category_id": 1} | p for k, p in enumerate(found)
            ]
            if number % 100 == 99:
                print(f"{number + 1} pictures, {len(people)} people", flush=True)
    category = {"id": 1, "name": "person", "keypoints": list(truth.KEYPOINTS)}
    document = {"images": images, "annotations": people, "categories": [category]}
    (given.out / "people.json").write_text(json.dumps(document) + "\n")
    print(f"{len(images)} pictures, {len(people)} people: {given.out}/people.json")


def places_without_people(folder: Path) -> list[NDArray[np.uint8]]:
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
    return cv2.imencode(".jpg", picture[..., ::-1], quality)[1].tobytes(), [_person(t) for t in found]


def _person(known: truth.Truth) -> dict[str, Any]:
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


if __name__ == "__main__":
    main()
