"""Tracks as a COCO results list, as pycocotools loads it: an entry for each person, with its `track_id`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from posetrack.files import replacing
from posetrack.results.numbers import decimals, sized_boxes
from posetrack.skeletons import COCO17, Skeleton, convert
from posetrack.types import Tracks


def export_coco(
    tracks: Iterable[Tracks],
    path: str | Path,
    *,
    skeleton: Skeleton = COCO17,
    source: str = "",
    image_ids: Mapping[int, int] | None = None,
) -> None:
    """Write tracks as COCO keypoint results. Joints that COCO does not have are left out, missing ones are 0.

    Args:
        tracks: of one video.
        skeleton: of the tracks.
        source: not used; the format has no place for it.
        image_ids: frame index -> image id; without it the index is the id.
    """
    entries = []
    for t in tracks:
        image = t.index if image_ids is None else image_ids[t.index]
        points, scores = convert(t.poses.keypoints, t.poses.keypoint_scores, skeleton, COCO17)
        boxes = sized_boxes(t.poses.boxes).tolist()
        for n, identity in enumerate(t.ids.tolist()):
            there = scores[n] > 0
            triples = np.column_stack([points[n] * there[:, None], np.where(there, scores[n], 0)])
            entries.append(
                {
                    "image_id": image,
                    "category_id": 1,
                    "keypoints": decimals(triples).tolist(),
                    "score": float(decimals(t.poses.scores[n : n + 1])[0]),
                    "bbox": boxes[n],
                    "track_id": identity,
                }
            )
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(entries))
