"""The cameras of this machine by number and name.

>>> for camera in list_cameras(): print(camera)  # doctest: +SKIP
0  HD Pro Webcam C920 (/dev/video0)
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

_SYSTEM = Path("/sys/class/video4linux")


@dataclass(frozen=True)
class Camera:
    """One camera that the system lists."""

    number: int
    name: str
    path: str  # what FFmpeg opens

    def __str__(self) -> str:
        return f"{self.number}  {self.name} ({self.path})"


def list_cameras(system: Path = _SYSTEM) -> list[Camera]:
    """Linux lists its cameras in `system`; elsewhere OpenCV only knows numbers, and nobody can list them.

    A camera may show itself more than once (for its metadata); only its first node gives pictures.
    """
    found = []
    for node in system.glob("video*") if sys.platform == "linux" else ():
        number = node.name.removeprefix("video")
        if number.isdecimal() and _line(node / "index") in ("", "0"):
            found.append(Camera(int(number), _line(node / "name") or "camera", f"/dev/{node.name}"))
    return sorted(found, key=lambda camera: camera.number)


def find_camera(words: str, cameras: list[Camera]) -> Camera | None:
    """The camera of that name, or the only one whose name holds these words, in any case."""
    wanted = words.casefold()
    exact = [camera for camera in cameras if camera.name.casefold() == wanted]
    holding = [camera for camera in cameras if wanted in camera.name.casefold()]
    for found in (exact, holding):
        if len(found) == 1:
            return found[0]
    return None


def in_words(cameras: list[Camera]) -> str:
    return ", ".join(f"{camera.number} ({camera.name})" for camera in cameras) or "none"


def _line(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
