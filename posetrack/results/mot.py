"""Tracks as MOTChallenge text: `frame, id, x, y, width, height, score, -1, -1, -1`.

Frames and pixels count from 1 there: the corner of the picture is (1, 1).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from posetrack.files import replacing
from posetrack.results.numbers import decimals, sized_boxes
from posetrack.skeletons import COCO17, Skeleton
from posetrack.types import Tracks

FIRST_PIXEL = (1, 1, 0, 0)  # the format's, in x, y, width, height


def export_mot(
    tracks: Iterable[Tracks],
    path: str | Path,
    *,
    skeleton: Skeleton = COCO17,
    source: str = "",
) -> None:
    """Write the boxes of tracks. Joints, skeleton and source have no place in the format."""
    with replacing(path) as temporary, temporary.open("w") as stream:
        for t in tracks:
            boxes = (sized_boxes(t.poses.boxes) + FIRST_PIXEL).round(6).tolist()
            scores = decimals(t.poses.scores).tolist()
            for identity, box, score in zip(t.ids.tolist(), boxes, scores, strict=True):
                values = ",".join(map(repr, (*box, score)))
                stream.write(f"{t.index + 1},{identity},{values},-1,-1,-1\n")
