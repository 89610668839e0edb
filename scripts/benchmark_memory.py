"""Memory of `posetrack track` over a long video: is it flat?

    python -m scripts.benchmark_memory --frames 20000 --plot docs/memory.png

Loops the demo clip into one long file (320x180), with a blurred, empty stretch three times as long after each
showing, tracks it with the light preset in a process of its own, and samples that process's resident memory
every second.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np

from posetrack.video import VideoWriter, open_video
from scripts.cli import run
from scripts.plots import BLUE, ORANGE, headline, panels, save

DEMO = Path(__file__).parents[1] / "posetrack" / "demo" / "demo.mp4"


def write_long_video(path: Path, frames: int, clip: Path) -> None:
    """`frames` frames of the clip and of an empty place, over and over, at 320x180."""
    with open_video(clip) as source:
        small = [cv2.resize(frame.image, (320, 180), interpolation=cv2.INTER_AREA) for frame in source]
    small += [cv2.GaussianBlur(small[0], (0, 0), 20)] * (3 * len(small))
    loop = [np.asarray(picture, np.uint8) for picture in small]
    with tempfile.TemporaryDirectory() as folder:
        cv2.imwrite(str(Path(folder, "0.png")), loop[0])
        with open_video(folder) as like, VideoWriter(path, like) as writer:
            for i in range(frames):
                writer.write(loop[i % len(loop)], i / 25)


def resident_megabytes(pid: int) -> tuple[float, float]:
    """Resident memory of a process: what it allocated, and pages of files, which are mostly libraries.

    Apart, because Torch touches 100 MB of its own code when a process ends.
    """
    status = Path(f"/proc/{pid}/status").read_text()
    values = {key: value for key, _, value in (line.partition(":") for line in status.splitlines())}
    own, files = (int(values.get(key, "0 kB").split()[0]) / 1024 for key in ("RssAnon", "RssFile"))
    return own, files


def measure(
    *,
    frames: Annotated[int, "of the long video"] = 20000,
    clip: Annotated[Path, "that is shown over and over"] = DEMO,
    plot: Annotated[Path | None, "PNG of memory over frames"] = None,
) -> None:
    """Track a long video and say how much memory it took."""
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder, "long.mp4")
        write_long_video(video, frames, clip)
        command = [sys.executable, "-m", "posetrack.cli", "track", str(video), "--out", folder + "/out"]
        lines = Path(folder, "out", "long.jsonl")
        start = time.monotonic()
        samples: list[tuple[float, int, float, float]] = []  # seconds, frames done, megabytes of both kinds
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        while process.poll() is None:
            done = lines.read_bytes().count(b"\n") - 1 if lines.exists() else 0
            samples.append((time.monotonic() - start, max(done, 0), *resident_megabytes(process.pid)))
            time.sleep(1)
        if process.returncode:
            sys.exit(f"posetrack track ended with {process.returncode}")
    report(np.array(samples), frames)
    if plot:
        draw(np.array(samples), plot)


def report(samples: np.ndarray, frames: int) -> None:
    """Megabytes at ten points of the run, and the slope of a line through its second half."""
    seconds, done, own, files = samples[samples[:, 2] > 0].T  # a process that has just ended has no memory
    for share in np.linspace(0.1, 1, 10):
        i = int(np.searchsorted(done, share * frames).clip(0, len(done) - 1))
        place = f"{int(done[i]):6d} frames  {seconds[i]:6.0f} s"
        print(f"{place}  {own[i]:7.1f} MB own  {files[i]:7.1f} MB of files")
    late = done > frames / 2
    slope = np.polyfit(done[late], own[late], 1)[0] * 1000
    print(f"second half: {slope:+.3f} MB per 1000 frames of own memory")


def draw(samples: np.ndarray, path: Path) -> None:
    _, done, own, files = samples[samples[:, 2] > 0].T
    figure, ((axes,),) = panels(1, 1, (9, 3.6))
    axes.fill_between(
        done, own, own + files, color=ORANGE, alpha=0.35, lw=0, label="pages of files: libraries"
    )
    axes.fill_between(done, 0, own, color=BLUE, alpha=0.35, lw=0, label="allocated by the process")
    axes.set_xlim(0, float(done.max()))
    axes.set_ylim(0, 1.1 * float((own + files).max()))
    axes.set_xlabel("frames tracked")
    axes.set_ylabel("resident memory, MB")
    axes.legend(loc="lower right", frameon=False)
    headline(axes, "Memory of posetrack track, preset light", f"{int(done.max())} frames of 320x180")
    save(figure, path)


if __name__ == "__main__":
    sys.exit(run("benchmark_memory", __doc__, {"measure": measure}))
