"""Ten inputs, ten results, nothing left behind, whatever dies on the way: real processes and real kills."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from posetrack.cluster.work import MAX_TRIES
from tests.posetrack.cluster import tiny
from tests.waiting import wait_until

ROOT = Path(__file__).parents[3]
MEMORY = 80 << 20  # bytes of a Ray node's object store


@dataclass
class World:
    """Ten inputs, the folder for their results, and what the workers note beside them."""

    root: Path
    bucket: str = ""  # in place of a folder

    def __post_init__(self) -> None:
        self.notes, self.out = self.root / "notes", self.root / "out"
        self.notes.mkdir(parents=True)
        self.files = [self.root / f"{n}.txt" for n in range(10)]
        for n, file in enumerate(self.files):
            file.write_text(f"text {n}")
        self.drivers: list[subprocess.Popen[str]] = []

    def start(self, *flags: str, **env: str) -> subprocess.Popen[str]:
        """A driver, whose processes all have a mark of this world in their environment."""
        env = os.environ | {"POSETRACK_WORLD": str(self.root), "PYTHONPATH": str(ROOT)} | env
        words = tiny.command(self.notes, self.bucket or self.out, self.files, *flags)
        pipe = subprocess.PIPE
        self.drivers.append(subprocess.Popen(words, env=env, cwd=ROOT, stdout=pipe, stderr=pipe, text=True))
        return self.drivers[-1]

    def run(self, *flags: str, **env: str) -> tuple[int, str, str]:
        driver = self.start(*flags, **env)
        said, complaints = driver.communicate()
        return driver.returncode, said, complaints

    def begun(self, number: int) -> list[int]:
        """The processes that have begun this input."""
        note = self.notes / f"{number}.begun"
        return [int(word) for word in note.read_text().split()] if note.exists() else []

    def processes(self) -> set[int]:
        """All that drivers and workers of this world are alive, from the process table."""
        found = set()
        for path in Path("/proc").glob("[0-9]*"):
            try:
                mine = f"POSETRACK_WORLD={self.root}\0".encode() in (path / "environ").read_bytes()
                dead = (path / "stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
            except OSError:
                continue
            if (mine or (self.notes / f"{path.name}.pid").exists()) and not dead:
                found.add(int(path.name))
        return found

    def check(self, but: int | None = None) -> None:
        """Every result is there, and nothing else."""
        texts = {f"{n}.out": file.read_text() for n, file in enumerate(self.files) if n != but}
        assert {path.name: path.read_text() for path in self.out.iterdir() if path.is_file()} == texts
        board = {"done", "tried", "manifest.jsonl"} | ({"failed"} if but is not None else set())
        assert {path.name for path in (self.out / ".posetrack").iterdir()} == board
        assert len(list((self.out / ".posetrack" / "done").iterdir())) == len(texts)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    for driver in world.drivers:
        driver.kill()
        driver.communicate()
    wait_until(lambda: not world.processes())


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A Ray head, where nothing runs, and two machines of one CPU; the clock of one is a year ahead."""
    pytest.importorskip("ray", reason="pip install posetrack[cluster]")
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("PYTHONPATH", str(ROOT))
        head = {"node_ip_address": "127.0.0.2", "num_cpus": 0, "object_store_memory": MEMORY}
        made = Cluster(initialize_head=True, head_node_args={**head, "include_dashboard": False})
        made.add_node(num_cpus=1, node_ip_address="127.0.0.3", object_store_memory=MEMORY)
        clock = wrong_clock(tmp_path_factory.mktemp("clock"), years=1)
        made.add_node(num_cpus=1, node_ip_address="127.0.0.4", object_store_memory=MEMORY, env_vars=clock)
        yield made
        made.shutdown()


def wrong_clock(folder: Path, years: int) -> dict[str, str]:
    """The environment of Python processes on a machine whose clock is so many years ahead."""
    text = f"import time\nnow = time.time\ntime.time = lambda: now() + {years} * 365 * 86400\n"
    (folder / "sitecustomize.py").write_text(text)
    return {"PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}


@pytest.fixture
def flags(request: pytest.FixtureRequest) -> tuple[str, str]:
    if request.param == "--ray":
        return "--ray", request.getfixturevalue("cluster").address
    return request.param, {"--jobs": "2", "--shard": "1/1"}[request.param]


ALL = pytest.mark.parametrize("flags", ["--jobs", "--shard", "--ray"], indirect=True)
SPREAD = pytest.mark.parametrize("flags", ["--jobs", "--ray"], indirect=True)


@SPREAD
def test_a_killed_worker(world: World, flags: tuple[str, str]) -> None:
    world.files[3].write_text("wait, and be killed")
    driver = world.start(*flags)
    wait_until(lambda: bool(world.begun(3)), lambda: driver.poll() is None)
    os.kill(world.begun(3)[0], signal.SIGKILL)
    wait_until(lambda: len(world.begun(3)) == 2, lambda: driver.poll() is None)
    (world.notes / "go").touch()
    said, complaints = driver.communicate()
    assert (driver.returncode, complaints) == (0, "")
    assert "10 done, 0 kept from before, 0 failed" in said
    world.check()


@ALL
def test_a_killed_driver_takes_its_workers_with_it_and_the_next_one_goes_on(
    world: World, flags: tuple[str, str]
) -> None:
    world.files[3].write_text("wait, and be killed")
    driver = world.start(*flags)
    wait_until(lambda: bool(world.begun(3)), lambda: driver.poll() is None)
    assert world.begun(3)[0] in world.processes()
    driver.kill()
    driver.wait()
    wait_until(lambda: not world.processes())
    (world.notes / "go").touch()
    code, said, _ = world.run(*flags)
    assert code == 0
    kept = int(said.split(" kept")[0].split()[-1])
    assert f"{10 - kept} done, {kept} kept from before, 0 failed" in said
    world.check()


@SPREAD
def test_a_full_disk_on_one_worker(world: World, flags: tuple[str, str]) -> None:
    (world.notes / tiny.SHARED).touch()
    code, said, complaints = world.run(*flags)
    assert (code, complaints) == (0, "")
    assert "10 done, 0 kept from before, 0 failed" in said
    assert not (world.notes / tiny.SHARED).exists()
    world.check()


def test_a_full_disk_everywhere_is_no_video_s_fault(world: World) -> None:
    (world.notes / tiny.SHARED).touch()
    code, _, complaints = world.run("--shard", "1/1")
    assert code == 2
    assert "10 not done, no worker is left: " in complaints
    assert "File too large" in complaints
    assert "10 done, 0 kept from before, 0 failed" in world.run("--shard", "1/1")[1]
    world.check()


@ALL
def test_a_poisoned_input_is_set_aside(world: World, flags: tuple[str, str]) -> None:
    world.files[3].write_text("die")
    for _ in range(MAX_TRIES if flags[0] == "--shard" else 1):
        code, said, complaints = world.run(*flags)
    if flags[0] == "--shard":  # each time, the process itself was killed
        assert code == -signal.SIGKILL
        code, said, complaints = world.run(*flags)
    assert code == 1
    assert "1 failed" in said
    assert f"3.txt: it killed its worker {MAX_TRIES} times" in complaints
    assert len(world.begun(3)) == MAX_TRIES
    world.check(but=3)
    world.files[3].write_text("fit")  # it is another input now
    assert "1 done, 9 kept from before, 0 failed" in world.run(*flags)[1]


def test_a_poisoned_input_where_there_are_no_locks(tmp_path: Path) -> None:
    """A bucket cannot tell a dead worker from a slow one elsewhere; a driver can tell of its own."""
    world = World(tmp_path / "world", f"file://{tmp_path}/world/out")
    for state in ("done", "tried", "failed"):
        (world.out / ".posetrack" / state).mkdir(parents=True)
    world.files[3].write_text("die")
    code, said, complaints = world.run("--jobs", "2", TMPDIR=str(tmp_path))
    assert (code, "9 done, 0 kept from before, 1 failed" in said) == (1, True)
    assert f"3.txt: it killed its worker {MAX_TRIES} times" in complaints
    world.check(but=3)
    assert {path.name for path in tmp_path.iterdir()} == {"world"}


@ALL
def test_two_drivers_share_the_work(world: World, flags: tuple[str, str]) -> None:
    """The first is held up at one input; the second does the rest, then waits for the first."""
    world.files[3].write_text("wait for the second driver, for this text is the longest and comes first")
    first = world.start(*flags)
    wait_until(lambda: bool(world.begun(3)), lambda: first.poll() is None)
    second = world.start(*flags)
    done = world.out / ".posetrack" / "done"
    wait_until(lambda: done.exists() and len(list(done.iterdir())) == 9, lambda: second.poll() is None)
    (world.notes / "go").touch()
    did = []
    for driver in (first, second):
        said, complaints = driver.communicate()
        assert (driver.returncode, complaints) == (0, "")
        did.append(int(re.search(r"(\d+) done, ", said)[1]))
    assert sum(did) == 10
    assert [len(world.begun(n)) for n in range(10)] == [1] * 10
    world.check()


def test_the_second_driver_takes_over_when_the_first_is_killed(world: World) -> None:
    world.files[3].write_text("wait for the second driver, for this text is the longest and comes first")
    first = world.start("--shard", "1/1")
    wait_until(lambda: bool(world.begun(3)), lambda: first.poll() is None)
    second = world.start("--shard", "1/1")
    done = world.out / ".posetrack" / "done"
    wait_until(lambda: done.exists() and len(list(done.iterdir())) == 9, lambda: second.poll() is None)
    first.kill()
    wait_until(lambda: len(world.begun(3)) == 2, lambda: second.poll() is None)
    (world.notes / "go").touch()
    assert "10 done" in second.communicate()[0]
    world.check()


def test_clocks_apart_change_nothing(world: World, tmp_path: Path) -> None:
    """The machines of two shards are two years apart."""
    from posetrack.cluster.run import status

    for shard, years in (("1/2", -1), ("2/2", 1)):
        (clock := tmp_path / f"clock{years}").mkdir()
        assert "5 done, 0 kept" in world.run("--shard", shard, **wrong_clock(clock, years))[1]
    assert "10 kept" in world.run("--jobs", "2")[1]
    state = status(str(world.out))
    assert (state.total, len(state.done), state.running) == (10, 10, 0)
    assert 0 < state.seconds < 3600
    world.check()


def test_an_interrupted_run_is_no_death_of_its_input(world: World) -> None:
    world.files[3].write_text("wait, and be interrupted")
    for _ in range(MAX_TRIES + 1):
        driver = world.start("--jobs", "2")
        before = len(world.begun(3))
        wait_until(lambda n=before: len(world.begun(3)) > n, lambda d=driver: d.poll() is None)
        driver.send_signal(signal.SIGINT)
        driver.communicate()
    (world.notes / "go").touch()
    assert "0 failed" in world.run("--jobs", "2")[1]
    world.check()


@pytest.mark.parametrize("flags", ["--ray"], indirect=True)
def test_a_killed_machine(world: World, flags: tuple[str, str], cluster: Any) -> None:
    """Its task goes to the machine that is left; this test comes last, for that one stays alone."""
    world.files[3].write_text("wait, and be killed")
    driver = world.start(*flags)
    wait_until(lambda: bool(world.begun(3)), lambda: driver.poll() is None)
    worker = world.begun(3)[0]
    for node in cluster.worker_nodes:
        raylets = {p.process.pid for p in node.all_processes["raylet"]}
        if parent(worker) in raylets:
            for pid in (*raylets, worker):
                os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(world.begun(3)) == 2, lambda: driver.poll() is None)
    (world.notes / "go").touch()
    said, complaints = driver.communicate()
    assert driver.returncode == 0, complaints
    assert "10 done, 0 kept from before, 0 failed" in said
    world.check()


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
