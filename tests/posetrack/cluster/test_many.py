"""What a run over many videos is asked, what it keeps, and what it refuses before anything begins."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from posetrack.cli import main
from posetrack.cluster.engines import here
from posetrack.cluster.jobs import TrackJob
from posetrack.cluster.run import Run, RunResult
from posetrack.cluster.store import Folder
from posetrack.cluster.tasks import Task, make_tasks, manifest_lines, read_manifest, shard_of, task_id
from posetrack.cluster.work import Request, Worker
from posetrack.errors import PoseTrackError
from posetrack.results.jsonl import read_jsonl
from scripts import media
from tests.posetrack.cluster.tiny import Words


def tracked(out: Path) -> dict[str, list[float]]:
    """Times of the frames of each result."""
    return {path.stem: [t.time for t in read_jsonl(path).tracks] for path in sorted(out.glob("*.jsonl"))}


def test_a_manifest_with_names_and_parts_shard_by_shard(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video, out = media.write_video(tmp_path / "v.mp4", media.numbered(10), sound=True), tmp_path / "out"
    lines: list[dict[str, Any]] = [
        {"source": str(video)},
        {"source": str(video), "stem": "begin", "end": 0.16},
        {"source": str(video), "stem": "middle", "start": 0.2, "end": 0.28},
    ]
    (tmp_path / "m.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    words = ["track", "--manifest", str(tmp_path / "m.jsonl"), "--out", str(out)]
    assert main([*words, "--shard", "1/2"]) == 0
    assert "2 done, 0 kept from before, 0 failed" in capsys.readouterr().out
    assert main(["status", str(out)]) == 0
    assert "2 done, 0 running, 0 failed, 1 left" in capsys.readouterr().out
    (out / "v.jsonl").unlink()  # a result that went away is missing again
    assert main([*words, "--jobs", "1"]) == 0
    assert "2 done, 1 kept from before, 0 failed" in capsys.readouterr().out
    times = [n / 25 for n in range(10)]
    assert tracked(out) == {"v": times, "begin": times[:4], "middle": times[5:7]}
    assert [float(time) for time in media.stored_times(out / "middle.mp4")] == [0.0, 0.04]
    header = read_jsonl(out / "middle.jsonl").header
    mark = json.loads((out / ".posetrack" / "done" / f"{header.task}.json").read_text())
    assert mark["outputs"] == ["middle.jsonl", "middle.mp4"]
    assert "0.2 s to 0.3 s" in mark["source"]


def do(job: Words, files: list[Path], out: Path, **how: Any) -> RunResult:
    run, tasks = Run(job, str(out), here), make_tasks(map(str, files))
    run.plan(tasks, **how)
    return run.do(tasks)


def inputs(folder: Path) -> list[Path]:
    for name in "ab":
        (folder / f"{name}.txt").write_text(f"text {name}")
    return [folder / "a.txt", folder / "b.txt"]


def test_other_settings_never_mix_with_what_is_there(tmp_path: Path) -> None:
    files, out = inputs(tmp_path), tmp_path / "out"
    old, new = Words(str(tmp_path), "old"), Words(str(tmp_path), "new")
    assert do(old, files, out).done == 2
    with pytest.raises(PoseTrackError, match=r"holds a run with other settings, weights or version \(a\)"):
        do(new, files, out)
    assert do(new, files[:1], out, overwrite=True).done == 1
    assert do(new, files[:1], out).kept == 1
    with pytest.raises(PoseTrackError, match="holds a run with other settings"):
        do(old, files, out)  # what was done with them is forgotten
    assert do(old, files[:1], out, overwrite=True).done == 1


def test_results_of_nobody_knows_which_run_are_not_taken_for_ours(tmp_path: Path) -> None:
    files, out = inputs(tmp_path), tmp_path / "out"
    out.mkdir()
    (out / "b.out").write_text("mine")
    with pytest.raises(
        PoseTrackError, match=r"b\.out exists already \(1 such files\) and is not of this run"
    ):
        do(Words(str(tmp_path)), files, out)
    assert {path.name for path in out.iterdir()} == {"b.out"}
    assert do(Words(str(tmp_path)), files, out, overwrite=True).done == 2


def test_a_changed_input_is_another_task(tmp_path: Path) -> None:
    files, out = inputs(tmp_path), tmp_path / "out"
    assert do(Words(str(tmp_path)), files, out).done == 2
    files[0].write_text("another text")
    with pytest.raises(PoseTrackError, match=r"a\.out exists already"):
        do(Words(str(tmp_path)), files, out)
    result = do(Words(str(tmp_path)), files, out, overwrite=True)
    assert (result.done, result.kept) == (1, 1)
    assert (out / "a.out").read_text() == "another text"
    assert len(list((out / ".posetrack" / "done").iterdir())) == 2


def test_what_failed_is_said_again_until_it_is_retried(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files, out = inputs(tmp_path), tmp_path / "out"
    files[0].write_text("broken")
    assert do(Words(str(tmp_path)), files, out).failed == 1
    assert do(Words(str(tmp_path)), files, out).failed == 1
    assert f"{files[0]} failed before: {files[0]} is broken" in capsys.readouterr().err
    assert len((tmp_path / "a.begun").read_text().split()) == 1
    assert main(["status", str(out)]) == 1
    assert "1 done, 0 running, 1 failed, 0 left" in capsys.readouterr().out
    assert main(["status", str(out), "--retry-failed"]) == 0
    assert do(Words(str(tmp_path)), files, out).failed == 1
    assert len((tmp_path / "a.begun").read_text().split()) == 2


def test_status_counts_what_is_held_now(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files, out = inputs(tmp_path), tmp_path / "out"
    job = Words(str(tmp_path))
    run = Run(job, str(out), here)
    run.plan(make_tasks(map(str, files)))
    with Folder(out).claim(run.id(make_tasks([str(files[0])])[0])) as mine:
        assert mine
        assert main(["status", str(out)]) == 0
    assert "0 done, 1 running, 0 failed, 2 left" in capsys.readouterr().out


def test_a_worker_of_another_version_refuses(tmp_path: Path) -> None:
    theirs = Request(str(tmp_path), TrackJob(), TrackJob().identity() | {"release": "0123456789abcdef"})
    with pytest.raises(PoseTrackError, match="another release of posetrack, or other files, than the driver"):
        Worker(theirs)


def test_a_worker_that_sees_another_folder_refuses(tmp_path: Path) -> None:
    job = Words(str(tmp_path))
    with pytest.raises(PoseTrackError, match="is not the driver's; give a place that all see"):
        Worker(Request(str(tmp_path / "out"), job, job.identity()))
    assert not (tmp_path / "out").exists()


NO_RAY = "import sys; sys.modules['ray'] = None; from posetrack.cli import main; sys.exit(main(sys.argv[1:]))"


@pytest.mark.parametrize(
    ("more", "line"),
    [
        (["--jobs", "0"], "--jobs 0: give 1 or more"),
        (["--shard", "3"], "--shard 3: give I/N"),
        (["--shard", "4/3"], "--shard 4/3: give I/N"),
        (["--ray", "auto", "--jobs", "2"], "--ray shares out the work itself"),
        (["--ray", "127.0.0.9:6399"], "--ray 127.0.0.9:6399: no Ray cluster there"),
        (["--jobs", "2", "--preset", "dark"], "unknown preset 'dark'"),
        (["-", "--jobs", "2"], "standard input cannot be shared out"),
        (["elsewhere/a.mp4", "--jobs", "2"], "would both write a"),
    ],
)
def test_wrong_requests_start_nothing(
    more: list[str], line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["track", str(tmp_path / "a.mp4"), *more, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert line in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_without_ray_there_is_one_line(tmp_path: Path) -> None:
    words = [sys.executable, "-c", NO_RAY, "track", "a.mp4", "--out", str(tmp_path / "out"), "--ray", "auto"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "posetrack: --ray needs Ray: pip install 'posetrack[cluster]'\n"
    assert not (tmp_path / "out").exists()


def test_networks_that_cannot_be_loaded_are_no_video_s_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "w.safetensors").write_text("no weights")
    words = ["track", str(tmp_path / "a.mp4"), "--out", str(tmp_path / "out"), "--jobs", "2"]
    assert main([*words, "--weights", str(tmp_path / "w.safetensors")]) == 2
    assert "1 not done, no worker is left: " in (said := capsys.readouterr().err)
    assert "w.safetensors" in said
    assert {path.name for path in (tmp_path / "out" / ".posetrack").iterdir()} == {"manifest.jsonl"}


def test_a_manifest_comes_back(tmp_path: Path) -> None:
    tasks = [Task("/none/b.mp4", "b", 20, 1.5), Task("https://x.org/a.mp4", "a", start=1.0, end=2.5)]
    (tmp_path / "m.jsonl").write_bytes(manifest_lines(tasks))
    assert read_manifest(tmp_path / "m.jsonl") == tasks


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"source": 7}', '"source" is no name'),
        ('{"stem": "a"}', "KeyError"),
        ('["a.mp4"]', "TypeError"),
        ('{"source": "a.mp4"', "JSONDecodeError"),
        ("", "JSONDecodeError"),
        ('{"source": "a.mp4", "stem": "../a"}', '"stem" is no plain name'),
        ('{"source": "a.mp4", "stem": ".a"}', '"stem" is no plain name'),
        ('{"source": "a.mp4", "start": 2, "end": 1}', '"start" is not before "end"'),
        ('{"source": "a.mp4", "start": "soon"}', "ValueError"),
        ('{"source": "a.mp4", "start": NaN}', '"start" is not before "end"'),
    ],
)
def test_a_broken_line_is_named(line: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text(f'{{"source": "b.mp4"}}\n{line}\n')
    with pytest.raises(
        PoseTrackError, match=r"m\.jsonl, line 2: .*expected \{\"source\": \"clip.mp4\"\}"
    ) as no:
        read_manifest(tmp_path / "m.jsonl")
    assert why in str(no.value)


def test_what_a_task_s_id_depends_on() -> None:
    task, job = Task("a.mp4", "a", 10, 1.0), TrackJob()
    mine = task_id(task, job.identity())
    assert mine == task_id(task, TrackJob(device="cuda", batch_size=16).identity())  # same results
    assert mine != task_id(Task("a.mp4", "a", 11, 1.0), job.identity())
    assert mine != task_id(Task("a.mp4", "a", 10, 1.0, end=5.0), job.identity())
    assert mine != task_id(task, TrackJob(trails=True).identity())


@pytest.mark.parametrize("count", [1, 3, 7])
def test_shards_share_out_all_tasks(count: int) -> None:
    tasks = [Task(f"{n}.mp4", str(n)) for n in range(5)]
    shared = [task for i in range(count) for task in shard_of(tasks, f"{i + 1}/{count}")]
    assert sorted(task.stem for task in shared) == [task.stem for task in tasks]
