"""The clip comes into being whole enough to play, byte by byte as FFmpeg writes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from posetrack.video.clip_file import ClipFile


def box(name: bytes, size: int = 20) -> bytes:
    return size.to_bytes(4, "big") + name + bytes(size - 8)


START = box(b"ftyp") + box(b"moov", 40)
FRAGMENT = box(b"moof") + box(b"mdat", 60)


@pytest.mark.parametrize("piece", [1, 7, 64, 1000])
def test_it_appears_with_its_first_whole_fragment_and_grows_by_such(piece: int, tmp_path: Path) -> None:
    path, data = tmp_path / "a.mp4", START + FRAGMENT + FRAGMENT
    file = ClipFile(path)
    for at in range(0, len(data), piece):
        file.write(data[at : at + piece])
        written = min(at + piece, len(data))
        assert path.exists() == (written >= len(START + FRAGMENT))
        if path.exists():  # it grows by whole fragments
            whole = len(START) + len(FRAGMENT) * ((written - len(START)) // len(FRAGMENT))
            assert path.read_bytes() == data[:whole]
        assert [p.name for p in tmp_path.iterdir()] in ([], ["a.mp4"])
    file.seek(4)
    file.write(b"skip")
    assert file.tell() == 8
    file.finish()
    assert path.read_bytes() == data
    file = ClipFile(path)
    file.write(data + b"index")
    file.seek(4)
    file.write(b"skip")
    file.seek(len(data))
    file.flush()
    file.finish()
    assert path.read_bytes() == data[:4] + b"skip" + data[8:] + b"index"


def test_an_old_clip_stays_until_the_new_one_plays(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")
    file = ClipFile(path)
    file.write(START)
    assert path.read_bytes() == b"old"
    file.finish()
    assert path.read_bytes() == b"old"
    file = ClipFile(path)
    file.write(START)
    file.flush()  # a clip that ended before its first fragment was full
    file.finish()
    assert path.read_bytes() == START
