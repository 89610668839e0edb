"""How fast the networks train on this machine, and what channels-last, bf16 and torch.compile change.

    python -m scripts.benchmark_training [--device cpu|cuda] [--networks hrnet_w32 ...] [--json FILE]
    python -m scripts.benchmark_training --threads 1 --cpu-time        # on a core that others use too

A step is forward, loss, backward and Adam on pictures that lie on the device already; loading them is
measured elsewhere. In every round each variant has one turn, so that whatever else the machine does slows all
alike: `ratio` is the median over the rounds of base time / variant time. `of matmul` is the share of the rate
of a large matrix product in the variant's number type, timed in the same rounds, at 6 floating-point
operations per multiply-add and picture: 2 forward, 4 backward. On CUDA, fp32 means TF32, in the products as
in the networks; bf16 is autocast: weights, loss and optimiser stay in fp32.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from posetrack import models
from posetrack.models.costs import measure
from posetrack.runtime.device import find_device
from posetrack.runtime.machine import describe_machine

KEYPOINTS = 17


@dataclass(frozen=True)
class Case:
    """One network on one input."""

    network: str
    height: int  # pixels
    width: int
    cpu_batch: int  # pictures; small, as a step takes seconds
    cuda_batch: int  # halved until it fits


CASES = (
    Case("hrnet_light", 256, 192, cpu_batch=16, cuda_batch=512),
    Case("hrnet_w32", 256, 192, cpu_batch=4, cuda_batch=256),
    Case("hrnet_w48", 384, 288, cpu_batch=2, cuda_batch=64),
)


@dataclass(frozen=True)
class Variant:
    """What is switched on."""

    channels_last: bool = False
    bf16: bool = False
    compiled: bool = False

    @property
    def name(self) -> str:
        on = {"channels-last": self.channels_last, "bf16": self.bf16, "compile": self.compiled}
        return " + ".join(word for word, is_on in on.items() if is_on) or "base"


def variants(compiled: bool) -> list[Variant]:
    """The base, each switch alone, then all together."""
    eager = [
        Variant(),
        Variant(channels_last=True),
        Variant(bf16=True),
        Variant(channels_last=True, bf16=True),
    ]
    return [*eager, Variant(compiled=True), Variant(True, True, True)] if compiled else eager


class Training:
    """One network in training, with a batch that stays on the device."""

    def __init__(self, case: Case, variant: Variant, batch: int, device: torch.device) -> None:
        layout = torch.channels_last if variant.channels_last else torch.contiguous_format
        torch.manual_seed(0)
        network = models.create(case.network, KEYPOINTS).to(device)
        network = network.to(memory_format=layout).train()  # type: ignore[call-overload]
        self.optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
        self.network = torch.compile(network, dynamic=False) if variant.compiled else network
        self.bf16, self.device = variant.bf16, device
        pictures = torch.randn(batch, 3, case.height, case.width, device=device)
        self.pictures = pictures.contiguous(memory_format=layout)
        self.targets = torch.rand(batch, KEYPOINTS, case.height // 4, case.width // 4, device=device)

    def step(self) -> Tensor:
        with torch.autocast(self.device.type, torch.bfloat16) if self.bf16 else nullcontext():
            heatmaps = self.network(self.pictures)
        loss: Tensor = 0.5 * (heatmaps.float() - self.targets).square().mean()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss


@dataclass(frozen=True)
class Clock:
    """Seconds of one call, averaged over `repeats` calls in a row."""

    device: torch.device
    cpu_time: bool = False  # of the whole process, in place of the wall clock

    def __call__(self, work: Callable[[], object], repeats: int) -> float:
        if self.device.type == "cuda":
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
            torch.cuda.synchronize(self.device)
            start.record(torch.cuda.current_stream(self.device))
            for _ in range(repeats):
                work()
            end.record(torch.cuda.current_stream(self.device))
            torch.cuda.synchronize(self.device)
            return float(start.elapsed_time(end)) / 1e3 / repeats
        now = time.process_time if self.cpu_time else time.perf_counter
        before = now()
        for _ in range(repeats):
            work()
        return (now() - before) / repeats


class Matmul:
    """A large matrix product: what this machine can do at best."""

    def __init__(self, dtype: torch.dtype, device: torch.device) -> None:
        self.n = 8192 if device.type == "cuda" else 1024
        self.a = torch.randn(self.n, self.n, device=device).to(dtype)

    def __call__(self) -> Tensor:
        return self.a @ self.a


def benchmark(
    case: Case, tried: list[Variant], rounds: int, steps: int, clock: Clock, batch: int
) -> list[dict[str, Any]]:
    """A row per variant.

    Args:
        tried: the base first.
        steps: in a turn.

    Raises:
        torch.OutOfMemoryError: the batch is too large for the device.
    """
    torch.compiler.reset()  # else networks of one class share a small budget of compilations
    products = {
        name: Matmul(dtype, clock.device)
        for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16))
    }
    trainings, first_steps = [], []
    for variant in tried:
        trainings.append(Training(case, variant, batch, clock.device))
        first_steps.append(Clock(clock.device)(trainings[-1].step, 1))  # compiles, chooses algorithms
        clock(trainings[-1].step, steps)
    for product in products.values():
        clock(product, 3)
    times = np.zeros((rounds, len(tried)))  # seconds of a step
    product_times: dict[str, list[float]] = {name: [] for name in products}
    for turn in range(rounds):
        for name, product in products.items():
            product_times[name].append(clock(product, 5))
        for column, training in enumerate(trainings):
            times[turn, column] = clock(training.step, steps)
    operations = 6 * measure(case.network, case.height, case.width, KEYPOINTS).multiply_adds * batch
    rates = {name: 2 * product.n**3 / np.median(product_times[name]) for name, product in products.items()}
    rows = []
    for column, variant in enumerate(tried):
        seconds, number = float(np.median(times[:, column])), "bf16" if variant.bf16 else "fp32"
        rows.append(
            {
                "network": case.network,
                "height": case.height,
                "width": case.width,
                "batch": batch,
                "variant": variant.name,
                **asdict(variant),
                "first_step_s": first_steps[column],
                "images_per_s": batch / seconds,
                "ratio": float(np.median(times[:, 0] / times[:, column])),
                "tflops": operations / seconds / 1e12,
                "matmul_tflops": float(rates[number] / 1e12),
                "matmul_share": float(operations / seconds / rates[number]),
            }
        )
    return rows


def largest_batch(batch: int, work: Callable[[int], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """`work` with that batch, or with the first half of it that the device's memory holds."""
    while True:
        try:
            return work(batch)
        except torch.OutOfMemoryError:
            if batch == 1:
                raise
        batch //= 2
        gc.collect()
        torch.cuda.empty_cache()


COLUMNS = ("network", "input", "batch", "variant", "images/s", "ratio", "of matmul", "first step")


def line(row: dict[str, Any]) -> str:
    """Of a Markdown table with the head COLUMNS."""
    cells = (
        row["network"],
        f"{row['height']}x{row['width']}",
        row["batch"],
        row["variant"],
        f"{row['images_per_s']:.3g}",
        f"{row['ratio']:.2f}",
        f"{row['matmul_share']:.0%} of {row['matmul_tflops']:.3g} TFLOP/s",
        f"{row['first_step_s']:.1f} s",
    )
    return f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:1")
    parser.add_argument("--networks", nargs="+", choices=[c.network for c in CASES])
    parser.add_argument("--batch", type=int, help="pictures per step")
    parser.add_argument("--compile", choices=("auto", "on", "off"), default="auto", help="auto: on CUDA only")
    parser.add_argument("--rounds", type=int, help="default 3 on a CPU, 10 on CUDA")
    parser.add_argument("--quick", action="store_true", help="two rounds, a quarter of the batch")
    parser.add_argument("--threads", type=int, help="of a CPU")
    parser.add_argument("--cpu-time", action="store_true", help="count CPU time; right with one thread only")
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    device = torch.device(find_device(options.device))
    on_cuda = device.type == "cuda"
    if options.cpu_time and (on_cuda or torch.get_num_threads() > 1):
        parser.error("--cpu-time needs --device cpu and --threads 1")
    if on_cuda:
        torch.set_float32_matmul_precision("high")  # TF32, as cuDNN's convolutions use by default
        torch.backends.cudnn.benchmark = True
    rounds = options.rounds or (2 if options.quick else 10 if on_cuda else 3)
    tried = variants(compiled=options.compile == "on" or (options.compile == "auto" and on_cuda))
    clock, steps = Clock(device, options.cpu_time), 10 if on_cuda else 1
    about = describe_machine(str(device)) | {"clock": "CPU time" if options.cpu_time else "wall"}
    print("  ".join(f"{k}: {v}" for k, v in about.items()))
    print(f"\n| {' | '.join(COLUMNS)} |\n|---|---|---:|---|---:|---:|---|---:|")
    rows = []
    for case in CASES:
        if options.networks and case.network not in options.networks:
            continue
        usual = case.cuda_batch if on_cuda else case.cpu_batch
        batch = options.batch or max(1, usual // 4 if options.quick else usual)
        found = largest_batch(batch, partial(benchmark, case, tried, rounds, steps, clock))
        rows += found
        print("\n".join(map(line, found)), flush=True)
    if options.json:
        options.json.write_text(json.dumps({"machine": about, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
