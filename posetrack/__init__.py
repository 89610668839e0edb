"""Track human poses in video: HRNet on every person, optical flow between frames, OKS matching.

>>> import posetrack
>>> tracker = posetrack.load("light")
>>> for tracks in tracker.track(posetrack.read_video("clip.mp4")):
...     print(tracks.index, tracks.ids, tracks.poses.keypoints.shape)
>>> posetrack.track_video("clip.mp4", "out/")
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Torch's CPU threads spin while they wait for each other. Our decoder and encoder threads, or any other
# busy process, then cost far more than their share: 5 frames at 720p took 46 s instead of 2.6 s on two
# loaded cores. Asleep they wait cheaply. Read when torch is first imported; set it yourself to decide.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Where the public names live. They are imported when first used, so that `import posetrack` (and with
# it `posetrack --help`) costs nothing and parts whose packages are missing leave the rest usable.
_HOMES = {
    "load": "posetrack.presets",
    "read_video": "posetrack.video",
    "track_video": "posetrack.track",
    "Frame": "posetrack.types",
    "Detections": "posetrack.types",
    "Poses": "posetrack.types",
    "Tracks": "posetrack.types",
    "PoseTrackError": "posetrack.errors",
}
_PACKAGES = ("models", "zoo", "evaluation", "results", "video", "draw", "skeletons", "presets", "datasets")

__all__ = [*_HOMES, *_PACKAGES, "__version__"]

if TYPE_CHECKING:
    from posetrack.errors import PoseTrackError as PoseTrackError
    from posetrack.presets import load as load
    from posetrack.track import track_video as track_video
    from posetrack.types import Detections as Detections
    from posetrack.types import Frame as Frame
    from posetrack.types import Poses as Poses
    from posetrack.types import Tracks as Tracks
    from posetrack.video import read_video as read_video


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in _PACKAGES:
        return import_module(f"posetrack.{name}")
    raise AttributeError(f"module 'posetrack' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
