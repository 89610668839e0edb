"""How late `posetrack live` is: from capture to drawn, in the browser and in a window.

    xvfb-run -a python -m scripts.benchmark_live --document docs/live.md

The browser is Debian's chromium (headless) with a camera that plays the demo clip; the moment of capture is
the one that chromium gives with each picture, and drawn is when the skeletons are on the canvas. The window's
moment is when the picture was grabbed, and drawn is when OpenCV has it.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from posetrack.live.hub import Hub
from posetrack.live.play import play
from posetrack.live.serve import Address, PageServer
from posetrack.live.session import MOST_SPARSE, Session
from posetrack.live.window import WindowSink
from posetrack.pipeline import PoseTracker
from posetrack.presets import load
from posetrack.sinks import Sink
from posetrack.types import Frame, Tracks
from posetrack.video import CameraSource, VideoWriter, open_video
from posetrack.video.upright import Image
from scripts.cli import run
from scripts.markdown import fill_file, table
from scripts.report.clips import score_of

DEMO = Path(__file__).parents[1] / "posetrack" / "demo"
SIZES = ((640, 480), (1280, 720))
RATE = 30.0  # frames per second of the camera
WARM = 5.0  # seconds that are not counted: the networks' first forward passes, the browser's start


@dataclass(frozen=True)
class Delays:
    """What one run measured."""

    name: str
    seconds: NDArray[np.floating]  # (N,) when each frame was drawn
    delays: NDArray[np.floating]  # (N,) ms from capture to drawn
    load: float  # mean processes that wanted the CPUs, ours among them

    def row(self) -> list[object]:
        span = float(np.ptp(self.seconds)) or 1.0
        middle, late = np.percentile(self.delays, [50, 95])
        half = len(self.delays) // 2
        drift = float(np.median(self.delays[half:]) - np.median(self.delays[:half]))
        return [
            self.name,
            (len(self.delays) - 1) / span,
            f"{middle:.0f}",
            f"{late:.0f}",
            f"{drift:+.0f}",
            self.load,
        ]


def pictures(people: int, size: tuple[int, int]) -> list[Image]:
    """The demo clip in that size: all of it, or what surrounds one of its people (others pass by)."""
    with open_video(DEMO / "demo.mp4") as clip:
        frames = [frame.image for frame in clip]
    height, width = frames[0].shape[:2]
    if people > 1:
        wide = round(height * size[0] / size[1])
        left = (width - wide) // 2
        return [_resized(frame[:, left : left + wide], size) for frame in frames]
    truth = json.loads((DEMO / "demo_truth.json").read_text())
    numbers = {image["id"]: n for n, image in enumerate(truth["images"])}
    boxes: dict[int, dict[int, list[float]]] = {}
    for person in truth["annotations"]:
        boxes.setdefault(person["track_id"], {})[numbers[person["image_id"]]] = person["bbox"]
    path = max(boxes.values(), key=len)
    views = []
    for n in sorted(path):
        x, y, w, h = path[n]
        tall = min(1.25 * h, height)
        wide = min(tall * size[0] / size[1], width)
        left = int(np.clip(x + w / 2 - wide / 2, 0, width - wide))
        top = int(np.clip(y + h / 2 - tall / 2, 0, height - tall))
        views.append(_resized(frames[n][top : top + int(tall), left : left + int(wide)], size))
    return views


def _resized(image: Image, size: tuple[int, int]) -> Image:
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


# ---- the browser


@contextmanager
def serving(system: PoseTracker) -> Iterator[PageServer]:
    with PageServer(Hub(lambda name: system), Address(port=0)) as server:
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            yield server
        finally:
            server.stop()
            thread.join()


def in_browser(system: PoseTracker, name: str, views: Sequence[Image], seconds: float) -> Delays:
    with tempfile.TemporaryDirectory() as folder, serving(system) as server:
        camera = Path(folder, "camera.mjpeg")
        camera.write_bytes(b"".join(_jpeg(view) for view in views))
        with _chromium(camera) as page:
            page.get(f"http://localhost:{server.port}/")
            page.execute_cdp_cmd(
                "Browser.setPermission", {"permission": {"name": "camera"}, "setting": "granted"}
            )
            _until(page, "document.body.dataset.state == 'idle'")
            page.find_element("id", "toggle").click()
            _until(page, "document.body.dataset.state == 'live'")
            time.sleep(WARM)
            points: dict[float, float] = {}
            meter = _Load()
            start = page.execute_script("return performance.now()")
            while (now := page.execute_script("return performance.now()")) < start + 1000 * seconds:
                points |= dict(page.execute_script("return posetrack.delays()"))
                time.sleep(min(5.0, (start + 1000 * seconds - now) / 1000 + 0.1))
            points |= dict(page.execute_script("return posetrack.delays()"))
    times = np.array(sorted(t for t in points if t >= start))
    delays = np.array([points[t] for t in times])
    return Delays(name, (times - start) / 1000, delays, meter.mean())


@contextmanager
def _chromium(camera: Path) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={camera}",
    ):  # fmt: skip
        options.add_argument(flag)
    driver = webdriver.Chrome(options, Service("/usr/bin/chromedriver"))
    try:
        driver.set_window_size(1280, 900)
        yield driver
    finally:
        driver.quit()


def _until(page: webdriver.Chrome, condition: str) -> None:
    while not page.execute_script(f"return {condition}"):
        time.sleep(0.1)


def _jpeg(image: Image) -> bytes:
    return cv2.imencode(".jpg", image[..., ::-1])[1].tobytes()


# ---- the window


class _Stopwatch:
    """A sink after the window: how old every frame is when it is shown."""

    def __init__(self, camera: CameraSource) -> None:
        self.warnings: list[str] = []
        self.points: list[tuple[float, float]] = []
        self._camera = camera

    def write(self, frame: Frame, tracks: Tracks) -> None:
        age = self._camera.age(frame)
        self.points.append((frame.time + age, 1000 * age))

    def __enter__(self) -> _Stopwatch:
        return self

    def __exit__(self, *_: object) -> None: ...


def in_window(system: PoseTracker, name: str, views: Sequence[Image], seconds: float) -> Delays:
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder, "clip.mp4")
        cv2.imwrite(str(Path(folder, "0.png")), views[0])
        count = round((seconds + WARM) * RATE)
        there_and_back = [*views, *views[::-1]]
        with open_video(Path(folder, "0.png")) as like, VideoWriter(clip, like) as writer:
            for n in range(count):
                writer.write(there_and_back[n % len(there_and_back)], n / RATE)
        meter = _Load()
        with CameraSource(clip) as camera, WindowSink(camera, system) as window:
            watch = _Stopwatch(camera)
            sinks: list[Sink] = [window, watch]
            play(camera, Session(system), sinks, window)
    points = np.array([point for point in watch.points if point[0] > WARM])
    return Delays(name, points[:, 0], points[:, 1], meter.mean())


class _Load:
    """Processes that want a CPU, looked at in the kernel's own count."""

    def __init__(self) -> None:
        self._values: list[int] = []
        self._done = threading.Event()
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        while not self._done.wait(1.0):
            self._values.append(int(Path("/proc/loadavg").read_text().split()[3].split("/")[0]))

    def mean(self) -> float:
        self._done.set()
        return float(np.mean(self._values)) if self._values else float("nan")


# ---- detecting less often


def sparse_table(system: PoseTracker) -> str:
    """What fewer detections cost on the demo clip, against its exact truth, and what they save."""
    rows: list[list[object]] = []
    for every in range(1, MOST_SPARSE + 1):
        session, tracked = Session(system, every), []
        start = time.process_time()
        with open_video(DEMO / "demo.mp4") as clip:
            for frame in clip:
                tracked.append(session.step(frame.image, frame.time)[1])
        spent = 1000 * (time.process_time() - start) / len(tracked)
        score = score_of(tracked, DEMO / "demo_truth.json", system.skeleton, system.min_joint_score)
        rows.append(
            [every, *(f"{value:.1f}" for value in (score.mota, score.ap, score.idf1)), f"{spent:.0f}"]
        )
    return table("detections every: | MOTA: | AP: | IDF1: | CPU ms per frame:", rows)


# ---- all of it

Part = Literal["latency", "detections"]


def measure(
    *,
    only: Annotated[list[Part] | None, "these parts; default: all"] = None,
    seconds: Annotated[float, "of each measurement"] = 60.0,
    document: Annotated[Path | None, "its tables are filled in"] = None,
) -> None:
    """Measure, print, fill the document."""
    system = load("light", "cpu")
    tables: dict[str, str] = {}
    if "detections" in (only or get_args(Part)):
        tables["detections"] = sparse_table(system)
    if "latency" in (only or get_args(Part)):
        tables["latency"] = latency_table(list(latencies(system, seconds)))
    for name, lines in tables.items():
        print(lines)
        if document:
            fill_file(document, name, lines)


def latencies(system: PoseTracker, seconds: float) -> Iterator[Delays]:
    for size in SIZES:
        for people in (1, 4):
            views = pictures(people, size)
            words = f"{size[0]}x{size[1]}, {people} {'person' if people == 1 else 'people'}"
            yield shown(in_browser(system, f"browser, {words}", views, seconds))
            if os.environ.get("DISPLAY"):
                yield shown(in_window(system, f"window, {words}", views, seconds))


def shown(delays: Delays) -> Delays:
    print(*delays.row(), sep="\t", flush=True)
    return delays


def latency_table(runs: Sequence[Delays]) -> str:
    head = "where and what | frames/s: | median ms: | p95 ms: | second half - first, ms: | runnable:"
    return table(head, [run.row() for run in runs])


if __name__ == "__main__":
    sys.exit(run("benchmark_live", __doc__, {"measure": measure}))
