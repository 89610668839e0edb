"""Small trainings, in this process or, where they are killed or are several, forked from a clean one."""

import json
import multiprocessing
import os
import socket
import sys
import tempfile
import traceback
from dataclasses import replace
from pathlib import Path

import torch

from posetrack.datasets.people import HeldOut
from posetrack.models.hrnet import HRNetConfig
from posetrack.models.simple_baseline import R18
from posetrack.training.examples.augment import Geometry
from posetrack.training.loop import ALONE, Options
from posetrack.training.recipe import Recipe, Source
from posetrack.training.run import carry_out
from posetrack.training.tasks.pose import PoseTask
from tests.posetrack.training.stick_people import stick_people

NARROW = HRNetConfig(width=12, modules=(1, 1, 1), blocks=1, stem=16, bottleneck=8, bottlenecks=1)
PLAIN = replace(R18, blocks=(1, 1, 1, 1), width=8, deconvolution=8)  # few kernels: 0.04 s a step
STILL = Geometry(0, 0, 0, 0, 0, 0)
TINY = Recipe(
    "tiny", PLAIN, (Source("lspet"),), 32, 32, sigma=1, init="nothing", epochs=2.5, batch=4, milestones=(2,),
    ema_decay=0.9,
)  # fmt: skip

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["posetrack.training.run", "torch.utils.tensorboard"])


def run(
    folder, recipe=TINY, people=6, task=PoseTask, data=None, start=None, ranks=ALONE, teacher=None, **options
):
    """A training on stick people; it goes on where the folder has a checkpoint."""
    data = data or stick_people(people)
    work = task(recipe, data, [HeldOut("sticks", data.people, data.pictures)], teacher)
    return carry_out(work, folder, start, ranks, Options(**{"log_steps": 1, **options}))


def start(work, *arguments, environment=None, output=os.devnull):
    """A process that calls work(*arguments) and prints to a file; its exit code is 1 where that raised."""
    process = _context.Process(target=_call, args=(work, arguments, environment or {}, output))
    process.start()
    return process


def call_ranks(work, *arguments):
    """Call work(*arguments) in two processes as torchrun would start them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launched = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    with tempfile.NamedTemporaryFile() as output:
        processes = [
            start(
                work,
                *arguments,
                environment=launched | {"RANK": str(r), "LOCAL_RANK": str(r)},
                output=output.name,
            )
            for r in range(2)
        ]
        for process in processes:
            process.join()
        printed = Path(output.name).read_text()
    assert [process.exitcode for process in processes] == [0, 0], printed


def _call(work, arguments, environment, output):
    os.environ.update(environment)
    torch.set_num_threads(1)
    os.dup2(os.open(output, os.O_WRONLY | os.O_APPEND | os.O_CREAT), 1)
    os.dup2(1, 2)
    try:
        code = work(*arguments)
        code = code if isinstance(code, int) else 0
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def checkpoint(folder):
    return torch.load(folder / "last.pt", weights_only=True)


def tensors(tree, prefix=""):
    """Every tensor of a checkpoint by its path."""
    if isinstance(tree, torch.Tensor):
        return {prefix: tree}
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return {path: t for key, value in items for path, t in tensors(value, f"{prefix}/{key}").items()}


def same(one, other):
    """Whether two checkpoints hold the same tensors, bit for bit."""
    expected, found = tensors(one), tensors(other)
    return expected.keys() == found.keys() and all(torch.equal(t, found[p]) for p, t in expected.items())


def logged(folder, name):
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line[name] for line in lines if name in line]
