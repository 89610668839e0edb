"""What an engine costs: tiny tasks whose work is nothing, through one engine, as one line of JSON.

    python -m scripts.benchmark_cluster --tasks 10000 --engine here
    python -m scripts.benchmark_cluster --tasks 10000 --engine jobs --workers 2
    python -m scripts.benchmark_cluster --tasks 10000 --engine ray --workers 2 --nodes 2    # on this machine
    python -m scripts.benchmark_cluster --tasks 1000 --engine here --out s3://BUCKET/FOLDER

Start-up is the time until the first task has ended; what is left over the other tasks is the overhead of one.
`cpu_ms_per_task` is the processor's time of the driver and its processes (not of a Ray cluster): on a busy
machine it says more than the clock.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from posetrack.cluster.board import Board
from posetrack.cluster.engines import Outcomes, Queue, here, processes
from posetrack.cluster.run import Engine, Run
from posetrack.cluster.tasks import Task
from posetrack.cluster.work import Doing, Finished, Request

MEMORY = 80 << 20  # bytes of a Ray node's object store


@dataclass(frozen=True)
class Nothing:
    """A job without networks, frames or files."""

    def identity(self) -> dict[str, Any]:
        return {"job": "nothing"}

    def outputs(self, task: Task) -> list[str]:
        return []

    def load(self, board: Board) -> Doing:
        return lambda task, folder, identity: Finished(task.stem)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--engine", choices=("here", "jobs", "ray"), default="here")
    parser.add_argument("--workers", type=int, default=2, help="processes, or CPUs of the Ray nodes in all")
    parser.add_argument("--nodes", type=int, default=1, help="Ray nodes on this machine")
    parser.add_argument("--out", help="where; a temporary folder otherwise")
    words = parser.parse_args()
    with ExitStack() as stack:
        out = words.out or stack.enter_context(tempfile.TemporaryDirectory(prefix="posetrack-tasks-"))
        engine: Engine = here
        if words.engine == "jobs":
            engine = partial(processes, jobs=words.workers)
        elif words.engine == "ray":
            engine = stack.enter_context(small_cluster(words.workers, words.nodes))
        result = measure([Task(f"nothing/{n}", f"{n}") for n in range(words.tasks)], out, engine)
    print(json.dumps({"engine": words.engine, "tasks": words.tasks, **result}))


def measure(tasks: list[Task], out: str, engine: Engine) -> dict[str, float]:
    """Seconds of each stage, milliseconds of a task, and how the driver's memory grew."""
    times: list[float] = []
    memory: list[float] = []

    def watched(queue: Queue, request: Request) -> Outcomes:
        for outcome in engine(queue, request):
            times.append(time.perf_counter())
            if len(times) in (len(tasks) // 10, len(tasks)):
                memory.append(resident())
            yield outcome

    start, cpu = time.perf_counter(), sum(os.times()[:4])
    run = Run(Nothing(), out, watched)
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
        run.plan(tasks)
        planned = time.perf_counter()
        done = run.do(tasks).done
        ended, cpu = time.perf_counter(), sum(os.times()[:4]) - cpu
        kept = run.do(tasks).kept
    if done != len(tasks) or kept != len(tasks):
        sys.exit(f"{done} done, {kept} kept of {len(tasks)}")
    per_task = (times[-1] - times[0]) / max(len(times) - 1, 1)
    return {
        "plan_s": round(planned - start, 3),
        "start_up_s": round(times[0] - planned, 3),
        "ms_per_task": round(1000 * per_task, 3),
        "cpu_ms_per_task": round(1000 * cpu / len(tasks), 3),
        "tasks_per_s": round(1 / per_task, 1) if per_task else 0.0,
        "all_s": round(ended - start, 3),
        "second_call_s": round(time.perf_counter() - ended, 3),
        "driver_mb_at_a_tenth": round(memory[0], 1),
        "driver_mb_at_the_end": round(memory[-1], 1),
    }


@contextmanager
def small_cluster(cpus: int, nodes: int) -> Iterator[Engine]:
    """A Ray cluster on loopback addresses: a head that only coordinates, and `nodes` with the CPUs."""
    from ray.cluster_utils import Cluster

    from posetrack.cluster import ray_engine

    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_raylet_start_wait_time_s": "300"}
    os.environ["PYTHONPATH"] = os.pathsep.join(
        [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    )
    common = {"object_store_memory": MEMORY, "include_dashboard": False}
    head = {"node_ip_address": "127.0.0.2", "num_cpus": 0, **common}  # for 127.0.0.1 it takes the outside one
    cluster = Cluster(initialize_head=True, head_node_args=head)
    for n in range(nodes):
        cluster.add_node(
            node_ip_address=f"127.0.0.{3 + n}", num_cpus=cpus // nodes, object_store_memory=MEMORY
        )
    try:
        ray = ray_engine.connect(cluster.address)
        yield partial(ray_engine.actors, cluster=ray)
        ray.shutdown()
    finally:
        cluster.shutdown()  # type: ignore[no-untyped-call]


def resident() -> float:
    """Megabytes that this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
