"""A window on a clip, run by test_window.py as a process with a display of its own: CLIP RECORDINGS."""

from __future__ import annotations

import sys
from pathlib import Path

from posetrack.live.play import play
from posetrack.live.recorder import Recorder
from posetrack.live.session import Session
from posetrack.live.window import WindowSink
from posetrack.video import CameraSource
from tests.posetrack.live.stubs import block_tracker


def main() -> None:
    clip, folder = map(Path, sys.argv[1:])
    tracker = block_tracker()
    with (
        CameraSource(clip) as camera,
        Recorder(folder, camera.stem) as recorder,
        WindowSink(camera, tracker, recorder) as window,
    ):
        summary = play(camera, Session(tracker, 1), [recorder, window], window)
    print(summary.frames)


if __name__ == "__main__":
    main()
