"""How far two humans agree: some photos of Leeds Sports are there twice, each labelled on its own.

No network can agree with one human's labels better than the truth does, so this tells what PCK means here.
"""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from light.markdown import table
from posetrack.benchmarks import pose_report
from posetrack.benchmarks.pck import Errors, joint_errors
from posetrack.datasets.people import Image, read_people, read_tar_images
from posetrack.skeletons import POSETRACK18

ALIKE = 0.975  # correlation from which two photos are taken for the same
MATCHES = 40  # places that two copies of a photo must share
SAME = 1.0  # median difference, torso lengths, beyond which somebody else of the photo was labelled


def agreement(folder: Path, joints: tuple[str, ...]) -> str:
    """One row of Markdown about the lspet folder."""
    errors = both_labels(folder)
    by_joint = pose_report.by_joint(errors, POSETRACK18)
    hits = np.where(np.isfinite(errors.distances), errors.distances <= pose_report.HIT, np.nan)
    photos, counted = len(hits), int(np.isfinite(hits).sum())
    spread = deviation_of_mean(np.nansum(hits, axis=1), np.isfinite(hits).sum(axis=1))
    name = f"{photos} photos labelled twice, {counted} joints"
    row = [name, f"{errors.pck():.1f} ± {100 * spread:.1f}", *(by_joint.get(j, float("nan")) for j in joints)]
    return table(
        ["PCK@0.2 of one human's labels by another's", "all", *(j.replace("_", " ") for j in joints)], [row]
    )


def both_labels(folder: Path) -> Errors:
    """One human's joints by another's, a row for each photo."""
    files = [folder / "lspet_train.json", folder / "lspet_val.json"]
    people = {person.image: person for file in files for person in read_people(file, POSETRACK18)}
    found = json.loads((folder / "near_duplicates.json").read_text())
    pairs = [(p["a"], p["b"]) for p in found if p["correlation"] >= ALIKE and not p["mirrored"]]
    archives = [*sorted(folder.glob("train-*.tar")), folder / "val.tar"]
    images = read_tar_images(archives, {name for pair in pairs for name in pair})
    rows = []
    for one, other in ((people[a], people[b]) for a, b in pairs):
        matrix = registered(images[one.image], images[other.image])
        if matrix is None:
            continue
        points = (one.keypoints @ matrix[:, :2].T + matrix[:, 2])[None]
        counted = (one.labelled & ~one.pseudo & other.labelled & ~other.pseudo)[None]
        errors = joint_errors(points, other.keypoints[None], other.labelled[None], counted, POSETRACK18)
        if np.isfinite(errors.distances).any() and np.nanmedian(errors.distances) < SAME:
            rows.append(errors)
    return Errors(np.concatenate([e.distances for e in rows]), np.concatenate([e.offsets for e in rows]))


def registered(one: Image, other: Image) -> NDArray[np.float64] | None:
    """The similarity (2, 3) from the pixels of a photo to those of a copy; None where they are not alike."""
    sift = cv2.SIFT_create()  # type: ignore[attr-defined]
    (places, marks), (others, other_marks) = (sift.detectAndCompute(image, None) for image in (one, other))
    if marks is None or other_marks is None or len(other_marks) < 2:
        return None
    pairs = cv2.BFMatcher().knnMatch(marks, other_marks, 2)
    good = [best for best, second in pairs if best.distance < 0.75 * second.distance]
    if len(good) < MATCHES:
        return None
    sources = np.array([places[match.queryIdx].pt for match in good], np.float32)
    targets = np.array([others[match.trainIdx].pt for match in good], np.float32)
    matrix, inliers = cv2.estimateAffinePartial2D(sources, targets)
    alike = matrix is not None and int(inliers.sum()) >= MATCHES
    return np.asarray(matrix, np.float64) if alike else None


def deviation_of_mean(hits: NDArray[np.floating], counted: NDArray[np.integer]) -> float:
    """Standard error of sum(hits) / sum(counted), photos being drawn by chance, with all of their joints."""
    share = hits.sum() / counted.sum()
    n = len(hits)
    return float(np.sqrt(n / (n - 1) * ((hits - share * counted) ** 2).sum()) / counted.sum())
