"""Everyday photos for the detector: human boxes, and a teacher's where no human may have looked.

label_everyday(Path("people"), RtmdetTeacher("rtmdet.onnx", TEACHER_SIDE), Path("run/boxes"))  # 2 minutes
data = read_everyday_boxes(Path("people"), Path("run/boxes"))
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from posetrack.boxes import iou
from posetrack.datasets.archives import pictures_of
from posetrack.datasets.boxes import BoxData, Floats, Image, Picture
from posetrack.datasets.everyday import SOURCES, EverydayPhoto, read_everyday, read_photo_images
from posetrack.errors import PoseTrackError
from posetrack.files import replacing
from posetrack.training.tasks.rtmdet import RtmdetTeacher

WEIGHTS = {"coco": 1.0, "mpii": 0.5, "voc": 1.0, "stanford40": 0.7, "humanv2": 0.8}  # how often to draw each
TEACHER_SIDE = 416  # pixels: 2 AP better on everyday photos than the 320 it was made for
KEPT = 0.08  # the teacher's scores below are not written
SAME = 0.5  # IoU from which a teacher's box shows a labelled person
SURE = 0.3  # a teacher's score from which its box beats a region to be ignored


def label_everyday(root: Path, teacher: RtmdetTeacher, folder: Path) -> None:
    """Write the teacher's boxes for every training photo, a file for each tar, those that `folder` lacks."""
    for tar in (root / f"{source}_train.tar" for source in SOURCES):
        path = folder / f"{tar.stem}.json"
        if not path.exists():
            print(f"labelling {tar}", flush=True)
            rows = {}
            for name, image in pictures_of(tar):
                if image is None:
                    raise PoseTrackError(f"{tar}: {name} does not decode as a picture")
                boxes, scores = teacher(image)
                table = np.concatenate([boxes, scores[:, None]], 1)[scores >= KEPT]
                rows[name] = table.round(3).tolist()
            with replacing(path) as temporary:
                temporary.write_text(json.dumps(rows))


def read_everyday_boxes(root: Path, labels: Path) -> BoxData:
    """The photos for training, decoded; `labels` is the folder of `label_everyday`."""
    pictures: list[Picture] = []
    weights: list[float] = []
    for source in SOURCES:
        seen = _read_labels(labels / f"{source}_train.json")
        photos = read_everyday(root, "train", (source,))
        images = read_photo_images(root, "train", photos)
        pictures += [
            with_teacher(photo, images[photo.name], *seen[photo.name.partition("/")[2]]) for photo in photos
        ]
        weights += [WEIGHTS[source]] * len(photos)
    return BoxData("everyday", pictures, weights)


def with_teacher(photo: EverydayPhoto, image: Image, boxes: Floats, scores: Floats) -> Picture:
    """Human boxes with score 1, ignored regions with 0; the teacher's where a human may have labelled nobody.

    In exhaustive photos the humans have looked everywhere, and the teacher adds nothing.
    """
    people, ignored = photo.boxes, photo.ignored
    human = np.concatenate([people, ignored])
    marks = np.repeat(np.array([1, 0], np.float32), [len(people), len(ignored)])
    if not photo.exhaustive and len(boxes):
        new = iou(boxes, people).max(1, initial=0) < SAME
        # The teacher's people beat the region that a weaker one left to be ignored.
        clear = iou(ignored, boxes[new & (scores >= SURE)]).max(1, initial=0) < SAME
        keep = np.concatenate([np.ones(len(people), bool), clear])
        human, marks = np.concatenate([human[keep], boxes[new]]), np.concatenate([marks[keep], scores[new]])
    return Picture(photo.name, image, human, marks)


def _read_labels(path: Path) -> Mapping[str, tuple[Floats, Floats]]:
    """File name to boxes (N, 4) and scores (N,)."""
    try:
        content = json.loads(path.read_text())
    except OSError as error:
        raise PoseTrackError(
            f"{path}: no boxes to learn from; give the network that makes them by --teacher"
        ) from error
    tables = {name: np.array(rows, np.float32).reshape(-1, 5) for name, rows in content.items()}
    return {name: (table[:, :4], table[:, 4]) for name, table in tables.items()}
