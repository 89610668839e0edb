"""Videos from web servers that do not do what they should; real servers on this machine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from posetrack.errors import InputError
from posetrack.video import open_video, opening
from scripts.media import noisy, number_of, numbered, sound_packets, stored_times, write_video
from tests.posetrack.video.test_writer import copy

Serve = Callable[..., str]


class Site(ThreadingHTTPServer):
    """One file. `ranges`: parts of it are given; `cut`: each answer ends after so many bytes."""

    daemon_threads = True
    body = b""
    ranges = True
    length = True  # and how long each answer is
    cut: int | None = None
    answers = 0
    stall_from: int | None = None  # the answer from which on only the first bytes come
    leave = threading.Event()


class Handler(BaseHTTPRequestHandler):
    server: Site
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        site, start = self.server, 0
        site.answers += 1
        number = site.answers
        asked = self.headers.get("Range")
        if asked and site.ranges:
            start = int(asked.removeprefix("bytes=").split("-")[0])
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(site.body) - 1}/{len(site.body)}")
        else:
            self.send_response(200)
        body = site.body[start:]
        if site.length:
            self.send_header("Content-Length", str(len(body)))
        if site.ranges:
            self.send_header("Accept-Ranges", "bytes")
        self.send_header("Connection", "close")
        self.end_headers()
        try:
            if site.stall_from is not None and number >= site.stall_from:
                self.wfile.write(body[:2000])
                self.wfile.flush()
                site.leave.wait()
            self.wfile.write(body[: site.cut])
        except OSError:
            pass
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def serve() -> Iterator[Serve]:
    sites = []

    def start(path: Path, **how: object) -> str:
        site = Site(("127.0.0.1", 0), Handler)
        site.body, site.leave = path.read_bytes(), threading.Event()
        for name, value in how.items():
            setattr(site, name, value)
        threading.Thread(target=site.serve_forever, daemon=True).start()
        sites.append(site)
        return f"http://127.0.0.1:{site.server_port}/my%20clip.mp4?key=1"

    yield start
    for site in sites:
        site.leave.set()
        site.shutdown()
        site.server_close()


def test_picture_and_sound(serve: Serve, tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", numbered(20), sound=True)
    writer = copy(serve(source), tmp_path / "out.mp4")  # type: ignore[arg-type]
    assert stored_times(writer.path) == stored_times(source)
    assert sound_packets(writer.path) == sound_packets(source)
    assert writer.warnings == []


def test_no_parts_of_files(serve: Serve, tmp_path: Path) -> None:
    """An MP4 with its index at the end needs them; the file is not at fault."""
    address = serve(write_video(tmp_path / "a.mp4", noisy(20)), ranges=False)
    with pytest.raises(
        InputError, match=r"^the server of my clip\.mp4 sends no parts of files \(byte ranges\), .*; download"
    ):
        open_video(address)


def test_no_parts_of_files_where_none_are_needed(serve: Serve, tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mkv", numbered(20), sound=True)
    video = open_video(serve(source, ranges=False))
    assert [number_of(f.image) for f in video] == list(range(20))


def test_a_stream_of_unknown_length(serve: Serve, tmp_path: Path) -> None:
    """As live recordings come: no duration in the file, no length from the server."""
    source = write_video(
        tmp_path / "a.webm", numbered(20), codec="libvpx", sound="libopus", container={"live": "1"}
    )
    writer = copy(serve(source, ranges=False, length=False), tmp_path / "out.mp4")  # type: ignore[arg-type]
    assert stored_times(writer.path) == stored_times(source)
    assert sound_packets(writer.path) == sound_packets(source)
    assert writer.warnings == []


def test_answers_that_end_early_are_asked_again(serve: Serve, tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", noisy(40), container={"movflags": "faststart"})
    video = open_video(serve(source, cut=source.stat().st_size // 3))
    assert len(list(video)) == 40
    assert (video.warnings, video.complete) == ([], True)


def test_a_server_that_ends_early_for_good(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without parts nobody can ask for the rest: what is missing is told."""
    monkeypatch.setattr(opening, "_RECONNECT", {})
    source = write_video(tmp_path / "a.mp4", noisy(90), container={"movflags": "faststart"})
    video = open_video(serve(source, cut=source.stat().st_size * 5 // 6, ranges=False))
    frames = list(video)
    assert 40 < len(frames) < 90
    lost = f"{90 - len(frames)} of 90 frames lost: the server stopped sending at {frames[-1].time:.2f} s"
    assert lost in video.warnings


def test_a_server_that_ends_early_and_never_said_how_much_comes(serve: Serve, tmp_path: Path) -> None:
    for name, codec in (("a.mkv", "libx264"), ("a.avi", "mpeg4")):
        source = write_video(tmp_path / name, noisy(40), codec=codec)
        video = open_video(serve(source, cut=source.stat().st_size // 2, ranges=False, length=False))
        end = list(video)[-1].time
        assert 0.4 < end < 1
        assert video.warnings[0] == f"the server stopped sending at {end:.2f} s of 1.60 s"


def test_sound_that_stalls_does_not_hang_the_run(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sound has a connection of its own."""
    monkeypatch.setattr(opening, "NETWORK_TIMEOUT", (2.0, 2.0))
    monkeypatch.setattr(opening, "_RECONNECT", {})
    source = write_video(tmp_path / "a.mkv", noisy(20), sound=True)
    address = serve(source, ranges=False)

    with open_video(address) as video:
        video.sound = serve(source, ranges=False, stall_from=1)
        from posetrack.video import VideoWriter

        with VideoWriter(tmp_path / "out.mp4", video) as writer:
            for frame in video:
                writer.write(frame.image, frame.time)
    assert len(stored_times(writer.path)) == 20
    (line,) = writer.warnings
    assert line.startswith("the sound of my clip.mp4 is not complete: ")
