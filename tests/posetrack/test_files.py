"""Files are there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from posetrack.errors import PoseTrackError
from posetrack.files import replacing


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
