"""Inputs and outputs in S3: moto's server on 127.0.0.1."""

from __future__ import annotations

import json
import re
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from posetrack.cli import main
from posetrack.cluster.engines import here
from posetrack.cluster.run import Run
from posetrack.cluster.store import Bucket, StoreError
from posetrack.cluster.tasks import make_tasks
from posetrack.video import open_video
from scripts import media
from tests.posetrack.cluster.test_engines import World
from tests.posetrack.cluster.tiny import Words
from tests.waiting import wait_until

pytest.importorskip("s3fs", reason="pip install posetrack[cluster]")
server = pytest.importorskip("moto.server")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def s3(address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """A server with one bucket, and s3fs to look into it; local work is done in a TMPDIR of its own."""
    import s3fs

    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    (work := tmp_path / "machine").mkdir()
    monkeypatch.setenv("TMPDIR", str(work))
    monkeypatch.setattr(tempfile, "tempdir", str(work))
    files = s3fs.S3FileSystem(use_listings_cache=False)
    files.mkdir("bucket")
    yield files
    files.rm("bucket", recursive=True)
    assert list(work.iterdir()) == []  # nothing is left on this machine


def names(s3: Any) -> set[str]:
    return {name.removeprefix("bucket/out/") for name in s3.find("bucket/out")}


def test_videos_from_a_bucket_to_a_bucket(
    s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for count in (5, 6):
        video = media.write_video(tmp_path / f"v{count}.mp4", media.numbered(count), sound=True)
        s3.put_file(str(video), f"bucket/in/v{count}.mp4")
    words = ["track", "s3://bucket/in/*.mp4", "--out", "s3://bucket/out"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "2 done, 0 kept from before, 0 failed" in said
    assert "v5.mp4: 5 frames" in said
    marks = {name for name in names(s3) if re.fullmatch(r"\.posetrack/(done|tried)/[0-9a-f]{16}\.json", name)}
    assert len(marks) == 4
    assert names(s3) - marks == {"v5.jsonl", "v5.mp4", "v6.jsonl", "v6.mp4", ".posetrack/manifest.jsonl"}
    task = json.loads(s3.cat("bucket/out/.posetrack/manifest.jsonl").splitlines()[0])
    assert task["etag"] == s3.info(task["source"])["ETag"]
    s3.get_file("bucket/out/v6.mp4", str(tmp_path / "back.mp4"))
    assert media.sound_packets(tmp_path / "back.mp4") == media.sound_packets(tmp_path / "v6.mp4")
    assert main(words) == 0
    assert "0 done, 2 kept from before" in capsys.readouterr().out
    assert main(["status", "s3://bucket/out"]) == 0
    assert "2 done, 0 running, 0 failed, 0 left\n11 frames" in capsys.readouterr().out


def test_inputs_are_read_in_parts(s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening a file of 12 MB whose index is in front reads a small part of it."""
    from moto.moto_server import werkzeug_app

    sent = []
    original = werkzeug_app.DomainDispatcherApplication.__call__

    def counted(self: Any, environ: dict[str, Any], start_response: Any) -> Any:
        if environ["REQUEST_METHOD"] == "GET":
            sent.append(environ.get("HTTP_RANGE"))
        return original(self, environ, start_response)

    monkeypatch.setattr(werkzeug_app.DomainDispatcherApplication, "__call__", counted)
    video = media.write_video(tmp_path / "v.mp4", media.numbered(9))
    s3.put_file(str(video), "bucket/v.mp4")
    with open_video("s3://bucket/v.mp4") as clip:
        assert [media.number_of(frame.image) for frame in clip] == list(range(9))
    assert (clip.name, clip.stem) == ("v.mp4", "v")
    assert sent
    assert all(part is not None and part.startswith("bytes=") for part in sent)


def test_two_drivers_share_a_bucket(s3: Any, tmp_path: Path) -> None:
    """Without locks, the second leaves what the first has begun for the end, and then does it, too."""
    world = World(tmp_path / "world", "s3://bucket/out")
    world.files[3].write_text("wait for the second driver, for this text is the longest and comes first")
    first = world.start("--shard", "1/1")
    wait_until(lambda: bool(world.begun(3)), lambda: first.poll() is None)
    (elsewhere := tmp_path / "elsewhere").mkdir()
    second = world.start("--shard", "1/1", TMPDIR=str(elsewhere))  # on one machine, it would wait
    wait_until(lambda: len(world.begun(3)) == 2, lambda: second.poll() is None)
    (world.notes / "go").touch()
    for driver in (first, second):
        assert driver.communicate()[1] == ""
        assert driver.returncode == 0
    assert [len(world.begun(n)) for n in range(10) if n != 3] == [1] * 9
    check(world, s3)


def test_a_killed_driver_and_the_next_one(s3: Any, tmp_path: Path) -> None:
    world = World(tmp_path / "world", "s3://bucket/out")
    world.files[3].write_text("wait, and be killed")
    driver = world.start("--shard", "1/1")
    wait_until(lambda: bool(world.begun(3)), lambda: driver.poll() is None)
    driver.kill()
    driver.communicate()
    wait_until(lambda: not world.processes())
    (world.notes / "go").touch()
    assert world.run("--shard", "1/1")[0] == 0
    check(world, s3)


def check(world: World, s3: Any) -> None:
    results = {f"{n}.out": file.read_text() for n, file in enumerate(world.files)}
    found = {name for name in names(s3) if not name.startswith(".posetrack/")}
    assert {name: s3.cat(f"bucket/out/{name}").decode() for name in found} == results
    assert len(s3.ls("bucket/out/.posetrack/done")) == len(results)


def test_a_mark_is_created_once(s3: Any) -> None:
    bucket = Bucket("s3://bucket/out")
    bucket.create("mark", b"first")
    bucket.create("mark", b"second")
    assert bucket.read("mark") == b"first"
    bucket.write("mark", b"third")
    assert bucket.read("mark") == b"third"
    bucket.remove("mark")
    assert bucket.read("mark") is None
    assert bucket.names() == {}


def test_no_such_bucket_and_no_rights_start_nothing(
    s3: Any, address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = media.write_video(tmp_path / "v.mp4", media.numbered(2))
    for out, more in (("s3://elsewhere/out", []), ("s3://elsewhere/out", ["--jobs", "2"])):
        assert main(["track", str(file), "--out", out, *more]) == 2
        said = capsys.readouterr()
        assert "posetrack: cannot write s3://elsewhere/out: The specified bucket does not exist" in said.err
        assert (said.err.count("\n"), said.out) == (1, "")
    assert main(["track", "s3://elsewhere/*.mp4", "--out", "s3://bucket/out"]) == 2
    assert "nothing matches s3://elsewhere/*.mp4; check the address" in capsys.readouterr().err
    (tmp_path / "a.txt").write_text("text")
    try:
        allow(address, "0")  # from now on, nobody has a right to anything
        run = Run(Words(str(tmp_path)), "s3://bucket/out", here)
        with pytest.raises(StoreError, match=r"cannot (read|write) s3://bucket/out: .*check address, rights"):
            run.plan(make_tasks([str(tmp_path / "a.txt")]))
    finally:
        allow(address, "inf")


def allow(address: str, requests: str) -> None:
    """So many requests without looking who asks."""
    kind = {"Content-Type": "text/plain"}
    request = urllib.request.Request(f"{address}/moto-api/reset-auth", requests.encode(), kind, method="POST")
    urllib.request.urlopen(request).close()
