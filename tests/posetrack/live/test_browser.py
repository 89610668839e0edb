"""The page in a real browser, whose camera plays the demo clip."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from selenium import webdriver

from posetrack.drawing.strokes import colour_of
from posetrack.results.jsonl import read_jsonl
from posetrack.video import open_video
from tests.posetrack.live.browser import CAMERA, DEMO, allow_camera, chromium, fake_camera
from tests.posetrack.live.serving import Server, wait_for

LIT = """
const canvas = document.getElementById("drawing");
const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
let lit = 0;
for (let k = 3; k < data.length; k += 4) lit += data[k] > 0;
return lit;
"""
COLOURS = """
const done = arguments[0];
import("/static/draw.js").then(async ({colourOf}) => {
  const {palette} = await (await fetch("/hello")).json();
  done(Array.from({length: 40}, (_, k) => colourOf(k + 1, palette)));
});
"""
# The page sends smaller pictures where the link is slow, as it is on a busy machine.
SENT = [CAMERA, (480, 270), (320, 180)]
TOKEN = "a-token-of-twenty-chars"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recordings")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    """With a token, so that other names than localhost are answered to, and one place."""
    with Server(token=TOKEN, record=folder, max_clients=1) as running:
        yield running


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    camera = fake_camera(tmp_path_factory.mktemp("camera") / "demo.mjpeg")
    with chromium(camera) as driver:
        driver.set_window_size(1280, 900)
        yield driver


@pytest.fixture
def page(browser: webdriver.Chrome, server: Server) -> webdriver.Chrome:
    """Ready to start, with a camera that is allowed."""
    browser.get(server.url)
    allow_camera(browser)
    wait_for(lambda: state(browser) == "idle")
    return browser


def start(page: webdriver.Chrome) -> webdriver.Chrome:
    page.find_element("id", "toggle").click()
    wait_for(lambda: state(page) == "live")
    return page


def state(page: webdriver.Chrome) -> str:
    return str(page.execute_script("return document.body.dataset.state"))


def newest(page: webdriver.Chrome) -> dict[str, Any] | None:
    found: dict[str, Any] | None = page.execute_script("return posetrack.newest()")
    return found


def title(page: webdriver.Chrome) -> str:
    return page.find_element("id", "card-title").text


def test_granted_the_joints_are_drawn_where_people_are(page: webdriver.Chrome) -> None:
    assert "token" not in page.current_url  # it went into a cookie
    start(page)
    seen: dict[int, dict[str, Any]] = {}

    def crowded() -> bool:
        message = newest(page)
        if message and len(message["people"]) >= 2:
            seen[message["number"]] = message
        return len(seen) >= 3

    wait_for(crowded)
    assert wait_for(lambda: page.execute_script(LIT)) > 500
    for message in seen.values():
        assert (message["width"], message["height"]) in SENT
        assert distance_to_truth(message) < 0.012 * CAMERA[0]
    page.find_element("id", "toggle").click()
    assert state(page) == "idle"
    assert page.execute_script(LIT) == 0
    assert page.execute_script("return document.getElementById('video').srcObject") is None
    assert not [entry for entry in page.get_log("browser") if entry["level"] == "SEVERE"]


def test_colours_are_those_of_the_overlay(page: webdriver.Chrome) -> None:
    found = page.execute_async_script(COLOURS)
    for n, colour in enumerate(found, start=1):
        assert np.abs(np.subtract(colour, colour_of(n))).max() <= 1, n


def test_a_recording_comes_as_tracks_and_as_a_clip(page: webdriver.Chrome, folder: Path) -> None:
    start(page).find_element("id", "record").click()
    wait_for(lambda: page.find_element("id", "record").get_attribute("aria-pressed") == "true")
    first = newest(page)
    assert first is not None
    wait_for(lambda: (newest(page) or first)["number"] > first["number"] + 3)
    page.find_element("id", "record").click()
    links = wait_for(lambda: page.find_elements("css selector", "#recording-list a"))
    names = sorted(str(link.get_attribute("href")).rsplit("/", 1)[1] for link in links)
    assert sorted(path.name for path in folder.iterdir()) == names
    assert [Path(name).suffix for name in names] == [".jsonl", ".mp4"]
    tracks = read_jsonl(folder / names[0]).tracks
    with open_video(folder / names[1]) as clip:
        frames = list(clip)
        assert clip.size in SENT
        assert (clip.complete, len(frames)) == (True, len(tracks))
    assert len(tracks) >= 3
    assert sum(len(t) for t in tracks) > 0
    status = page.execute_async_script(
        "const [url, done] = arguments;"
        "fetch(url).then(async (answer) => done([answer.status, (await answer.blob()).size]));",
        f"/recordings/{names[1]}",
    )
    assert status == [200, (folder / names[1]).stat().st_size]
    page.find_element("id", "toggle").click()


def test_the_server_goes_and_comes_back(page: webdriver.Chrome, server: Server) -> None:
    start(page)
    server.stop()
    wait_for(lambda: state(page) == "reconnecting")
    assert title(page) == "Connection lost"
    server.start()
    wait_for(lambda: state(page) == "live")
    page.find_element("id", "toggle").click()


def test_another_token_is_not_enough(page: webdriver.Chrome, server: Server) -> None:
    start(page)
    server.stop()
    with Server(token="another-token-of-its-own", port=server.port):
        wait_for(lambda: state(page) == "failed")
        assert title(page) == "The access token is not valid any more"
        page.refresh()
        assert page.find_element("tag name", "h1").text == "This server wants its access token"
        page.find_element("id", "token").send_keys("another-token-of-its-own")
        page.find_element("css selector", "button").click()
        wait_for(lambda: state(page) == "idle")
    server.start()


def test_all_places_taken(page: webdriver.Chrome) -> None:
    page.execute_script("window.first = new WebSocket(`ws://${location.host}/visit`);")
    wait_for(lambda: page.execute_script("return window.first.readyState") == 1)
    page.find_element("id", "toggle").click()
    wait_for(lambda: state(page) == "failed")
    assert title(page) == "All places are taken"
    page.execute_script("window.first.close();")
    wait_for(lambda: page.execute_script("return window.first.readyState") == 3)
    page.find_element("id", "card-button").click()
    wait_for(lambda: state(page) == "live")
    page.find_element("id", "toggle").click()


def test_no_camera_off_localhost_without_tls(page: webdriver.Chrome, server: Server) -> None:
    page.get(f"http://cam.test:{server.port}/?token={TOKEN}")
    wait_for(lambda: state(page) == "failed")
    assert title(page) == "The browser gives no camera to this address"
    assert f"ssh -L {server.port}:localhost:{server.port}" in page.find_element("id", "card-note").text


def test_with_tls_other_names_have_a_camera_too(tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    openssl = shutil.which("openssl") or pytest.skip("openssl is not installed: no certificate")
    request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=cam.test"]
    subprocess.run([openssl, *request, "-out", cert, "-keyout", key], check=True, capture_output=True)
    camera = fake_camera(tmp_path / "demo.mjpeg")
    with (
        Server(token=TOKEN, tls=(cert, key)) as server,
        chromium(camera, "--ignore-certificate-errors") as page,
    ):
        page.get(f"https://cam.test:{server.port}/?token={TOKEN}")
        allow_camera(page)
        wait_for(lambda: state(page) == "idle")
        start(page)
        wait_for(lambda: (newest(page) or {"people": []})["people"])
        assert page.execute_script("return isSecureContext && location.hostname") == "cam.test"


def test_permission_denied_then_granted(page: webdriver.Chrome) -> None:
    allow_camera(page, "denied")
    page.find_element("id", "toggle").click()
    wait_for(lambda: state(page) == "failed")
    assert title(page) == "The camera is not allowed"
    allow_camera(page)
    page.find_element("id", "card-button").click()
    wait_for(lambda: state(page) == "live")
    page.find_element("id", "toggle").click()


def test_on_a_phone_everything_fits(page: webdriver.Chrome) -> None:
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True},
    )
    try:
        start(page)
        assert page.execute_script("return document.documentElement.scrollWidth <= innerWidth")
        assert page.execute_script("return document.getElementById('video').playsInline")
        for name in ("toggle", "record", "trails"):
            box = page.execute_script(
                f"return document.getElementById('{name}').closest('button, label').getBoundingClientRect()"
            )
            assert box["height"] >= 44, name  # what a finger needs
            assert box["bottom"] <= 844, name
        page.find_element("id", "toggle").click()
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_no_camera_at_all(server: Server) -> None:
    with chromium(None) as page:
        page.get(server.url)
        allow_camera(page)
        wait_for(lambda: state(page) == "idle")
        page.find_element("id", "toggle").click()
        wait_for(lambda: state(page) == "failed")
        assert title(page) == "No camera found"


def distance_to_truth(message: dict[str, Any]) -> float:
    """Mean distance of confident joints to the nearest people in the frame that fits best, camera pixels."""
    joints = np.array([person["keypoints"] for person in message["people"]], float)  # (N, K, 3)
    sure = joints[..., 2] > 0.8
    joints[..., :2] *= CAMERA[0] / message["width"]
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
