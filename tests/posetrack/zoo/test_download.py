"""Downloads from a real server on this machine: one that cuts connections, ignores ranges, sends nonsense."""

from __future__ import annotations

import errno
import hashlib
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from posetrack.errors import PoseTrackError
from posetrack.zoo import bundled, catalog, download, fetch, weights

CONTENT = bytes(range(256)) * 4000  # a megabyte
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Server:
    """What the next requests get, and what they asked for."""

    url: str = ""
    content: bytes = CONTENT
    cuts: list[int] = field(default_factory=list)  # bytes after which to cut, one entry per request
    statuses: list[int] = field(default_factory=list)  # errors to answer first
    ranges: bool = True
    asked: list[str | None] = field(default_factory=list)  # the Range header of every request


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            state.asked.append(wanted)
            if state.statuses:
                self.send_error(state.statuses.pop(0))
                return
            start = int(re.findall(r"\d+", wanted)[0]) if wanted and state.ranges else 0
            if start and start >= len(state.content):
                self.send_error(416)
                return
            body = state.content[start:]
            self.send_response(206 if start else 200)
            if start:
                last = len(state.content) - 1
                self.send_header("Content-Range", f"bytes {start}-{last}/{len(state.content)}")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: state.cuts.pop(0)] if state.cuts else body)

        def log_message(self, *_: Any) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{httpd.server_port}/tiny.pth"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    httpd.shutdown()
    thread.join()
    httpd.server_close()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "new" / "weights"
    monkeypatch.setenv("POSETRACK_HOME", str(folder))
    monkeypatch.setattr(download, "PAUSE", 0.0)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def tiny(server: Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """A catalogue entry whose file the server has."""
    entry = replace(
        catalog.find("hrnet_w32_coco_256x192"), name="tiny", url=server.url, digest=f"sha256:{DIGEST[:8]}"
    )
    monkeypatch.setitem(catalog.CATALOG, "tiny", entry)  # type: ignore[arg-type]
    return "tiny"


def part_of(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def test_fetch_brings_the_file_and_reports_on_the_way(server: Server, tiny: str, home: Path) -> None:
    seen: list[tuple[str, int, int | None]] = []
    (path,) = fetch([tiny], progress=lambda *now: seen.append(now))
    assert path == home / "tiny.pth" == weights(tiny)
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (path.name, len(CONTENT), len(CONTENT))
    assert [done for _, done, _ in seen] == sorted({done for _, done, _ in seen})
    assert [p.name for p in home.iterdir()] == [path.name]


def test_what_is_here_is_not_fetched_again_unless_it_is_broken(server: Server, tiny: str) -> None:
    (path,) = fetch([tiny])
    fetch([tiny])
    assert server.asked == [None]
    path.write_bytes(CONTENT[:-1] + b"?")
    fetch([tiny])
    assert path.read_bytes() == CONTENT
    assert server.asked == [None, None]


def test_an_interrupted_download_goes_on_where_it_stopped(server: Server, tiny: str, home: Path) -> None:
    home.mkdir(parents=True)
    part_of(home / "tiny.pth").write_bytes(CONTENT[:300_000])
    (path,) = fetch([tiny])
    assert path.read_bytes() == CONTENT
    assert server.asked == ["bytes=300000-"]


def test_cut_connections_are_taken_up_again(server: Server, tiny: str) -> None:
    server.cuts = [100_000, 500_000, 200_000]
    (path,) = fetch([tiny])
    assert path.read_bytes() == CONTENT
    assert server.asked == [None, "bytes=100000-", "bytes=600000-", "bytes=800000-"]


def test_a_server_without_ranges_starts_again(server: Server, tiny: str) -> None:
    server.cuts, server.ranges = [100_000], False
    (path,) = fetch([tiny])
    assert path.read_bytes() == CONTENT
    assert server.asked == [None, "bytes=100000-"]


def test_a_beginning_of_another_file_is_thrown_away(server: Server, tiny: str, home: Path) -> None:
    home.mkdir(parents=True)
    part_of(home / "tiny.pth").write_bytes(b"?" * 1000)
    (path,) = fetch([tiny])
    assert path.read_bytes() == CONTENT
    assert server.asked == ["bytes=1000-", None]


@pytest.mark.parametrize("extra", [b"", b"?"], ids=["whole", "too long"])
def test_a_beginning_as_long_as_the_file(extra: bytes, server: Server, tiny: str, home: Path) -> None:
    home.mkdir(parents=True)
    part_of(home / "tiny.pth").write_bytes(CONTENT + extra)
    (path,) = fetch([tiny])
    assert path.read_bytes() == CONTENT
    assert len(server.asked) == (2 if extra else 1)  # asked for nothing more, got 416


def test_wrong_content_is_refused_and_not_left_behind(server: Server, tiny: str, home: Path) -> None:
    server.content = b"<html>please sign in</html>"
    with pytest.raises(
        PoseTrackError, match=f"not the published content .*, expected sha256:{DIGEST[:8]}…"
    ) as refusal:
        fetch([tiny])
    assert "\n" not in str(refusal.value)
    assert list(home.iterdir()) == []


def test_a_publisher_may_give_another_kind_of_digest(
    server: Server, tiny: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = replace(catalog.find(tiny), digest=f"md5:{hashlib.md5(CONTENT).hexdigest()}")
    monkeypatch.setitem(catalog.CATALOG, tiny, entry)  # type: ignore[arg-type]
    (path,) = fetch([tiny])
    assert path.read_bytes() == CONTENT
    path.write_bytes(b"?")
    server.content = b"?" * len(CONTENT)
    with pytest.raises(PoseTrackError, match=r"not the published content \(md5:[0-9a-f]{11}…, expected md5:"):
        fetch([tiny])


def test_a_server_that_is_busy_is_asked_again(server: Server, tiny: str) -> None:
    server.statuses = [503, 429]
    assert fetch([tiny])[0].read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("statuses", "said"),
    [([404], "answers 404"), ([503] * 3, "answers 503 .*; run the command again, or put")],
)
def test_a_server_that_says_no(statuses: list[int], said: str, server: Server, tiny: str, home: Path) -> None:
    server.statuses = statuses
    with pytest.raises(PoseTrackError, match=said):
        fetch([tiny])
    assert server.statuses == []
    assert not (home / "tiny.pth").exists()


def test_a_connection_that_keeps_breaking_keeps_what_it_brought(
    server: Server, tiny: str, home: Path
) -> None:
    server.cuts = [1000, 0, 0, 0]
    with pytest.raises(
        PoseTrackError, match="run the command again to go on from byte 1000, or put the file at"
    ):
        fetch([tiny])
    assert part_of(home / "tiny.pth").read_bytes() == CONTENT[:1000]


def test_no_server_at_all(tiny: str, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = replace(catalog.find(tiny), url="http://127.0.0.1:9/tiny.pth")  # the discard port
    monkeypatch.setitem(catalog.CATALOG, tiny, entry)  # type: ignore[arg-type]
    with pytest.raises(PoseTrackError, match=r"cannot download http://127.0.0.1:9/.* refused"):
        fetch([tiny])


def test_a_folder_that_cannot_be_made(server: Server, tiny: str, home: Path) -> None:
    home.parent.write_text("a file where the folder should be")
    with pytest.raises(PoseTrackError, match=r"cannot write .*; set POSETRACK_HOME to another folder"):
        fetch([tiny])


def test_a_full_disk(server: Server, tiny: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = download.shutil.disk_usage(home.parents[1])
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(PoseTrackError, match="no space left on the disk") as refusal:
        fetch([tiny])
    assert isinstance(refusal.value.__cause__, OSError)
    assert refusal.value.__cause__.errno == errno.ENOSPC


def test_an_unknown_name_is_noticed_before_the_first_byte(server: Server, tiny: str) -> None:
    with pytest.raises(PoseTrackError, match="no weights named 'nothing'"):
        fetch([tiny, "nothing"])
    assert server.asked == []


def test_missing_weights_say_how_to_get_them(home: Path, server: Server, tiny: str) -> None:
    with pytest.raises(PoseTrackError) as refusal:
        weights(tiny)
    text = str(refusal.value)
    assert str(home / "tiny.pth") in text
    assert "`posetrack fetch tiny`" in text
    assert server.url in text
    assert server.asked == []  # never touches the network


def test_the_home_of_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("POSETRACK_HOME", "~/models")
    assert download.home() == Path.home() / "models"
    monkeypatch.delenv("POSETRACK_HOME")
    monkeypatch.setattr(download.sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert download.home() == tmp_path / "posetrack"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert download.home() == Path.home() / ".cache" / "posetrack"
    monkeypatch.setattr(download.sys, "platform", "darwin")
    assert download.home() == Path.home() / "Library" / "Caches" / "posetrack"
    monkeypatch.setattr(download.sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    assert download.home() == tmp_path / "posetrack"


def test_bundled_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(download, "BUNDLED", tmp_path)
    (tmp_path / "light_pose.safetensors").write_bytes(b"")
    assert bundled("light_pose") == bundled("light_pose.safetensors") == tmp_path / "light_pose.safetensors"
    with pytest.raises(PoseTrackError, match=r"no bundled weights 'heavy': .* the package holds light_pose$"):
        bundled("heavy")
