"""Parts of a video are the frames that the whole has there, to the bit, wherever they begin."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
from PIL import Image

from posetrack.video import open_video
from scripts import media

CLOSED = {"bf": "2", "g": "12"}
OPEN = {"bf": "3", "g": "20", "x264-params": "open-gop=1:b-pyramid=2"}
ONE_KEY = {"bf": "2", "g": "1000", "sc_threshold": "0"}
PARTS = [(None, 1.0), (0.5, 1.2), (1.02, 2.0), (2.0, None), (2.36, 2.4), (9.0, None)]


@pytest.mark.parametrize(
    ("name", "codec", "options", "key"),
    [
        ("a.mp4", "libx264", CLOSED, 0.96),
        ("open.mp4", "libx264", OPEN, 0.8),
        ("b.mkv", "libx264", OPEN, 0.8),
        ("c.mp4", "libx265", {"x265-params": "keyint=10:log-level=none"}, 0.8),
        ("d.webm", "libvpx-vp9", {"g": "12"}, 0.96),
        ("one.mp4", "libx264", ONE_KEY, 0.0),
        ("e.ts", "libx264", CLOSED, 1.0),  # cannot be entered: read from the beginning
        ("f.avi", "mpeg4", {"bf": "2"}, 1.0),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value else "",
)
def test_parts_are_what_the_whole_has_there(
    name: str, codec: str, options: dict[str, str], key: float, tmp_path: Path
) -> None:
    sound = name.endswith(("mp4", "mkv", "ts"))
    path = media.write_video(tmp_path / name, media.numbered(60), codec=codec, options=options, sound=sound)
    with open_video(path) as video:
        whole = list(video)
        offset = whole[0].time  # MPEG-TS does not begin at 0
        assert video.good_start(offset + 1.0) == pytest.approx(offset + key)
        for start, end in PARTS:
            low, high = (None if t is None else offset + t for t in (start, end))
            part = list(video.between(low, high))
            expected = [f for f in whole if (low or 0) <= f.time and (high is None or f.time < high)]
            assert [f.time for f in part] == [f.time for f in expected]
            assert all((a.image == b.image).all() for a, b in zip(part, expected, strict=True))
            assert video.warnings == []


def test_parts_of_a_folder_keep_their_places(tmp_path: Path) -> None:
    for n in range(6):
        Image.fromarray(media.picture(n)).save(tmp_path / f"{n}.png")
    (tmp_path / "2.png").write_bytes(b"broken")
    with open_video(tmp_path) as video:
        assert [f.index for f in video.between(1 / 25, 4 / 25)] == [1, 3]


def test_a_damaged_frame_of_a_part_is_named_with_its_time(tmp_path: Path) -> None:
    """Frame 40, at 1.6 s, is broken: the part with it says so, and has the frames that the whole has."""
    path = media.write_video(tmp_path / "a.mp4", media.noisy(60), options={"g": "10", "bf": "0"})
    with av.open(str(path)) as container:
        packet = [p for p in container.demux(video=0) if p.size][40]
    data = bytearray(path.read_bytes())
    data[packet.pos : packet.pos + packet.size] = b"\xff" * packet.size
    path.write_bytes(data)
    with open_video(path) as video:
        times = [f.time for f in video]
        line = "1 frame could not be decoded (the first at 1.60 s)"
        assert line in video.warnings
        for start, end, said in ((1.2, 2.0, [line]), (2.0, None, [])):
            part = [f.time for f in video.between(start, end)]
            assert part == [t for t in times if start <= t and (end is None or t < end)]
            assert video.warnings == said
