"""Sinks on a video of three gray frames and one person who stands still."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from posetrack.results.jsonl import Header, read_jsonl
from posetrack.sinks import OverlaySink, TracksSink, run
from posetrack.skeletons import POSETRACK18
from posetrack.types import Frame, Poses, Tracks
from posetrack.video import open_video
from scripts import media

SIZE = (64, 48)


def pairs(count: int) -> list[tuple[Frame, Tracks]]:
    points = np.stack([np.linspace(20, 40, 17), np.linspace(8, 40, 17)], axis=1)
    poses = Poses([points], np.full((1, 17), 0.9), [[18, 6, 42, 42]], [0.8], POSETRACK18)
    return [
        (
            Frame(np.full((48, 64, 3), 99, np.uint8), i, i / 25),
            Tracks(poses, [1 + i // 2], [False], i, i / 25, SIZE),
        )
        for i in range(count)
    ]


def test_every_sink_gets_every_pair(tmp_path: Path) -> None:
    media.write_video(tmp_path / "like.mp4", media.numbered(3, SIZE))
    like = open_video(tmp_path / "like.mp4")
    heard = []
    with (
        TracksSink(tmp_path / "a.jsonl", Header("like.mp4", *SIZE, 25.0, POSETRACK18, "light")) as lines,
        OverlaySink(tmp_path / "a.mp4", like, min_joint_score=0.5) as clip,
    ):
        summary = run(pairs(3), [lines, clip], lambda done, people: heard.append((done, people)))
    assert (summary.frames, summary.ids, heard) == (3, {1, 2}, [(1, 1), (2, 1), (3, 1)])
    assert [t.ids.tolist() for t in read_jsonl(tmp_path / "a.jsonl").tracks] == [[1], [1], [2]]
    shown = [frame.image for frame in open_video(tmp_path / "a.mp4")]
    assert len(shown) == 3
    assert all(int(image.max()) - int(image.min()) > 60 for image in shown)  # somebody is drawn on the gray
    assert (lines.warnings, clip.warnings) == ([], [])


def test_what_came_before_an_error_is_kept(tmp_path: Path) -> None:
    def broken():
        yield from pairs(2)
        raise RuntimeError("the detector is gone")

    header = Header("x", *SIZE, 25.0, POSETRACK18, "light")
    with pytest.raises(RuntimeError), TracksSink(tmp_path / "a.jsonl", header) as lines:
        run(broken(), [lines])
    assert [json.loads(line)["frame"] for line in (tmp_path / "a.jsonl").read_text().splitlines()[1:]] == [
        0,
        1,
    ]


@pytest.mark.parametrize("before", [None, "an older result\n"])
def test_a_run_that_fails_before_its_first_frame_leaves_what_was_there(
    tmp_path: Path, before: str | None
) -> None:
    path = tmp_path / "a.jsonl"
    if before is not None:
        path.write_text(before)
    with (
        pytest.raises(RuntimeError),
        TracksSink(path, Header("x", *SIZE, 25.0, POSETRACK18, "light"), overwrite=True),
    ):
        raise RuntimeError("the first frame cannot be read")
    assert (path.read_text() if path.exists() else None) == before
