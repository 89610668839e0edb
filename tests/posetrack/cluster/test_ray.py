"""A small Ray cluster on loopback addresses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from posetrack.cli import main
from posetrack.results.jsonl import read_jsonl
from scripts import media

ray = pytest.importorskip("ray", reason="pip install posetrack[cluster]")

MEMORY = 80 << 20  # bytes of each node's object store


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head without workers, on 127.0.0.2: with 127.0.0.1 Ray takes the outside address."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    arguments = {"num_cpus": 0, "object_store_memory": MEMORY, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args={"node_ip_address": "127.0.0.2", **arguments})
    yield made
    ray.shutdown()
    made.shutdown()


def test_every_video_has_its_result(cluster: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    videos = [tmp_path / f"v{count}.mp4" for count in (10, 9, 8)]
    for path, count in zip(videos, (10, 9, 8), strict=True):
        media.write_video(path, media.numbered(count))
    out = tmp_path / "out"
    cluster.add_node(num_cpus=1, node_ip_address="127.0.0.3", object_store_memory=MEMORY)
    words = ["track", *map(str, videos), "--out", str(out), "--no-video", "--ray", cluster.address]
    assert main(words) == 0
    assert "3 done, 0 kept from before, 0 failed" in capsys.readouterr().out
    assert {p.stem: len(read_jsonl(p).tracks) for p in out.glob("*.jsonl")} == {"v10": 10, "v9": 9, "v8": 8}


def test_no_cluster_there_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["track", str(tmp_path / "a.mp4"), "--out", str(tmp_path / "out"), "--ray", "127.0.0.9:6399"]
    assert main(words) == 2
    assert "--ray 127.0.0.9:6399: no Ray cluster there" in capsys.readouterr().err
    assert not (tmp_path / "out" / ".posetrack").exists()
