"""Which picture of a box file is which frame of a video: by name, else by order; ambiguity is refused."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import PurePosixPath

from posetrack.detectors.box_file import BoxFile, Key, Picture
from posetrack.documents import shortened
from posetrack.errors import InputError

_DIGITS = 15  # a longer number is no frame's
REMEDY = 'give every box its "frame_index", counted from 0, or its "file_name"'


def frames_of_pictures(
    file: BoxFile, video: str, names: Sequence[str] | None, frame_count: int | None
) -> tuple[dict[Key, int], list[str]]:
    """Frame index of each of the file's pictures that belongs to a video, by the key of its boxes.

    With it what had to be assumed: whether numbers that do not begin at 0 count from 0 or from 1.

    Args:
        video: name of the video without ending, for a file of many.
        names: of the video's pictures, with folders, where it is made of pictures.
        frame_count: of the video, or what its header says of it.

    Raises:
        InputError: it cannot be told, or the file is of another video.
    """
    if file.pictures is None and all(isinstance(key, int) for key in file.rows):
        return _of_numbers(file, names, frame_count)
    pictures = file.pictures
    if pictures is None:
        pictures = tuple(Picture(key, str(key)) for key in file.rows)
    if names:
        found = match_names(file, [picture.name for picture in pictures], names)
        if found:
            _refuse_half_a_match(file, [pictures[listed] for listed in found], pictures, len(names))
            return {pictures[listed].key: frame for listed, frame in found.items()}, []
    ours = _of_video(file, pictures, video)
    order, assumed = _order(file, ours, frame_count)
    return {ours[n].key: frame for n, frame in order.items()}, assumed


def _refuse_half_a_match(
    file: BoxFile, found: Sequence[Picture], pictures: Sequence[Picture], count: int
) -> None:
    """As many pictures as the video has, of which some have names of its pictures and others have not."""
    videos = {_video_of(picture) for picture in found}
    ours = [picture for picture in pictures if _video_of(picture) in videos]
    if len(found) < len(ours) == count:
        raise InputError(
            f"{file.path}: {len(found)} of its {count} pictures are in the video by name, others are not: "
            f"names and order say different things: {REMEDY}"
        )


def match_names(file: BoxFile, listed: Sequence[str], names: Sequence[str], least: int = 1) -> dict[int, int]:
    """Place among `listed` to place among `names`, for names whose last parts are the same.

    A name that could be several is the one with which it shares most folders; endings do not count if no
    name would match otherwise.

    Args:
        least: how many parts, from the file's name backwards, must be the same.

    Raises:
        InputError: two listed pictures could be the same one of `names`.
    """
    for with_ending in (True, False):
        wanted = [_parts(name, with_ending) for name in names]
        by_last: dict[str, list[int]] = defaultdict(list)
        for place, parts in enumerate(wanted):
            by_last[parts[-1]].append(place)
        best: dict[int, tuple[int, list[int]]] = {}  # place among names: shared parts, places among listed
        for number, name in enumerate(listed):
            parts = _parts(name, with_ending)
            for place in by_last.get(parts[-1], []) if name else []:
                shared = _shared(parts, wanted[place])
                before, rivals = best.get(place, (least - 1, []))
                if shared > before:
                    best[place] = shared, [number]
                elif shared == before and rivals:
                    rivals.append(number)
        if best:
            break
    result: dict[int, int] = {}
    for place, (_, rivals) in best.items():
        if len(rivals) > 1:
            first, second = (shortened(listed[number]) for number in rivals[:2])
            raise InputError(
                f"{file.path}: {first} and {second} could both be {names[place]}: name its folder "
                "like one of them"
            )
        if result.setdefault(rivals[0], place) != place:
            first, second = names[result[rivals[0]]], names[place]
            raise InputError(
                f"{file.path}: {shortened(listed[rivals[0]])} could be {first} and {second}: {REMEDY}"
            )
    return result


def _parts(name: str, with_ending: bool) -> tuple[str, ...]:
    path = PurePosixPath(name.replace("\\", "/"))
    return (*path.parts[:-1], path.name if with_ending else path.stem) if path.parts else ("",)


def _shared(a: tuple[str, ...], b: tuple[str, ...]) -> int:
    """How many of the last parts are the same."""
    count = 0
    for one, other in zip(reversed(a), reversed(b), strict=False):
        if one != other:
            break
        count += 1
    return count


def _of_video(file: BoxFile, pictures: Sequence[Picture], video: str) -> list[Picture]:
    """Those of one video: of the only one, or of the one whose name is the video's."""
    groups: dict[tuple[str, str], list[Picture]] = defaultdict(list)
    for picture in pictures:
        groups[_video_of(picture)].append(picture)
    if len(groups) == 1:
        return list(pictures)
    named = [group for key, group in groups.items() if video in (key[0], PurePosixPath(key[1]).name)]
    if len(named) == 1:
        return named[0]
    folders = shortened(", ".join(PurePosixPath(folder).name or said for said, folder in groups))
    raise InputError(
        f"{file.path}: lists pictures of {len(groups)} videos ({folders}), not one alone called {video}: "
        f"{REMEDY}"
    )


def _video_of(picture: Picture) -> tuple[str, str]:
    """What the file says of its video, and the folder that it lies in."""
    return picture.video, str(PurePosixPath(picture.name.replace("\\", "/")).parent)


def _order(
    file: BoxFile, pictures: Sequence[Picture], frame_count: int | None
) -> tuple[dict[int, int], list[str]]:
    """Place in the list to frame index, from the numbers of the pictures and their count."""
    numbers = _numbers(pictures)
    places = list(range(len(pictures)))
    if numbers is not None:
        places.sort(key=numbers.__getitem__)
    in_order = {place: frame for frame, place in enumerate(places)}
    if frame_count is not None and len(pictures) == frame_count:
        return in_order, []
    if numbers is None:
        if frame_count is None:
            return in_order, []
        raise InputError(
            f"{file.path}: lists {len(pictures)} pictures, the video has {frame_count}: {REMEDY}"
        )
    first, last = numbers[places[0]], numbers[places[-1]]
    too_many = frame_count is not None and len(pictures) > frame_count + _slack(frame_count)
    if last - first == len(pictures) - 1 and first in (0, 1) and not too_many:
        return in_order, [_assumed(file, "pictures", first, last, 1)] if first else []
    if first == 0 and frame_count is not None and last < frame_count:  # every tenth frame of this video
        return dict(enumerate(numbers)), []
    known = "an unknown number of" if frame_count is None else str(frame_count)
    raise InputError(
        f"{file.path}: lists {len(pictures)} pictures numbered {first} to {last}, the video has {known} "
        f"frames, and which is which cannot be told: {REMEDY}"
    )


def _numbers(pictures: Sequence[Picture]) -> list[int] | None:
    """What the file calls their frames, else the last numbers of their names; None where some lack one."""
    for candidates in ([p.frame for p in pictures], [_last_number(p.name) for p in pictures]):
        numbers = [number for number in candidates if number is not None]
        if numbers and len(set(numbers)) == len(pictures):
            return numbers
    return None


def _last_number(name: str) -> int | None:
    found = re.findall(r"[0-9]+", PurePosixPath(name.replace("\\", "/")).stem)
    return int(found[-1]) if found and len(found[-1]) <= _DIGITS else None


def _of_numbers(
    file: BoxFile, names: Sequence[str] | None, frame_count: int | None
) -> tuple[dict[Key, int], list[str]]:
    """Numbers without a list of images: frame indices, or image ids that are the numbers of names."""
    ids = sorted(int(key) for key in file.rows)
    literal: dict[Key, int] = {i: i for i in ids}
    if not ids or file.kind == "frame_index":
        return literal, []
    if file.kind == "frame":
        return _from_0_or_1(file, ids, frame_count)
    numbered: dict[Key, int] | None = None
    of_names = [_last_number(name) for name in names or []]
    place = {number: n for n, number in enumerate(of_names) if number is not None}
    if names and len(place) == len(names) and place.keys() >= set(ids):
        numbered = {i: place[i] for i in ids}
    limit = len(names) if names else None if frame_count is None else frame_count + _slack(frame_count)
    indices = ids[0] >= 0 and (limit is None or ids[-1] < limit)
    if indices and numbered is not None and literal != numbered:
        raise InputError(
            f"{file.path}: image_id {ids[0]} may be picture {ids[0]} counted from 0, or "
            f"{PurePosixPath(names[place[ids[0]]]).name if names else ''}: {REMEDY}"
        )
    if numbered is not None:
        return numbered, []
    in_a_row = ids[-1] - ids[0] == len(ids) - 1
    if len(ids) == frame_count and (in_a_row or not indices):
        return {i: n for n, i in enumerate(ids)}, []
    if indices or (ids[0] >= 1 and ids[-1] == frame_count):
        return _from_0_or_1(file, ids, frame_count)
    raise InputError(
        f"{file.path}: its image ids, {ids[0]} to {ids[-1]}, are neither frames nor pictures of this "
        f"video: {REMEDY}"
    )


def _from_0_or_1(
    file: BoxFile, numbers: Sequence[int], frame_count: int | None
) -> tuple[dict[Key, int], list[str]]:
    """Numbers of frames, sorted: from 0, but where only counting from 1 brings the last into the video."""
    first, last = numbers[0], numbers[-1]
    base = int(first >= 1 and last == frame_count)
    known = first == 0 or (base == 1 and len(numbers) == frame_count)
    assumed = [] if known else [_assumed(file, "frames", first, last, base)]
    return {number: number - base for number in numbers}, assumed


def _assumed(file: BoxFile, what: str, first: int, last: int, base: int) -> str:
    return (
        f"{file.path}: its {what}, {first} to {last}, are taken as counted from {base}, though it does not "
        f"say so: {REMEDY}"
    )


def _slack(frame_count: int) -> int:
    """Headers count frames wrongly by this much."""
    return 2 + frame_count // 50
