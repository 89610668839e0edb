"""`posetrack live` as a process: outputs, signals, and wrong requests in one line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from posetrack.cli import main
from posetrack.results.jsonl import read_jsonl
from posetrack.video import open_video
from tests.posetrack.live.browser import DEMO
from tests.posetrack.live.serving import PATIENCE
from tests.posetrack.video.test_streams import MjpegServer

WITHOUT_DISPLAY = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}


def test_a_stream_is_tracked_until_a_signal_and_the_recording_plays(tmp_path: Path) -> None:
    """One process for all of it, since loading the networks takes its time."""
    server = MjpegServer()
    command = [sys.executable, "-m", "posetrack", "live", server.url, "--json", "--record", str(tmp_path)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=WITHOUT_DISPLAY
    )
    try:
        assert process.stdout is not None
        header = json.loads(process.stdout.readline())
        assert (header["source"], header["width"], header["height"]) == ("cam.mjpg", 160, 96)
        frames = [json.loads(process.stdout.readline()) for _ in range(5)]
        process.send_signal(signal.SIGTERM)
        rest, errors = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        server.die()
    assert process.returncode == 143
    assert errors.splitlines()[-1] == "posetrack: interrupted: what was finished is kept"
    frames += [json.loads(line) for line in rest.splitlines()]
    (tracks,), (clip,) = tmp_path.glob("*.jsonl"), tmp_path.glob("*.mp4")
    assert 0 <= len(frames) - len(read_jsonl(tracks).tracks) <= 1
    with open_video(clip) as video:
        assert len(list(video)) == len(read_jsonl(tracks).tracks)
        assert video.complete


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([str(DEMO)], "no window: this machine has no display. Watch in a browser with --serve"),
        (["77", "--json"], "camera 77 is not there"),
        (["--serve", "--detect-every", "0"], "--detect-every 0: give a number from 1 up, or auto"),
        (["--serve", "--reconnect", "often"], "--reconnect often: give forever, never, or a number"),
        (["--serve", "--max-clients", "0"], "--max-clients 0: give 1 or more"),
        (["--serve", "--token", "short"], "--token has 5 characters: give 16 or more"),
        (["--serve", "--tls-cert", "x.pem"], "--tls-cert and --tls-key belong together"),
        (["--udp", "7000"], "--udp 7000: give HOST:PORT"),
    ],
)
def test_wrong_requests_are_one_line_and_end_with_2(
    words: list[str], why: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert main(["live", *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"posetrack: {why}")
    assert error.count("\n") == 1


def test_list_says_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["live", "--list"]) == 0
    out = capsys.readouterr()
    assert out.out or "camera" in out.err
