"""Poses of people in single pictures, for benchmarks: the tracker's own estimator on given boxes.

>>> estimator = load_estimator(Path("w48.safetensors"), device="cpu", flip=True)
>>> seen = find_people(estimator, names, boxes, scores, folder.__getitem__)

N people with a box each, K joints.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from posetrack import zoo
from posetrack.datasets.people import Image, Person
from posetrack.errors import InputError, PoseTrackError
from posetrack.pose.crop import crop_regions
from posetrack.pose.estimator import HeatmapEstimator
from posetrack.pose.heatmap import Decoder
from posetrack.pose.networks import load_network
from posetrack.progress import progress
from posetrack.runtime.device import find_device
from posetrack.skeletons import Skeleton, convert
from posetrack.types import Detections, Frame, Poses
from posetrack.zoo import catalog
from posetrack.zoo.loading import describe

# The "six-scale pyramid testing" of HRNet's section 4.2, whose code has none: sizes of the code of PyraNet
# (Yang et al., ICCV 2017), tested in this way, too. That adds maps up in the picture, we in the crop.
PYRAMID = (0.8, 0.9, 1.0, 1.1, 1.2, 1.3)
T = TypeVar("T", bound=Hashable)
R = TypeVar("R")


@dataclass(frozen=True, eq=False)
class PosedBoxes:
    """What the network says of N boxes, in their order."""

    poses: Poses  # (N,); all zero where the picture was lost
    areas: NDArray[np.float64]  # (N,) of the padded crops, pixels squared
    there: NDArray[np.bool_]  # (N,) the picture could be read
    lost: Mapping[str, str]  # picture -> why it could not

    def joints(self, skeleton: Skeleton) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """Joints (N, K, 2) and scores (N, K) in the order of another skeleton; what it lacks is 0."""
        return convert(self.poses.keypoints, self.poses.keypoint_scores, self.poses.skeleton, skeleton)


def load_estimator(
    weights: Path | None,
    model: str | None = None,
    *,
    device: str = "auto",
    flip: bool = True,
    decoder: Decoder | None = None,
    pyramid: bool = False,
) -> HeatmapEstimator:
    """The estimator of a weights file, as the tracker builds it, but in single precision on every device.

    Args:
        weights: any file that the zoo reads; None takes the published weights named by `model`.
        model: name of published weights that are used in the same way (network, joints, input size, sigma),
            for files that do not say it themselves.
        decoder: how crops are cut and heatmaps read; None is as the weights were trained.
        pyramid: average over the six sizes of the crop that MPII is tested with.

    Raises:
        PoseTrackError: the file is missing, broken, of another network, or does not say how it is used.
    """
    facts = metadata(weights)
    if "model" not in facts and model is None:
        raise PoseTrackError(_unsaid(weights))
    if "model" in facts and model is not None and catalog.find(model).network != facts["model"]:
        raise PoseTrackError(
            f"--model {model}: {weights} says that it is of {facts['model']}; leave --model out"
        )
    network, settings = load_network(model or "light", weights, decoder=decoder, flip_test=flip)
    place = find_device(device)
    sizes = PYRAMID if pyramid else (1.0,)
    settings = replace(settings, half=False, clip_scores=False, pyramid=sizes)
    return HeatmapEstimator.fast(network, settings, place)


def metadata(weights: Path | None) -> Mapping[str, str]:
    """What a safetensors file says of itself; nothing for other kinds, and for no file."""
    return zoo.read_metadata(weights) if weights is not None and weights.suffix == ".safetensors" else {}


def trained_on(weights: Path | None, model: str | None) -> str:
    """What the weights learned from, as they or the catalogue say; '' where nobody says it."""
    if weights is None:
        return catalog.CATALOG[model].trained_on if model and model in catalog.CATALOG else ""
    facts = metadata(weights)
    published = catalog.trained_on(facts.get("source", weights.name))  # `posetrack convert` notes the source
    said = (facts.get("trained_on", ""), facts.get("began_with", ""), published)
    return "; ".join(filter(None, said))


def _unsaid(weights: Path | None) -> str:
    if weights is None:
        return "no network given: add --weights FILE, or --model with the name of published weights"
    what = describe(zoo.read_checkpoint(weights))
    alike = [
        name
        for name, entry in catalog.CATALOG.items()
        if entry.kind == "pose" and what.startswith(entry.network)
    ]
    return (
        f"{weights} does not say for which joints and input size it is: add --model with the name of "
        f"published weights used in the same way{f', such as {alike[0]}' if alike else ''}"
    )


def find_people(
    estimator: HeatmapEstimator,
    names: Sequence[str],
    boxes: NDArray[np.floating],
    scores: NDArray[np.floating],
    picture: Callable[[str], Image],
    title: str = "poses",
) -> PosedBoxes:
    """Look at every box. Pictures are decoded ahead in threads, each once; a lost one costs only its people.

    Args:
        names: (N,) picture of every box.
        boxes: (N, 4) x1, y1, x2, y2 pixels, before the padding of crops.
        scores: (N,) of the boxes; 1 for labelled ones.
        picture: by name, (H, W, 3) RGB; raises InputError where it is lost.

    Raises:
        PoseTrackError: no box at all, or every picture is lost.
    """
    if not names:
        raise PoseTrackError(f"{title}: no box to look at")
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        rows.setdefault(name, []).append(row)
    width, height = estimator.settings.input_size
    regions = crop_regions(boxes, width / height)
    K = len(estimator.skeleton)
    points, joint_scores = np.zeros((len(names), K, 2)), np.zeros((len(names), K))
    person_scores, there = np.zeros(len(names)), np.zeros(len(names), np.bool_)
    lost: dict[str, str] = {}
    batch: list[tuple[Frame, list[int]]] = []

    def look() -> None:
        detections = [Detections(boxes[mine], scores[mine]) for _, mine in batch]
        for (_, mine), poses in zip(batch, estimator([frame for frame, _ in batch], detections), strict=True):
            points[mine], joint_scores[mine] = poses.keypoints, poses.keypoint_scores
            person_scores[mine], there[mine] = poses.scores, True
        batch.clear()

    with progress(title, len(rows)) as report:
        for done, (name, image) in enumerate(read_ahead(rows, picture), 1):
            if isinstance(image, InputError):
                lost[name] = str(image)
            else:
                batch.append((Frame(image, done - 1, 0.0), rows[name]))
            if sum(len(mine) for _, mine in batch) >= estimator.settings.max_crops:
                look()
            report(done, len(rows[name]))
        if batch:
            look()
    if not there.any():
        raise PoseTrackError(f"all {len(lost)} pictures are lost: {next(iter(lost.values()))}")
    poses = Poses(points, joint_scores, boxes, person_scores, estimator.skeleton)
    return PosedBoxes(poses, regions[:, 2] * regions[:, 3], there, lost)


def find_labelled(
    estimator: HeatmapEstimator, people: Sequence[Person], images: Mapping[str, Image], title: str
) -> PosedBoxes:
    """Look at everybody in the labelled box; otherwise as `find_people`."""
    names = [person.image for person in people]
    boxes = np.stack([person.box for person in people])
    return find_people(estimator, names, boxes, np.ones(len(names)), images.__getitem__, title)


def read_ahead(
    names: Iterable[T], read: Callable[[T], R], workers: int | None = None
) -> Iterator[tuple[T, R | InputError]]:
    """Every name with what `read` gives for it, in order, read by threads a little ahead of use.

    An InputError of `read` comes out in place of its result; any other error ends the loop.
    """

    def work(name: T) -> R | InputError:
        try:
            return read(name)
        except InputError as error:
            return error

    count = workers or min(8, os.cpu_count() or 1)
    ahead: deque[tuple[T, Future[R | InputError]]] = deque()
    with ThreadPoolExecutor(count) as pool:
        try:
            for name in names:
                ahead.append((name, pool.submit(work, name)))
                if len(ahead) > 4 * count:
                    first, future = ahead.popleft()
                    yield first, future.result()
            while ahead:
                first, future = ahead.popleft()
                yield first, future.result()
        finally:
            pool.shutdown(cancel_futures=True)
