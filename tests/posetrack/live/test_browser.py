"""The page in a real browser with a camera that plays the demo clip."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from selenium import webdriver

from tests.posetrack.live.browser import (
    CAMERA,
    DEMO,
    Server,
    allow_camera,
    chromium,
    fake_camera,
    serving,
    wait_for,
)

LIT = """
const canvas = document.getElementById("drawing");
const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
let lit = 0;
for (let k = 3; k < data.length; k += 4) lit += data[k] > 0;
return lit;
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_camera(tmp_path_factory.mktemp("camera") / "demo.mjpeg")


@pytest.fixture(scope="module")
def browser(camera: Path) -> Iterator[webdriver.Chrome]:
    with chromium(camera) as driver:
        yield driver


@pytest.fixture
def page(browser: webdriver.Chrome, server: Server) -> webdriver.Chrome:
    browser.get(server.url)
    allow_camera(browser)
    wait_for(lambda: state(browser) == "idle")
    return browser


def state(browser: webdriver.Chrome) -> str:
    return str(browser.execute_script("return document.body.dataset.state"))


def newest(browser: webdriver.Chrome) -> dict[str, Any] | None:
    found: dict[str, Any] | None = browser.execute_script("return posetrack.newest()")
    return found


def words(browser: webdriver.Chrome) -> str:
    return browser.find_element("id", "card-title").text


def test_granted_the_joints_are_drawn_where_people_are(page: webdriver.Chrome) -> None:
    page.find_element("id", "card-button").click()
    wait_for(lambda: state(page) == "live")
    seen: dict[int, dict[str, Any]] = {}

    def crowded() -> bool:
        message = newest(page)
        if message and len(message["people"]) >= 2:
            seen[message["number"]] = message
        return len(seen) >= 3

    wait_for(crowded)
    assert wait_for(lambda: page.execute_script(LIT)) > 500
    for message in seen.values():
        assert (message["width"], message["height"]) == CAMERA
        assert distance_to_truth(message) < 0.012 * CAMERA[0]
    page.find_element("id", "toggle").click()
    assert state(page) == "idle"
    assert page.execute_script(LIT) == 0
    assert page.execute_script("return document.getElementById('video').srcObject") is None


def distance_to_truth(message: dict[str, Any]) -> float:
    """Mean distance of confident joints to the nearest people in the frame that fits best, camera pixels."""
    joints = np.array([person["keypoints"] for person in message["people"]])  # (N, K, 3)
    sure = joints[..., 2] > 0.8
    scale = CAMERA[0] / 1280
    best = np.inf
    for people in truth():
        gaps = np.linalg.norm(joints[:, None, :, :2] - people[None, :, :, :2] * scale, axis=3)  # (N, M, K)
        known = sure[:, None] & (people[None, ..., 2] > 0)
        mean = (gaps * known).sum(axis=2) / np.maximum(known.sum(axis=2), 1)
        mean[~known.any(axis=2)] = np.inf
        best = min(best, float(mean.min(axis=1)[sure.any(axis=1)].mean()))
    return best


def truth() -> list[np.ndarray[Any, Any]]:
    """People (M, K, 3) of each frame of the demo clip."""
    content = json.loads((DEMO.parent / "demo_truth.json").read_text())
    frames: dict[int, list[Any]] = {image["id"]: [] for image in content["images"]}
    for person in content["annotations"]:
        frames[person["image_id"]].append(np.reshape(person["keypoints"], (-1, 3)))
    return [np.array(people) for people in frames.values() if people]
