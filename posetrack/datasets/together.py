"""Several data sets as one.

data = together(read_coco(coco, "train"), read_ai_challenger(more))
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from posetrack.datasets.people import Image, PoseData


def together(first: PoseData, *others: PoseData) -> PoseData:
    """The people of all sets, one set after the other; a set alone is returned as it is.

    Sets may use the same names for their pictures: here these are "SET/NAME".

    Raises:
        ValueError: other joints than the first set's, or two sets of one name.
    """
    if not others:
        return first
    sets = {data.name: data for data in (first, *others)}
    if len(sets) != 1 + len(others) or any(data.skeleton != first.skeleton for data in others):
        raise ValueError(f"sets that do not go together: {', '.join(d.name for d in (first, *others))}")
    return PoseData(
        " and ".join(sets),
        first.skeleton,
        [replace(p, image=f"{name}/{p.image}") for name, data in sets.items() for p in data.people],
        _Pictures({name: data.pictures for name, data in sets.items()}),
        [line for data in sets.values() for line in data.lost],
    )


class _Pictures(Mapping[str, Image]):
    """Pictures of several sets by "SET/NAME"."""

    def __init__(self, sets: Mapping[str, Mapping[str, Image]]) -> None:
        self._sets = sets

    def __getitem__(self, name: str) -> Image:
        source, _, picture = name.partition("/")
        return self._sets[source][picture]

    def __iter__(self) -> Iterator[str]:
        return (f"{source}/{picture}" for source, pictures in self._sets.items() for picture in pictures)

    def __len__(self) -> int:
        return sum(len(pictures) for pictures in self._sets.values())
