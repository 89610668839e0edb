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

# Torch's CPU threads spin while they wait for each other. Next to any other busy process that costs far more
# than its share: 5 frames at 720p took 46 s on two loaded cores, 2.6 s with threads that sleep at once. But
# waking takes long, too (twice the time of the light network on idle cores), so: spin for some microseconds,
# then sleep. Read by GNU OpenMP when torch is first imported; set either variable yourself to decide.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")

# Where the public names live. They are imported when first used, so that `import posetrack` (and with
# it `posetrack --help`) costs nothing and parts whose packages are missing leave the rest usable.
_HOMES = {
    "load": "posetrack.presets",
    "read_video": "posetrack.video",
    "track_video": "posetrack.commands.track",
    "Frame": "posetrack.types",
    "Detections": "posetrack.types",
    "Poses": "posetrack.types",
    "Tracks": "posetrack.types",
    "PoseTrackError": "posetrack.errors",
}
_PACKAGES = (
    "boxes", "datasets", "detectors", "drawing", "evaluation", "models", "pose", "presets", "results",
    "sinks", "skeletons", "video", "zoo",
)  # fmt: skip

__all__ = [*_HOMES, *_PACKAGES, "__version__"]

if TYPE_CHECKING:
    from posetrack.commands.track import track_video as track_video
    from posetrack.errors import PoseTrackError as PoseTrackError
    from posetrack.presets import load as load
    from posetrack.types import Detections as Detections
    from posetrack.types import Frame as Frame
    from posetrack.types import Poses as Poses
    from posetrack.types import Tracks as Tracks
    from posetrack.video import read_video as read_video


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        import_module("posetrack.namesakes").refuse_namesakes()
        return getattr(import_module(_HOMES[name]), name)
    if name in _PACKAGES:
        return import_module(f"posetrack.{name}")
    raise AttributeError(f"module 'posetrack' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
