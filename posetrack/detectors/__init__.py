"""Person detectors by name. Importing this costs nothing; torch comes with the first `create`.

>>> detector = posetrack.detectors.create("light")
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from posetrack.errors import PoseTrackError

if TYPE_CHECKING:
    from posetrack.pipeline import Detector

TORCHVISION = (
    "fasterrcnn_resnet50_fpn_v2",
    "fasterrcnn_mobilenet_v3_large_320_fpn",
    "retinanet_resnet50_fpn_v2",
    "fcos_resnet50_fpn",
    "ssdlite320_mobilenet_v3_large",
)


def create(name: str, *, device: str = "cpu", min_score: float = 0.5) -> Detector:
    """A detector with its weights.

    Args:
        name: a key of `DETECTORS`.
        min_score: 0..1, boxes below it are left out.

    Raises:
        PoseTrackError: an unknown name, or weights that are not there (says how to fetch them).
    """
    if name not in DETECTORS:
        raise PoseTrackError(f"unknown detector '{name}': choose one of {', '.join(DETECTORS)}")
    return DETECTORS[name](device, min_score)


def _light(device: str, min_score: float) -> Detector:
    from posetrack.detectors.light import LightDetector

    return LightDetector(device=device, score_threshold=min_score)


def _torchvision(name: str, device: str, min_score: float) -> Detector:
    from posetrack import zoo
    from posetrack.detectors.torchvision import TorchvisionDetector

    return TorchvisionDetector(name, zoo.weights(name), device, min_score)


DETECTORS: dict[str, Callable[[str, float], Detector]] = {
    "light": _light,
    **{name: partial(_torchvision, name) for name in TORCHVISION},
}
