"""What the light detector finds: on labelled photos, and on clips in comparison with the teacher.

    python scripts/validate_light_detector.py --data ../shared/data --labels /tmp/runs/detector
    python scripts/validate_light_detector.py --data ../shared/data --labels /tmp/runs/detector \
        --weights other.safetensors --long-side 512 --clips

Labels come from the teacher and, one person per photo, from humans (see posetrack/training/teacher_boxes.py);
boxes with scores below 0.5 are neither wanted nor counted as false. So this measures agreement, not truth.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from posetrack.benchmarks.detector import OVERLAP, Validation, validate
from posetrack.datasets.boxes import Picture, read_pictures
from posetrack.datasets.lspet import PLACES_HELD_OUT
from posetrack.detectors.base import iou
from posetrack.detectors.light import LightDetector
from posetrack.presets import LIGHT
from posetrack.training.tasks.teacher_boxes import YoloxTeacher
from posetrack.types import Detections, Floats, Frame
from posetrack.video.reader import open_video

THRESHOLDS = (0.3, 0.4, 0.5, 0.6)
SURE = 0.5  # score from which a labelled box is wanted
HEIGHTS = (0, 20, 40, 80, 160)  # pixels at the network's input, where a class begins
EVERY = 5  # frames from one that is compared to the next


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with lspet/, videos/ and teachers/")
    parser.add_argument(
        "--labels", type=Path, required=True, help="folder with val.json and backgrounds.json"
    )
    parser.add_argument("--weights", type=Path, help="safetensors file; the bundled one when not given")
    parser.add_argument(
        "--long-side", type=int, help="pixels of the input; that of the weights when not given"
    )
    parser.add_argument("--clips", action="store_true", help="compare with the teacher on the clips, too")
    given = parser.parse_args()
    torch.set_num_threads(1)
    detector = LightDetector(given.weights, score_threshold=0.05, long_side=given.long_side)
    print(f"{'set':34s} pictures  people  AP50   " + "".join(f"recall/false at {t}   " for t in THRESHOLDS))
    photos = read_pictures([given.data / "lspet" / "val.tar"], given.labels / "val.json")
    places = read_pictures([given.data / "lspet" / "backgrounds.tar"], given.labels / "backgrounds.json")
    show("LSPET val", compare(detector, photos))
    show("LSPET val, half as large", compare(detector, (halved(p) for p in photos)))
    show("BSDS500 held out", compare(detector, places[:PLACES_HELD_OUT]))
    by_height(detector, photos)
    if given.clips:
        teacher = YoloxTeacher(given.data / "teachers" / "yolox_nano_416.onnx")
        for path in sorted((given.data / "videos").glob("*.mp4")):
            show(path.stem, compare(detector, seen_by(teacher, path)))


def compare(detector: LightDetector, pictures: Iterator[Picture] | list[Picture]) -> Validation:
    def rows() -> Iterator[tuple[Detections, Floats, Floats]]:
        for picture in pictures:
            sure = picture.scores >= SURE
            yield detector([Frame(picture.image, 0, 0.0)])[0], picture.boxes[sure], picture.boxes[~sure]

    return validate(rows())


def by_height(detector: LightDetector, photos: list[Picture]) -> None:
    """Share of people found at the preset's score, by their height at the network's input."""
    found, wanted = np.zeros(len(HEIGHTS)), np.zeros(len(HEIGHTS))
    for photo in photos:
        for picture in (photo, halved(photo), halved(halved(photo))):
            frame = Frame(picture.image, 0, 0.0)
            boxes = picture.boxes[picture.scores >= SURE]
            seen = detector([frame])[0]
            overlap = iou(boxes, seen.boxes[seen.scores >= LIGHT.detector_score])
            heights = (boxes[:, 3] - boxes[:, 1]) * detector.long_side / max(frame.size)
            row = np.searchsorted(HEIGHTS, heights, side="right") - 1
            np.add.at(wanted, row, 1)
            np.add.at(found, row, overlap.max(axis=1, initial=0) >= OVERLAP)
    shares = (f"{h}+: {f / max(n, 1):.2f} of {n:.0f}" for h, f, n in zip(HEIGHTS, found, wanted, strict=True))
    print(
        f"LSPET val, found from {LIGHT.detector_score}, by pixels of height: {', '.join(shares)}", flush=True
    )


def halved(picture: Picture) -> Picture:
    """The photo in the corner of a gray picture twice its size: people are half as large for the network."""
    height, width = picture.image.shape[:2]
    image = np.full((2 * height, 2 * width, 3), 114, np.uint8)
    image[:height, :width] = picture.image
    return Picture(picture.name, image, picture.boxes, picture.scores)


def seen_by(teacher: YoloxTeacher, path: Path) -> Iterator[Picture]:
    """Frames of a clip with the teacher's boxes of score 0.15 and more."""
    with open_video(path) as video:
        for frame in video:
            if frame.index % EVERY == 0:
                boxes, scores = teacher(frame.image)
                yield Picture(path.stem, frame.image, boxes[scores >= 0.15], scores[scores >= 0.15])


def show(name: str, result: Validation) -> None:
    rates = "".join(f"{recall:10.3f} / {false:<9.2f}" for recall, false in map(result.at, THRESHOLDS))
    print(f"{name:34s} {result.pictures:8d}  {result.wanted:6d}  {result.ap50:.3f}  {rates}", flush=True)


if __name__ == "__main__":
    main()
