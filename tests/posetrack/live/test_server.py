"""What the server refuses, and that nobody else notices."""

from __future__ import annotations

import io
import json
import socket
import struct
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pictures
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from posetrack.errors import PoseTrackError
from posetrack.live.protocol import CREDIT, MAX_BYTES
from posetrack.live.room import Moment
from posetrack.live.serve import Address, PageServer
from posetrack.pipeline import PoseTracker
from posetrack.types import Detections, Frame
from scripts.media import write_video
from tests.posetrack.live.serving import Server, wait_for
from tests.posetrack.live.stubs import SIZE, BlockDetector, block, block_tracker

TOKEN = "a-token-of-twenty-chars"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(system=block_tracker, max_clients=6) as running:
        yield running


@pytest.fixture(scope="module")
def locked() -> Iterator[Server]:
    with Server(system=block_tracker, token=TOKEN) as running:
        yield running


@contextmanager
def visiting(server: Server, path: str = "/visit", **options: Any) -> Iterator[ClientConnection]:
    options = {"origin": f"http://127.0.0.1:{server.port}"} | options
    with connect(f"ws://127.0.0.1:{server.port}{path}", compression=None, max_size=None, **options) as client:
        yield client


def jpeg(image: np.ndarray[Any, Any] | None = None, **options: Any) -> bytes:
    file = io.BytesIO()
    Pictures.fromarray(block(20) if image is None else image).save(file, "JPEG", **options)
    return file.getvalue()


def picture(number: int, data: bytes, moment: float = 5.0) -> bytes:
    return struct.pack("<Id", number, moment) + data


def answer(client: ClientConnection) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(client.recv(60))
    return found


def get(server: Server, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", headers=headers)
    try:
        with urllib.request.build_opener(NoRedirect).open(request) as reply:
            return reply.status, dict(reply.headers), reply.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


# ---- pictures


class FailsOnWhite:
    """A detector that breaks on a white picture, as a driver may."""

    def __init__(self) -> None:
        self._detector = BlockDetector()

    def __call__(self, frames: Sequence[Frame]) -> list[Detections]:
        if any(frame.image.min() > 200 for frame in frames):
            raise RuntimeError("the driver is gone")
        return self._detector(frames)


def test_an_error_of_the_networks_costs_one_picture(capfd: pytest.CaptureFixture[str]) -> None:
    def system() -> PoseTracker:
        return replace(block_tracker(), detector=FailsOnWhite())

    white = jpeg(np.full((SIZE[1], SIZE[0], 3), 255, np.uint8))
    with Server(system=system) as running, visiting(running) as client:
        for _ in range(CREDIT + 1):
            client.send(picture(1, white))
            assert answer(client)["why"] == "the server failed on this picture; its terminal says why"
            client.send(picture(2, jpeg()))
            assert len(answer(client)["people"]) == 1
    assert "RuntimeError: the driver is gone" in capfd.readouterr().err


def test_who_watches_hears_that_the_source_has_failed(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    write_video(clip, [block(20), *[np.full((SIZE[1], SIZE[0], 3), 255, np.uint8)] * 50], fps=10)

    def system() -> PoseTracker:
        return replace(block_tracker(), detector=FailsOnWhite())

    with Server(system=system, source=clip) as running:
        with visiting(running, "/joints", origin=None) as client:
            assert code_at_the_end(client) == 1000
        with visiting(running, "/watch") as client:
            client.send(json.dumps({"type": "ready", "at": 1.0}))
            while isinstance(said := client.recv(60), bytes):  # the picture before
                client.send(json.dumps({"type": "ready", "at": 1.0}))
            assert json.loads(said)["state"] == "ended"
            assert json.loads(said)["why"] == "the driver is gone"
            client.send(json.dumps({"type": "ready", "at": "soon"}))
            assert code_at_the_end(client) == 1008


def test_a_picture_is_answered_with_who_is_in_it(server: Server) -> None:
    with visiting(server) as client:
        client.send(picture(7, jpeg(), moment=12.5))
        found = answer(client)
        assert (found["type"], found["number"], found["moment"]) == ("tracks", 7, 12.5)
        assert (found["width"], found["height"]) == SIZE
        (person,) = found["people"]
        assert person["id"] == 1
        assert person["box"] == pytest.approx([20, 30, 60, 100], abs=2)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "holds no picture"),
        (b"no JPEG at all, but long enough", "no JPEG"),
        (jpeg()[: len(jpeg()) // 2], "cut off"),
        (jpeg()[:30], "no JPEG"),
        (jpeg(np.zeros((1300, 1900, 3), np.uint8)), "1900x1300"),
        (jpeg(np.zeros((16, 64, 3), np.uint8)), "64x16"),
        (jpeg(progressive=True), "progressive"),
    ],
    ids=["empty", "garbage", "half", "header", "giant", "tiny", "progressive"],
)
def test_a_bad_picture_is_told_and_gives_its_credit_back(server: Server, data: bytes, why: str) -> None:
    with visiting(server) as client:
        for _ in range(CREDIT + 1):
            client.send(picture(3, data))
            found = answer(client)
            assert found["type"] == "bad"
            assert why in found["why"]
        client.send(picture(4, jpeg()))
        assert answer(client)["type"] == "tracks"


def test_a_moment_that_is_no_number_is_refused(server: Server) -> None:
    with visiting(server) as client:
        client.send(picture(1, jpeg(), moment=float("nan")))
        assert answer(client)["type"] == "bad"


@pytest.mark.parametrize(
    "words", ["no JSON", "[]", '{"type": "fly"}', '{"type": "settings", "preset": "huge"}']
)
def test_words_that_make_no_sense_end_the_talk(server: Server, words: str) -> None:
    with visiting(server) as client:
        client.send(words)
        assert code_at_the_end(client) == 1008


def test_more_pictures_than_credit_end_the_talk(server: Server) -> None:
    with visiting(server) as client:
        for n in range(200):
            try:
                client.send(picture(n, jpeg()))
            except ConnectionClosed:
                break
        assert code_at_the_end(client) == 1008


def test_a_message_that_is_too_large_ends_the_talk(server: Server) -> None:
    with visiting(server) as client:
        client.send(picture(1, bytes(MAX_BYTES + 1)))
        assert code_at_the_end(client) == 1009


def code_at_the_end(client: ClientConnection) -> int | None:
    for _ in range(1000):
        try:
            client.recv(60)
        except ConnectionClosed:
            break
    return client.close_code


def test_somebody_elses_garbage_changes_nothing_for_others(server: Server) -> None:
    with visiting(server) as good, visiting(server) as bad:
        for n in range(5):
            bad.send(picture(n, b"\xff\xd8" + bytes(1000)))
            good.send(picture(n, jpeg(block(20 + n))))
            found = answer(good)
            assert (found["number"], [p["id"] for p in found["people"]]) == (n, [1])
            assert answer(bad)["type"] == "bad"


def test_many_at_once_fill_the_places_and_leave_them(server: Server) -> None:
    wait_for(lambda: server.hub.clients == 0)
    clients = [
        connect(f"ws://127.0.0.1:{server.port}/visit", origin=f"http://127.0.0.1:{server.port}", legacy=True)
        for _ in range(50)
    ]
    try:
        wait_for(lambda: server.hub.clients == 6)
        refused = [client for client in clients[6:] if code_at_the_end(client) == 1013]
        assert len(refused) == 44
        assert refused[0].close_reason == "all 6 places are taken"
        clients[0].send(picture(1, jpeg()))
        assert answer(clients[0])["type"] == "tracks"
    finally:
        for client in clients:
            client.close()
    wait_for(lambda: server.hub.clients == 0)


# ---- who may come


def test_every_answer_has_the_headers_that_keep_others_out(server: Server) -> None:
    for path in ("/", "/hello", "/static/main.js", "/nothing"):
        _, headers, _ = get(server, path)
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


def test_strange_names_for_this_machine_are_refused_without_a_token(server: Server, locked: Server) -> None:
    assert get(server, "/hello", Host="evil.test")[0] == 421
    assert get(server, "/hello", Host=f"localhost:{server.port}")[0] == 200
    assert get(locked, "/hello", Host="friend.test", Authorization=f"Bearer {TOKEN}")[0] == 200


@pytest.mark.parametrize(
    "origin", [None, "http://evil.test", "https://127.0.0.1:{port}", "http://127.0.0.1:1", "null"]
)
def test_sockets_of_other_pages_are_refused_before_they_open(server: Server, origin: str | None) -> None:
    given = origin and origin.format(port=server.port)
    with pytest.raises(InvalidStatus) as refusal, visiting(server, origin=given):
        pass
    assert refusal.value.response.status_code == 403


def test_the_token_opens_by_address_cookie_and_header(locked: Server) -> None:
    assert get(locked, "/")[0] == 401
    assert get(locked, "/hello")[0] == get(locked, "/hello?token=wrong")[0] == 401
    assert get(locked, "/recordings/x.mp4")[0] == 401
    status, headers, _ = get(locked, f"/?token={TOKEN}")
    cookie = headers["set-cookie"]
    assert (status, headers["location"]) == (303, "/")
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert get(locked, "/", Cookie=cookie.split(";")[0])[0] == 200
    assert get(locked, "/hello", Authorization=f"Bearer {TOKEN}")[0] == 200
    assert get(locked, "/hello", Authorization="Bearer ü")[0] == 401
    assert get(locked, "/static/style.css")[0] == 200  # nothing of anybody's
    assert get(locked, "/static/../../guard.py")[0] in (401, 404)


def test_sockets_want_the_token_too(locked: Server) -> None:
    for path in ("/visit", "/watch", "/joints", "/visit?token=wrong"):
        with pytest.raises(InvalidStatus) as refusal, visiting(locked, path):
            pass
        assert refusal.value.response.status_code == 403
    with visiting(locked, f"/visit?token={TOKEN}") as client:
        client.send(picture(1, jpeg()))
        assert answer(client)["type"] == "tracks"


def test_only_recordings_of_this_server_can_be_fetched(server: Server) -> None:
    for name in ("x.mp4", "..%2Fguard.py", "%2Fetc%2Fpasswd"):
        assert get(server, f"/recordings/{name}")[0] == 404


# ---- the server's own source


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    clip = tmp_path_factory.mktemp("own") / "clip.mp4"
    write_video(clip, [block(20 + n % 40) for n in range(600)], fps=10)  # a minute
    with Server(system=block_tracker, source=clip) as running:
        yield running


def test_joints_come_without_an_origin(own: Server) -> None:
    with visiting(own, "/joints", origin=None) as client:
        first, second = answer(client), answer(client)
        assert second["frame"] > first["frame"]
        assert (first["width"], first["height"]) == SIZE
        assert len(first["people"]) == 1


def test_watchers_get_pictures_only_for_credit(own: Server) -> None:
    with visiting(own, "/watch") as client:
        client.send(json.dumps({"type": "ready", "at": 77.0}))
        message = client.recv(60)
        assert isinstance(message, bytes)
        length = struct.unpack_from("<I", message)[0]
        head = json.loads(message[4 : 4 + length])
        assert (head["type"], head["at"]) == ("tracks", 77.0)
        shown = Pictures.open(io.BytesIO(message[4 + length :]))
        assert shown.size == SIZE
        with pytest.raises(TimeoutError):
            client.recv(1)
        with suppress(ConnectionClosed):  # it may end before all are sent
            for _ in range(CREDIT + 5):
                client.send(json.dumps({"type": "ready"}))
        assert code_at_the_end(client) == 1008


def test_the_annotated_stream_is_mjpeg(own: Server) -> None:
    with socket.create_connection(("127.0.0.1", own.port)) as client:
        client.sendall(b"GET /stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
        data = b""
        while data.count(b"--posetrackframe") < 3:
            data += client.recv(65536)
        start = data.index(b"\xff\xd8")
        shown = np.asarray(Pictures.open(io.BytesIO(data[start:])))
        assert shown.shape == (SIZE[1], SIZE[0], 3)
        assert shown.std(axis=2).max() > 20  # a coloured skeleton on a picture without colours


def test_boxes_are_drawn_into_the_annotated_picture_where_asked_for() -> None:
    frame = Frame(block(20), 0, 0.0)
    tracks = next(block_tracker().track([frame]))
    plain, boxed = (
        np.asarray(Pictures.open(io.BytesIO(Moment(frame, tracks, 0.0, 0.5, boxes=boxes).annotated())))
        for boxes in (False, True)
    )
    (x1, y1, x2, y2), changed = tracks.poses.boxes[0], np.abs(plain.astype(int) - boxed).max(axis=2) > 60
    rows, columns = np.nonzero(changed)
    assert [columns.min(), rows.min(), columns.max(), rows.max()] == pytest.approx([x1, y1, x2, y2], abs=4)


def test_without_a_source_there_is_nothing_to_watch(server: Server) -> None:
    assert get(server, "/stream.mjpg")[0] == 404
    with pytest.raises(InvalidStatus), visiting(server, "/watch"):
        pass


# ---- bad requests


def test_a_port_in_use_is_one_line(server: Server) -> None:
    with pytest.raises(PoseTrackError, match=r"cannot listen on 127\.0\.0\.1:\d+ \(Address already in use\)"):
        PageServer(server.hub, Address(port=server.port))


def test_an_unreadable_certificate_is_one_line(server: Server, tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("not a certificate")
    for cert in (tmp_path / "bad.pem", tmp_path / "missing.pem"):
        with pytest.raises(PoseTrackError, match=r"cannot use the certificate .*\.pem with the key"):
            PageServer(server.hub, Address(port=0, tls_cert=cert, tls_key=cert))
    with pytest.raises(PoseTrackError, match="belong together"):
        Address(tls_cert=tmp_path / "bad.pem")
    with pytest.raises(PoseTrackError, match="16 or more"):
        Address(token="short")


def test_other_machines_need_a_token(server: Server) -> None:
    with PageServer(server.hub, Address(host="0.0.0.0", port=0)) as other:
        assert "/?token=" in other.greeting[0]
        assert "ssh -L" in other.greeting[1]
