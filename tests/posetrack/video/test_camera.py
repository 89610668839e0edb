"""Live sources, with a file played at its own pace in the camera's place."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from posetrack.errors import InputError
from posetrack.video import CameraSource
from scripts.media import number_of, numbered, write_video


def test_a_file_plays_at_its_own_pace_and_the_newest_frame_wins(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mp4", numbered(20), fps=25)
    start = time.monotonic()
    with CameraSource(path) as camera:
        assert (camera.name, camera.size, camera.fps) == ("clip.mp4", (96, 64), 25.0)
        frames = []
        for frame in camera:
            frames.append(frame)
            if frame.index == 0:
                time.sleep(0.6)  # too slow for the fifteen frames or so that come meanwhile
    took = time.monotonic() - start
    numbers = [number_of(f.image) for f in frames]
    assert numbers[0] == 0
    assert numbers[-1] == 19  # the last one waits
    assert numbers == sorted(set(numbers))
    assert len(frames) + camera.dropped == 20
    assert camera.dropped >= 5
    assert [f.index for f in frames] == list(range(len(frames)))
    for frame, number in zip(frames, numbers, strict=True):
        assert frame.time >= number / 25 - 1e-6  # never early
    assert took >= 19 / 25
    assert camera.complete


def test_leaving_early_ends_the_thread(tmp_path: Path) -> None:
    before = threading.active_count()
    path = write_video(tmp_path / "clip.mp4", numbered(200), fps=10)
    with CameraSource(path) as camera:
        for frame in camera:
            if frame.index == 1:
                break
    assert threading.active_count() == before
    assert not camera.complete  # the end of the clip was not waited for


def test_an_absent_camera() -> None:
    for number in (77, "77"):
        with pytest.raises(InputError, match=r"^camera 77 is not there \(cameras: .+\); connect it"):
            CameraSource(number)


def test_losses_are_told(tmp_path: Path) -> None:
    big = write_video(tmp_path / "big.ts", numbered(3), fps=50).read_bytes()
    small = write_video(tmp_path / "small.ts", numbered(3, (64, 48)), fps=50).read_bytes()
    (tmp_path / "both.ts").write_bytes(big + small)
    with CameraSource(tmp_path / "both.ts") as camera:
        assert len(list(camera)) >= 1
    assert [line[:43] for line in camera.warnings] == ["the frame size changes from 96x64 to 64x48 "]
