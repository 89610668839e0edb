"""The test half of MPII: where its people stand and how tall they are; the benchmark keeps their joints.

    people = read_mpii_test(Path("mpii"))       # mpii_human_pose_v1_u12_1.mat, else annot/test.json of HRNet

The official file says which people of every test picture the single-person benchmark asks for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posetrack.datasets.mpii import MAT, crop_box, entries_of, read_mat
from posetrack.errors import InputError

Place = tuple[int, int]  # picture among the test pictures and person in it, both from 0


@dataclass(frozen=True, eq=False)
class MpiiTest:
    """N people whose poses the benchmark wants."""

    names: Sequence[str]  # (N,) their pictures
    boxes: NDArray[np.float32]  # (N, 4)
    lost: Mapping[str, str]  # picture -> who of it has no position or scale
    # Of the official file alone: posetrack.results.mpii writes poses back to where the people were found.
    places: NDArray[np.intp]  # (N, 2) Place
    annolist: NDArray[Any] | None = None  # (M,) all test pictures, in its order


def read_mpii_test(root: Path) -> MpiiTest:
    """From the official file where it is there, else from HRNet's JSON.

    Raises:
        InputError: neither can be read, or nobody has a position and a scale.
    """
    people: Iterable[Person]
    annolist: NDArray[Any] | None = None
    path = root / MAT
    if path.is_file():
        annolist, people = _of_mat(path)
    elif (path := root / "annot" / "test.json").is_file():
        people = _of_json(entries_of(path))
    else:
        raise InputError(f"{root}: neither {MAT} nor annot/test.json of HRNet's release: give one of them")
    names, boxes, places, lost = [], [], [], {}
    for name, place, position in people:
        x, y, scale = position or (np.nan, np.nan, np.nan)
        if np.isfinite([x, y]).all() and x != -1 and scale > 0:  # -1: HRNet's word for none
            names.append(name)
            boxes.append(crop_box(np.array([x, y]), scale))
            places.append(place)
        else:
            lost[name] = f"{path.name}: person {place[1] + 1} of {name} has no position or scale"
    if not names:
        raise InputError(f"{path} names nobody of the test set: fetch it again")
    return MpiiTest(names, np.stack(boxes), lost, np.array(places, np.intp), annolist)


Person = tuple[str, Place, tuple[float, float, float] | None]  # picture, place, x, y and scale


def _of_json(entries: Sequence[Mapping[str, Any]]) -> Iterator[Person]:
    for number, entry in enumerate(entries):
        try:
            (x, y), scale = entry["center"], entry["scale"]
            position = (float(x), float(y), float(scale))
        except (LookupError, ValueError, TypeError):
            position = None
        yield str(entry.get("image")), (number, 0), position


def _of_mat(path: Path) -> tuple[NDArray[Any], list[Person]]:
    content = read_mat(path, "RELEASE")["RELEASE"]
    try:
        release = content[0, 0]
        test = release["img_train"].ravel() == 0
        annolist, chosen = release["annolist"].ravel()[test], release["single_person"].ravel()[test]
        people: list[Person] = []
        for picture, (entry, persons) in enumerate(zip(annolist, chosen, strict=True)):
            for person in np.asarray(persons, np.intp).ravel() - 1:
                name = str(entry["image"][0, 0]["name"].item())
                people.append((name, (picture, int(person)), _position(entry["annorect"].ravel()[person])))
    except (LookupError, ValueError, TypeError) as error:
        raise InputError(f"{path} is not the official {MAT} ({error!r}): give that one") from None
    return annolist, people


def _position(rect: Any) -> tuple[float, float, float] | None:
    """x, y and scale; None where the file leaves one of them empty."""
    position, scale = rect["objpos"], rect["scale"]
    if not position.size or not scale.size:
        return None
    return float(position[0, 0]["x"].item()), float(position[0, 0]["y"].item()), float(scale.item())
