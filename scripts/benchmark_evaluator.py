"""How long the PoseTrack evaluator takes, how it grows, and how it compares with poseval's plain loop.

    python -m scripts.benchmark_evaluator ANNOTATIONS [--sequences 20] [--scales 1 4 16] [--seed 0]

Takes annotated sequences of a folder, makes predictions from them with seeded noise (joints that jitter,
missed and doubled people, dropped joints, changed ids), and evaluates them once, 4 and 16 times over: wall
and CPU time and peak memory of the whole process, its start included. The reference is the loop that the
tests hold the evaluator to, motmetrics inside; it reads the same files.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from scripts.cli import run

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = {
    "ours": "posetrack eval --gt gt --pred pred",
    "reference": "tests.posetrack.evaluation.poseval_reference gt pred",
}

Json = dict[str, Any]


def noisy(truth: Json, rng: np.random.Generator) -> Json:
    """Predictions for a 2018 file: 10 % missed, 8 % twice, 8 % of joints dropped, 2 % under another id."""
    joints = len(truth["categories"][0]["keypoints"])
    people: list[Json] = []
    used: set[tuple[int, int]] = set()
    for person in truth["annotations"]:
        triples = np.array(person["keypoints"], float).reshape(joints, 3)
        head = 0.6 * float(np.hypot(*person["bbox_head"][2:]))
        for copy, jitter in ((0, 0.15), (1, 0.3)):
            if rng.random() < (0.1 if copy == 0 else 0.92):
                continue
            track = person["track_id"] if copy == 0 and rng.random() > 0.02 else int(rng.integers(100, 1000))
            if (person["image_id"], track) in used:
                continue
            used.add((person["image_id"], track))
            guess = triples + np.pad(rng.normal(0, jitter * head, (joints, 2)), ((0, 0), (0, 1)))
            guess[(triples == 0).all(axis=1) | (rng.random(joints) < 0.08)] = 0
            who = {"image_id": person["image_id"], "track_id": track, "category_id": 1}
            scores = rng.random(joints).round(3).tolist()
            people.append({**who, "keypoints": guess.round(2).ravel().tolist(), "scores": scores})
    return {"images": truth["images"], "annotations": people, "categories": truth["categories"]}


def write_folders(annotations: Path, folder: Path, sequences: int, scale: int, seed: int) -> tuple[int, int]:
    """Ground truth in folder/gt and predictions in folder/pred, every sequence `scale` times."""
    rng = np.random.default_rng(seed)
    for name in ("gt", "pred"):
        (folder / name).mkdir(parents=True)
    frames = poses = 0
    for path in sorted(annotations.glob("*.json"))[:sequences]:
        truth = json.loads(path.read_text())
        answer = noisy(truth, rng)
        frames += len(truth["images"])
        poses += len(answer["annotations"])
        for copy in range(scale):
            for name, content in (("gt", truth), ("pred", answer)):
                (folder / name / f"{path.stem}_{copy:02d}.json").write_text(json.dumps(content))
    return frames * scale, poses * scale


def measure(folder: Path, command: str) -> tuple[float, float, float]:
    """Wall and CPU seconds and peak MB of a Python module run in the folder."""
    start = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", *command.split()],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{command}: ended with {os.waitstatus_to_exitcode(status)}")
    return time.monotonic() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def benchmark(
    annotations: Annotated[Path, "folder of PoseTrack 2018 annotation files"],
    *,
    sequences: Annotated[int, "how many of them to take"] = 20,
    scales: Annotated[list[int] | None, "times over; default: 1, 4 and 16"] = None,
    seed: Annotated[int, "of the noise"] = 0,
) -> None:
    """Time the evaluator and the loop."""
    times = scales or [1, 4, 16]
    print("who        scale  frames    poses   wall s    CPU s  peak MB")
    for scale in times:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            frames, poses = write_folders(annotations, folder, sequences, scale, seed)
            for who, command in COMMANDS.items():
                if who == "ours" or scale == min(times):  # the loop is slow
                    wall, cpu, peak = measure(folder, command)
                    print(f"{who:9}  {scale:5}  {frames:6}  {poses:7}  {wall:7.2f}  {cpu:7.2f}  {peak:7.0f}")


if __name__ == "__main__":
    sys.exit(run("benchmark_evaluator", __doc__, {"benchmark": benchmark}))
