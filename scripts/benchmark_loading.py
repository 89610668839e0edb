"""Whether loading and augmenting pictures keeps up with a network, and where its time goes.

    python -m scripts.benchmark_loading                                   # generated 640x480 JPEGs as COCO
    python -m scripts.benchmark_loading --size 1280x720 --network hrnet_w32
    python -m scripts.benchmark_loading --data LSPET       # pictures in memory

Stages are timed in CPU time of one thread, on the same draws. "decode, half" reads a JPEG at half of its size
where the crop shows it at that or less: what it would save (little: a JPEG's bits must all be read). The rate
of the loader is also given per second of CPU time, for when other programs take part of the machine. The last
line says how many cores the assumed rate of a GPU would keep busy.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from posetrack import models
from posetrack.datasets.coco import read_coco
from posetrack.datasets.lspet import read_held_out
from posetrack.datasets.people import PoseData
from posetrack.datasets.pictures import Folder
from posetrack.pose.crop import normalise
from posetrack.skeletons import COCO17, POSETRACK18
from posetrack.training.examples.augment import apply_view, random_appearance, random_view
from posetrack.training.examples.examples import loader
from posetrack.training.examples.people import PeopleExamples
from posetrack.training.plan import Plan, RankBatches
from posetrack.training.recipes import RECIPES
from posetrack.training.tasks.losses import joints_mse, official_targets

RECIPE = RECIPES["coco_w32_256x192"]
LIGHT = RECIPES["light"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="lspet folder; without it pictures are generated")
    parser.add_argument("--size", default="640x480", help="of generated pictures")
    parser.add_argument("--workers", type=int, nargs="*", default=[0, 1, 2], help="processes of the loader")
    parser.add_argument("--pictures", type=int, default=600, help="drawn for each number")
    parser.add_argument("--network", help="also train this network: does it wait?")
    parser.add_argument(
        "--rate", type=float, default=2000.0, help="pictures/s that a GPU is assumed to train"
    )
    parser.add_argument("--cores", type=int, default=16, help="beside that GPU")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        if given.data:
            athletes, _ = read_held_out(given.data)  # 500 pictures are enough
            data = PoseData("lspet", POSETRACK18, athletes.people, athletes.images)
        else:
            width, height = map(int, given.size.split("x"))
            generate(Path(folder), width, height)
            data = read_coco(Path(folder), "train")
        print(f"{data.name}: {len(data.people)} people, {len(data.pictures)} pictures")
        busiest = stages(data, given.pictures)
        for workers in given.workers:
            wall, cpu = loading_rates(data, workers, given.pictures)
            print(f"loader, {workers} workers: {wall:.0f} pictures/s, {cpu:.0f} per second of CPU time")
        if given.network:
            rate, waiting = training_rate(data, given.network)
            print(
                f"{given.network} with 1 worker: {rate:.2f} pictures/s, waiting for {waiting:.1%} of the time"
            )
    need = given.rate * busiest / 1000
    print(
        f"{given.rate:.0f} pictures/s (assumed) would keep {need:.1f} of {given.cores} such cores busy: "
        + ("loading would hold the GPU back" if need > given.cores else "loading would not hold it back")
    )


def stages(data: PoseData, pictures: int) -> float:
    """Print the CPU milliseconds of each stage; the sum of those of the loader (targets are the device's)."""
    spent: dict[str, float] = {}

    @contextmanager
    def stage(name: str) -> Iterator[None]:
        start = time.thread_time()
        yield
        spent[name] = spent.get(name, 0.0) + 1000 * (time.thread_time() - start) / pictures

    size, skeleton = (RECIPE.width, RECIPE.height), data.skeleton
    halves = 0
    for i in range(-20, pictures):  # the first ones warm up
        if i == 0:
            spent.clear()
        rng = np.random.default_rng((1, abs(i)))
        person = data.people[int(rng.integers(len(data.people)))]
        with stage("view"):
            matrix, mirrored = random_view(person, skeleton, size, RECIPE.geometry, rng)
        with stage("decode"):
            image = data.pictures[person.image]
        folder = data.pictures if isinstance(data.pictures, Folder) else None
        if folder is not None and np.hypot(matrix[0, 0], matrix[1, 0]) > 0.5:
            folder = None  # half of its size would be too small
        halves += folder is not None and i >= 0
        with stage("decode, half"):
            if folder is not None:
                flags = cv2.IMREAD_REDUCED_COLOR_2 | cv2.IMREAD_IGNORE_ORIENTATION
                small = cv2.imread(str(folder.root / person.image), flags)
                assert small is not None
                cv2.cvtColor(small, cv2.COLOR_BGR2RGB, dst=small)
            else:
                data.pictures[person.image]
        with stage("warp"):
            crop, points, inside = apply_view(image, person, skeleton, matrix, mirrored, size)
        with stage("appearance of `light`"):
            random_appearance(crop, LIGHT.appearance, rng)
        with stage("targets"):
            joints, seen = torch.from_numpy(points[None]), torch.from_numpy(inside[None]).float()
            official_targets(joints / 4, seen, (size[0] // 4, size[1] // 4), RECIPE.sigma)
    for name, milliseconds in spent.items():
        share = f"  ({halves / pictures:.0%} of the views can take half)" if name == "decode, half" else ""
        print(f"  {name:24} {milliseconds:6.2f} ms{share}")
    return sum(spent[name] for name in ("view", "decode", "warp", "appearance of `light`"))


def loading_rates(data: PoseData, workers: int, pictures: int) -> tuple[float, float]:
    """Pictures/s of the loader alone, and pictures per second of CPU time of all its processes."""
    batch = 32
    number, ahead = max(1, pictures // batch), 4 * workers  # batches; those made while the processes start
    plan = Plan(len(data.people), batch, epochs=(number + ahead) * batch / len(data.people))
    cpu = cpu_seconds()
    batches = iter(loader(PeopleExamples(RECIPE, RECIPE.stage(1), data), RankBatches(plan), workers))
    for _ in range(ahead):
        next(batches)
    start = time.perf_counter()
    for _ in batches:
        pass
    wall = time.perf_counter() - start
    del batches  # ends the processes, whose time counts only then
    return number * batch / wall, (number + ahead) * batch / (cpu_seconds() - cpu)


def cpu_seconds() -> float:
    """Of this process and its ended children."""
    return sum(os.times()[:4])


def training_rate(data: PoseData, name: str, batch: int = 2, steps: int = 5) -> tuple[float, float]:
    """Pictures/s of training with one worker, and the share of the time that the network waits for it."""
    network = models.create(name, keypoints=len(data.skeleton)).train()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.Adam(network.parameters())
    plan = Plan(len(data.people), batch, epochs=1e6)
    batches = iter(loader(PeopleExamples(RECIPE, RECIPE.stage(1), data), RankBatches(plan), workers=1))
    times = []
    for _ in range(1 + steps):
        times.append([time.perf_counter()])
        made = next(batches)
        times[-1].append(time.perf_counter())
        heatmaps = network(normalise(made["crops"]))
        size = (heatmaps.shape[3], heatmaps.shape[2])
        targets, seen = official_targets(made["points"] / 4, made["weights"], size, RECIPE.sigma)
        optimiser.zero_grad()
        joints_mse(heatmaps, targets, seen).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        times[-1].append(time.perf_counter())
    start, loaded, end = np.array(times[1:]).T  # the first step starts the worker
    return steps * batch / (end[-1] - start[0]), float((loaded - start).sum() / (end[-1] - start[0]))


def generate(root: Path, width: int, height: int, pictures: int = 24) -> None:
    """COCO's folders with photo-like JPEGs: detail at every scale, three people each."""
    rng = np.random.default_rng(1)
    images: list[dict[str, Any]] = []
    people: list[dict[str, Any]] = []
    (root / "train2017").mkdir(parents=True)
    (root / "annotations").mkdir()
    for i in range(pictures):
        image = np.full((height, width, 3), 120.0)
        for n in (4, 16, 64, 256):
            grain = rng.standard_normal((n * height // width, n, 3))
            image += cv2.resize(grain, (width, height), interpolation=cv2.INTER_CUBIC) * 40 / n**0.25
        image = np.clip(image + rng.standard_normal((height, width, 1)) * 6, 0, 255).astype(np.uint8)
        name = f"{i:012d}.jpg"
        cv2.imwrite(str(root / "train2017" / name), image, [cv2.IMWRITE_JPEG_QUALITY, 90])
        images.append({"id": i, "file_name": name, "width": width, "height": height})
        for _ in range(3):
            h = height * rng.uniform(0.15, 0.95)
            w = h * rng.uniform(0.3, 0.7)
            x, y = rng.uniform(0, width - w), rng.uniform(0, height - h)
            joints = rng.uniform(0, 1, (17, 2)) * [w, h] + [x, y]
            triples = np.column_stack([joints, np.full(17, 2)]).ravel().tolist()
            people.append({"id": len(people), "image_id": i, "category_id": 1, "iscrowd": 0})
            people[-1] |= {"bbox": [x, y, w, h], "area": w * h / 2, "keypoints": triples}
    category = {"id": 1, "name": "person", "keypoints": COCO17.keypoints}
    document = {"images": images, "annotations": people, "categories": [category]}
    (root / "annotations" / "person_keypoints_train2017.json").write_text(json.dumps(document))
    sizes = [path.stat().st_size for path in (root / "train2017").iterdir()]
    print(f"generated {pictures} JPEGs of {width}x{height}, {np.mean(sizes) / 1000:.0f} kB each")


if __name__ == "__main__":
    main()
