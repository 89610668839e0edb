"""Several data sets as one.

data = concatenate([read_coco(coco, "train"), read_ai_challenger(more)])
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from posetrack.datasets.people import Image, PoseData


def concatenate(sets: Sequence[PoseData], shares: Sequence[float | None] | None = None) -> PoseData:
    """The people of all sets, one set after the other; a set alone is returned as it is.

    Sets may use the same names for their pictures: here these are "SET/NAME".

    Args:
        shares: of each set in what is drawn by weight; None leaves the weights of its people as they are.

    Raises:
        ValueError: other joints than the first set's, or two sets of one name.
    """
    if len(sets) == 1:
        return sets[0]
    named = {data.name: data for data in sets}
    if len(named) != len(sets) or any(data.skeleton != sets[0].skeleton for data in sets):
        raise ValueError(f"sets that do not go together: {', '.join(data.name for data in sets)}")
    totals = [sum(person.weight for person in data.people) for data in sets]
    scales = draw_scales(totals, shares or [None] * len(sets))
    return PoseData(
        " and ".join(named),
        sets[0].skeleton,
        [
            replace(person, image=f"{data.name}/{person.image}", weight=person.weight * scale)
            for data, scale in zip(sets, scales, strict=True)
            for person in data.people
        ],
        _Pictures({name: data.pictures for name, data in named.items()}),
        [line for data in sets for line in data.lost],
    )


def draw_scales(totals: Sequence[float], shares: Sequence[float | None]) -> list[float]:
    """Factors of weights that give each set its share of all draws, where it has one.

    Args:
        totals: weight of each set.
        shares: of all draws; None: the rest is shared by weight among these.
    """
    rest = sum(total for total, share in zip(totals, shares, strict=True) if share is None)
    taken = sum(share for share in shares if share is not None)
    whole = rest / (1 - taken) if rest else 1.0
    return [
        1.0 if share is None else share * whole / total for total, share in zip(totals, shares, strict=True)
    ]


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
