"""What a shell can name: whatever the system refuses is one line, and no source is written over."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from posetrack.cli import main
from posetrack.commands.options import complain, complain_of
from posetrack.commands.streams import safe_streams
from posetrack.errors import InputError
from posetrack.results.jsonl import Header, JsonlWriter
from posetrack.skeletons import COCO17
from posetrack.types import Tracks
from scripts import media

COMMANDS = {
    "export from": "export {} --to csv --out out",
    "export to": "export clip.jsonl --to csv --out {}",
    "render from": "render {} clip.mp4 --out out",
    "render to": "render clip.jsonl clip.mp4 --out {}",
    "track to": "track clip.mp4 --out {}",
    "weights": "track clip.mp4 --weights {} --out out",
    "manifest": "track --manifest {} --out out",
    "truth": "eval --gt {} --pred .",
    "numbers": "eval --gt . --pred . --json {}",
    "convert from": "convert {} out",
    "convert to": "convert clip.jsonl {}",
    "data": "detect {} --out out",
    "detections": "detect . --out {}",
    "speed": "bench --json {}",
    "preset": "track clip.mp4 --out out --preset {}",
    "size": "track clip.mp4 --out out --batch-size {}",
    "command": "{}",
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with clip.mp4 of three frames and clip.jsonl."""
    monkeypatch.chdir(tmp_path)
    media.write_video(tmp_path / "clip.mp4", media.numbered(3))
    with JsonlWriter(
        tmp_path / "clip.jsonl", Header("clip.mp4", *media.SIZE, 25.0, COCO17, "light")
    ) as lines:
        for n in range(3):
            lines.write(Tracks.empty(COCO17, n, n / 25, media.SIZE))
    return tmp_path


def complaint(capsys: pytest.CaptureFixture[str]) -> str:
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("posetrack: ")]
    assert len(lines) == 1, lines
    return lines[0]


@pytest.mark.parametrize("name", ["a\0b", "n" * 300], ids=["null", "300"])
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_names_that_no_file_can_have(
    command: str, name: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([word.format(name) for word in command.split()]) == 2
    line = complaint(capsys)
    assert len(line) < 600
    assert "n" * 201 not in line


def test_long_names_are_cut_in_messages(capsys: pytest.CaptureFixture[str]) -> None:
    complain(f"the file {'n' * 201} and\nthe next")
    assert complaint(capsys) == f"posetrack: the file {'n' * 200}... and the next"


@pytest.mark.parametrize("command", ["export clip.jsonl --to csv", "render clip.jsonl clip.mp4"])
@pytest.mark.parametrize("name", ["link", "twin", "folder/../{}", "./{}"])
@pytest.mark.parametrize("source", ["clip.jsonl", "clip.mp4"])
def test_no_spelling_of_a_source_is_written_over(
    source: str, name: str, command: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if command.startswith("export") and source == "clip.mp4":
        pytest.skip("no source of an export")
    before = (here / source).read_bytes()
    (here / "folder").mkdir()
    (here / "link").symlink_to(source)
    (here / "twin").hardlink_to(here / source)
    assert main([*command.split(), "--out", name.format(source), "--overwrite"]) == 2
    assert "is the input itself: choose another name" in complaint(capsys)
    assert (here / source).read_bytes() == before


def test_no_picture_of_a_folder_is_drawn_over(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "in").mkdir()
    for n in range(3):
        cv2.imwrite(f"in/{n}.png", media.picture(n))
    first = here / "in" / "0.png"
    before = first.read_bytes()
    assert main(["render", "clip.jsonl", "in", "--out", str(first), "--overwrite"]) == 2
    assert "is the input itself" in complaint(capsys)
    assert first.read_bytes() == before


def test_what_a_link_points_to_is_replaced(here: Path) -> None:
    (here / "link.csv").symlink_to("real.csv")
    (here / "link.mp4").symlink_to("real.mp4")
    assert main(["export", "clip.jsonl", "--to", "csv", "--out", "link.csv"]) == 0
    assert main(["render", "clip.jsonl", "clip.mp4", "--out", "link.mp4"]) == 0
    assert (here / "link.csv").is_symlink()
    assert (here / "link.mp4").is_symlink()
    assert (here / "real.csv").read_text().startswith("frame")
    assert media.stored_times(here / "real.mp4") == media.stored_times(here / "clip.mp4")


@pytest.mark.parametrize("place", ["/dev/null", "/dev/stdout", "pipe"])
def test_devices_and_pipes_are_never_replaced(
    place: str, here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(here / "pipe")
    if place == "/dev/stdout" and Path(place).is_file():
        pytest.skip("standard output is a file here")
    for command in ("export clip.jsonl --to csv", "render clip.jsonl clip.mp4"):
        assert main([*command.split(), "--out", place, "--overwrite"]) == 2
        assert f"{place} is a device or a pipe: name a file" in complaint(capfd)
    assert not Path(place).is_file()


@pytest.mark.parametrize("old", [None, b"old"])
def test_a_rendering_that_fails_leaves_no_clip(
    old: bytes | None, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The next one need not overwrite anything, and what was there before still is."""
    words = ["render", "clip.jsonl", "clip.mp4", "--out", "out/a.mp4", *(["--overwrite"] if old else [])]
    (here / "out").mkdir()
    if old:
        (here / "out" / "a.mp4").write_bytes(old)
    with monkeypatch.context() as broken:
        from posetrack.commands import render

        def fails(*_: object) -> None:
            raise InputError("it broke off")

        broken.setattr(render, "refuse_no_frames", fails)
        assert main(words) == 2
    assert "it broke off" in complaint(capsys)
    assert [path.read_bytes() for path in (here / "out").iterdir()] == ([old] if old else [])
    assert main(words) == 0
    assert media.stored_times(here / "out" / "a.mp4") == media.stored_times(here / "clip.mp4")


def test_a_traceback_with_a_name_that_is_no_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "a.error.log"
    with safe_streams():
        assert complain_of(ZeroDivisionError("\udcff"), "a\udcff.mp4", log)
    assert "its traceback is in" in complaint(capsys)
    assert "ZeroDivisionError: \\udcff" in log.read_text()


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs another user")
def test_folders_without_rights(here: Path) -> None:
    """Root may go everywhere: another user asks."""
    (here / "shut").mkdir(mode=0o700)
    for folder in (here, *here.parents):
        folder.chmod(folder.stat().st_mode | 0o011)
    words = [
        COMMANDS[c].format("shut/file").split() for c in ("export from", "export to", "weights", "numbers")
    ]
    code = f"from posetrack.cli import main\nfor words in {words}: print(main(words))"
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "HOME": "/nonexistent"},
        check=False,
    )
    assert done.stdout.split() == ["2"] * len(words), done.stderr
    said = done.stderr.splitlines()
    assert ["ermission denied" in line for line in said] == [True] * len(words), said


SIGNALLED = """
import os, signal, sys
from posetrack import cli

def command() -> int:
    try:
        os.kill(os.getpid(), signal.{sent})
    finally:
        if "{sent}" != "SIGINT":
            os.kill(os.getpid(), signal.{sent})  # a second time, while files are finished
    return 0

signal.signal(signal.{sent}, signal.{before})
cli.COMMANDS["status"] = command
sys.argv = ["posetrack", "status"]
sys.exit(cli.main())
"""


@pytest.mark.parametrize(
    ("sent", "before", "code"),
    [
        ("SIGINT", "default_int_handler", 130),
        ("SIGTERM", "SIG_DFL", 143),
        ("SIGHUP", "SIG_DFL", 129),
        ("SIGHUP", "SIG_IGN", 0),  # nohup
    ],
)
def test_signals_end_a_command_with_their_own_code(sent: str, before: str, code: int) -> None:
    words = [sys.executable, "-c", SIGNALLED.format(sent=sent, before=before)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    said = "posetrack: interrupted: what was finished is kept\n" if code else ""
    assert (done.returncode, done.stderr) == (code, said)
