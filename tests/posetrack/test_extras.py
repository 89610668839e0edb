"""A core install: what needs more says in one line which extra brings it."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from posetrack.extras import EXTRAS, advice
from scripts import media

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NAMES = {"pythonosc": "python-osc"}  # packages whose module has another name

# The command line with modules that cannot be imported.
BLOCKED = """
import sys
for name in {missing}:
    sys.modules.pop(name, None)
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {missing}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
from posetrack.cli import main
sys.exit(main({words}))
"""


def run(words: list[str], missing: list[str]) -> subprocess.CompletedProcess[str]:
    code = BLOCKED.format(missing=missing, words=words)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("module", [module for module in EXTRAS if module != "loguru"])  # comes with ptlflow
def test_every_module_is_in_the_extra_that_is_named(module: str) -> None:
    wanted = PROJECT["optional-dependencies"][EXTRAS[module]]
    assert any(re.match(rf"{NAMES.get(module, module)}\b", line) for line in wanted)


def test_every_extra_is_in_all_and_in_the_full_set() -> None:
    extras = dict(PROJECT["optional-dependencies"])
    (everything,) = extras.pop("all")
    assert set(re.findall(r"\w+", everything)) - {"posetrack"} == set(extras)
    full = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    asked = [*PROJECT["dependencies"], *(line for lines in extras.values() for line in lines)]
    assert set(full) - set(asked) == {"motmetrics>=1.4,<2"}  # the tests' reference
    assert set(asked) <= set(full)


def test_what_no_extra_brings_is_a_fault_of_another_kind() -> None:
    assert advice(ModuleNotFoundError("No module named 'numpy'", name="numpy")) is None
    assert advice(ModuleNotFoundError("of unknown name")) is None


def test_a_missing_extra_is_one_line(tmp_path: Path) -> None:
    media.write_video(tmp_path / "clip.mp4", media.numbered(2))
    tracked = run(["track", str(tmp_path / "clip.mp4"), "--out", str(tmp_path / "a")], sorted(EXTRAS))
    assert tracked.returncode == 0, tracked.stderr  # the core tracks
    made = str(tmp_path / "clip.parquet")
    export = run(
        ["export", str(tmp_path / "a" / "clip.jsonl"), "--to", "parquet", "--out", made], ["pyarrow"]
    )
    assert export.returncode == 2
    assert export.stderr.splitlines() == [
        "posetrack: this needs the package pyarrow: pip install 'posetrack[parquet]'"
    ]
    page = run(["live", "--serve", "--port", "0"], ["uvicorn"])
    assert page.returncode == 2
    assert page.stderr.splitlines() == [
        "posetrack: this needs the package uvicorn: pip install 'posetrack[live]'"
    ]
