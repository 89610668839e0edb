"""PoseTrack 2017 files as 2018 ones and back.

Both hold the same: what only one of them names (image ids, `imgnum`, body boxes ...) travels along as
an extra field, so that a file which is converted twice holds every value it had. One thing is left out:
2017 has no ears, which PoseTrack 2018 lists but never labels.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any

from pydantic import ValidationError

from posetrack.documents import first_fault, shown
from posetrack.errors import PoseTrackError
from posetrack.results.annotations import Annotations, Annotations17, Annotations18
from posetrack.skeletons import POSETRACK17, POSETRACK18, Skeleton

_SOURCES = {"mpii": 1, "bonn": 2, "mpiinew": 3}


def category(skeleton: Skeleton = POSETRACK18) -> dict[str, Any]:
    """The `categories` entry of a 2018 file; for PoseTrack 2018 joints, with the edges as distributed."""
    edges = skeleton.edges
    if skeleton is POSETRACK18:
        edges = (
            (15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8),
            (7, 9), (8, 10), (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6),
        )  # fmt: skip
    return {
        "supercategory": "person",
        "id": 1,
        "name": "person",
        "keypoints": list(skeleton.keypoints),
        "skeleton": [[a + 1, b + 1] for a, b in edges],
    }


def image_id(file_name: str, fallback: int) -> int:
    """TSSSSSSFFFF (source, sequence, frame) from ".../000342_mpii_test/000012.jpg", else `fallback`."""
    path = PurePosixPath(file_name)
    folder = re.match(r"(\d{1,6})_(mpii|bonn|mpiinew)(_|$)", path.parent.name)
    number = re.match(r"\d{1,8}", path.stem)
    if not folder or not number or int(number[0]) >= 10_000:
        return fallback
    return _SOURCES[folder[2]] * 10**10 + int(folder[1]) * 10**4 + int(number[0])


@contextmanager
def _converting(year: int) -> Iterator[None]:
    """Fields that one year has and the other reads may hold anything where they are not asked for."""
    try:
        yield
    except ValidationError as error:
        raise PoseTrackError(f"this file cannot be one of {year}: {first_fault(error)}") from None
    except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
        raise PoseTrackError(f"this file cannot be one of {year}: {shown(error)}") from None


def to_2018(file: Annotations) -> Annotations18:
    """A file in the form of 2018, with the 17 joints of 2018; a file of 2018 is returned as it is.

    Raises:
        PoseTrackError: a field that 2017 does not know has a value that 2018 does not allow.
    """
    if isinstance(file, Annotations18):
        return file
    with _converting(2018):
        return _to_2018(file)


def _to_2018(file: Annotations17) -> Annotations18:
    extra = file.model_dump(exclude={"annolist"}, exclude_unset=True)
    categories = extra.pop("categories", None) or [category()]  # left there by to_2017
    names = categories[0]["keypoints"]
    images, people = [], []
    ids: set[int] = set()
    for index, frame in enumerate(file.annolist):
        name = frame.image[0].name
        entry = frame.model_dump(exclude_unset=True)
        rects = entry.pop("annorect")
        if "id" in entry and entry.get("imgnum") == _image_number(name):
            del entry["imgnum"]  # to_2017 made it
        identity = entry.pop("id", None) or image_id(name, index + 1)
        while identity in ids:  # a name that occurs twice
            identity += 1
        ids.add(identity)
        regions = entry.pop("ignore_regions", [])
        labeled = entry.pop("is_labeled", None)
        picture = entry.pop("image")[0]
        images.append(
            {
                "file_name": picture.pop("name"),
                "id": identity,
                "frame_id": identity,
                "vid_id": PurePosixPath(name).parent.name.split("_")[0],
                "nframes": len(file.annolist),
                "is_labeled": bool(labeled[0]) if labeled else bool(rects),
                "ignore_regions_x": [[p["x"][0] for p in r.get("point") or []] for r in regions],
                "ignore_regions_y": [[p["y"][0] for p in r.get("point") or []] for r in regions],
                **({"image": picture} if picture else {}),
                **entry,
            }
        )
        people += [_person(rect, names, identity, number) for number, rect in enumerate(rects)]
    content = {"images": images, "annotations": people, "categories": categories, **extra}
    return Annotations18.model_validate(content)


def _image_number(file_name: str) -> list[int] | None:
    """`imgnum` of a frame, counted from 1 as poseval's converter does; None for a name without number."""
    number = re.match(r"\d+", PurePosixPath(file_name).stem)
    return [int(number[0]) + 1] if number else None


def _person(rect: dict[str, Any], names: list[str], image: int, number: int) -> dict[str, Any]:
    """A pose of 2017, dumped, as one of 2018."""
    rect = dict(rect)
    points: dict[int, dict[str, Any]] = {}
    for part in (rect.pop("annopoints", None) or [])[:1]:
        for point in part.get("point") or []:
            if point.get("id") is not None:
                points.setdefault(point["id"][0], point)  # poseval takes the first of two equal ids
    keypoints: list[float] = []
    scores: list[float] = []
    scored = any(point.get("score") for point in points.values())
    for name in names:
        point = points.get(POSETRACK17.index(name)) if name in POSETRACK17.keypoints else None
        if point is None:
            keypoints += [0, 0, 0]
        else:
            visible = point.get("is_visible")
            visible = visible[0] if isinstance(visible, list) and visible else 1
            # (x, y, 0) is a joint unless x = y = 0, so a flag that is no number becomes 1
            keypoints += [point["x"][0], point["y"][0], visible if isinstance(visible, int | float) else 1]
        if scored:
            scores.append(point["score"][0] if point and point.get("score") else 0)
    head = [rect.pop(corner, None) for corner in ("x1", "y1", "x2", "y2")]
    person: dict[str, Any] = {
        "image_id": image,
        "id": image * 100 + number,
        "category_id": 1,
        "track_id": rect.pop("track_id")[0],
        "keypoints": keypoints,
        "scores": scores,
    }
    if all(corner is not None for corner in head):
        x1, y1, x2, y2 = (corner[0] for corner in head)
        person["bbox_head"] = [x1, y1, _clean(x2 - x1), _clean(y2 - y1)]
    if "score" in rect:
        person["score"] = rect.pop("score")[0]
    box = body_box(keypoints)
    if box and "id" not in rect:  # one with an id comes from 2018 and has its box, or none
        person["bbox"] = box
    return person | rect


def _clean(value: float) -> float:
    """A sum or difference of coordinates without binary noise: 0.3, not 0.30000000000000004."""
    return round(value, 9)


def body_box(keypoints: list[float]) -> list[float] | None:
    """x, y, width, height: the extent of the joints and 15 % more on each side; None without joints."""
    triples = list(zip(keypoints[0::3], keypoints[1::3], keypoints[2::3], strict=True))
    x = [a for a, b, v in triples if (a, b, v) != (0, 0, 0)]
    y = [b for a, b, v in triples if (a, b, v) != (0, 0, 0)]
    if not x:
        return None
    width, height = max(x) - min(x), max(y) - min(y)
    return [min(x) - 0.15 * width, min(y) - 0.15 * height, 1.3 * width, 1.3 * height]


def to_2017(file: Annotations) -> Annotations17:
    """A file in the form of 2017; a file of 2017 is returned as it is. Ears are left out.

    Raises:
        PoseTrackError: a field that 2018 does not know has a value that 2017 does not allow.
    """
    if isinstance(file, Annotations17):
        return file
    with _converting(2017):
        return _to_2017(file)


def _to_2017(file: Annotations18) -> Annotations17:
    names = file.categories[0].keypoints
    slots = [(names.index(name), joint) for joint, name in enumerate(POSETRACK17.keypoints) if name in names]
    people = defaultdict(list)
    for person in file.annotations:
        people[person.image_id].append(_rect(person.model_dump(exclude_unset=True), slots))
    frames = []
    for image in file.images:
        entry = image.model_dump(exclude_unset=True)
        regions = zip(entry.pop("ignore_regions_x", []), entry.pop("ignore_regions_y", []), strict=True)
        labeled = entry.pop("is_labeled", None)
        number = _image_number(image.file_name)
        frames.append(
            {
                "image": [{"name": entry.pop("file_name"), **entry.pop("image", {})}],
                "is_labeled": [int(bool(people[image.id]) if labeled is None else labeled)],
                "ignore_regions": [
                    {"point": [{"x": [x], "y": [y]} for x, y in zip(xs, ys, strict=True)]}
                    for xs, ys in regions
                ],
                "annorect": people[image.id],
                **({"imgnum": number} if number else {}),
                **entry,
            }
        )
    extra = file.model_dump(exclude={"images", "annotations"}, exclude_unset=True)
    return Annotations17.model_validate({"annolist": frames, **extra})


def _rect(person: dict[str, Any], slots: list[tuple[int, int]]) -> dict[str, Any]:
    """A pose of 2018, dumped, as one of 2017."""
    keypoints, scores = person.pop("keypoints"), person.pop("scores", [])
    points = []
    for slot, joint in slots:
        x, y, visible = keypoints[3 * slot : 3 * slot + 3]
        if (x, y, visible) == (0, 0, 0):
            continue
        point = {
            "id": [joint],
            "x": [x],
            "y": [y],
            "is_visible": [int(visible) if visible == int(visible) else visible],
        }
        points.append(point | ({"score": [scores[slot]]} if scores else {}))
    rect: dict[str, Any] = {"track_id": [person.pop("track_id")], "annopoints": [{"point": points}]}
    head = person.pop("bbox_head", None)
    if head is not None:
        x, y, width, height = head
        rect |= {"x1": [x], "y1": [y], "x2": [_clean(x + width)], "y2": [_clean(y + height)]}
    if "score" in person:
        score = person.pop("score")
        rect |= {} if score is None else {"score": [score]}
    person.pop("image_id")
    return rect | person
