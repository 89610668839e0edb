"""Which frames share a forward pass of a detector."""

from __future__ import annotations

from collections.abc import Sequence


def group_by_size(sizes: Sequence[tuple[int, int]], device: str) -> list[list[int]]:
    """Groups of frames for one forward each: those of one size on an accelerator; on a CPU every frame alone.

    A CPU gains nothing from batches, and convolutions of another batch size round in another way there, so
    alone is what makes results the same for every batch size.

    Args:
        sizes: of the frames.
        device: "cpu", "cuda", ...

    Returns:
        Groups of indices into `sizes`, each index once.
    """
    if device == "cpu":
        return [[i] for i in range(len(sizes))]
    return [[i for i, size in enumerate(sizes) if size == wanted] for wanted in dict.fromkeys(sizes)]
