"""Many videos through real processes, real kills and a real folder."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from posetrack.cli import main
from posetrack.cluster.jobs import TrackJob
from posetrack.cluster.store import Folder
from posetrack.cluster.tasks import Task, make_tasks, manifest_lines, read_manifest, shard_of, task_id
from posetrack.cluster.work import MAX_TRIES
from posetrack.errors import PoseTrackError
from posetrack.results.jsonl import read_jsonl
from scripts import media


@pytest.fixture
def videos(tmp_path: Path) -> list[Path]:
    """Of 8, 9, 10 and 11 pictures, so that results can be told apart."""
    paths = [tmp_path / f"v{n}.mp4" for n in (8, 9, 10, 11)]
    for path, count in zip(paths, (8, 9, 10, 11), strict=True):
        media.write_video(path, media.numbered(count))
    return paths


def words(videos: list[Path], out: Path, *more: str) -> list[str]:
    return ["track", *map(str, videos), "--out", str(out), "--no-video", *more]


def results(out: Path) -> dict[str, int]:
    """Frames of each result; hidden files and folders are the board's."""
    assert not list(out.glob("*.part"))
    return {path.stem: len(read_jsonl(path).tracks) for path in sorted(out.glob("*.jsonl"))}


def test_shards_do_each_video_once_and_a_second_call_only_what_is_missing(
    videos: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(words(videos, out, "--shard", "1/2")) == 0
    assert "2 done, 0 kept" in capsys.readouterr().out
    assert main(["status", str(out)]) == 0
    assert "2 done, 0 running, 0 failed, 2 left" in capsys.readouterr().out
    (out / "v11.jsonl").unlink()  # a result that went away is missing again
    assert main(words(videos, out, "--jobs", "1")) == 0
    said = capsys.readouterr().out
    assert "3 done, 1 kept from before" in said
    assert results(out) == {"v8": 8, "v9": 9, "v10": 10, "v11": 11}
    assert {path.name for path in (out / ".posetrack").iterdir()} == {"done", "tried", "manifest.jsonl"}


def test_other_settings_never_mix_with_what_is_there(
    videos: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(words(videos[:1], out, "--jobs", "1")) == 0
    assert main(words(videos[:1], out, "--jobs", "1", "--flow", "none")) == 1
    assert "v8.jsonl exists already" in capsys.readouterr().err
    assert read_jsonl(out / "v8.jsonl").header.models["flow"] == "lucas_kanade"
    assert main(words(videos[:1], out, "--jobs", "1", "--flow", "none", "--overwrite", "--retry-failed")) == 0
    assert read_jsonl(out / "v8.jsonl").header.models["flow"] == "none"


def kill_workers(out: Path, identity: str, times: int, stop: threading.Event) -> None:
    """Send SIGKILL to whoever works on the task, so many times."""
    killed: set[int] = set()
    while len(killed) < times and not stop.wait(0.005):
        for path in (out / ".posetrack" / "work").glob(f"{identity}-*"):
            pid = int(path.name.rsplit("-", 1)[1])
            if pid not in killed:
                killed.add(pid)
                os.kill(pid, signal.SIGKILL)


def test_a_video_that_kills_its_workers_is_set_aside_and_the_rest_is_done(
    videos: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_text("this is no video")
    out = tmp_path / "out"
    poison = task_id(make_tasks([str(videos[0])])[0], TrackJob(video=False).identity())
    stop = threading.Event()
    killer = threading.Thread(target=kill_workers, args=(out, poison, MAX_TRIES, stop))
    killer.start()
    try:
        code = main(words([*videos[:2], broken], out, "--jobs", "2"))
    finally:
        stop.set()
        killer.join()
    said = capsys.readouterr()
    assert code == 1
    assert "1 done, 0 kept from before, 2 failed" in said.out
    assert f"v8.mp4: it killed its worker {MAX_TRIES} times" in said.err
    assert "broken.mp4" in said.err
    assert results(out) == {"v9": 9}
    assert not (out / ".posetrack" / "work").exists()
    assert main(["status", str(out)]) == 1
    assert "1 done, 0 running, 2 failed, 0 left" in capsys.readouterr().out
    assert main(words(videos[:2], out, "--jobs", "1", "--retry-failed")) == 0
    assert results(out)["v8"] == 8


def children(pid: int) -> set[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True)
    return {int(word) for word in found.stdout.split()}


def test_a_killed_driver_leaves_no_process_and_the_next_one_goes_on(tmp_path: Path) -> None:
    videos = [tmp_path / f"{n}.mp4" for n in range(3)]
    for n, path in enumerate(videos):
        media.write_video(path, (media.picture(i % 256) for i in range(500 if n == 2 else 8)))
    out = tmp_path / "out"
    command = [sys.executable, "-m", "posetrack", *words(videos, out, "--jobs", "2")]
    driver = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (out / "0.jsonl").exists() and not (out / "1.jsonl").exists():
        assert driver.poll() is None
        time.sleep(0.02)
    workers = children(driver.pid)
    assert workers
    driver.kill()
    driver.wait()
    while any(alive(pid) for pid in workers):
        time.sleep(0.05)
    before = results(out)
    assert "2" not in before  # the long one was at work
    again = subprocess.run(command, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert results(out) == {"0": 8, "1": 8, "2": 500}
    kept = re.search(r"(\d) done, (\d) kept", again.stdout)
    assert kept is not None
    assert int(kept[1]) + int(kept[2]) == 3
    assert int(kept[2]) >= 1
    assert not (out / ".posetrack" / "work").exists()


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False


def test_what_another_process_holds_is_left_to_it(
    videos: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    task = task_id(make_tasks([str(videos[0])])[0], TrackJob(video=False).identity())
    with Folder(out).claim(task) as mine:
        assert mine
        assert main(words(videos[:1], out, "--jobs", "1")) == 0
        assert main(["status", str(out)]) == 0
    said = capsys.readouterr()
    assert "another process is at it" in said.err
    assert "1 running" in said.out
    assert results(out) == {}


@pytest.mark.parametrize(
    ("more", "line"),
    [
        (["--jobs", "0"], "--jobs 0: give 1 or more"),
        (["--shard", "3"], "--shard 3: give I/N"),
        (["--shard", "4/3"], "--shard 4/3: give I/N"),
        (["--ray", "auto", "--jobs", "2"], "--ray shares out the work itself"),
        (["--jobs", "2", "--preset", "dark"], "unknown preset 'dark'"),
    ],
)
def test_wrong_requests_start_nothing(
    more: list[str], line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words([tmp_path / "a.mp4"], tmp_path / "out", *more)) == 2
    assert line in capsys.readouterr().err
    assert not (tmp_path / "out" / ".posetrack").exists()


def test_a_manifest_comes_back_and_says_which_line_is_broken(tmp_path: Path) -> None:
    tasks = [Task("b.mp4", "b", 20, 1.5), Task("https://x.org/a.mp4", "a")]
    write_manifest(tmp_path / "m.jsonl", tasks)
    assert read_manifest(tmp_path / "m.jsonl") == tasks
    with (tmp_path / "m.jsonl").open("a") as file:
        file.write('{"source": 7}\n')
    with pytest.raises(PoseTrackError, match=r"m\.jsonl, line 3: .*expected \{\"source\": \"clip.mp4\"\}"):
        read_manifest(tmp_path / "m.jsonl")
    (tmp_path / "m.jsonl").write_text(json.dumps({"source": "clips/a.mp4"}) + "\n")
    assert read_manifest(tmp_path / "m.jsonl") == [Task("clips/a.mp4", "a")]


def test_what_a_tasks_id_depends_on() -> None:
    task, settings = Task("a.mp4", "a", 10, 1.0), TrackSettings()
    mine = task_id(task, settings.identity())
    assert mine == task_id(task, TrackSettings(device="cuda", batch_size=16).identity())  # same results
    assert mine != task_id(Task("a.mp4", "a", 11, 1.0), settings.identity())
    assert mine != task_id(task, TrackSettings(trails=True).identity())


@pytest.mark.parametrize("count", [1, 3, 7])
def test_shards_share_out_all_tasks(count: int) -> None:
    tasks = [Task(f"{n}.mp4", str(n)) for n in range(5)]
    shared = [task for i in range(count) for task in shard_of(tasks, f"{i + 1}/{count}")]
    assert sorted(task.stem for task in shared) == [task.stem for task in tasks]
