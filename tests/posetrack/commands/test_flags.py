"""A function's signature becomes its flags."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

import pytest

from posetrack.commands.flags import parse
from posetrack.errors import PoseTrackError


def paint(
    walls: Annotated[list[str], "what to paint"],
    *,
    colour: Annotated[Literal["red", "blue"], "of the paint"],
    coats: Annotated[int, "how often"] = 2,
    litres: Annotated[float | None, "of paint"] = None,
    out: Annotated[Path | None, "picture of it, 100 % optional"] = None,
    primer: Annotated[bool, "a layer below"] = True,
    wet: Annotated[bool, "leave it wet"] = False,
) -> int:
    """Paint walls."""
    return 0


def sand(wall: Annotated[str, "one wall"] = "north") -> int:
    """Sand a wall."""
    return 0


def run(*words: str) -> dict[str, object]:
    _, values = parse("house", "A house.", "1.0", {"paint": paint, "sand": sand}, words)
    return values


def test_every_kind_of_parameter() -> None:
    assert run("paint", "a", "b", "--colour", "red") == {
        "walls": ["a", "b"], "colour": "red", "coats": 2, "litres": None,
        "out": None, "primer": True, "wet": False
    }  # fmt: skip
    values = run("paint", "a", "--colour=blue", "--coats", "3", "--out", "x.png", "--no-primer", "--wet")
    assert values["out"] == Path("x.png")
    assert (values["coats"], values["primer"], values["wet"]) == (3, False, True)
    assert run("sand") == {"wall": "north"}
    assert run("sand", "south") == {"wall": "south"}


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["paint", "a"], "--colour"),
        (["paint", "--colour", "red"], "WALLS"),
        (["paint", "a", "--colour", "green"], "invalid choice: 'green'"),
        (["paint", "a", "--colour", "red", "--coats", "many"], "invalid int value: 'many'"),
        (["paint", "a", "--colour", "red", "--litres", "nan"], "invalid float value: 'nan'"),
        (["paint", "a", "--colour", "red", "--gloss"], "--gloss"),
        (["demolish"], "demolish"),
        (["paint", "a", "--color", "red"], "unknown flag --color: did you mean --colour?"),
        (["paint", "--fast"], "unknown flag --fast"),  # and not that WALLS is missing
    ],
)
def test_wrong_words_are_one_error(words: list[str], complaint: str) -> None:
    with pytest.raises(PoseTrackError, match=re.escape(complaint)) as caught:
        run(*words)
    assert "\n" not in str(caught.value)


def test_no_words_at_all_are_answered_with_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        run()
    assert left.value.code == 0
    assert "paint" in capsys.readouterr().out


def test_help_shows_texts_and_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        run("paint", "--help")
    assert left.value.code == 0
    shown = capsys.readouterr().out
    for text in ("Paint walls.", "what to paint", "how often (default: 2)", "100 % optional", "--no-primer"):
        assert text in shown
