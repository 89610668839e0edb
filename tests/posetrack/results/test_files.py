"""Files are there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from posetrack.errors import PoseTrackError
from posetrack.results.files import replacing, write_json


def interrupt(path: Path) -> None:
    with replacing(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt


def test_what_fails_half_way_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"old": 1})
    with pytest.raises(ValueError, match="Out of range float"):
        write_json(path, {"new": float("nan")})
    with pytest.raises(KeyboardInterrupt):
        interrupt(path)
    assert path.read_text() == '{\n  "old": 1\n}\n'
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PoseTrackError, match=r"file/a\.json: cannot be written: "):
        write_json(tmp_path / "file" / "a.json", 1)
