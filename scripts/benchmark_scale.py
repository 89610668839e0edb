"""What many videos cost on many machines: docs/scale.md, computed from what is measured here.

    python -m scripts.benchmark_scale         # some minutes; prints all numbers and fills the document

Every variant has one turn in each round, as a command in processes of its own. Beside the clock, the
processor's time of all of them is counted: on a machine with other work, that tells what an idle one does.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Annotated, Any

from posetrack.runtime.machine import describe_machine
from posetrack.video import VideoWriter, open_video
from scripts import media
from scripts.cli import run
from scripts.markdown import fill_file, table

ROOT = Path(__file__).parents[1]
DEMO, PAGE = ROOT / "posetrack" / "demo" / "demo.mp4", ROOT / "docs" / "scale.md"
FRAMES, VIDEOS = 100, 2  # of each video at 1280x720
VARIANTS = {  # threads in the environment, flags
    "one process, one thread": ("1", ["--jobs", "1"]),
    "one process, two threads": ("2", ["--jobs", "1"]),
    "two processes, one thread each": ("1", ["--jobs", "2"]),
}
DRAWING = "one process that only decodes, draws and encodes"  # as joining the pieces of a long video does
STARTS = ("start-up", "start-up without networks")  # of tracking, and of drawing
HOURS, RATE = 1000, 25  # of video, frames a second
MACHINES = (1, 4, 16, 64, 256, 1024)  # of two cores
DRIVER = 0.015  # seconds of the driver for a task; the most that was measured, workers included
NETWORK = 125.0  # megabytes a second of a shared folder: one gigabit


def measure(
    *,
    rounds: Annotated[int, "turns of each variant"] = 3,
    document: Annotated[Path, "whose tables are filled"] = PAGE,
) -> None:
    """Seconds and processor seconds of every variant, in turns."""
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in [*VARIANTS, DRAWING, *STARTS]}
    with tempfile.TemporaryDirectory() as place:
        videos = [Path(place, f"{n}.mp4") for n in range(VIDEOS)]
        for video in videos:
            with open_video(DEMO) as demo, VideoWriter(video, demo) as writer:
                for frame in islice(demo, FRAMES):
                    writer.write(frame.image, frame.time)
        tiny = media.write_video(Path(place, "tiny.mp4"), media.numbered(2))
        for number in range(rounds):
            for name, (threads, flags) in VARIANTS.items():
                folder = str(Path(place, f"{number}-{threads}-{flags[1]}"))
                runs[name].append(timed(["track", *map(str, videos), "--out", folder, *flags], threads))
            lines, clip = f"{folder}/0.jsonl", f"{place}/drawn-{number}.mp4"
            runs[DRAWING].append(timed(["render", lines, str(videos[0]), "--out", clip], "1"))
            runs[STARTS[0]].append(timed(["track", str(tiny), "--out", f"{folder}-tiny", "--no-video"], "1"))
            words = ["render", f"{folder}-tiny/tiny.jsonl", str(tiny), "--out", f"{place}/tiny-{number}.mp4"]
            runs[STARTS[1]].append(timed(words, "1"))
            print(number, {name: done[-1] for name, done in runs.items()}, flush=True)
        bytes_read = videos[0].stat().st_size / FRAMES
        bytes_written = sum(Path(folder, f"0.{end}").stat().st_size for end in ("mp4", "jsonl")) / FRAMES
    measured = {"runs": runs, "read": bytes_read, "written": bytes_written}
    print(json.dumps({**measured, **describe_machine("cpu")}, indent=1))
    fill_file(document, "throughput", throughput_table(measured))
    fill_file(document, "thousand hours", hours_table(measured))


def timed(words: list[str], threads: str) -> dict[str, float]:
    """Seconds by the clock, and of all processes."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "posetrack", *words],
        env={**os.environ, "OMP_NUM_THREADS": threads}, check=True, capture_output=True,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall": round(time.perf_counter() - start, 2), "cpu": round(cpu, 2)}


def throughput_table(measured: dict[str, Any]) -> str:
    """Medians over the rounds; the clock's have the start-up of the processes in them."""
    runs, rows = measured["runs"], []
    first = runs[next(iter(VARIANTS))]
    for name in [*VARIANTS, DRAWING]:
        frames = FRAMES * (1 if name == DRAWING else VIDEOS)
        ratio = [a["wall"] / b["wall"] for a, b in zip(first, runs[name], strict=True)]
        faster = "" if name == DRAWING else f"{median(ratio):.2f} ({min(ratio):.2f} to {max(ratio):.2f})"
        rate = f"{frames / _median(runs[name], 'wall'):.1f}"
        rows.append([name, rate, faster, f"{cpu_ms(measured, name):.0f}"])
    wall, cpu = (_median(runs[STARTS[0]], what) for what in ("wall", "cpu"))
    head = "variant | frames/s by the clock: | times as fast as the first: | processor ms per frame:"
    threads, processes = (2000 / cpu_ms(measured, name) for name in list(VARIANTS)[1:])
    said = (
        f"Start-up: {wall:.1f} s by the clock, {cpu:.1f} s of the processor for each process; it is taken "
        f"off in the last column. Two idle cores would so give at most {threads:.0f} frames/s to two threads "
        f"of one process, and {processes:.0f} to two processes, {processes / threads:.1f} times as many."
    )
    return f"{table(head, rows)}\n\n{said}"


def cpu_ms(measured: dict[str, Any], name: str) -> float:
    """Of a frame, without the start-up of the processes."""
    runs = measured["runs"]
    if name == DRAWING:
        return 1000 * (_median(runs[name], "cpu") - _median(runs[STARTS[1]], "cpu")) / FRAMES
    processes = VIDEOS if name.startswith("two processes") else 1
    return (
        1000 * (_median(runs[name], "cpu") - processes * _median(runs[STARTS[0]], "cpu")) / (FRAMES * VIDEOS)
    )


def _median(runs: list[dict[str, float]], what: str) -> float:
    return median(run[what] for run in runs)


def hours_table(measured: dict[str, Any]) -> str:
    """How long a thousand hours of video take so many machines of two idle cores, and what limits them."""
    two, drawing = (cpu_ms(measured, name) / 1000 for name in (list(VARIANTS)[2], DRAWING))  # seconds a frame
    hour, moved = 3600 * RATE, (measured["read"] + measured["written"]) / 1e6  # frames; megabytes a frame
    rows = []
    for machines in MACHINES:
        cores = 2 * machines
        whole = max(HOURS * hour * two / cores, hour * two)  # a video has one core
        cut = max(HOURS * hour * (two + drawing) / cores, hour / 6 * two + hour * drawing)
        rows.append([machines, _time(whole), _time(cut), f"{cores / two * moved:.1f}"])
    head = (
        f"machines of two cores: | {HOURS} videos of one hour: | with `--pieces 10`, at most: | MB/s of all:"
    )
    pair = hour * two / 2  # seconds that a machine needs for an hour
    lines = [
        f"- A frame costs {two * 1000:.0f} ms of a core: {HOURS} hours of video at {RATE} frames/s are "
        f"{HOURS * hour * two / 3600:.0f} core hours, 1 hour takes a core {_time(hour * two)}.",
        f"- Joining the pieces of one hour takes one core {_time(hour * drawing)}.",
        f"- {moved * 1000:.0f} kB are read and written for a frame: a shared folder of {NETWORK:.0f} MB/s "
        f"feeds {NETWORK * pair / hour / moved:.0f} machines.",
        f"- A driver that takes {DRIVER * 1000:.0f} ms for a task feeds {pair / DRIVER:.0f} machines with "
        f"videos of an hour, {pair / 6 / DRIVER:.0f} with pieces of ten minutes.",
    ]
    return "\n".join(lines) + f"\n\n{table(head, rows)}"


def _time(seconds: float) -> str:
    return f"{seconds / 86400:.1f} days" if seconds > 2 * 86400 else f"{seconds / 3600:.1f} h"


if __name__ == "__main__":
    sys.exit(run("benchmark_scale", __doc__, {"measure": measure}))
