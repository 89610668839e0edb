"""A real browser with a camera that shows the demo clip, and a real server for it to talk to."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import av
import cv2
import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

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
    """`posetrack live --serve` as a process of its own."""

    def __init__(self, *words: str, port: int = 0) -> None:
        self._words, self.port = words, port
        self.start()

    def start(self) -> None:
        command = [
            sys.executable,
            "-m",
            "posetrack",
            "live",
            "--serve",
            "--port",
            str(self.port),
            *self._words,
        ]
        self.process = subprocess.Popen(
            command,
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        assert " open http" in line, line + self.process.stderr.read()
        self.url = line.split(" open ")[1].strip()
        self.port = int(self.url.split(":")[2].split("/")[0])

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End it; gives the exit code."""
        self.process.send_signal(how)
        self.process.communicate(timeout=PATIENCE)
        return self.process.returncode


@contextmanager
def serving(*words: str) -> Iterator[Server]:
    server = Server(*words)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()


def wait_for(what: Callable[[], T], patience: float = PATIENCE) -> T:
    """What comes, once it is something."""
    end = time.monotonic() + patience
    while not (found := what()):
        assert time.monotonic() < end, f"nothing came of {what} for {patience} s"
        time.sleep(0.05)
    return found


def allow_camera(driver: webdriver.Chrome, setting: str = "granted") -> None:
    driver.execute_cdp_cmd("Browser.setPermission", {"permission": {"name": "camera"}, "setting": setting})
