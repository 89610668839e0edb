"""How long the PoseTrack evaluator takes, how it grows, and how it compares with poseval's plain loop.

    python scripts/benchmark_evaluator.py ANNOTATIONS [--sequences 20] [--scales 1 4 16] [--seed 0]
                                          [--no-reference] [--json FILE]

Takes annotated sequences of a folder, makes predictions from them with seeded noise (joints that jitter,
missed and doubled people, dropped joints, changed ids), and evaluates them once, 4 and 16 times over. Every
measurement runs in a process of its own: wall time and CPU time of `evaluate_posetrack` (reading the files
included, importing Python packages not), and the process's peak memory. The reference is the loop that the
tests hold the evaluator to, motmetrics 1.4.0 inside; it reads the same files, in the same run.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # the reference lies among the tests

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
            people.append(
                {
                    "image_id": person["image_id"],
                    "track_id": track,
                    "category_id": 1,
                    "keypoints": guess.round(2).ravel().tolist(),
                    "scores": rng.random(joints).round(3).tolist(),
                }
            )
    return {"images": truth["images"], "annotations": people, "categories": truth["categories"]}


def write_folders(annotations: Path, folder: Path, sequences: int, scale: int, seed: int) -> dict[str, int]:
    """Ground truth in folder/gt and predictions in folder/pred, every sequence `scale` times; their sizes."""
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
    return {"frames": frames * scale, "poses": poses * scale}


def measure(folder: Path, who: str) -> Json:
    """Wall and CPU seconds, peak MB, and two totals of "ours" or "reference", in a process of its own."""
    command = [sys.executable, __file__, "--measure", who, str(folder)]
    result = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    content: Json = json.loads(result.stdout)
    return content


def run_ours(folder: Path) -> dict[str, float]:
    from posetrack.evaluation import evaluate_posetrack

    totals = evaluate_posetrack(folder / "gt", folder / "pred").totals
    return {"ap": totals["ap"], "mota": totals["mota"]}


def run_reference(folder: Path) -> dict[str, float]:
    from tests.posetrack.evaluation import poseval_reference as reference

    videos = [
        reference.load(json.loads(path.read_text()), json.loads((folder / "pred" / path.name).read_text()))
        for path in sorted((folder / "gt").glob("*.json"))
    ]
    ap, mot = reference.average_precision(videos), reference.tracking(videos)
    return {"ap": float(ap["ap"][-1]), "mota": float(mot["mota"][-1])}


def measure_here(who: str, folder: Path) -> None:
    """What the child process does; the packages are imported before the clock starts."""
    import posetrack.evaluation.posetrack  # noqa: F401
    import tests.posetrack.evaluation.poseval_reference  # noqa: F401

    run = {"ours": run_ours, "reference": run_reference}[who]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall, cpu = time.perf_counter(), time.process_time()
    totals = run(folder)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        json.dumps({"wall_s": wall, "cpu_s": cpu, "peak_mb": peak / 1024, "idle_mb": before / 1024, **totals})
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("annotations", type=Path, help="folder of PoseTrack 2018 annotation files")
    parser.add_argument("--sequences", type=int, default=20, help="how many of them to take")
    parser.add_argument("--scales", type=int, nargs="+", default=[1, 4, 16], help="times over")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-reference", action="store_true", help="leave out the slow loop")
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    options = parser.parse_args()
    rows = []
    print("who        scale  frames    poses   wall s    CPU s  peak MB  over idle MB       AP     MOTA")
    for scale in options.scales:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            size = write_folders(options.annotations, folder, options.sequences, scale, options.seed)
            reference = scale == min(options.scales) and not options.no_reference
            for who in ("ours", "reference") if reference else ("ours",):
                row = {"who": who, "scale": scale, **size, **measure(folder, who)}
                rows.append(row)
                print(
                    f"{who:9}  {scale:5}  {row['frames']:6}  {row['poses']:7}"
                    f"  {row['wall_s']:7.2f}  {row['cpu_s']:7.2f}"
                    f"  {row['peak_mb']:7.0f}  {row['peak_mb'] - row['idle_mb']:12.0f}"
                    f"  {row['ap']:7.2f}  {row['mota']:7.2f}"
                )
    ours = {row["scale"]: row for row in rows if row["who"] == "ours"}
    base = ours[min(ours)]
    for row in rows:
        if row["who"] == "reference":
            print(f"the reference loop takes {row['cpu_s'] / base['cpu_s']:.0f} times the CPU time,", end=" ")
            print(f"{row['wall_s'] / base['wall_s']:.0f} times the wall time")
    for scale, row in list(ours.items())[1:]:
        growth = row["cpu_s"] / base["cpu_s"] / (scale / base["scale"])
        print(f"x{scale}: {growth:.2f} times the CPU time per frame")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure_here(sys.argv[2], Path(sys.argv[3]))
    else:
        main()
