"""What the detector finds in photos, and how well the joints are placed in labelled boxes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from posetrack.benchmarks.detector import SURE, compare
from posetrack.benchmarks.pose_report import by_joint, by_pose
from posetrack.boxes import iou
from posetrack.datasets.boxes import Picture, read_pictures
from posetrack.datasets.lspet import PLACES_HELD_OUT
from posetrack.detectors.light import LightDetector
from posetrack.evaluation.boxes import OVERLAP
from posetrack.presets import LIGHT
from posetrack.skeletons import POSETRACK18
from posetrack.types import Frame
from scripts.markdown import table
from scripts.report.networks import SETS, Networks

HEIGHTS = (0, 20, 40, 80, 160)  # pixels at the network's input, where a class begins
JOINTS = ("nose", "head_bottom", "head_top", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")


def boxes(networks: Networks) -> str:
    """Markdown: AP50, and people found at the preset's score, by their height too."""
    detector, folder = networks.detector(networks.carried()[1]), networks.data / "lspet"
    places = read_pictures([folder / "backgrounds.tar"], folder / "backgrounds_boxes.json")[:PLACES_HELD_OUT]
    sets: dict[str, list[Picture]] = {
        "Leeds val": networks.photos,
        "the same, half as large": [halved(photo) for photo in networks.photos],
        "BSDS500": places,
    }
    rows = []
    for name, pictures in sets.items():
        result = compare(detector, pictures)
        recall, false = result.at(LIGHT.detector_score)
        counts = [str(result.pictures), str(result.wanted)]
        rows.append([name, *counts, 100 * result.ap50, 100 * recall, f"{false:.2f}"])
    score = LIGHT.detector_score
    text = table(f"set | photos: | people: | AP50: | found at {score}, %: | false boxes per photo:", rows)
    return f"{text}\n\nFound by height at the network's input: {by_height(detector, networks.photos)}."


def by_height(detector: LightDetector, photos: Iterable[Picture]) -> str:
    """Share of people found at the preset's score, every photo at full, half and quarter size."""
    found, wanted = np.zeros(len(HEIGHTS)), np.zeros(len(HEIGHTS))
    for photo in photos:
        for picture in (photo, halved(photo), halved(halved(photo))):
            people = picture.boxes[picture.scores >= SURE]
            frame = Frame(picture.image, 0, 0.0)
            seen = detector([frame])[0]
            overlap = iou(people, seen.boxes[seen.scores >= LIGHT.detector_score])
            heights = (people[:, 3] - people[:, 1]) * detector.long_side / max(frame.size)
            row = np.searchsorted(HEIGHTS, heights, side="right") - 1
            np.add.at(wanted, row, 1)
            np.add.at(found, row, overlap.max(axis=1, initial=0) >= OVERLAP)
    shares = zip(HEIGHTS, 100 * found / np.maximum(wanted, 1), wanted, strict=True)
    return ", ".join(f"from {height} px {share:.0f} % of {n:.0f}" for height, share, n in shares)


def halved(picture: Picture) -> Picture:
    """The photo in the corner of a grey one twice its size: people are half as large for the network."""
    height, width = picture.image.shape[:2]
    image = np.full((2 * height, 2 * width, 3), 114, np.uint8)
    image[:height, :width] = picture.image
    return Picture(picture.name, image, picture.boxes, picture.scores)


def joints(networks: Networks) -> str:
    """Markdown: PCK@0.2 by joint, and of athletes by pose."""
    rows: list[list[object]] = []
    for held_out in networks.held_out:
        _, errors = networks.found[held_out.name]
        values = by_joint(errors, POSETRACK18)
        cells = [values.get(joint, float("nan")) for joint in JOINTS]
        rows.append([f"{SETS[held_out.name]} ({len(held_out.people)})", errors.pck(), *cells])
    athletes = networks.held_out[0]
    poses = by_pose(networks.found[athletes.name][1], athletes, POSETRACK18)
    text = table("PCK@0.2 | all: | " + " | ".join(f"{j.replace('_', ' ')}:" for j in JOINTS), rows)
    return (
        f"{text}\n\nAthletes by pose: " + ", ".join(f"{n} ({k}) {v:.1f}" for n, (k, v) in poses.items()) + "."
    )
