"""The README's commands exist as it writes them, and its Python runs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from posetrack import __version__
from posetrack.cli import COMMANDS
from posetrack.commands.flags import parse
from tests.posetrack import media

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)
SHELL = [line.split("  #")[0].strip() for kind, block in BLOCKS if not kind for line in block.splitlines()]


@pytest.mark.parametrize("line", [line for line in SHELL if line.startswith("posetrack ")])
def test_commands_parse(line: str) -> None:
    command, _ = parse("posetrack", "", __version__, COMMANDS, shlex.split(line)[1:])
    assert command in COMMANDS.values()


@pytest.mark.parametrize("line", [line for line in SHELL if line.startswith("python ")])
def test_scripts_know_their_options(line: str) -> None:
    script, *words = shlex.split(line)[1:]
    text = (ROOT / script).read_text()
    for word in words:
        assert not word.startswith("--") or f'"{word}"' in text, word
    if "--recipe" in words:
        from posetrack.training.recipes import RECIPES

        assert words[words.index("--recipe") + 1] in RECIPES


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = [line.split()[1] for line in SHELL if line.startswith("make ")]
    assert {"demo", "test"} <= set(targets)
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_python_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = [block for kind, block in BLOCKS if kind == "python"]
    media.write_video(tmp_path / "clip.mp4", media.numbered(3))
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_files_that_it_names_are_there() -> None:
    for name in re.findall(r"`([\w/]+\.(?:py|md))`|\]\(([\w/]+\.(?:jpg|png|md))\)", README):
        assert (ROOT / (name[0] or name[1])).is_file(), name
