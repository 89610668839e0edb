"""Fit the map of the light detector's scores to held-out photos, everyday people's and Leeds athletes'.

    python scripts/calibrate_light_boxes.py --data ../shared/data new.safetensors --write

Each set weighs the same. A box is right where it overlaps somebody whom no better box has found (IoU 0.5);
boxes in ignored regions, or on what a teacher is not sure of, do not count. Prints how honest the scores are
before and after, each half of the photos with the map of the other half.
"""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch

from posetrack import zoo
from posetrack.benchmarks.calibrate import fit, reliability
from posetrack.benchmarks.detector import OVERLAP, matched
from posetrack.boxes import iou
from posetrack.datasets.boxes import Floats, Image, read_pictures
from posetrack.datasets.everyday_boxes import read_everyday
from posetrack.detectors.light import LightDetector
from posetrack.evaluation.boxes import INSIDE, share_inside
from posetrack.training import export
from posetrack.types import Frame

LEAST = 0.05  # raw scores below are not looked at
SURE = 0.5  # a teacher's score from which its box shows somebody
Photo = tuple[str, Image, Floats, Floats, Floats]  # name, image, people, crowds and the like, doubtful people


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder with people/ and lspet/")
    parser.add_argument("--write", action="store_true", help="put the map into the weights' metadata")
    given = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    detector = LightDetector(given.weights, score_threshold=0.0)
    detector.calibration = None
    sets = [cases(detector, photos) for photos in (everyday(given.data), leeds(given.data))]
    scores, right, half = (np.concatenate(part) for part in zip(*sets, strict=True))
    weights = np.concatenate([np.full(len(s), 1000 / len(s)) for s, _, _ in sets])
    crossed = scores.astype(np.float32)
    for side in (0, 1):
        other = half != side
        crossed[~other] = fit(scores[other], right[other], weights[other])(crossed[~other])
    calibration = fit(scores, right, weights)
    before, after = (reliability(s, right, weights).ece for s in (scores, crossed))
    print(f"{len(scores)} boxes, ECE {100 * before:.1f} % to {100 * after:.1f} %: {calibration.text()}")
    if given.write:
        facts = zoo.read_metadata(given.weights) | {"calibration": calibration.text()}
        export.write(zoo.read_checkpoint(given.weights), given.weights, facts)


def everyday(data: Path) -> Iterator[Photo]:
    for source in ("coco", "voc", "humanv2"):
        for photo in read_everyday(data / "people", source, "val"):
            if photo.exhaustive:
                nobody = np.zeros((0, 4), np.float32)
                yield photo.name, photo.image, photo.people, photo.ignored, nobody


def leeds(data: Path) -> Iterator[Photo]:
    folder = data / "lspet"
    for p in read_pictures([folder / "val.tar"], folder / "person_boxes_val.json"):
        sure = p.scores >= SURE
        yield p.name, p.image, p.boxes[sure], np.zeros((0, 4), np.float32), p.boxes[~sure]


def cases(detector: LightDetector, photos: Iterator[Photo]) -> tuple[Floats, Floats, Floats]:
    """Of every box that counts: its score, whether it is right, and to which half its photo belongs."""
    rows: list[Floats] = []
    for name, image, people, ignored, doubtful in photos:
        found = detector([Frame(image, 0, 0.0)])[0]
        hit = matched(found.boxes, people)
        excused = (share_inside(found.boxes, ignored) >= INSIDE) | (
            iou(found.boxes, doubtful).max(1, initial=0) >= OVERLAP
        )
        counts = (found.scores >= LEAST) & (hit | ~excused)
        half = np.full(counts.sum(), zlib.crc32(name.encode()) & 1)
        rows.append(np.stack([found.scores[counts], hit[counts], half]).astype(np.float32))
    table = np.concatenate(rows, axis=1)
    return table[0], table[1], table[2]


if __name__ == "__main__":
    main()
