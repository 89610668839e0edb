"""What is no video at all: one line that says what to do."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import av
import pytest

from posetrack.errors import InputError
from posetrack.video import open_video
from scripts.media import noisy, numbered, write_video


def nothing(folder: Path) -> str:
    return str(folder / "absent.mp4")


def empty_file(folder: Path) -> str:
    (folder / "zero.mp4").write_bytes(b"")
    return str(folder / "zero.mp4")


def text_file(folder: Path) -> str:
    (folder / "notes.mp4").write_text("this is no video\n" * 50)
    return str(folder / "notes.mp4")


def honest_text(folder: Path) -> str:
    (folder / "notes.txt").write_text("this is no video\n" * 50)
    return str(folder / "notes.txt")


def only_sound(folder: Path) -> str:
    write_video(folder / "film.mp4", numbered(3), sound=True)
    with (
        av.open(str(folder / "film.mp4")) as film,
        av.open(str(folder / "song.m4a"), "w", format="mp4") as song,
    ):
        stream = song.add_stream_from_template(film.streams.audio[0])
        for packet in film.demux(audio=0):
            if packet.size:
                packet.stream = stream
                song.mux(packet)
    return str(folder / "song.m4a")


def header_only(folder: Path) -> str:
    path = write_video(folder / "head.mp4", noisy(5), container={"movflags": "faststart"})
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"mdat") + 40])
    return str(path)


def folder_without_pictures(folder: Path) -> str:
    (folder / "here" / "below").mkdir(parents=True)
    (folder / "here" / "clip.mp4").write_bytes(b"x")
    return str(folder / "here")


def glob_without_match(folder: Path) -> str:
    return str(folder / "*.jpg")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _: "", r"the name of the video is empty; name a file, a folder or an address"),
        (nothing, r"no such file or folder: .*absent\.mp4; check the path"),
        (empty_file, r"zero\.mp4 is empty \(0 bytes\); copy or record it again"),
        (text_file, r"notes\.mp4 is not a video that FFmpeg can read \(.+\); check that it plays elsewhere"),
        (honest_text, r"notes\.txt is text, not a video; name a video file"),
        (only_sound, r"song\.m4a has no video stream, only audio; name a video file"),
        (header_only, r"no frame of head\.mp4 can be decoded; is the file cut off or damaged\?"),
        (folder_without_pictures, r"no pictures in the folder .*here; name a video file, or a folder .*"),
        (glob_without_match, r"nothing matches .*\*\.jpg; check the path and the pattern"),
        (
            lambda _: "http://127.0.0.1:9/clip.mp4",
            r"cannot open clip\.mp4: Connection refused; check the address .*",
        ),
    ],
)
def test_one_clear_line(make: Callable[[Path], str], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        open_video(make(tmp_path))
    assert "\n" not in str(caught.value)
    assert re.fullmatch(message, str(caught.value)), str(caught.value)
