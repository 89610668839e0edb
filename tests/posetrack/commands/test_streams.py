"""What a shell may do to standard output: the command still does its work, and says what it could not say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from posetrack.errors import PoseTrackError
from posetrack.results.jsonl import Header, JsonlWriter
from posetrack.skeletons import COCO17
from posetrack.types import Tracks
from posetrack.zoo.download import home

FULL = (
    "posetrack: standard output cannot be written: No space left on device; the results in files are whole\n"
)


@pytest.fixture
def tracks(tmp_path: Path) -> Path:
    path = tmp_path / "clip.jsonl"
    with JsonlWriter(path, Header("clip.mp4", 96, 64, 25.0, COCO17, "light")) as lines:
        lines.write(Tracks.empty(COCO17, 0, 0.0, (96, 64)))
    return path


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [
        ("> /dev/full", 1, FULL),
        (">&-", 0, ""),
        ("2>&-", 0, ""),
        ("<&- >&- 2>&-", 0, ""),
        ("| head -c 0", 0, ""),
        ("> words", 0, ""),
    ],
)
def test_the_file_is_written_whatever_becomes_of_the_words(
    end: str, code: int, said: str, tracks: Path, tmp_path: Path
) -> None:
    out = tmp_path / "ü.csv"
    command = f'"{sys.executable}" -m posetrack export "{tracks}" --to csv --out "{out}" {end}'
    done = subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert (done.returncode, done.stderr) == (code, said)
    assert out.read_text().startswith("frame")


def test_names_that_cannot_be_printed(tracks: Path, tmp_path: Path) -> None:
    out = os.fsencode(tmp_path) + b"/\xff.csv"
    words = [sys.executable, "-m", "posetrack", "export", tracks, "--to", "csv", "--out", out]
    done = subprocess.run(words, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"/\\udcff.csv: 0 poses of 1 frames" in done.stdout


@pytest.mark.parametrize("chosen", ["~nobody-of-that-name", None])
def test_no_home(chosen: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if chosen is None:
        monkeypatch.delenv("POSETRACK_HOME", raising=False)
        monkeypatch.setattr(Path, "home", classmethod(nobody))
    else:
        monkeypatch.setenv("POSETRACK_HOME", chosen)
    with pytest.raises(PoseTrackError, match=r"^there is no such home folder: .*; set POSETRACK_HOME to a"):
        home()
