"""A live source into sinks, on this machine: `posetrack live` without `--serve`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from posetrack.live.session import Session
from posetrack.live.window import WindowSink
from posetrack.sinks import Sink, Summary, run
from posetrack.types import Frame, Tracks
from posetrack.video import CameraSource

_POLL = 0.05  # seconds from one look at the keys to the next, while no frame comes


def play(
    camera: CameraSource, session: Session, sinks: Sequence[Sink], window: WindowSink | None = None
) -> Summary:
    """Track until the source ends or the window is closed. The window is one of the sinks."""

    def pairs() -> Iterator[tuple[Frame, Tracks]]:
        for frame in camera.follow(None if window is None else _POLL):
            if window is not None and not window.poll():
                return
            if frame is None:
                assert window is not None
                window.wait()
            elif window is None or not window.paused:
                yield session.step(frame.image, frame.time)

    return run(pairs(), sinks)
