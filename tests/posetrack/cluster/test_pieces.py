"""Long videos in pieces: where they are cut, what comes out, and what is left after a kill."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import cv2
import pytest

from posetrack.cli import main
from posetrack.cluster import engines
from posetrack.cluster.jobs import TrackJob
from posetrack.cluster.pieces import cut_up, spans
from posetrack.cluster.run import Run, RunResult
from posetrack.cluster.tasks import make_tasks
from posetrack.results.jsonl import read_jsonl
from posetrack.types import Frame
from posetrack.video import open_video
from posetrack.video.source import Video
from scripts import media
from tests.waiting import wait_until

DEMO = Path(__file__).parents[3] / "posetrack" / "demo" / "demo.mp4"


@dataclass
class Keys(Video):
    """A video of which only the length and the key frames are known."""

    duration: float | None
    keys: tuple[float, ...] = ()
    start: Fraction = Fraction(0)

    def __iter__(self) -> Iterator[Frame]:
        raise NotImplementedError

    def good_start(self, time: float) -> float:
        return max((key for key in self.keys if key <= time), default=time)


@pytest.mark.parametrize(
    ("video", "seconds", "expected"),
    [
        (Keys(100), 100, ()),  # not longer
        (Keys(None), 10, ()),
        (Keys(100), 50, ((None, 55), (50, None))),
        (Keys(100), 40, ((None, 38.333), (33.333, 71.667), (66.667, None))),
        (Keys(100, keys=(0, 48)), 50, ((None, 53), (48, None))),
        (Keys(100, keys=(0, 30)), 50, ((None, 55), (50, None))),  # that key frame is too far away
        (Keys(8), 4, ((None, 5), (4, None))),  # an overlap is a quarter of a piece at most
        (Keys(100, start=Fraction(1000)), 50, ((None, 1055), (1050, None))),
    ],
)
def test_where_a_video_is_cut(video: Keys, seconds: float, expected: tuple[object, ...]) -> None:
    cuts = spans(video, seconds)
    assert [(a and round(a, 3), b and round(b, 3)) for a, b in cuts] == list(expected)


@pytest.fixture(scope="module")
def walkers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Part of the demo, small, with sound, B-frames and a key frame every eight pictures."""
    with open_video(DEMO) as demo:
        pictures = [frame.image for frame in islice(demo, 48)]
    small = [cv2.resize(image, (320, 180), interpolation=cv2.INTER_AREA) for image in pictures]
    path = tmp_path_factory.mktemp("walkers") / "walkers.mp4"
    return media.write_video(path, small, fps=30, sound=True, options={"bf": "2", "g": "8", "crf": "18"})


def test_a_video_in_pieces_is_one_file_and_one_clip_with_sound(
    walkers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert main(["track", str(walkers), "--out", str(whole)]) == 0
    assert main(["track", str(walkers), "--out", str(cut), "--pieces", str(0.55 / 60)]) == 0
    said = capsys.readouterr().out
    assert "4 done, 0 kept from before, 0 failed" in said  # three pieces, one joining
    assert "stitched from 3 pieces" in said
    one, joined = (read_jsonl(out / "walkers.jsonl") for out in (whole, cut))
    assert (one.header.pieces, joined.header.pieces) == (1, 3)
    assert '"stitched": {"pieces": 3, "identical_to_one_run": false}' in (cut / "walkers.jsonl").read_text()
    frames = [[(t.index, t.time) for t in file.tracks] for file in (one, joined)]
    assert frames[0] == frames[1]
    people = [{i for t in file.tracks for i in t.ids.tolist()} for file in (one, joined)]
    assert people[0] == people[1] != set()
    clips = [open_video(out / "walkers.mp4") for out in (whole, cut)]
    assert [clip.sound is not None for clip in clips] == [True, True]
    times = [[round(frame.time, 6) for frame in clip] for clip in clips]
    assert times[0] == times[1] == [t for _, t in frames[0]]
    assert {path.name for path in (cut / ".posetrack").iterdir()} == {"done", "tried", "manifest.jsonl"}
    assert main(["status", str(cut)]) == 0
    assert "1 done, 0 running, 0 failed, 0 left" in capsys.readouterr().out


def words(video: Path, out: Path, *more: str) -> list[str]:
    """With pieces of at most three seconds."""
    return ["track", str(video), "--out", str(out), "--no-video", "--pieces", "0.05", *more]


@pytest.fixture
def numbered(tmp_path: Path) -> Path:
    """Eight seconds: three pieces."""
    return media.write_video(tmp_path / "long.mp4", media.numbered(48), fps=6)


def test_shards_share_the_pieces_and_the_last_one_joins(
    numbered: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(words(numbered, out, "--shard", "1/2")) == 0
    said = capsys.readouterr()
    assert "2 done, 0 kept from before, 0 failed, 1 in other hands" in said.out
    assert "1 of its 3 pieces are missing yet" in said.err
    assert main(["status", str(out)]) == 0
    assert "0 done, 0 running, 0 failed, 1 left\n2 pieces of long videos" in capsys.readouterr().out
    assert main(words(numbered, out, "--shard", "2/2")) == 0
    assert "2 done, 0 kept from before, 0 failed\n" in capsys.readouterr().out
    assert [t.index for t in read_jsonl(out / "long.jsonl").tracks] == list(range(48))
    assert main(words(numbered, out)) == 0
    assert "0 done, 1 kept from before, 0 failed" in capsys.readouterr().out


def test_a_piece_that_fails_fails_its_video_and_can_be_tried_again(
    numbered: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content, state = numbered.read_bytes(), numbered.stat()
    work, joins = cut_up(make_tasks([str(numbered)]), 3)
    run = Run(TrackJob(video=False), str(tmp_path / "out"), engines.here)
    run.plan(joins)
    assert run.do(work[:1]).done == 1
    numbered.write_bytes(bytes(len(content)))
    assert run.do(work).failed == 2
    numbered.write_bytes(content)
    os.utime(numbered, (state.st_atime, state.st_mtime))
    assert run.do(joins).failed == 1
    assert "long.mp4, 2.0 s to 6.1 s failed: long.mp4 is not a video" in capsys.readouterr().err
    assert run.do(work, retry_failed=True) == RunResult(done=2, kept=1)
    assert run.do(joins, retry_failed=True).done == 1
    assert len(read_jsonl(tmp_path / "out" / "long.jsonl").tracks) == 48


def half_written(path: Path) -> bool:
    """Some of its frames are there."""
    try:
        return path.read_bytes().count(b"\n") > 10
    except FileNotFoundError:
        return False


def test_after_a_kill_in_mid_piece_only_what_is_missing_is_done(tmp_path: Path) -> None:
    numbered = media.write_video(tmp_path / "long.mp4", media.numbered(200))
    out = tmp_path / "out"
    command = [sys.executable, "-m", "posetrack", *words(numbered, out)]
    driver = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    finished, begun = out / ".posetrack" / "pieces", out / ".posetrack" / "work"
    wait_until(
        lambda: (
            len(list(finished.glob("*.jsonl"))) in (1, 2) and any(map(half_written, begun.glob("*/*.jsonl")))
        ),
        lambda: driver.poll() is None,
    )
    driver.kill()
    driver.wait()
    first, *_ = sorted(finished.glob("*.jsonl"), key=lambda path: path.stat().st_mtime)
    before = first.stat().st_mtime_ns, first.stat().st_ino
    assert len(list(finished.glob("*.jsonl"))) < 3
    link = tmp_path / "first.jsonl"
    os.link(first, link)  # it will be taken away once it is joined
    again = subprocess.run(command, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert (link.stat().st_mtime_ns, link.stat().st_ino) == before
    kept = re.search(r"(\d) done, (\d) kept", again.stdout)
    assert kept is not None
    assert int(kept[1]) + int(kept[2]) == 4
    assert int(kept[2]) >= 1
    assert [t.index for t in read_jsonl(out / "long.jsonl").tracks] == list(range(200))
    assert {path.name for path in (out / ".posetrack").iterdir()} == {"done", "tried", "manifest.jsonl"}
    (out / "long.jsonl").unlink()  # a result that went away is made anew, pieces and all
    assert main(words(numbered, out)) == 0
    assert len(read_jsonl(out / "long.jsonl").tracks) == 200


@pytest.mark.parametrize(
    ("more", "line"),
    [
        (["--pieces", "0"], "--pieces 0: give a length in minutes"),
        (["--pieces", "5", "--boxes", "boxes.json"], "--pieces and --boxes, which go by frame numbers"),
    ],
)
def test_wrong_requests_start_nothing(
    more: list[str], line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["track", "a.mp4", "--out", str(tmp_path / "out"), *more]) == 2
    assert line in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
