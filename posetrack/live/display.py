"""Whether a window can be shown at all. Asked before OpenCV is: without a display its Qt ends the process."""

from __future__ import annotations

import os
import subprocess
import sys

_PROBE = "import cv2; cv2.namedWindow('posetrack'); cv2.waitKey(1); cv2.destroyAllWindows()"
_PATIENCE = 20  # seconds


def why_no_window() -> str | None:
    """The reason in a few words; None where windows work. Another process tries, and may die of it."""
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return "this machine has no display"
    try:
        subprocess.run(
            [sys.executable, "-c", _PROBE],
            check=True,
            timeout=_PATIENCE,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except (subprocess.SubprocessError, OSError):
        return f"the display {os.environ.get('DISPLAY', '')} does not open windows".replace("  ", " ")
    return None
