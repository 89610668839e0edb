"""Soft person boxes of single pictures: what all teachers share, and YOLOX, a peer of the light detector.

>>> peer = YoloxTeacher("yolox_nano_416.onnx")     # needs onnxruntime, a development dependency
>>> boxes, scores = peer.one_view(image)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from posetrack.boxes import iou, nms
from posetrack.training.tasks.teacher_joints import onnx_session

Floats = NDArray[np.float32]
Image = NDArray[np.uint8]

SAME = 0.6  # IoU from which two boxes show the same person


class BoxTeacher(ABC):
    """A network that sees squares of `side` pixels, and says nothing of scores below `floor`."""

    side: int
    floor: float

    @abstractmethod
    def look(self, canvas: Image) -> tuple[Floats, Floats]:
        """Boxes (N, 4) xyxy pixels and scores (N,) of a square (side, side, 3) RGB, of at least `floor`."""

    def __call__(self, image: Image) -> tuple[Floats, Floats]:
        """(N, 4) xyxy pixels of the picture and (N,) scores, mean of the plain and the mirrored view.

        Boxes of both views that agree become one; one that only one view has keeps half its score. So the
        score says how sure the teacher is.
        """
        plain = self.one_view(image)
        boxes, scores = self.one_view(np.ascontiguousarray(image[:, ::-1]))
        boxes = boxes[:, [2, 1, 0, 3]] * [-1, 1, -1, 1] + [image.shape[1], 0, image.shape[1], 0]
        return merge([plain, (boxes.astype(np.float32), scores)])

    def one_view(self, image: Image) -> tuple[Floats, Floats]:
        """Boxes after NMS at IoU `SAME`, from the picture scaled to fill the square, the rest grey."""
        scale = min(self.side / image.shape[0], self.side / image.shape[1])
        small = cv2.resize(image, (round(image.shape[1] * scale), round(image.shape[0] * scale)))
        canvas = np.full((self.side, self.side, 3), 114, np.uint8)
        canvas[: small.shape[0], : small.shape[1]] = small
        boxes, scores = self.look(canvas)
        limits = np.array([image.shape[1], image.shape[0]] * 2, np.float32)
        found = np.clip(boxes / scale, 0, limits).astype(np.float32)
        kept = nms(found, scores, SAME)
        return found[kept], scores[kept]


class YoloxTeacher(BoxTeacher):
    side, floor = 416, 0.03

    def __init__(self, path: str | Path) -> None:
        self.session = onnx_session(path)
        self.input = self.session.get_inputs()[0].name
        cells = [(self.side // s, s) for s in (8, 16, 32)]
        grids = [np.stack(np.meshgrid(np.arange(n), np.arange(n)), -1).reshape(-1, 2) for n, _ in cells]
        self.cells = np.concatenate(grids).astype(np.float32)  # (3549, 2) x, y
        self.strides = np.concatenate([np.full((n * n, 1), s, np.float32) for n, s in cells])

    def look(self, canvas: Image) -> tuple[Floats, Floats]:
        blob = canvas[..., ::-1].transpose(2, 0, 1)[None].astype(np.float32)  # YOLOX takes BGR
        raw = self.session.run(None, {self.input: blob})[0][0]
        scores = raw[:, 4] * raw[:, 5]  # objectness x person
        keep = scores >= self.floor
        centre = (raw[keep, :2] + self.cells[keep]) * self.strides[keep]
        half = np.exp(raw[keep, 2:4]) * self.strides[keep] / 2
        return np.concatenate([centre - half, centre + half], 1), scores[keep]


def merge(views: Sequence[tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    """Boxes of several views of one picture: those that agree become one, scores averaged over all views."""
    boxes = np.concatenate([b for b, _ in views])
    scores = np.concatenate([s for _, s in views])
    view = np.concatenate([np.full(len(s), v) for v, (_, s) in enumerate(views)])
    free = np.ones(len(boxes), bool)
    overlap = iou(boxes, boxes)
    merged: list[tuple[Floats, float]] = []
    for i in np.argsort(-scores, kind="stable"):
        if not free[i]:
            continue
        group = [int(i)]
        for v in set(view.tolist()) - {view[i]}:
            rivals = np.flatnonzero(free & (view == v) & (overlap[i] >= SAME))
            group += [int(rivals[np.argmax(scores[rivals])])] if len(rivals) else []
        free[group] = False
        weight = scores[group] / scores[group].sum()
        merged.append(((boxes[group] * weight[:, None]).sum(0), float(scores[group].sum() / len(views))))
    merged.sort(key=lambda item: -item[1])
    return (
        np.array([b for b, _ in merged], np.float32).reshape(-1, 4),
        np.array([s for _, s in merged], np.float32),
    )
