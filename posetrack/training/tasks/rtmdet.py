"""Person boxes and dense scores from an RTMDet network in ONNX form: a better teacher than YOLOX-nano.

RTMDet (Lyu et al., 2022) gives, as our own detector does, one score and the four sides of a box for each cell
of strides 8, 16 and 32; its cells' points are their upper left corners. Run by OpenVINO, for any input size.

    >>> teacher = RtmdetTeacher("rtmdet_nano_person_320.onnx")
    >>> boxes, scores = teacher(image)          # of a photo, plain and mirrored
    >>> scores, boxes = teacher.dense(images)   # of every cell of a batch
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from posetrack.datasets.boxes import Floats, Image
from posetrack.training.tasks.teacher_boxes import BoxTeacher

STRIDES = (8, 16, 32)
MEAN = np.array([103.53, 116.28, 123.675], np.float32)  # of BGR
DEVIATION = np.array([57.375, 57.12, 58.395], np.float32)
FLOOR = 0.1  # scores below are not looked at
SLOPE, SHIFT = 1.6, 0.5  # of the log odds: RTMDet gives a sure person 0.75 and a place without anybody 0.01


class RtmdetTeacher(BoxTeacher):
    def __init__(self, path: str | Path, side: int = 320, floor: float = FLOOR) -> None:
        """
        Args:
            side: pixels to which a photo's longer side is scaled by `__call__`, a multiple of 32.
            floor: `__call__` does not look at lower scores.
        """
        self.path, self.side, self.floor = str(path), side, floor
        self._requests: dict[tuple[int, int, int], Any] = {}

    def look(self, canvas: Image) -> tuple[Floats, Floats]:
        scores, boxes = (values[0] for values in self.dense(canvas[None]))
        keep = scores >= self.floor
        return boxes[keep], scores[keep]

    def dense(self, images: Image, centred: bool = False) -> tuple[Floats, Floats]:
        """What every cell says.

        Args:
            images: (B, H, W, 3) RGB, H and W multiples of 32.
            centred: for cells' centres, where our own detector has its points; the teacher's lie at the
                cells' upper left corners. Of four corners the mean log odds count, and the surest one's box;
                scores are then made sharper, so that somebody in plain view has 0.9 and a place 0.001.

        Returns:
            scores (B, A) in 0..1 and boxes (B, A, 4) as xyxy pixels, levels by stride, cells row by row.
        """
        B, H, W, _ = images.shape
        pixels = (images[..., ::-1].astype(np.float32) - MEAN) / DEVIATION  # (B, H, W, 3) BGR
        results = self._request(B, H, W).infer([np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))])
        scores, boxes = [], []
        for stride, values in zip(STRIDES, results.to_tuple(), strict=True):  # (B, h, w, 5)
            y, x = np.mgrid[: values.shape[1], : values.shape[2]].astype(np.float32) * stride
            points = np.stack([x, y, x, y], -1)  # (h, w, 4)
            odds, places = values[..., 0], points + values[..., 1:] * np.array([-1, -1, 1, 1], np.float32)
            if centred:
                odds, places = _of_four_corners(odds, places)
                odds = SLOPE * odds + SHIFT
            scores.append(1 / (1 + np.exp(-odds.reshape(B, -1))))
            boxes.append(places.reshape(B, -1, 4))
        return np.concatenate(scores, 1), np.concatenate(boxes, 1)

    def _request(self, batch: int, height: int, width: int) -> Any:
        key = batch, height, width
        if key not in self._requests:
            from posetrack.runtime.openvino_graph import core

            model = core().read_model(self.path)
            model.reshape([batch, 3, height, width])
            settings = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "ENABLE_CPU_PINNING": False}
            self._requests[key] = core().compile_model(model, "CPU", settings).create_infer_request()
        return self._requests[key]


def _of_four_corners(odds: Floats, boxes: Floats) -> tuple[Floats, Floats]:
    """(B, h, w) and (B, h, w, 4) of upper left corners to the same of cells: mean odds, the surest box."""
    h, w = odds.shape[1:]
    below, beside = np.minimum(np.arange(h) + 1, h - 1)[:, None], np.minimum(np.arange(w) + 1, w - 1)
    y, x = np.arange(h)[:, None], np.arange(w)
    corners = [(y, x), (y, beside), (below, x), (below, beside)]
    table = np.stack([odds[:, i, j] for i, j in corners])  # (4, B, h, w)
    places = np.stack([boxes[:, i, j] for i, j in corners])  # (4, B, h, w, 4)
    best = np.take_along_axis(places, table.argmax(0)[None, ..., None], 0)[0]
    return table.mean(0), best
