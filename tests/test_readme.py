"""The README's commands exist as it writes them, and its Python runs."""

from __future__ import annotations

import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest

from posetrack import __version__
from posetrack.cli import COMMANDS
from posetrack.commands.flags import parse
from scripts import media

ROOT = Path(__file__).parents[1]
CARD = ROOT / "posetrack" / "zoo" / "MODEL_CARD.md"
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


DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md")), CARD]
TEXTS = {path.name: path.read_text() for path in DOCUMENTS}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_and_files_of_documents_are_there(document: Path) -> None:
    text = document.read_text()
    for link in re.findall(r"\]\((?!http)([^)#]+)\)", text):
        assert (document.parent / link).exists(), link
    past = document.name == "light_history.md"  # it names what is in the commits of then
    for name in (
        [] if past else re.findall(r"`((?:posetrack|scripts|docs|flow|trackers)/[\w/]+\.(?:py|md))`", text)
    ):
        assert (ROOT / name).is_file(), name


@pytest.mark.parametrize("document", TEXTS, ids=str)
def test_scripts_that_documents_name_take_these_words(document: str) -> None:
    for name, words in re.findall(r"python -m scripts\.(\w+)([^`\n]*)", TEXTS[document]):
        assert (ROOT / "scripts" / f"{name}.py").is_file() or (ROOT / "scripts" / name).is_dir(), name
        if name in ("render", "report", "association") and "--" in words:
            module = import_module(f"scripts.{name}.__main__")
            commands = getattr(module, "COMMANDS", None) or {"report": module.report}
            line = words.split(" #")[0] if name != "report" else f"report {words.split(' #')[0]}"
            parse(name, "", __version__, commands, shlex.split(line))
