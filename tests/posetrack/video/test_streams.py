"""Network streams and cameras: opened, frozen, gone, back, and refused in one line."""

from __future__ import annotations

import errno
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from posetrack.errors import InputError
from posetrack.video import CameraSource, streams
from posetrack.video.devices import Camera, find_camera, list_cameras
from posetrack.video.streams import Backlog, open_feed
from scripts.media import number_of, picture, write_video

SIZE = (160, 96)


class MjpegServer:
    """A camera on the network: numbered pictures, 25 a second; it can freeze, die and return."""

    def __init__(self, port: int = 0, size: tuple[int, int] = SIZE) -> None:
        self.size = size
        self.frozen = threading.Event()
        self.dead = threading.Event()
        ours = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/secret":
                    self.send_error(401)
                    return
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                number = 0
                while not ours.dead.wait(1 / 25):
                    if ours.frozen.is_set():
                        continue
                    data = cv2.imencode(".jpg", picture(number % 256, ours.size)[..., ::-1])[1].tobytes()
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                    try:
                        self.wfile.write(head.encode() + data + b"\r\n")
                    except OSError:
                        return
                    number += 1

            def log_message(self, *_: object) -> None: ...

        ThreadingHTTPServer.allow_reuse_address = True
        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}/cam.mjpg"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def die(self) -> None:
        self.dead.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def mjpeg() -> Iterator[MjpegServer]:
    server = MjpegServer()
    yield server
    server.die()


def test_mjpeg_over_http_comes_as_it_is_sent(mjpeg: MjpegServer) -> None:
    with CameraSource(mjpeg.url) as camera:
        assert (camera.name, camera.size, camera.state) == ("cam.mjpg", SIZE, "live")
        frames = [frame for frame, _ in zip(camera, range(10), strict=False)]
    numbers = [number_of(frame.image) for frame in frames]
    assert numbers == sorted(set(numbers))
    assert all(later.time > earlier.time for earlier, later in pairwise(frames))


def test_a_source_that_dies_is_found_again(mjpeg: MjpegServer) -> None:
    with CameraSource(mjpeg.url, reconnect=None) as camera:
        frames = camera.follow(0.05)
        before = next(frame for frame in frames if frame)
        mjpeg.die()
        wait_until(frames, lambda: camera.state == "lost")
        again = MjpegServer(mjpeg.port, (192, 112))
        try:
            wait_until(frames, lambda: camera.state == "live")
            after = next(frame for frame in frames if frame)
            assert camera.outages == 1
        finally:
            again.die()
        assert after.size == before.size == SIZE  # it came back larger
        assert after.time > before.time + 0.4  # by the wall clock: it was away for half a second or more


def test_a_source_that_freezes_is_lost_too(mjpeg: MjpegServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "NETWORK_TIMEOUT", (5.0, 0.5))
    with CameraSource(mjpeg.url, reconnect=None) as camera:
        frames = camera.follow(0.05)
        assert next(frame for frame in frames if frame)
        mjpeg.frozen.set()
        wait_until(frames, lambda: camera.state == "lost")
        mjpeg.frozen.clear()
        wait_until(frames, lambda: camera.state == "live")
        assert next(frame for frame in frames if frame)


def test_tries_are_counted_and_end(mjpeg: MjpegServer) -> None:
    with CameraSource(mjpeg.url, reconnect=1) as camera:
        frames = iter(camera)
        next(frames)
        mjpeg.die()
        assert list(frames) is not None  # it ends
        assert camera.state == "ended"
        assert camera.warnings == ["cam.mjpg stopped giving pictures and did not return in 1 tries"]


def wait_until(frames: Iterator[object], condition: Callable[[], bool]) -> None:
    """However long it takes; the frames end where it never comes."""
    while not condition():
        next(frames)


def test_rtsp_is_read_and_found_again() -> None:
    rtsp = pytest.importorskip("rtsp")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"rtsp://127.0.0.1:{port}/cam"
    source = rtsp.Source(url, fps=20)
    stop = pump(source)
    try:
        with CameraSource(url, reconnect=None) as camera:
            assert camera.size == SIZE
            frames = camera.follow(0.05)
            assert number_of(next(frame for frame in frames if frame).image) < 256
            stop()
            source.close()
            wait_until(frames, lambda: camera.state == "lost")
            source = rtsp.Source(url, fps=20)
            stop = pump(source)
            wait_until(frames, lambda: camera.state == "live")
            assert next(frame for frame in frames if frame).size == SIZE
    finally:
        stop()
        source.close()


def test_udp_is_read() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"udp://127.0.0.1:{probe.getsockname()[1]}"
    done = threading.Event()
    sender = threading.Thread(target=send_datagrams, args=(url, done))
    sender.start()
    try:
        with CameraSource(url, reconnect=None) as camera:
            assert (camera.size, camera.state) == (SIZE, "live")
            numbers = [number_of(frame.image) for _, frame in zip(range(10), camera, strict=False)]
            assert all(0 < (b - a) % 256 < 128 for a, b in pairwise(numbers))  # onward, whatever was dropped
    finally:
        done.set()
        sender.join()


def send_datagrams(url: str, done: threading.Event) -> None:
    """Numbered pictures as MPEG-TS, 25 a second, whether or not anybody listens."""
    with suppress(OSError), av.open(url, "w", format="mpegts") as target:
        stream = target.add_stream("libx264", 25, options={"preset": "ultrafast", "tune": "zerolatency"})
        stream.width, stream.height, stream.gop_size = *SIZE, 10
        for number in itertools.count():
            if done.wait(1 / 25):
                return
            frame = av.VideoFrame.from_ndarray(picture(number % 256, SIZE), format="rgb24")
            with suppress(OSError):  # nobody listens yet
                target.mux(stream.encode(frame))


def pump(source: object) -> Callable[[], None]:
    """Send pictures until the returned function is called."""
    done = threading.Event()

    def work() -> None:
        number = 0
        while not done.wait(1 / 20):
            source.put(picture(number % 256, SIZE))  # type: ignore[attr-defined]
            number += 1

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert source.wait_ready(60)  # type: ignore[attr-defined]
    assert source.wait_encoding_started(60)  # type: ignore[attr-defined]

    def stop() -> None:
        done.set()
        thread.join()

    return stop


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("srt://127.0.0.1:9/x", "srt:// is not in PyAV's wheels; send the stream as RTSP"),
        ("rist://127.0.0.1:9/x", "rist:// is not in PyAV's wheels"),
        ("rtsp://user:secret@127.0.0.1:9/cam", "cannot open cam: Connection refused; check the address"),
        ("rtmp://127.0.0.1:9/live/x", "cannot open x: "),
        ("http://127.0.0.1:9/x.mjpg", "cannot open x.mjpg: Connection refused"),
        ("77", "camera 77 is not there"),
        ("No Such Webcam", "no camera or file is called 'No Such Webcam'"),
        ("missing/clip.mp4", "no such file or folder: missing/clip.mp4"),
    ],
)
def test_what_is_not_there_is_one_line(source: str, why: str) -> None:
    with pytest.raises(InputError) as error:
        CameraSource(source)
    assert str(error.value).startswith(why)
    assert "secret" not in str(error.value)
    assert "\n" not in str(error.value)


def test_a_stream_that_wants_a_password_says_so(mjpeg: MjpegServer) -> None:
    with pytest.raises(InputError, match="it wants a user name and a password"):
        CameraSource(f"http://127.0.0.1:{mjpeg.port}/secret")


# ---- cameras of this machine, with a test picture of FFmpeg in a camera's place


def test_a_camera_is_asked_for_jpeg_first_and_then_for_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, str]] = []
    real = av.open

    def opening(path: str, *, format: str, options: dict[str, str], timeout: object) -> object:
        assert format == "v4l2"
        asked.append(options)
        if "input_format" in options:
            raise OSError(errno.EINVAL, "Invalid argument")
        return real("testsrc=size=160x96:rate=30", format="lavfi")

    monkeypatch.setattr(streams.av, "open", opening)
    with CameraSource("/dev/video7") as camera:
        assert camera.size == (160, 96)
        assert next(iter(camera)).size == (160, 96)
    assert [("input_format" in options) for options in asked] == [True, False]


@pytest.mark.parametrize(
    ("number", "why"),
    [
        (errno.EBUSY, "/dev/video7 is held by another program; close that one"),
        (errno.EACCES, "/dev/video7 may not be opened by you; join the group 'video'"),
        (errno.ENODEV, "/dev/video7 is not there"),
    ],
)
def test_a_camera_that_is_not_to_be_had(number: int, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def opening(*_: object, **__: object) -> None:
        raise OSError(number, "system's words")

    monkeypatch.setattr(streams.av, "open", opening)
    with pytest.raises(InputError) as error:
        open_feed("/dev/video7")
    assert str(error.value).startswith(why)


def test_cameras_are_listed_with_their_names(tmp_path: Path) -> None:
    for node, name, index in (
        ("video2", "HD Webcam", "0"),
        ("video0", "Desk Cam", "0"),
        ("video1", "Desk Cam", "1"),
    ):
        (tmp_path / node).mkdir()
        (tmp_path / node / "name").write_text(f"{name}\n")
        (tmp_path / node / "index").write_text(f"{index}\n")
    cameras = list_cameras(tmp_path)
    assert cameras == [Camera(0, "Desk Cam", "/dev/video0"), Camera(2, "HD Webcam", "/dev/video2")]
    assert find_camera("hd webcam", cameras) == find_camera("WEB", cameras) == cameras[1]
    assert find_camera("cam", cameras) is None  # both
    assert list_cameras(tmp_path / "missing") == []


# ---- pace


def test_when_frames_wait_longer_and_longer_only_key_frames_are_decoded() -> None:
    backlog = Backlog()
    assert not backlog.behind(0.0, 100.0)
    assert not backlog.behind(1.0, 101.4)  # 0.4 s late
    assert backlog.behind(2.0, 102.6)
    assert backlog.behind(3.0, 103.2)  # until it has caught up
    assert not backlog.behind(4.0, 104.05)
    assert not backlog.behind(900.0, 105.0)  # another clock
    assert not backlog.behind(None, 106.0)


def test_a_file_over_http_keeps_its_pace(tmp_path: Path) -> None:
    write_video(
        tmp_path / "clip.mp4", [picture(n) for n in range(10)], fps=25, container={"movflags": "faststart"}
    )
    data = (tmp_path / "clip.mp4").read_bytes()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    begin = time.monotonic()
    with CameraSource(f"http://127.0.0.1:{server.server_port}/clip.mp4", reconnect=None) as camera:
        numbers = [number_of(frame.image) for frame in camera]
    server.shutdown()
    assert numbers[-1] == 9
    assert numbers == sorted(set(numbers))
    assert time.monotonic() - begin >= 9 / 25
    assert np.isclose(camera.fps, 25)
