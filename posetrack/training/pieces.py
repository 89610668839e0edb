"""What the light networks learn from, in pieces that travel one by one to a lent machine.

    pack(Path("../shared/data/lspet"), Path("/tmp/runs/detector"), Path("build/light_gpu"))  # piece-0, ...
    to_come = receive(Path("build/light_gpu/piece-0"), Path("/tmp/light"))

There, /tmp/light then holds `lspet/`, the part of the data pack that training reads, and `boxes/`, the
teacher's soft boxes, so that no teacher is needed.
"""

from __future__ import annotations

import io
import itertools
import json
import shutil
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from posetrack.datasets.boxes import tar_members
from posetrack.datasets.lspet import PLACES_HELD_OUT
from posetrack.errors import PoseTrackError
from posetrack.training.parts import join, missing, read_part, write_parts

LARGEST = 52_000_000  # bytes of a piece; a call takes 64 MiB, with the repository
PEOPLE = ("lspet_train.json", "lspet_val.json", "other_people_train.json", "other_people_val.json")
BOXES = ("train.json", "backgrounds.json")


def pack(lspet: Path, boxes: Path, out: Path, limit: int | None = None, largest: int = LARGEST) -> list[Path]:
    """Write the pieces; the same data give the same bytes.

    Args:
        lspet: that folder of the data pack.
        boxes: folder with the soft boxes of training pictures and backgrounds.
        limit: take only so many pictures for training, for validation and as backgrounds.
        largest: bytes of a piece.

    Raises:
        PoseTrackError: files are missing.
    """
    wanted = [lspet / name for name in (*PEOPLE, "near_duplicates.json")] + [boxes / name for name in BOXES]
    if lost := [str(path) for path in wanted if not path.exists()]:
        raise PoseTrackError(
            f"{', '.join(lost)}: no such file; give the data pack's lspet and its soft boxes"
        )
    archives = {path.name: path for path in sorted(lspet.glob("train-*.tar"))}
    pictures = _first(archives, limit)
    pictures |= _first({"val.tar": lspet / "val.tar"}, limit)
    places = None if limit is None else limit + PLACES_HELD_OUT
    pictures |= _first({"backgrounds.tar": lspet / "backgrounds.tar"}, places)
    names = {name for archive in pictures.values() for name in archive}
    files = {f"lspet/{name}": _tar(archive) for name, archive in pictures.items()}
    files["lspet/near_duplicates.json"] = (lspet / "near_duplicates.json").read_bytes()
    files |= {f"lspet/{name}": _about(names, lspet / name) for name in PEOPLE}
    files |= {f"boxes/{name}": _about(names, boxes / name) for name in BOXES}
    for old in out.glob("piece-*"):
        old.unlink()
    return write_parts(_tar(files), out, "piece", largest)


def _first(archives: Mapping[str, Path], limit: int | None) -> dict[str, dict[str, bytes]]:
    """The members of each archive, `limit` of them in all."""
    found: dict[str, dict[str, bytes]] = {}
    for name, path in archives.items():
        left = None if limit is None else limit - sum(map(len, found.values()))
        found[name] = dict(itertools.islice(tar_members(path), left))
    return found


def _about(names: Iterable[str], path: Path) -> bytes:
    """A file of COCO's form without what it says of other pictures."""
    document, kept = json.loads(path.read_text()), set(names)
    document["images"] = [image for image in document["images"] if image["file_name"] in kept]
    ids = {image["id"] for image in document["images"]}
    document["annotations"] = [a for a in document["annotations"] if a["image_id"] in ids]
    return json.dumps(document, separators=(",", ":")).encode()


def _tar(files: Mapping[str, bytes]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return content.getvalue()


def receive(piece: Path, folder: Path) -> list[int]:
    """Check a piece and keep it; when all are there, unpack them into `folder`.

    Returns:
        The numbers of the pieces that are still to come.

    Raises:
        PoseTrackError: the piece is damaged.
    """
    part, waiting = read_part(piece), folder / "pieces"
    waiting.mkdir(parents=True, exist_ok=True)
    shutil.copy(piece, waiting / f"piece-{part.number}")
    parts = [read_part(path) for path in sorted(waiting.iterdir())]
    parts = [other for other in parts if other.checksums == part.checksums]  # not those of another packing
    to_come = missing(parts)
    if not to_come:
        with tarfile.open(fileobj=io.BytesIO(join(parts))) as archive:
            archive.extractall(folder, filter="data")
        shutil.rmtree(waiting)
    return to_come
