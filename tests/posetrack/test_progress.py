"""What a person sees in the terminal while a run goes on."""

from __future__ import annotations

import sys
from io import StringIO

import pytest

from posetrack.progress import progress


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("total", "count"), [(10, "3/10 frames"), (None, "3 frames")])
def test_the_bar_shows_names_as_they_are_and_no_unknown_total(
    total: int | None, count: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", screen := Terminal())
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "xterm")
    with progress("clip [red][/x].mp4", total) as report:
        report(3, 2)
    assert "clip [red][/x].mp4" in screen.getvalue()
    assert f" {count} " in screen.getvalue()
    assert "2 people" in screen.getvalue()
