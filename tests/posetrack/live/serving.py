"""A server of the page in this process, for whoever talks to it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Self, TypeVar

from posetrack.live.hub import Hub
from posetrack.live.room import Room
from posetrack.live.serve import Address, PageServer
from posetrack.pipeline import PoseTracker
from posetrack.presets import load
from posetrack.video import CameraSource

PATIENCE = 600.0  # seconds after which nothing comes any more: other work may keep the machine busy

T = TypeVar("T")


class Server:
    """The page, served from a thread; one load of the networks serves all servers of a test run."""

    def __init__(
        self,
        *,
        token: str | None = None,
        port: int = 0,
        source: Path | None = None,
        tls: tuple[Path, Path] | tuple[None, None] = (None, None),
        system: Callable[[], PoseTracker] | None = None,
        **hub: Any,
    ) -> None:
        self.token, self.port, self._source, self._tls, self._hub = token, port, source, tls, hub
        self._system = system or light
        self.start()

    def start(self) -> None:
        hub = Hub(lambda name: self._system(), **self._hub)
        room = Room(CameraSource(self._source, reconnect=None), hub) if self._source else None
        cert, key = self._tls
        address = Address(port=self.port, token=self.token, tls_cert=cert, tls_key=key)
        self.server = PageServer(hub, address, room)
        self.hub, self.port = hub, self.server.port
        self.url = self.server.greeting[0].split(" open ")[1]
        self._thread = threading.Thread(target=self.server.run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self.server.stop()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()


@cache
def light() -> PoseTracker:
    return load("light", "cpu")


def wait_for(what: Callable[[], T], patience: float = PATIENCE) -> T:
    """What comes, once it is something."""
    end = time.monotonic() + patience
    while not (found := what()):
        assert time.monotonic() < end, f"nothing came of {what} for {patience} s"
        time.sleep(0.05)
    return found
