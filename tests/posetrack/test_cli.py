"""The command as people use it: real files in, exit codes and one-line errors out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from posetrack import sinks, zoo
from posetrack.cli import main
from posetrack.results.jsonl import read_jsonl, unfinished
from posetrack.types import Frame, Tracks
from posetrack.video import open_video
from scripts import media
from tests.waiting import wait_until

HEAVY = ("torch", "cv2", "numpy", "av", "scipy", "rich", "pydantic")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Half a second of numbered pictures, with sound."""
    path = tmp_path / "clip.mp4"
    media.write_video(path, media.numbered(12), sound=True)
    return path


def complaint(capsys: pytest.CaptureFixture[str]) -> str:
    """What was said on standard error: one line, from us."""
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("posetrack: ")]
    assert len(lines) == 1, lines
    return lines[0]


def test_help_needs_no_heavy_package() -> None:
    code = f"""
import sys
from posetrack.cli import main
try:
    main(["--help"])
finally:
    print([m for m in {HEAVY} if m in sys.modules])
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "[]"


def test_track_then_render_then_export(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["track", str(clip), "--out", str(out), "--trails", "--draw-boxes"]) == 0
    assert capsys.readouterr().out.startswith("clip.mp4: 12 frames in ")
    file = read_jsonl(out / "clip.jsonl")
    assert [t.index for t in file.tracks] == list(range(12))
    assert (file.header.source, file.header.width, file.header.preset) == ("clip.mp4", media.SIZE[0], "light")
    assert [t.time for t in file.tracks] == pytest.approx(
        [float(s) for s in media.stored_times(clip)], abs=1e-6
    )
    assert media.stored_times(out / "clip.mp4") == media.stored_times(clip)
    assert media.sound_packets(out / "clip.mp4") == media.sound_packets(clip)

    again = tmp_path / "again.mp4"
    assert main(["render", str(out / "clip.jsonl"), str(clip), "--out", str(again)]) == 0
    with open_video(again) as video:
        assert [media.number_of(frame.image) for frame in video] == list(range(12))

    for kind in ("posetrack18", "posetrack17", "coco", "mot", "csv", "parquet"):
        target = tmp_path / f"export.{kind}"
        assert main(["export", str(out / "clip.jsonl"), "--to", kind, "--out", str(target)]) == 0
        assert target.exists()

    lines = (out / "clip.jsonl").read_bytes()
    (out / "cut.jsonl").write_bytes(lines[:-5])
    capsys.readouterr()
    assert main(["export", str(out / "cut.jsonl"), "--to", "csv", "--out", str(tmp_path / "cut.csv")]) == 1
    said = capsys.readouterr()
    assert "of 11 frames" in said.out
    assert "the last line is cut off" in said.err


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("missing.mp4", None, "no such file or folder"),
        ("empty.mp4", b"", "empty"),
        ("text.mp4", b"This is not a video.\n" * 50, "text.mp4"),
        ("folder", "dir", "no pictures"),
    ],
    ids=["missing", "zero bytes", "text", "folder without pictures"],
)
def test_what_is_no_video(
    name: str, content: bytes | str | None, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    if content == "dir":
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    assert main(["track", str(path), "--out", str(tmp_path / "out")]) == 2
    assert said in complaint(capsys)
    assert list((tmp_path / "out").iterdir()) == []


def test_the_other_inputs_are_still_done(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["track", str(tmp_path / "missing.mp4"), str(clip), "--out", str(out), "--no-video"]) == 1
    assert "missing.mp4" in complaint(capsys)
    assert len(read_jsonl(out / "clip.jsonl").tracks) == 12
    assert not (out / "clip.mp4").exists()


def test_a_fault_of_ours_ends_one_input_and_leaves_its_traceback(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.mp4"
    other.write_bytes(clip.read_bytes())
    write = sinks.TracksSink.write

    def fault(sink: sinks.TracksSink, frame: Frame, tracks: Tracks) -> None:
        if frame.index == 5 and sink.path.stem == "clip":
            raise ZeroDivisionError("nobody thought of this")
        write(sink, frame, tracks)

    monkeypatch.setattr(sinks.TracksSink, "write", fault)
    out = tmp_path / "out"
    assert main(["track", str(clip), str(other), "--out", str(out)]) == 1
    line = complaint(capsys)
    assert "clip.mp4: unexpected ZeroDivisionError: nobody thought of this" in line
    assert "nobody thought of this" in (out / "clip.error.log").read_text()
    before = read_jsonl(out / "clip.jsonl")
    assert (len(before.tracks), before.broken_off) == (5, "the run that wrote it was broken off")  # is kept
    assert len(read_jsonl(out / "other.jsonl").tracks) == 12
    export = ["export", str(out / "clip.jsonl"), "--to", "csv", "--out", str(tmp_path / "a.csv")]
    assert main(export) == 1
    assert "clip.jsonl: the run that wrote it was broken off" in complaint(capsys)
    monkeypatch.undo()
    assert main(["track", str(clip), "--out", str(out)]) == 0  # half a result need not be overwritten
    after = read_jsonl(out / "clip.jsonl")
    assert (len(after.tracks), after.broken_off) == (12, "")
    assert main(["track", str(clip), "--out", str(out)]) == 2


def test_an_output_that_cannot_be_written_stops_only_its_own_input(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.mp4"
    other.write_bytes(clip.read_bytes())
    (tmp_path / "out" / "clip.mp4").mkdir(parents=True)  # a folder is in the way
    assert main(["track", str(clip), str(other), "--out", str(tmp_path / "out"), "--overwrite"]) == 1
    assert "clip.mp4" in complaint(capsys)
    assert len(read_jsonl(tmp_path / "out" / "other.jsonl").tracks) == 12


def test_a_video_cut_off_half_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = tmp_path / "long.mp4"
    media.write_video(whole, media.numbered(60), container={"movflags": "faststart"})
    half = media.cut(whole, 0.6)
    assert main(["track", str(half), "--out", str(tmp_path / "out")]) == 1
    assert "lost" in complaint(capsys)
    tracked = read_jsonl(tmp_path / "out" / f"{half.stem}.jsonl").tracks
    assert 5 < len(tracked) < 60
    with open_video(tmp_path / "out" / half.name) as video:
        assert [media.number_of(frame.image) for frame in video] == list(range(len(tracked)))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--preset", "best"], "unknown preset 'best': choose one of light, realtime, paper"),
        (["--preset", "paper"], "posetrack fetch"),
        (["--device", "cuda"], "use --device cpu"),
        (["--batch-size", "0"], "--batch-size 0"),
        (["--boxes", "none.json"], "none.json"),
        (["--colour", "red"], "--colour"),
    ],
    ids=lambda v: v[0] if isinstance(v, list) else "",
)
def test_wrong_requests(
    words: list[str], said: str, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("POSETRACK_HOME", str(tmp_path / "weights"))
    assert main(["track", str(clip), "--out", str(tmp_path / "out"), *words]) == 2
    assert said in complaint(capsys)


def test_results_are_not_replaced_unasked(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "clip.jsonl").write_text("mine")
    assert main(["track", str(clip), "--out", str(out)]) == 2
    assert "--overwrite" in complaint(capsys)
    assert (out / "clip.jsonl").read_text() == "mine"
    assert not (out / "clip.mp4").exists()
    assert main(["track", str(clip), "--out", str(out), "--overwrite"]) == 0
    assert len(read_jsonl(out / "clip.jsonl").tracks) == 12


def test_the_source_is_never_replaced(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = clip.read_bytes()
    assert main(["track", str(clip), "--out", str(tmp_path), "--overwrite"]) == 2
    assert "this very file" in complaint(capsys)
    assert clip.read_bytes() == before


def test_two_inputs_of_one_name(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "b" / "clip.mp4"
    other.parent.mkdir()
    other.write_bytes(clip.read_bytes())
    assert main(["track", str(clip), str(other), "--out", str(tmp_path / "out")]) == 2
    assert "clip.jsonl" in complaint(capsys)


@pytest.mark.parametrize(
    ("inputs", "clash"),
    [
        (["a.v1", "a.v2"], None),
        (["a.v1/*.png", "a.v2/*.png"], None),
        (["a.v1", "b/a.v1/*.png"], "a.v1"),
        (["a.v1", "http://127.0.0.1:9/a.v1.mp4?x=b/c"], "a.v1"),
    ],
    ids=["folders with dots", "globs", "a folder and a glob", "a folder and an address"],
)
def test_which_inputs_would_write_the_same_files(
    inputs: list[str], clash: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    for folder in ("a.v1", "a.v2", "b/a.v1"):
        Path(folder).mkdir(parents=True)
        cv2.imwrite(f"{folder}/0.png", media.picture(1))
    code = main(["track", *inputs, "--out", "out", "--no-video", "--overwrite"])
    if clash:
        assert code == 2
        assert f"would both write {clash}.jsonl" in complaint(capsys)
        assert not Path("out").exists()
    else:
        assert code == 0
        assert sorted(p.name for p in Path("out").iterdir()) == ["a.v1.jsonl", "a.v2.jsonl"]


def test_an_unwritable_folder(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["track", str(clip), "--out", str(tmp_path / "file" / "out")]) == 2
    assert "cannot make the folder" in complaint(capsys)


def test_files_in_place_of_the_presets_parts_are_used_and_named(clip: Path, tmp_path: Path) -> None:
    width, height = media.SIZE
    boxes = [
        {"frame": i, "bbox": [2, 2, width - 4, height - 4], "score": 0.9, "category_id": 1} for i in range(6)
    ]
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    words = ["track", str(clip), "--out", str(tmp_path / "out"), "--boxes", str(tmp_path / "boxes.json")]
    own = tmp_path / "mine.safetensors"
    own.write_bytes(zoo.bundled("light_pose").read_bytes())
    assert main([*words, "--weights", str(own)]) == 0
    file = read_jsonl(tmp_path / "out" / "clip.jsonl")
    assert file.header.models == {
        "detector": "boxes.json", "pose": "mine.safetensors", "flow": "lucas_kanade", "tracker": "flow"
    }  # fmt: skip
    found = [len(t) for t in file.tracks]
    assert (
        max(found) <= 1
    )  # nobody but where the file says; whether a pose is worth a track is the preset's call


def test_boxes_of_another_video_are_noticed(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "boxes.json").write_text(
        json.dumps([{"frame_index": 12, "bbox": [1, 1, 9, 9], "score": 0.9}])
    )
    words = ["track", str(clip), "--out", str(tmp_path / "out"), "--boxes", str(tmp_path / "boxes.json")]
    assert main([*words, "--no-video"]) == 1
    assert "boxes.json has no box for any of the 12 frames" in complaint(capsys)
    assert len(list(read_jsonl(tmp_path / "out" / "clip.jsonl").tracks)) == 12


def test_bench_knows_at_once_where_it_cannot_write(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["bench", "--json", str(tmp_path / "file" / "bench.json")]) == 2
    said = capsys.readouterr()
    assert "cannot make the folder" in said.err
    assert said.out == ""  # nothing was measured


def test_plots_go_into_an_empty_folder_but_not_over_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plots, missing = tmp_path / "drawings", str(tmp_path / "missing")
    plots.mkdir()
    words = ["eval", "--gt", missing, "--pred", missing, "--plot", str(plots)]
    assert main(words) == 2
    assert f"{missing}: no such folder" in complaint(capsys)  # and nothing about the plots
    (plots / "joints.png").write_text("mine")
    assert main(words) == 2
    assert f"{plots} exists already" in complaint(capsys)


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    words = [sys.executable, "-m", "posetrack.cli", "fetch", "light"]
    done = subprocess.run(words, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_video_of_another_size_is_not_drawn_over(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["track", str(clip), "--out", str(tmp_path / "out"), "--no-video"])
    other = tmp_path / "other.mp4"
    media.write_video(other, media.numbered(3, (64, 48)))
    capsys.readouterr()
    words = ["render", str(tmp_path / "out" / "clip.jsonl"), str(other), "--out", str(tmp_path / "x.mp4")]
    assert main(words) == 2
    assert "64x48" in complaint(capsys)


@pytest.mark.parametrize(
    ("sent", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)],
    ids=["Ctrl-C", "SIGTERM", "SIGKILL"],
)
def test_a_run_that_is_stopped_leaves_what_it_did(sent: signal.Signals, code: int, tmp_path: Path) -> None:
    source = tmp_path / "long.mp4"
    media.write_video(source, (media.picture(n % 256) for n in range(3000)))
    lines = tmp_path / "out" / "long.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-m", "posetrack.cli", "track", str(source), "--out", str(tmp_path / "out")],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    wait_until(
        lambda: lines.exists() and lines.read_bytes().count(b"\n") >= 60, lambda: process.poll() is None
    )
    process.send_signal(sent)
    _, said = process.communicate()
    assert process.returncode == code
    assert unfinished(lines) == [".jsonl", ".mp4"]
    tracked = read_jsonl(lines).tracks
    assert 50 <= len(tracked) < 3000
    with open_video(tmp_path / "out" / "long.mp4") as video:
        shown = [media.number_of(frame.image) for frame in video]
    assert shown == [n % 256 for n in range(len(shown))]
    assert len(shown) > 20
    if sent != signal.SIGKILL:
        assert "interrupted" in said
        assert "Traceback" not in said
        assert len(tracked) - len(shown) in (0, 1)  # it may come between a line and its picture
