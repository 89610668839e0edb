"""A run that is killed or interrupted leaves a playable clip and valid tracks; with real processes."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from posetrack.results.jsonl import read_jsonl
from posetrack.video import open_video
from scripts.media import number_of, numbered, write_video
from tests.waiting import wait_until

RUN = """
import sys, time
from posetrack.results.jsonl import Header, JsonlWriter
from posetrack.skeletons import COCO17
from posetrack.types import Tracks
from posetrack.video import VideoWriter, open_video, prefetch

source, out = sys.argv[1:]
with open_video(source) as video:
    header = Header(video.name, *video.size, video.fps, COCO17, "light")
    with JsonlWriter(out + "/a.jsonl", header) as lines, VideoWriter(out + "/a.mp4", video) as clip:
        for frame in prefetch(video):
            lines.write(Tracks.empty(COCO17, frame.index, frame.time, frame.size))
            clip.write(frame.image, frame.time)
            time.sleep(0.01)
"""
ENOUGH = 60  # lines after which the signal is sent
HELD = 30  # frames that a killed run may lose: in the queue, the encoder and the unfinished fragment


@pytest.mark.parametrize("end", ["SIGINT", "SIGKILL"])
def test_broken_off(end: str, tmp_path: Path) -> None:
    source = write_video(tmp_path / "source.mp4", numbered(256) * 2, options={"crf": "20"}, sound=True)
    lines = tmp_path / "out" / "a.jsonl"
    run = subprocess.Popen([sys.executable, "-c", RUN, source, lines.parent], stderr=subprocess.PIPE)
    try:
        wait_until(
            lambda: lines.exists() and lines.read_bytes().count(b"\n") > ENOUGH, lambda: run.poll() is None
        )
        run.send_signal(signal.Signals[end])
        run.communicate()
    finally:
        run.kill()
    tracks = read_jsonl(lines).tracks
    frames = [number_of(f.image) for f in open_video(lines.with_name("a.mp4"))]
    assert [t.index for t in tracks] == list(range(len(tracks)))
    assert ENOUGH <= len(tracks) < 256 * 2
    assert frames == [n % 256 for n in range(len(frames))]
    if end == "SIGINT":
        assert run.returncode == -signal.SIGINT
        assert len(tracks) - 1 <= len(frames) <= len(tracks)
    else:
        assert len(frames) >= len(tracks) - HELD


AT_ONCE = """
import os, sys
from posetrack.video import VideoWriter, open_video

source, out, frames = sys.argv[1:]
with open_video(source) as video, VideoWriter(out, video) as clip:
    for frame in video:
        clip.write(frame.image, frame.time)
        if frame.index == int(frames):
            os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("frames", [0, 3, 9, 20, 40])
def test_killed_within_the_first_frames_leaves_a_clip_that_plays_or_none(frames: int, tmp_path: Path) -> None:
    source = write_video(tmp_path / "source.mp4", numbered(60), sound=True)
    out = tmp_path / "out"
    done = subprocess.run([sys.executable, "-c", AT_ONCE, source, out / "a.mp4", str(frames)])
    assert done.returncode == -signal.SIGKILL
    left = [p.name for p in out.iterdir()]
    assert left in ([], ["a.mp4"])
    if left:
        shown = [number_of(f.image) for f in open_video(out / "a.mp4")]
        assert shown == list(range(len(shown)))
        assert shown
