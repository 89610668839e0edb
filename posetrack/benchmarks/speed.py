"""`posetrack bench`: milliseconds of every stage on this machine, each against a baseline of the same run.

Weights do not change how long a network takes, so HRNet-W32 and W48 are timed with random ones where
their files are not here. On CUDA the share of the machine's own bf16 matmul rate is measured as well.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import torch

from posetrack import models
from posetrack.drawing.overlay import overlay
from posetrack.models.costs import measure
from posetrack.pipeline import StageClock
from posetrack.pose.estimator import HeatmapEstimator, PoseSettings
from posetrack.presets import LIGHT, load
from posetrack.runtime.compiled import CompiledNetwork, without_openvino
from posetrack.runtime.device import find_device
from posetrack.runtime.machine import describe_machine
from posetrack.skeletons import COCO17
from posetrack.types import Detections, Frame
from posetrack.video import VideoWriter, open_video

DEMO = Path(__file__).parents[1] / "demo" / "demo.mp4"
SIZE = (1280, 720)
NETWORKS = (("hrnet_light", (160, 224)), ("hrnet_w32", (192, 256)), ("hrnet_w48", (288, 384)))
PEOPLE = (1, 8)


def run_bench(device: str, seconds: float) -> dict[str, Any]:
    """Measure and print as it goes; returns all numbers."""
    place = find_device(device)
    result: dict[str, Any] = {"machine": describe_machine(place)}
    print("  ".join(f"{k}: {v}" for k, v in result["machine"].items()))
    result["light"] = light_stages(place, seconds)
    _print_stages(result["light"])
    if place.startswith("cuda"):
        result["matmul_bf16_tflops"] = matmul_rate(place, seconds)
        print(f"\nbf16 matmul: {result['matmul_bf16_tflops']:.0f} TFLOP/s")
    result["networks"] = []
    titles = ("ms/person", "crops/s", "one by one, unfolded")
    print(f"\n{'network':<12}{'input':>9}{'people':>8}{titles[0]:>11}{titles[1]:>9}{titles[2]:>23}")
    for name, size in NETWORKS:
        for people in (*PEOPLE, *((64,) if place.startswith("cuda") else ())):
            row = network_speed(name, size, people, place, seconds, result.get("matmul_bf16_tflops"))
            result["networks"].append(row)
            share = f"{row['matmul_share']:8.0%} of matmul" if "matmul_share" in row else ""
            print(
                f"{name:<12}{size[1]:>5}x{size[0]}{people:>8}{row['ms_per_person']:>11.1f}"
                f"{1000 / row['ms_per_person']:>9.1f}{row['baseline_ratio']:>16.2f} x slower{share}"
            )
    return result


def light_stages(place: str, seconds: float) -> dict[str, Any]:
    """Mean milliseconds per 720p frame of decoding, each stage of the light preset, drawing and encoding."""
    clock = StageClock()
    people = []
    with TemporaryDirectory() as folder:
        clip = Path(folder, "720p.mp4")
        _enlarge(DEMO, clip)
        trackers = [load("light", device=place)]
        if isinstance(trackers[0].detector.trunk, CompiledNetwork):  # type: ignore[attr-defined]
            with without_openvino():
                trackers.append(load("light", device=place))
        for tracker in trackers:
            with open_video(clip) as video:
                list(tracker.track(islice(video, 8)))  # warm up
        trackers[0].clock = clock
        with open_video(clip) as video:
            frames = _decode(video, clock, limit=max(20, int(10 * seconds)))
            (tracked, *_), spent = _in_turns([tracker.track(frames) for tracker in trackers])
            people = [len(t) for t in tracked]
            drawn = []
            for frame, tracks in zip(frames, tracked, strict=True):
                with clock.stage("draw"):
                    drawn.append(overlay(frame.image, tracks, joint_threshold=LIGHT.min_joint_score))
            with clock.stage("encode"), VideoWriter(Path(folder, "out.mp4"), video) as writer:
                for frame, image in zip(frames, drawn, strict=True):
                    writer.write(image, frame.time)
    clock.frames = len(frames)
    whole, whole_cpu = spent[0]
    baseline = {"torch_alone_frames_per_second": len(frames) / spent[1][0]} if len(spent) > 1 else {}
    return {
        "size": list(SIZE),
        "frames": len(frames),
        "people_per_frame": float(np.mean(people)),
        "milliseconds": clock.milliseconds(),
        "tracking_frames_per_second": len(frames) / whole,
        "tracking_cpu_milliseconds": 1000 * whole_cpu / len(frames),
        **baseline,
    }


def _in_turns(works: list[Iterator[Any]], turn: int = 5) -> tuple[list[list[Any]], list[tuple[float, float]]]:
    """What each yields, and the wall and CPU seconds that it took; each works for `turn` results at a time.

    A machine that others share is not the same from one minute to the next; so all see the same of it.
    """
    results: list[list[Any]] = [[] for _ in works]
    spent = [(0.0, 0.0) for _ in works]
    going = True
    while going:
        going = False
        for i, work in enumerate(works):
            start, start_cpu = time.perf_counter(), time.process_time()
            some = list(islice(work, turn))
            wall, cpu = time.perf_counter() - start, time.process_time() - start_cpu
            spent[i] = (spent[i][0] + wall, spent[i][1] + cpu)
            results[i] += some
            going = going or bool(some)
    return results, spent


def _print_stages(light: dict[str, Any]) -> None:
    print(f"\npreset light, {SIZE[0]}x{SIZE[1]}, {light['people_per_frame']:.1f} people per frame")
    for stage, ms in light["milliseconds"].items():
        print(f"  {stage:<9}{ms:8.1f} ms")
    print(
        f"  flow, detector, pose and tracker together: {light['tracking_frames_per_second']:.1f} frames/s, "
        f"{light['tracking_cpu_milliseconds']:.0f} ms of CPU time per frame"
    )
    if "torch_alone_frames_per_second" in light:
        alone = light["torch_alone_frames_per_second"]
        print(
            f"  in turns with it, Torch in place of OpenVINO: {alone:.1f} frames/s, "
            f"{light['tracking_frames_per_second'] / alone:.2f} x slower"
        )


def network_speed(
    name: str, size: tuple[int, int], people: int, place: str, seconds: float, matmul: float | None
) -> dict[str, Any]:
    """Crop, network and decoding of `people` in one frame; baseline: the plain network, one by one."""
    rng = np.random.default_rng(0)
    frame = Frame(rng.integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8), 0, 0.0)
    left = np.linspace(50, SIZE[0] - 250, people)
    boxes = np.stack([left, np.full(people, 100.0), left + 180, np.full(people, 500.0)], axis=1)
    detections = Detections(boxes, np.ones(people))
    network = models.create(name, len(COCO17))
    settings = PoseSettings(COCO17, size, half=True)
    ours = HeatmapEstimator.fast(network, settings, place)
    plain = HeatmapEstimator(network, PoseSettings(COCO17, size), place)
    mine = _time(lambda: ours.estimate_frame(frame, detections), seconds, place) / people
    theirs = (
        _time(
            lambda: [plain.estimate_frame(frame, detections[i : i + 1]) for i in range(people)],
            seconds,
            place,
        )
        / people
    )
    row = {
        "network": name,
        "input": list(size),
        "people": people,
        "ms_per_person": 1000 * mine,
        "baseline_ms_per_person": 1000 * theirs,
        "baseline_ratio": theirs / mine,
    }
    if matmul is not None:
        work = 2 * measure(network, height=size[1], width=size[0]).multiply_adds / 1e12
        row["matmul_share"] = work / mine / matmul
    return row


def matmul_rate(place: str, seconds: float, n: int = 8192) -> float:
    """TFLOP/s of a large bf16 matrix product: what this machine can do at best."""
    a = torch.randn(n, n, device=place, dtype=torch.bfloat16)
    return 2 * n**3 / _time(lambda: a @ a, seconds, place) / 1e12


def _time(work: Callable[[], object], seconds: float, place: str) -> float:
    """Median seconds of one call, after a warm-up."""
    work()
    times: list[float] = []
    while sum(times) < seconds or len(times) < 3:
        if place.startswith("cuda"):
            torch.cuda.synchronize(place)
        start = time.perf_counter()
        work()
        if place.startswith("cuda"):
            torch.cuda.synchronize(place)
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def _enlarge(source: Path, target: Path) -> None:
    """The clip at 1280x720."""
    with TemporaryDirectory() as folder:
        cv2.imwrite(str(Path(folder, "0.png")), np.zeros((SIZE[1], SIZE[0], 3), np.uint8))
        with open_video(folder) as like, open_video(source) as video, VideoWriter(target, like) as writer:
            for frame in video:
                writer.write(np.asarray(cv2.resize(frame.image, SIZE), np.uint8), frame.time)


def _decode(video: Any, clock: StageClock, limit: int) -> list[Frame]:
    frames: list[Frame] = []
    source = iter(video)
    with closing(source):
        while len(frames) < limit:
            with clock.stage("decode"):
                frame = next(source, None)
            if frame is None:
                break
            frames.append(frame)
    return frames
