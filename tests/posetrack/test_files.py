"""Files are there whole or not at all."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from posetrack.errors import InputError, PoseTrackError
from posetrack.files import locked, replacing


def write(path: Path, text: str, *, interrupt: bool = False) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text)
        if interrupt:
            raise KeyboardInterrupt


def test_what_fails_half_way_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.json"
    write(path, "old")
    with pytest.raises(KeyboardInterrupt):
        write(path, "half of the new", interrupt=True)
    assert path.read_text() == "old"
    assert [p.name for p in path.parent.iterdir()] == ["a.json"]
    write(path, "new")
    assert path.read_text() == "new"


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PoseTrackError, match=r"file/a\.json: cannot be written: "):
        write(tmp_path / "file" / "a.json", "")


HOLD = """
import sys
from posetrack.files import locked
with locked(sys.argv[1]):
    print("mine", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("end", ["leaves", "is killed"])
def test_one_run_at_a_time(end: str, tmp_path: Path) -> None:
    """Another process is refused in one line, until the first lets go, by whatever end."""
    path = tmp_path / "out" / "a.mp4"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "mine\n"
    line = rf"^another run is writing {path}: wait for it, or choose another folder by --out$"
    with pytest.raises(InputError, match=line), locked(path):
        pass
    with locked(tmp_path / "out" / "b.mp4"):  # others are free
        pass
    if end == "is killed":
        holder.kill()
    holder.communicate("")
    with locked(path):
        assert [p.name for p in path.parent.iterdir()] == [".a.mp4.lock"]
    assert list(path.parent.iterdir()) == []


def test_a_lock_that_was_removed_by_its_owner_is_nobodys(tmp_path: Path) -> None:
    """Many at once, again and again: never two inside."""
    path, inside, most = tmp_path / "a", [0], [0]

    def run() -> None:
        done = 0
        while done < 20:
            try:
                with locked(path):
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                    inside[0] -= 1
                done += 1
            except InputError:
                pass

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_locked_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PoseTrackError, match=r"^cannot write .*file/a: .+; choose another folder$"):
        locked(tmp_path / "file" / "a").__enter__()


def test_names_as_long_as_they_may_be(tmp_path: Path) -> None:
    path = tmp_path / ("二" * 85)
    write(path, "new")
    with locked(path):
        assert path.read_text() == "new"
