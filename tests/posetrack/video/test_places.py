"""Pipes, devices, strange names and places without rights: read, or refused in one line."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from posetrack.errors import InputError
from posetrack.video import expand_sources, open_video, output_stem, pipe
from scripts.media import number_of, numbered, sound_packets, write_video
from tests.posetrack.video.test_writer import copy

COUNT = """
import sys
from posetrack.video import open_video
with open_video(sys.argv[1]) as video:
    print(video.name, video.stem, len(list(video)), video.warnings)
    print(video.path, file=sys.stderr)
"""


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_video(tmp_path / "clip.mp4", numbered(10), sound=True)


def fill(fifo: Path, data: bytes) -> threading.Thread:
    thread = threading.Thread(target=lambda: fifo.write_bytes(data))
    thread.start()
    return thread


def test_a_named_pipe_is_read_with_its_sound(clip: Path, tmp_path: Path) -> None:
    """An MP4 with its index at the end cannot be read as it comes: it is kept until it is whole."""
    fifo = tmp_path / "camera.mp4"
    os.mkfifo(fifo)
    thread = fill(fifo, clip.read_bytes())
    with open_video(fifo) as video:
        assert [number_of(f.image) for f in video] == list(range(10))
        assert (video.name, video.stem, video.warnings) == ("camera.mp4", "camera", [])
        kept = video.path
        assert kept is not None
        assert kept.exists()
    thread.join()
    assert not kept.exists()
    thread = fill(fifo, clip.read_bytes())
    writer = copy(fifo, tmp_path / "out.mp4")
    thread.join()
    assert sound_packets(writer.path) == sound_packets(clip)


@pytest.mark.parametrize("name", ["-", "/dev/stdin"])
def test_standard_input(name: str, clip: Path) -> None:
    for given in ({"input": clip.read_bytes()}, {"stdin": clip.open("rb")}):
        done = subprocess.run([sys.executable, "-c", COUNT, name], capture_output=True, **given)  # type: ignore[call-overload]
        assert done.stdout.decode() == "stdin stdin 10 []\n", done.stderr
        assert not Path(done.stderr.decode().strip()).exists()
    assert output_stem(name) == "stdin"


def test_what_a_shell_puts_for_a_command(clip: Path) -> None:
    command = f'"{sys.executable}" -c "$0" <(cat "{clip}")'
    done = subprocess.run(["bash", "-c", command, COUNT], capture_output=True, text=True)
    assert done.stdout.endswith(" 10 []\n"), done.stderr


def test_a_pipe_that_nobody_fills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipe, "_PATIENCE", 0.1)
    os.mkfifo(tmp_path / "silent")
    with pytest.raises(InputError, match=r"^nothing came through .*silent in 0\.1 s; name a file, or write"):
        open_video(tmp_path / "silent")
    thread = fill(tmp_path / "silent", b"")
    monkeypatch.undo()
    with pytest.raises(InputError, match=r"^nothing came through .*silent; name a file, or write a video"):
        open_video(tmp_path / "silent")
    thread.join()


def test_standard_input_that_is_closed() -> None:
    done = subprocess.run(["bash", "-c", f'"{sys.executable}" -c "$0" - <&-', COUNT], capture_output=True)
    assert b"InputError: standard input is closed; name a file, or pipe a video into it" in done.stderr


@pytest.mark.parametrize("device", ["/dev/null", "/dev/zero", "/dev/tty", "/dev/full"])
def test_devices_are_no_videos(device: str) -> None:
    with pytest.raises(InputError, match=rf"^{device} is a device, not a video; name a file, a folder or"):
        open_video(device)


@pytest.mark.parametrize(
    "name",
    [
        b"\xe9t\xe9.mp4",
        b"\xff\xfe\x80.mp4",
        "二".encode() * 83 + b".mp4",
        b"x" * 251 + b".mp4",
        b"a\nb\x1b[31m.mp4",
    ],
    ids=["latin-1", "no text", "CJK of 253 bytes", "255 bytes", "control characters"],
)
def test_names(name: bytes, clip: Path, tmp_path: Path) -> None:
    """Outputs can be named after every name, and every name can be shown."""
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    clip.rename(path)
    video = open_video(path)
    assert len(list(video)) == 10
    assert video.name.isprintable()
    video.name.encode("utf-8")
    assert video.stem == output_stem(str(path))
    for ending in (".mp4", ".jsonl", ".error.log"):
        (tmp_path / f".{video.stem}{ending}.4194304.part").touch()
    writer = copy(path, tmp_path / "out" / f"{video.stem}.mp4")
    assert sound_packets(writer.path) == sound_packets(path)
    assert expand_sources([str(path)]) == [str(path)]


def test_a_long_stem_ends_between_characters(tmp_path: Path) -> None:
    stem = output_stem(str(tmp_path / ("a" + "二" * 84 + ".mp4")))
    assert stem == "a" + "二" * 74  # 223 bytes; a 75th would end at 226


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("x" * 300 + ".mp4", rf"no such file or folder: {'x' * 200}\.\.\.; check the path"),
        ("a\0b.mp4", r"the name a\\x00b\.mp4 holds a null character; check it"),
        ("file:///tmp/a%00b.mp4", r"the name file:///tmp/a%00b\.mp4 holds a null character; check it"),
        ("http://host/a%00b.mp4", r"the name http://host/a%00b\.mp4 holds a null character; check it"),
        ("http://[::1", r"http://\[::1 is no address \(Invalid IPv6 URL\); check it"),
        ("http://[::1/*.mp4", r"http://\[::1/\*\.mp4 is no address \(Invalid IPv6 URL\); check it"),
        (
            "[" * 300 + "*.png",
            rf"nothing matches {chr(92)}[{'.' * 199}\.\.\.; check the path and the pattern",
        ),
        ("nosuch://x", r"cannot open x: Protocol not found; check the address and the network"),
        ("/dev/null/clip.mp4", r"no such file or folder: /dev/null/clip\.mp4; check the path"),
    ],
)
def test_names_that_are_none(name: str, message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}$"):
        open_video(name)
    assert expand_sources([name]) == [name]
    assert output_stem(name)


def test_folders_without_rights(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As somebody who may not look; root may, so the system's answer is put in its place."""

    def refuse(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(InputError, match=r"^cannot look at .*clip\.mp4: permission denied; check the rights"):
        open_video(clip)
