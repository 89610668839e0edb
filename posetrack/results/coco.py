"""Tracks as COCO JSON: a list of results, as pycocotools loads it, or a data set, as annotation tools do.

Every person has a `track_id`. Results have the 17 joints of COCO; a data set names its own joints.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posetrack.files import replacing
from posetrack.results.numbers import decimals, placed, sized_boxes
from posetrack.skeletons import COCO17, Skeleton, convert
from posetrack.types import Poses, Tracks

PERSON = 1  # category
VISIBLE = 2  # COCO: labelled and seen


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
    entries = [
        {
            "image_id": t.index if image_ids is None else image_ids[t.index],
            "frame_index": t.index,  # whoever reads it as detections need not guess what an id means
            "category_id": PERSON,
            "keypoints": decimals(np.column_stack([points, scores])).tolist(),
            **person,
        }
        for t in tracks
        for points, scores, person in _people(t, skeleton, COCO17)
    ]
    _write(path, entries)


def export_coco_dataset(
    tracks: Iterable[Tracks],
    path: str | Path,
    *,
    skeleton: Skeleton = COCO17,
    source: str = "",
) -> None:
    """Write tracks as a COCO data set with images and categories, which CVAT, Label Studio and others import.

    Pictures are named frame_000000.jpg ... by the index of their frame, as CVAT names those of a video
    (ffmpeg: `-start_number 0 frame_%06d.jpg`). Ids of images and annotations count from 1.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for t in tracks:
        width, height = t.size
        name = f"frame_{t.index:06d}.jpg"
        images.append({"id": t.index + 1, "file_name": name, "width": width, "height": height})
        for points, scores, person in _people(t, skeleton, skeleton):
            there = scores > 0
            triples = np.column_stack([points, VISIBLE * there])
            keypoints = [int(v) if n % 3 == 2 else v for n, v in enumerate(decimals(triples).tolist())]
            entry = {
                "id": len(annotations) + 1,
                "image_id": t.index + 1,
                "category_id": PERSON,
                "iscrowd": 0,
                "area": round(person["bbox"][2] * person["bbox"][3], 4),
                "num_keypoints": int(there.sum()),
                "keypoints": keypoints,
            }
            annotations.append(entry | person)
    category = {
        "id": PERSON,
        "name": "person",
        "supercategory": "person",
        "keypoints": list(skeleton.keypoints),
        "skeleton": [[a + 1, b + 1] for a, b in skeleton.edges],
    }
    info = {"description": f"people tracked in {source}"}
    _write(path, {"info": info, "images": images, "annotations": annotations, "categories": [category]})


def _people(
    tracks: Tracks, skeleton: Skeleton, wanted: Skeleton
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32], dict[str, Any]]]:
    """Joints (K, 2) and scores (K,) of everybody, 0 where there is no joint, and what both forms say."""
    poses: Poses = tracks.poses
    points, scores = poses.keypoints, poses.keypoint_scores
    if wanted is not skeleton:
        points, scores = convert(points, scores, skeleton, wanted)
    there = placed(points, scores)
    points, scores = np.where(there[..., None], points, 0), np.where(there, scores, 0)
    boxes, overall = sized_boxes(poses.boxes).tolist(), decimals(poses.scores).tolist()
    for n, identity in enumerate(tracks.ids.tolist()):
        person = {"score": overall[n], "bbox": boxes[n], "track_id": identity}
        yield points[n], scores[n], person


def _write(path: str | Path, content: Any) -> None:
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, allow_nan=False))
