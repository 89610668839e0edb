"""The networks under test, the held-out people and photos, and what the one makes of the other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from posetrack import zoo
from posetrack.benchmarks.everyday import EverydaySet, read_everyday_set
from posetrack.benchmarks.pck import Errors
from posetrack.benchmarks.predict import find_labelled
from posetrack.benchmarks.validate import errors_of
from posetrack.datasets.boxes import Picture, read_pictures
from posetrack.datasets.everyday import (
    EXHAUSTIVE,
    WITH_JOINTS,
    EverydayPhoto,
    read_everyday,
    read_photo_images,
)
from posetrack.datasets.lspet import read_held_out
from posetrack.datasets.people import HeldOut, Image
from posetrack.detectors.light import LightDetector
from posetrack.pose.estimator import HeatmapEstimator
from posetrack.pose.networks import load_network
from posetrack.presets import LIGHT
from posetrack.runtime.calibration import Calibration
from posetrack.types import Poses

LOWEST = 0.05  # detector score that anything here looks at
SETS = {"lspet": "athletes", "others": "bystanders"}


@dataclass
class Networks:
    """As the preset runs them, but with scores as they come unless a calibration is given."""

    data: Path  # folder with lspet/ and people/
    pose_weights: Path
    detector_weights: Path
    every: int = 1  # one in so many people and photos is looked at

    def estimator(self, calibration: Calibration | None = None) -> HeatmapEstimator:
        network, settings = load_network("light", self.pose_weights, flip_test=LIGHT.flip_test)
        return HeatmapEstimator.fast(network, replace(settings, calibration=calibration))

    def detector(self, calibration: Calibration | None = None) -> LightDetector:
        detector = LightDetector(self.detector_weights, score_threshold=LOWEST)
        detector.calibration = calibration
        return detector

    @cached_property
    def held_out(self) -> list[HeldOut]:
        sets = read_held_out(self.data / "lspet")
        return [replace(h, people=h.people[:: self.every]) for h in sets]

    @cached_property
    def photos(self) -> list[Picture]:
        """Validation photos with the boxes of the teacher and, one per photo, of human labels."""
        folder = self.data / "lspet"
        return read_pictures([folder / "val.tar"], folder / "person_boxes_val.json")[:: self.every]

    @cached_property
    def everyday(self) -> dict[str, EverydaySet]:
        """Everyday people with human joints, by source."""
        folder = self.data / "people"
        return {source: read_everyday_set(folder, source)[:: self.every] for source in WITH_JOINTS}

    @cached_property
    def everyday_photos(self) -> dict[str, list[EverydayPhoto]]:
        """Everyday photos where everybody has a box, by source."""
        return {
            source: [p for p in read_everyday(self.data / "people", "val", (source,)) if p.exhaustive][
                :: self.every
            ]
            for source in EXHAUSTIVE
        }

    @cached_property
    def everyday_images(self) -> dict[str, Image]:
        photos = [photo for some in self.everyday_photos.values() for photo in some]
        return read_photo_images(self.data / "people", "val", photos)

    @cached_property
    def found(self) -> dict[str, tuple[Poses, Errors]]:
        """Of every held-out set, scores as they come."""
        return {held_out.name: look(self.estimator(), held_out) for held_out in self.held_out}

    def carried(self) -> tuple[Calibration, Calibration]:
        """The maps for joints and boxes that the weights carry."""
        texts = (
            zoo.read_metadata(path)["calibration"] for path in (self.pose_weights, self.detector_weights)
        )
        joints, boxes = map(Calibration.read, texts)
        return joints, boxes


def look(estimator: HeatmapEstimator, held_out: HeldOut) -> tuple[Poses, Errors]:
    """Poses of held-out people in their labelled boxes, and how far off they are."""
    seen = find_labelled(estimator, held_out.people, held_out.images, SETS[held_out.name])
    return seen.poses, errors_of(seen.poses.keypoints, held_out, estimator.skeleton)
