"""Recordings: whole, in their folder, ended where they must."""

from __future__ import annotations

from pathlib import Path

import pytest

from posetrack.errors import PoseTrackError
from posetrack.live import recorder as module
from posetrack.live.recorder import Recorder
from posetrack.live.session import Session
from posetrack.results.jsonl import read_jsonl
from posetrack.video import open_video
from tests.posetrack.live.stubs import SIZE, block, block_tracker


def test_frames_of_a_recording_are_in_both_files_and_begin_at_zero(tmp_path: Path) -> None:
    tracker = block_tracker()
    session = Session(tracker, 1)
    with Recorder(tmp_path / "new", "cam/../era 0") as recorder:
        recorder.write(*session.step(block(10), 4.0))  # before it was asked for
        recorder.start(tracker)
        for n in range(10):
            recorder.write(*session.step(block(20 + n), 5.0 + n / 10))
        tracks_path, clip_path = recorder.stop()
        recorder.write(*session.step(block(40), 6.0))
    assert sorted((tmp_path / "new").iterdir()) == [tracks_path, clip_path]
    assert tracks_path.name.startswith("cam____era_0-")
    assert recorder.made == {path.name: path for path in (tracks_path, clip_path)}
    assert recorder.warnings == []
    tracks = read_jsonl(tracks_path).tracks
    assert [t.index for t in tracks] == list(range(10))
    assert [t.time for t in tracks] == pytest.approx([n / 10 for n in range(10)])
    assert all(t.ids.tolist() == [1] for t in tracks)
    with open_video(clip_path) as clip:
        assert clip.size == SIZE
        assert [frame.time for frame in clip] == pytest.approx([n / 10 for n in range(10)], abs=0.002)


def test_a_picture_of_another_size_ends_the_recording(tmp_path: Path) -> None:
    tracker = block_tracker()
    session = Session(tracker, 1)
    with Recorder(tmp_path, "phone") as recorder:
        recorder.start(tracker)
        recorder.write(*session.step(block(20), 1.0))
        recorder.write(*session.step(block(20, (120, 160)), 1.1))
        assert not recorder.on
    assert len(recorder.warnings) == 1
    assert recorder.warnings[0].endswith("ended, the picture changed its size")
    (tracks_path,) = tmp_path.glob("*.jsonl")
    assert len(read_jsonl(tracks_path).tracks) == 1


def test_two_recordings_have_different_names(tmp_path: Path) -> None:
    tracker = block_tracker()
    session = Session(tracker, 1)
    recorder = Recorder(tmp_path, "cam")
    for n in range(2):
        recorder.start(tracker)
        recorder.write(*session.step(block(20), 1.0 + n))
        recorder.stop()
    assert len(list(tmp_path.iterdir())) == 4
    assert recorder.stop() == []


def test_a_full_disk_is_told_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEAST_ROOM", 1e18)
    with pytest.raises(PoseTrackError, match="nearly full"):
        Recorder(tmp_path, "cam").start(block_tracker())
