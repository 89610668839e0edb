"""Data sets whose answer is known: every joint is a dot of its own colour, and a network that sees colours.

Written in the official formats, so that the whole way from files to metrics can be walked with real numbers.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.io import savemat
from torch import nn

from posetrack.pose.crop import MEAN, STD
from posetrack.pose.estimator import HeatmapEstimator, PoseSettings
from posetrack.skeletons import COCO17, POSETRACK18, Skeleton

# 17 of the 19 colours with a full channel; none is a darker version of another, as the rims of dots are.
COLOURS = np.array([c for c in itertools.product((0, 0.5, 1), repeat=3) if max(c) == 1][:17], np.float32)
SIZE = (320, 200)  # (width, height) of every picture
BOX = (80, 100)  # of every person, width and height


class ColourNetwork(nn.Module):
    """Heatmap k is high where the picture has colour k."""

    def __init__(self, joints: int = 17) -> None:
        super().__init__()
        self.colours = torch.from_numpy(COLOURS[:joints])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rgb = x * torch.tensor(STD).view(3, 1, 1) + torch.tensor(MEAN).view(3, 1, 1)
        away = (rgb[:, None] - self.colours[None, :, :, None, None]).norm(dim=2)  # (B, K, H, W)
        return nn.functional.avg_pool2d((1 - away / 0.25).clamp_min(0), 5, 4, padding=2)


def colour_estimator(
    skeleton: Skeleton, aspect: float = 0.75, max_crops: int = 64, pyramid: tuple[float, ...] = (1.0,)
) -> HeatmapEstimator:
    ears = ("left_ear", "right_ear") if skeleton is POSETRACK18 else ()
    settings = PoseSettings(
        skeleton, (round(128 * aspect), 128), unlabelled=ears, max_crops=max_crops, pyramid=pyramid
    )
    return HeatmapEstimator(ColourNetwork(len(skeleton)), settings)


def body(x: float, y: float, joints: int = 17) -> NDArray[np.float64]:
    """(K, 2) joints on a grid inside the box at x, y, none near another."""
    row, column = np.divmod(np.arange(joints), 4)
    return np.stack([x + 10 + 20 * column, y + 10 + 20 * row], axis=1).astype(np.float64)


def write_picture(path: Path, *people: NDArray[np.float64]) -> None:
    """A lossless picture (whatever its name ends with) of people in dots."""
    image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    for points in people:
        for colour, point in zip((COLOURS * 255).round(), points.round().astype(int).tolist(), strict=False):
            cv2.circle(image, point, 5, colour[::-1].tolist(), -1)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", image)[1].tobytes())


def write_coco(root: Path) -> Path:
    """Three pictures, 1.jpg to 3.jpg, with two, one and no person; the annotations' path."""
    bodies = {1: [body(20, 30), body(200, 50)], 2: [body(100, 60)], 3: []}
    annotations = []
    for image, people in bodies.items():
        write_picture(root / "val2017" / f"{image}.jpg", *people)
        for points in people:
            x, y = points.min(axis=0) - 10
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": 1,
                    "iscrowd": 0,
                    "bbox": [x, y, *BOX],
                    "area": 20_000,
                    "num_keypoints": 17,
                    "keypoints": np.column_stack([points, np.full(17, 2)]).ravel().tolist(),
                }
            )
    images = [{"id": n, "file_name": f"{n}.jpg", "width": SIZE[0], "height": SIZE[1]} for n in bodies]
    category = {"id": 1, "name": "person", "keypoints": list(COCO17.keypoints)}
    path = root / "annotations" / "person_keypoints_val2017.json"
    write_json(path, {"images": images, "annotations": annotations, "categories": [category]})
    return path


def write_mpii(root: Path) -> None:
    """Two pictures with a person each, in HRNet's release form: positions count from 1."""
    bodies = [body(20, 30, 16), body(150, 60, 16)]
    entries = []
    for n, points in enumerate(bodies):
        write_picture(root / "images" / f"{n}.jpg", points)
        middle = points.mean(axis=0) + 1
        entries.append({"image": f"{n}.jpg", "center": middle.tolist(), "scale": 0.5,
                        "joints": (points + 1).tolist(), "joints_vis": [1] * 16})  # fmt: skip
    write_json(root / "annot" / "valid.json", entries)
    heads = np.array([[[10.0, 10], [40, 50]]] * 2)  # people, corner, axis: 0.6 x 50 = 30 pixels
    savemat(
        root / "annot" / "gt_valid.mat",
        {
            "jnt_missing": np.zeros((16, 2)),
            "pos_gt_src": np.stack(bodies).transpose(1, 2, 0) + 1,
            "headboxes_src": heads.transpose(1, 2, 0),
        },
    )


def write_posetrack(root: Path, name: str = "000001_mpii_test") -> Path:
    """A video of three frames with two, one and one person; the last is not labelled."""
    bodies = [[body(20, 30), body(200, 50)], [body(22, 31)], [body(24, 32)]]
    images: list[dict[str, Any]] = []
    people: list[dict[str, Any]] = []
    for frame, bodies_here in enumerate(bodies):
        file = f"images/val/{name}/{frame:06d}.jpg"
        image_id = 10**10 + int(name[:6]) * 10**4 + frame
        write_picture(root / file, *bodies_here)
        images.append({"file_name": file, "id": image_id, "frame_id": image_id, "is_labeled": frame < 2})
        for track, points in enumerate(bodies_here if frame < 2 else []):
            triples = np.column_stack([points, np.ones(17)])
            triples[3:5] = 0  # ears
            x, y = points.min(axis=0) - 10
            people.append({"image_id": image_id, "id": image_id * 100 + track, "track_id": track,
                           "category_id": 1, "keypoints": triples.ravel().tolist(), "scores": [],
                           "bbox": [x, y, *BOX], "bbox_head": [x, y, 12, 16]})  # fmt: skip
    category = {
        "supercategory": "person",
        "id": 1,
        "name": "person",
        "keypoints": list(POSETRACK18.keypoints),
    }
    path = root / "annotations" / "val" / f"{name}.json"
    write_json(path, {"images": images, "annotations": people, "categories": [category]})
    return path


def write_json(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def detections(path: Path, *boxes: tuple[int, float, float, float]) -> Path:
    """A detection file of boxes (image id, x, y, score), all of the size of people."""
    return write_json(
        path,
        [{"image_id": i, "category_id": 1, "bbox": [x, y, *BOX], "score": score} for i, x, y, score in boxes],
    )
