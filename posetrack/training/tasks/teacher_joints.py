"""Joints of people by a stronger pose network in ONNX form, made once and kept for the light one to learn.

Everybody is seen plain and mirrored, and the mean of both heatmaps is decoded. Kept are positions in pixels
of the photo and the heights of the peaks, so that any later change of the picture moves them along. Needs
onnxruntime, a development dependency.

    teacher = TinyPose("tinypose_256x192.onnx")
    write_opinions(Path("tinypose.npz"), opinions(teacher, people, images, TINYPOSE, POSETRACK18))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from posetrack.benchmarks.validate import Decoding, locate
from posetrack.datasets.people import Image, Person
from posetrack.errors import PoseTrackError
from posetrack.files import replacing
from posetrack.skeletons import COCO17, Skeleton

TINYPOSE = Decoding(COCO17, (192, 256), sigma=2.0, softmax=False)


@dataclass(frozen=True, eq=False)
class Opinions:
    """What a teacher says of N people, in the order in which they were shown."""

    points: NDArray[np.float32]  # (N, K, 2) pixels of the photos
    scores: NDArray[np.float32]  # (N, K) heights of the peaks, 0 for joints that the teacher does not know


class TinyPose(nn.Module):
    """PP-TinyPose: normalised crops (B, 3, 256, 192) to heatmaps (B, 17, 64, 48), COCO's joints."""

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        self.session = onnx_session(path)
        self.input = self.session.get_inputs()[0].name

    def forward(self, crops: Tensor) -> Tensor:
        blobs = np.ascontiguousarray(crops.float().cpu().numpy())
        # One after the other: a batch takes a third longer on a CPU, out of its cache.
        maps = [self.session.run(None, {self.input: blob[None]})[0] for blob in blobs]
        return torch.from_numpy(np.concatenate(maps))


def onnx_session(path: str | Path) -> Any:
    """A network in ONNX form, on one thread of the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def opinions(
    teacher: nn.Module,
    people: Sequence[Person],
    images: Mapping[str, Image],
    decoding: Decoding,
    skeleton: Skeleton,
) -> Opinions:
    """The teacher's joints of everybody, in the slots of `skeleton`, by two looks into the labelled box.

    Args:
        decoding: of the teacher.
    """
    found, peaks, lost = locate(teacher, people, images, decoding, torch.device("cpu"), flip=True)
    if lost:
        raise PoseTrackError(f"{len(lost)} pictures cannot be read, the first: {lost[0]}")
    points = np.zeros((len(people), len(skeleton), 2), np.float32)
    scores = np.zeros((len(people), len(skeleton)), np.float32)
    for slot, name in enumerate(skeleton.keypoints):
        if name in decoding.skeleton.keypoints:
            points[:, slot] = found[:, decoding.skeleton.index(name)]
            scores[:, slot] = np.clip(peaks[:, decoding.skeleton.index(name)], 0, 1)
    return Opinions(points, scores)


def write_opinions(path: Path, opinions: Opinions) -> None:
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, points=opinions.points, scores=opinions.scores.astype(np.float16))


def read_opinions(path: Path, people: int) -> Opinions:
    """The opinions about as many people.

    Raises:
        PoseTrackError: no such file, or it is about others.
    """
    try:
        with np.load(path) as stored:
            points, scores = stored["points"], stored["scores"].astype(np.float32)
    except (OSError, ValueError, KeyError) as error:
        raise PoseTrackError(f"{path} holds no opinions of a teacher ({error}): make them again") from error
    if len(points) != people:
        raise PoseTrackError(f"{path} is about {len(points)} people, not {people}: make it again")
    return Opinions(points, scores)
