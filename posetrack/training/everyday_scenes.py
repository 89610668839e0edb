"""Scenes for the detector from everyday photos, Leeds athletes and places, with human and teachers' boxes.

relabel(data, Path("/tmp/runs/detector/rtmdet"))                       # once, 2 minutes of one core
scenes = read_scenes(data, Path("/tmp/runs/detector/rtmdet"), seed=1)
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from posetrack.datasets.boxes import (
    Floats,
    Picture,
    decoded,
    read_boxes,
    read_pictures,
    tar_members,
    upright_weights,
)
from posetrack.datasets.everyday_boxes import SOURCES, EverydayPhoto, read_everyday
from posetrack.datasets.lspet import PLACES_HELD_OUT
from posetrack.datasets.scenes import Scenes
from posetrack.detectors.base import iou
from posetrack.training.rtmdet_teacher import RtmdetTeacher
from posetrack.training.teacher_boxes import with_labelled_person

SAID = (  # of the training data, for the metadata of the weights
    "LSPET train (9,000 photos), 450 of BSDS500 and 2,974 everyday photos of COCO, MPII, Pascal VOC, "
    "Stanford 40 and Human-Parts",
    "soft boxes from YOLOX-nano, soft scores and boxes of every cell from RTMDet-nano",
)
EVERYDAY_SHARE = 0.7  # of the photos drawn
SOURCE_WEIGHTS = {"coco": 1.0, "mpii": 0.5, "voc": 1.0, "stanford40": 0.7, "humanv2": 0.8}  # per photo
KINDS = (0.5, 0.8)  # whole photos, mosaics, and the rest: people pasted into other places
TEACHER_SIDE = 416  # pixels: 2 AP better on everyday photos than the 320 it was made for
KEPT = 0.08  # the teacher's scores below are not written
SAME = 0.5  # IoU from which a teacher's box shows a labelled person


def relabel(data: Path, folder: Path) -> None:
    """Write the boxes of RTMDet for every training photo, one file per tar, those that `folder` lacks."""
    folder.mkdir(parents=True, exist_ok=True)
    teacher = RtmdetTeacher(data / "teachers" / "rtmdet_nano_person_320.onnx", TEACHER_SIDE)
    for tar in (data / "people" / f"{source}_train.tar" for source in SOURCES):
        path = folder / f"{tar.stem}.json"
        if not path.exists():
            print(f"labelling {tar}", flush=True)
            rows = {}
            for name, content in tar_members(tar):
                boxes, scores = teacher(decoded(content, name))
                table = np.concatenate([boxes, scores[:, None]], 1)[scores >= KEPT]
                rows[name] = table.round(3).tolist()
            temporary = path.with_suffix(".tmp")
            temporary.write_text(json.dumps(rows))
            os.replace(temporary, path)


def read_scenes(data: Path, labels: Path, seed: int) -> Scenes:
    """All training photos, decoded (2.8 GB), and the places without the held-out ones.

    Args:
        labels: folder of `relabel`.
    """
    everyday, weights = read_photos(data / "people", labels)
    leeds = read_leeds(data / "lspet")
    of_leeds = upright_weights(data / "lspet" / "lspet_train.json", leeds)
    shares = np.concatenate(
        [EVERYDAY_SHARE * weights / weights.sum(), (1 - EVERYDAY_SHARE) * of_leeds / of_leeds.sum()]
    )
    places = read_pictures([data / "lspet" / "backgrounds.tar"], data / "lspet" / "backgrounds_boxes.json")[
        PLACES_HELD_OUT:
    ]
    return Scenes([*everyday, *leeds], places, seed, shares, KINDS)


def read_photos(folder: Path, labels: Path) -> tuple[list[Picture], Floats]:
    """The everyday photos for training and how often to draw each."""
    pictures: list[Picture] = []
    weights: list[float] = []
    for source in SOURCES:
        seen = read_labels(labels / f"{source}_train.json")
        photos = read_everyday(folder, source, "train")
        pictures += [with_teacher(photo, *seen[photo.name.partition("/")[2]]) for photo in photos]
        weights += [SOURCE_WEIGHTS[source]] * len(photos)
    return pictures, np.array(weights, np.float32)


def with_teacher(photo: EverydayPhoto, boxes: Floats, scores: Floats) -> Picture:
    """Human boxes with score 1, ignored regions with 0; the teacher's where a human may have labelled nobody.

    In exhaustive photos the humans have looked everywhere, and the teacher adds nothing.
    """
    human = np.concatenate([photo.people, photo.ignored])
    marks = np.repeat(np.array([1, 0], np.float32), [len(photo.people), len(photo.ignored)])
    if not photo.exhaustive and len(boxes):
        new = iou(boxes, photo.people).max(1, initial=0) < SAME
        # The teacher's people beat the region that a weaker one left to be ignored.
        clear = iou(photo.ignored, boxes[new & (scores >= 0.3)]).max(1, initial=0) < SAME
        keep = np.concatenate([np.ones(len(photo.people), bool), clear])
        human, marks = np.concatenate([human[keep], boxes[new]]), np.concatenate([marks[keep], scores[new]])
    return Picture(photo.name, photo.image, human, marks)


def read_leeds(folder: Path) -> list[Picture]:
    """Leeds photos: YOLOX's boxes, which came with them, and the labelled athlete's."""
    athletes = {name: boxes[0] for name, (boxes, _) in read_boxes(folder / "lspet_train.json").items()}
    pictures = read_pictures(sorted(folder.glob("train-*.tar")), folder / "person_boxes_train.json")
    result = []
    for picture in pictures:
        boxes, scores = with_labelled_person(picture.boxes, picture.scores, athletes[picture.name])
        result.append(replace(picture, boxes=boxes, scores=scores))
    return result


def read_labels(path: Path) -> Mapping[str, tuple[Floats, Floats]]:
    """File name to boxes (N, 4) and scores (N,)."""
    tables = {
        name: np.array(rows, np.float32).reshape(-1, 5) for name, rows in json.loads(path.read_text()).items()
    }
    return {name: (table[:, :4], table[:, 4]) for name, table in tables.items()}
