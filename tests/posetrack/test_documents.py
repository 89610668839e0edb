"""What messages show of a document: short, in one line, and nothing that a terminal would obey."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from posetrack.documents import place, read_bytes, read_json, shortened, shown
from posetrack.errors import InputError
from posetrack.video import pipe


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\n\x1b[31mb", "'a\\n\\x1b[31mb'"),
        ("x" * 200, "'" + "x" * 76 + "..."),
        (10**5000, "a whole number of thousands of digits"),
        ([10**5000], "a whole number of thousands of digits"),
        (1.5, "1.5"),
    ],
    ids=["escapes", "long", "digits", "digits in a list", "number"],
)
def test_a_value(value: object, text: str) -> None:
    assert shown(value) == text


def test_a_name_and_a_place() -> None:
    assert shortened("clip\n\x1b[31m.jpg") == "clip??[31m.jpg"
    assert len(shortened("x" * 200)) == 80
    assert place(("people", 0, "box", 2)) == "people[0].box[2]"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"[" * 100_000, "not JSON: recursion limit exceeded at line 1 column 202"),
        (b'{"a": "\\ud800"}', "not JSON: unexpected end of hex escape"),
        (b"\xff", "not JSON: expected value"),
        (b"", "not JSON: EOF"),
    ],
)
def test_files_that_are_no_json(content: bytes, why: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(InputError, match=why):
        read_json(tmp_path / "a.json")


def test_documents_through_a_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fifo = tmp_path / "a.json"
    os.mkfifo(fifo)
    thread = threading.Thread(target=fifo.write_bytes, args=(b"[1, 2]",))
    thread.start()
    assert read_json(fifo) == [1, 2]
    thread.join()
    monkeypatch.setattr(pipe, "_PATIENCE", 0.1)
    with pytest.raises(InputError, match=r"^nothing came through .*a.json in 0\.1 s; name a file"):
        read_bytes(fifo)


def test_a_device_without_end() -> None:
    with pytest.raises(InputError, match=r"^/dev/zero is a device: name a file$"):
        read_bytes("/dev/zero")
