"""Scores of joints, boxes and persons on held-out photos, with what came of each: what maps are fitted to.

>>> joints = joint_cases(poses.keypoint_scores, errors, names)
>>> joints.fit().text(), joints.reliability().ece
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posetrack.benchmarks.calibrate import Reliability, fit, reliability
from posetrack.benchmarks.detector import SURE
from posetrack.benchmarks.everyday import AREA, EverydaySet
from posetrack.benchmarks.pck import Errors, joint_errors
from posetrack.benchmarks.pose_report import HIT
from posetrack.benchmarks.predict import find_labelled
from posetrack.boxes import iou
from posetrack.datasets.boxes import Picture
from posetrack.datasets.everyday import EverydayPhoto
from posetrack.datasets.people import HeldOut, Image, Person
from posetrack.evaluation.boxes import INSIDE, OVERLAP, owners, share_inside
from posetrack.pipeline import Detector, Estimator
from posetrack.pose.estimator import HeatmapEstimator, person_scores
from posetrack.runtime.calibration import Calibration
from posetrack.skeletons import POSETRACK18, Skeleton
from posetrack.types import Frame

Floats = NDArray[np.float64]
SHOWN = 0.2  # box score from which a person counts
TORSO = 0.74  # roots of a person's area: the median of COCO's validation people with a torso


@dataclass(frozen=True)
class Cases:
    """N scores with what came of them."""

    scores: Floats
    right: Floats  # 0 or 1, or a share in between
    weights: Floats
    half: NDArray[np.int64]  # 0 or 1, see half_of

    def calibrated(self, calibration: Calibration) -> Floats:
        return calibration(self.scores.astype(np.float32)).astype(np.float64)

    def crossed(self) -> Floats:
        """Scores calibrated on the other half."""
        scores = self.scores.copy()
        for side in (0, 1):
            mine, other = self.half == side, self.half != side
            calibration = fit(self.scores[other], self.right[other], self.weights[other])
            scores[mine] = self.calibrated(calibration)[mine]
        return scores

    def fit(self) -> Calibration:
        return fit(self.scores, self.right, self.weights)

    def reliability(self, scores: Floats | None = None) -> Reliability:
        return reliability(self.scores if scores is None else scores, self.right, self.weights)

    @staticmethod
    def concatenate(sets: Sequence[Cases]) -> Cases:
        """Every set weighs the same, however many cases it has."""
        return Cases(
            np.concatenate([c.scores for c in sets]),
            np.concatenate([c.right for c in sets]),
            np.concatenate([c.weights / c.weights.sum() * 1000 for c in sets]),
            np.concatenate([c.half for c in sets]),
        )


def half_of(name: str) -> int:
    """0 or 1, by chance, and always the same for a photo."""
    return zlib.crc32(name.encode()) & 1


def joint_cases(scores: NDArray[np.floating], errors: Errors, names: Sequence[str]) -> Cases:
    """Every counted joint: is it within 0.2 torso of its label?

    Args:
        scores: (N, K) of the joints.
        names: (N,) photo of every person.
    """
    counted = np.isfinite(errors.distances)
    rows = np.nonzero(counted)[0]
    right = (errors.distances[counted] <= HIT).astype(np.float64)
    halves = np.array([half_of(name) for name in names])
    return Cases(scores[counted].astype(np.float64), right, np.ones(len(rows)), halves[rows])


def everyday_joint_cases(estimator: HeatmapEstimator, data: EverydaySet) -> Cases:
    """The same of everyday people; those without a labelled torso have the usual one for their area."""
    seen = find_labelled(estimator, data.people, data.images, "everyday")
    points, scores = seen.joints(POSETRACK18)
    labels = np.stack([person.keypoints for person in data.people]).astype(np.float64)
    labelled = np.stack([person.labelled for person in data.people])
    areas = np.array([AREA * np.prod(person.box[2:] - person.box[:2]) for person in data.people])
    errors = joint_errors(points, labels, labelled, labelled, POSETRACK18, TORSO * np.sqrt(areas))
    return joint_cases(scores, errors, [person.image for person in data.people])


def everyday_box_cases(
    detector: Detector, photos: Iterable[EverydayPhoto], images: Mapping[str, Image]
) -> Cases:
    """Boxes where everybody has one: does each find a person? Those in ignored regions say nothing."""
    rows = [np.zeros((0, 3))]
    for photo in photos:
        if photo.exhaustive:
            seen = detector([Frame(images[photo.name], 0, 0.0)])[0]
            hit = owners(seen.boxes, photo.boxes) >= 0
            counts = hit | (share_inside(seen.boxes, photo.ignored) < INSIDE)
            half = np.full(len(hit), half_of(photo.name))
            rows.append(np.stack([seen.scores, hit, half], axis=1)[counts])
    scores, right, halves = np.concatenate(rows).astype(np.float64).T
    return Cases(scores, right, np.ones(len(scores)), halves.astype(np.int64))


@dataclass(frozen=True)
class FoundPeople:
    """N boxes whose worth is known."""

    box: Floats  # (N,) scores
    joints: Floats  # (N,) mean of the joint scores, as in a person's score
    calibrated_joints: Floats  # (N,) the same of the calibrated ones
    right: Floats  # (N,) share of the labelled joints that are right; 0 in a false box
    half: NDArray[np.int64]  # (N,)

    def cases(self, for_boxes: Calibration) -> dict[str, Cases]:
        """Person scores, box x joints, as they are and with both calibrated."""
        box = for_boxes(self.box.astype(np.float32))
        products = {"as they are": self.box * self.joints, "calibrated": box * self.calibrated_joints}
        return {n: Cases(p, self.right, np.ones(len(p)), self.half) for n, p in products.items()}


def box_cases(
    detector: Detector,
    estimator: Estimator,
    photos: Iterable[Picture],
    labelled: Sequence[HeldOut],
    for_joints: Calibration,
) -> tuple[Cases, FoundPeople]:
    """Boxes: does one find a person? Persons: which share of their joints is right (none in a false box)?

    Boxes that find a person without labelled joints say nothing of persons; nor of boxes those that lie on
    what the maker of the labels was in doubt about.

    Args:
        detector, estimator: without calibration.
        for_joints: the map of the estimator's scores.
    """
    people: dict[str, list[tuple[Person, bool]]] = {}
    for held_out in labelled:
        for person in held_out.people:
            people.setdefault(person.image, []).append((person, held_out.human_only))
    boxes: list[tuple[float, float, int]] = []
    persons: list[tuple[float, ...]] = []
    for photo in photos:
        half, frame = half_of(photo.name), Frame(photo.image, 0, 0.0)
        seen = detector([frame])[0]
        sure = photo.scores >= SURE
        hit = owners(seen.boxes, photo.boxes[sure]) >= 0
        doubtful = ~hit & (iou(seen.boxes, photo.boxes[~sure]) >= OVERLAP).any(1)
        boxes += [(s, float(h), half) for s, h, d in zip(seen.scores, hit, doubtful, strict=True) if not d]
        shown = seen.scores >= SHOWN
        poses = estimator.estimate_frame(frame, seen[shown])
        worth = np.where((hit | doubtful)[shown], np.nan, 0.0)
        for person, human_only in people.get(photo.name, []):
            overlap = iou(poses.boxes, person.box[None])[:, 0]
            if len(poses) and overlap.max() >= OVERLAP:
                best = int(overlap.argmax())
                worth[best] = share_right(poses.keypoints[best], person, human_only, poses.skeleton)
        calibrated = person_scores(for_joints(poses.keypoint_scores))
        rows = zip(seen.scores[shown], person_scores(poses.keypoint_scores), calibrated, worth, strict=True)
        persons += [(*map(float, row), half) for row in rows if np.isfinite(row[3])]
    score, right, box_half = (np.array(column) for column in zip(*boxes, strict=True))
    columns = (np.array(column, np.float64) for column in zip(*persons, strict=True))
    box, joints, mapped, shares, halves = columns
    found = Cases(score.astype(np.float64), right, np.ones(len(score)), box_half)
    return found, FoundPeople(box, joints, mapped, shares, halves.astype(np.int64))


def share_right(points: NDArray[np.floating], person: Person, human_only: bool, skeleton: Skeleton) -> float:
    """Of the labelled joints; NaN where no torso gives the measure."""
    counted = person.labelled & ~person.pseudo if human_only else person.labelled
    labels, labelled = person.keypoints[None], person.labelled[None]
    return joint_errors(points[None], labels, labelled, counted[None], skeleton).pck() / 100
