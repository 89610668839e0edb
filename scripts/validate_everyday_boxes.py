"""How well person detectors find the people of everyday photos that have human boxes: light and its peers.

    python scripts/validate_everyday_boxes.py --data ../shared/data --peers
    python scripts/validate_everyday_boxes.py --data ../shared/data --weights old.safetensors new.safetensors

Photos where everybody has a box count (`exhaustive`); crowds and what only a machine took for people are
ignored regions. AP as COCO has it; people found by height at a score of 0.4 (peers: 0.4 of their own);
milliseconds of one CPU core for a photo at that score, median, the detectors in turns.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch

from posetrack.datasets.boxes import Image
from posetrack.datasets.everyday_boxes import EverydayPhoto, read_everyday
from posetrack.detectors.light import LightDetector
from posetrack.evaluation.boxes import HEIGHTS, BoxTruth, evaluate_boxes, found_by_height
from posetrack.training.tasks.rtmdet import RtmdetTeacher
from posetrack.training.tasks.teacher_boxes import YoloxTeacher
from posetrack.types import Detections, Floats, Frame

Look = Callable[[Image], Detections]
SOURCES = ("coco", "voc", "humanv2")
TIMED = 40  # photos of each source


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with people/ and teachers/")
    parser.add_argument("--weights", type=Path, nargs="*", default=[], help="the bundled ones when not given")
    parser.add_argument(
        "--long-side", type=int, help="pixels of light's input; that of the weights if not given"
    )
    parser.add_argument("--peers", action="store_true", help="YOLOX-nano and RTMDet-nano, too")
    parser.add_argument("--score", type=float, default=0.4, help="from which a box counts as found")
    given = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    looks = detectors(given, floor=0.0)
    used = detectors(given, floor=given.score)
    heights = " | ".join(f"{low}+" for low in HEIGHTS)
    print(f"| detector | photos | AP | AP50 | AP75 | small | medium | large | ms | {heights} | all | false |")
    print("|" + "---|" * (11 + len(HEIGHTS)))
    for source in SOURCES:
        photos = [p for p in read_everyday(given.data / "people", source, "val") if p.exhaustive]
        compare(source, photos, looks, given.score, milliseconds(photos[:TIMED], used))


def detectors(given: argparse.Namespace, floor: float) -> dict[str, Look]:
    """Those asked for by name; they leave out scores below `floor`, most of which cost a peer its time."""
    looks = {str(path or "bundled"): light(path, given.long_side, floor) for path in given.weights or [None]}
    if given.peers:
        teachers = given.data / "teachers"
        looks["YOLOX-nano 416"] = peer(YoloxTeacher(teachers / "yolox_nano_416.onnx").one_view)
        rtmdet = RtmdetTeacher(teachers / "rtmdet_nano_person_320.onnx", floor=max(floor, 0.03))
        looks["RTMDet-nano 320"] = peer(rtmdet.one_view)
    return looks


def light(path: Path | None, long_side: int | None, floor: float) -> Look:
    detector = LightDetector(path, score_threshold=floor, long_side=long_side)
    return lambda image: detector([Frame(image, 0, 0.0)])[0]


def peer(one_view: Callable[[Image], tuple[Floats, Floats]]) -> Look:
    return lambda image: Detections(*one_view(image))


def milliseconds(photos: list[EverydayPhoto], looks: dict[str, Look]) -> dict[str, float]:
    """Of CPU time per photo, median; every photo is seen by all detectors, one after the other."""
    spent: dict[str, list[float]] = {name: [] for name in looks}
    for photo in photos * 2:  # the first look at a size plans it
        for name, look in looks.items():
            start = time.process_time()
            look(photo.image)
            spent[name].append(1000 * (time.process_time() - start))
    return {name: float(np.median(times[len(photos) :])) for name, times in spent.items()}


def compare(
    source: str, photos: list[EverydayPhoto], looks: dict[str, Look], score: float, took: dict[str, float]
) -> None:
    """One row of Markdown per detector."""
    truths = [BoxTruth((p.image.shape[1], p.image.shape[0]), p.people, p.ignored) for p in photos]
    for name, look in looks.items():
        detections = [look(photo.image) for photo in photos]
        report, found = evaluate_boxes(truths, detections), found_by_height(truths, detections, score)
        print(f"| {name} | {source} | {report.row()} | {took[name]:.1f} | {found.row()} |", flush=True)


if __name__ == "__main__":
    main()
