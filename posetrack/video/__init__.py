"""Video in and out: `open_video`, `prefetch`, `VideoWriter`, `CameraSource`.

Names load their module when first used, so that nothing waits for FFmpeg before a video is opened.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from posetrack.video.camera import CameraSource as CameraSource
    from posetrack.video.frames import prefetch as prefetch
    from posetrack.video.reader import expand_sources as expand_sources
    from posetrack.video.reader import open_video as open_video
    from posetrack.video.reader import output_stem as output_stem
    from posetrack.video.reader import read_video as read_video
    from posetrack.video.source import Video as Video
    from posetrack.video.writer import VideoWriter as VideoWriter

_HOMES = {
    "CameraSource": "camera",
    "prefetch": "frames",
    "expand_sources": "reader",
    "open_video": "reader",
    "output_stem": "reader",
    "read_video": "reader",
    "Video": "source",
    "VideoWriter": "writer",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"posetrack.video.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'posetrack.video' has no attribute '{name}'")
