"""A real browser with a camera that shows the demo clip, and a real server for it to talk to."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Self, TypeVar

import av
import cv2
import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from posetrack.live.hub import Hub
from posetrack.live.room import Room
from posetrack.live.serve import Address, PageServer
from posetrack.pipeline import PoseTracker
from posetrack.presets import load
from posetrack.video import CameraSource

DEMO = Path(__file__).parents[3] / "posetrack" / "demo" / "demo.mp4"
CAMERA = (640, 360)
PATIENCE = 60.0  # seconds: other work may keep the machine busy

T = TypeVar("T")


def fake_camera(path: Path) -> Path:
    """The demo clip as the stream of JPEGs that chromium takes for a camera."""
    with av.open(str(DEMO)) as source, path.open("wb") as file:
        for picture in source.decode(video=0):
            image = picture.to_ndarray(format="bgr24", width=CAMERA[0], height=CAMERA[1])
            file.write(cv2.imencode(".jpg", image)[1].tobytes())
    return path


@contextmanager
def chromium(camera: Path | None, *more: str) -> Iterator[webdriver.Chrome]:
    """A headless chromium; the camera plays a file, None: there is no camera."""
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        pytest.skip("chromium is not installed: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    device = "=device-count=0" if camera is None else ""
    for flag in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        f"--use-fake-device-for-media-stream{device}",
        *([f"--use-file-for-fake-video-capture={camera}"] if camera else []),
        "--host-resolver-rules=MAP cam.test 127.0.0.1",
        *more,
    ):
        options.add_argument(flag)
    driver = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


class Server:
    """The page, served from a thread; one load of the networks serves all servers of a test run."""

    def __init__(
        self, *, token: str | None = None, port: int = 0, source: Path | None = None, **hub: Any
    ) -> None:
        self.token, self.port, self._source, self._hub = token, port, source, hub
        self.start()

    def start(self) -> None:
        hub = Hub(lambda name: light(), **self._hub)
        room = Room(CameraSource(self._source, reconnect=None), hub) if self._source else None
        self.server = PageServer(hub, Address(port=self.port, token=self.token), room)
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


def allow_camera(driver: webdriver.Chrome, setting: str = "granted") -> None:
    driver.execute_cdp_cmd("Browser.setPermission", {"permission": {"name": "camera"}, "setting": setting})
