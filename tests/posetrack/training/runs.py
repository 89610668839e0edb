"""Small trainings in processes of their own, forked from one that has imported Lightning already.

Importing Lightning takes many seconds, so the test process itself never does.
"""

import json
import multiprocessing
import os
import runpy
import socket
import sys
import tempfile
import traceback
from dataclasses import replace
from pathlib import Path

import torch

from posetrack.datasets.people import HeldOut
from posetrack.models.hrnet import HRNetConfig
from posetrack.training.augment import Geometry
from posetrack.training.recipes import RECIPES, Recipe
from tests.posetrack.training.stick_people import stick_people

ROOT = Path(__file__).parents[3]
NARROW = HRNetConfig(width=12, modules=(1, 1, 1), blocks=1, stem=16, bottleneck=8, bottlenecks=1)
STILL = Geometry(0, 0, 0, 0, 0, 0)
TINY = Recipe(
    "tiny", replace(NARROW, width=4, stem=8, bottleneck=4), "lspet", 32, 32, sigma=1, init="nothing",
    epochs=2.5, batch=4, milestones=(2,),
)  # fmt: skip

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["posetrack.training.run", "torch.utils.tensorboard"])


def start(work, *arguments, environment=None, output=os.devnull):
    """A process that calls work(*arguments) and prints to a file; its exit code is 1 where that raised."""
    process = _context.Process(target=_call, args=(work, arguments, environment or {}, output))
    process.start()
    return process


def call(work, *arguments, ranks=1):
    """Call work(*arguments) in a new process, or in `ranks` processes as torchrun would start them.

    Returns what they printed.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launched = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(ranks),
        "LOCAL_WORLD_SIZE": str(ranks),
        "GROUP_RANK": "0",
        "TORCHELASTIC_RUN_ID": "test",
    }
    environments = (
        [{}] if ranks == 1 else [launched | {"RANK": str(r), "LOCAL_RANK": str(r)} for r in range(ranks)]
    )
    with tempfile.NamedTemporaryFile() as output:
        processes = [start(work, *arguments, environment=e, output=output.name) for e in environments]
        for process in processes:
            process.join()
        printed = Path(output.name).read_text()
    assert [process.exitcode for process in processes] == [0] * ranks, printed
    return printed


def _call(work, arguments, environment, output):
    os.environ.update(environment)
    torch.set_num_threads(1)
    os.dup2(os.open(output, os.O_WRONLY | os.O_APPEND | os.O_CREAT), 1)
    os.dup2(1, 2)
    try:
        work(*arguments)
        code = 0
    except SystemExit as leaving:  # as the interpreter ends: a number is the exit code, a text is printed
        code = leaving.code if isinstance(leaving.code, int) else 1
        if isinstance(leaving.code, str):
            print(leaving.code)
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # without waiting for what Lightning registered


def run(folder: Path, recipe=TINY, people=6, resume=False, held_out=True, data=None, init=None, **options):
    """A training on stick people, in this process."""
    from posetrack.training.module import Options
    from posetrack.training.run import train

    data = data or stick_people(people)
    others = [HeldOut("sticks", data.people, data.pictures)] if held_out else []
    chosen = Options(accelerator="cpu", log_steps=1, **options)
    return train(recipe, data, others, folder, init, resume, chosen)


def command(arguments, data="coco", **changes):
    """scripts/train.py, with a recipe as small as a test needs; the data sets are in the official form."""
    RECIPES["tiny"] = replace(TINY, data=data, **({"epochs": 1} | changes))
    sys.argv = ["train.py", *arguments]
    runpy.run_path(str(ROOT / "scripts/train.py"), run_name="__main__")


def checkpoint(folder: Path):
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
