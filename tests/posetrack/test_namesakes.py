"""Another package of the name `trackers` or `flow`, as PyPI has them, is named in one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*words: str, first: Path) -> subprocess.CompletedProcess[str]:
    """Python with a folder that comes before the project's on its path."""
    path = os.pathsep.join([str(first), str(ROOT)])
    return subprocess.run(
        [sys.executable, *words],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        cwd=first,
    )


@pytest.mark.parametrize("name", ["trackers", "flow"])
def test_a_namesake_that_comes_first_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    other = tmp_path / name / "__init__.py"
    other.write_text("class SORTTracker: ...\n")
    command = run("-m", "posetrack", "export", "a.jsonl", "--to", "csv", "--out", "a.csv", first=tmp_path)
    assert command.returncode == 2
    (line,) = command.stderr.splitlines()
    assert f"the package '{name}' is {other.resolve()}, not posetrack's own" in line
    assert f"uninstall '{name}'" in line
    script = run("-c", "import posetrack; posetrack.load('light')", first=tmp_path)
    assert script.stderr.splitlines()[-1].startswith("posetrack.errors.PoseTrackError: the package")


def test_a_namesake_that_overwrote_ours_is_named(tmp_path: Path) -> None:
    """pip does not refuse two packages with one folder: the later one's files lie among ours."""
    for name in ("posetrack", "flow"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "trackers").mkdir()
    (tmp_path / "trackers" / "__init__.py").write_text("class SORTTracker: ...\n")
    code = (
        "from pathlib import Path; import posetrack.namesakes as n; n.__file__ = {!r}; n.refuse_namesakes()"
    )
    script = run("-c", code.format(str(tmp_path / "posetrack" / "namesakes.py")), first=tmp_path)
    assert "the package 'trackers' is" in script.stderr.splitlines()[-1]


def test_ours_are_taken_as_ours(tmp_path: Path) -> None:
    script = run("-c", "from posetrack.namesakes import refuse_namesakes; refuse_namesakes()", first=tmp_path)
    assert (script.returncode, script.stderr) == (0, "")
