"""A real browser with a camera that shows the demo clip."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import cv2
import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

DEMO = Path(__file__).parents[3] / "posetrack" / "demo" / "demo.mp4"
CAMERA = (640, 360)


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


def allow_camera(driver: webdriver.Chrome, setting: str = "granted") -> None:
    driver.execute_cdp_cmd("Browser.setPermission", {"permission": {"name": "camera"}, "setting": setting})
