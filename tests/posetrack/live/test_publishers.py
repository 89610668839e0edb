"""Joints for other programs, received as they receive them."""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Iterator

import numpy as np
import pytest
from pythonosc.osc_bundle import OscBundle

from posetrack.errors import PoseTrackError
from posetrack.live.publishers import JsonLinesSink, OscSink, UdpSink, parse_address
from posetrack.results.jsonl import Header
from posetrack.skeletons import POSETRACK18
from posetrack.types import Frame, Poses, Tracks

K = len(POSETRACK18)
FRAME = Frame(np.zeros((100, 200, 3), np.uint8), 3, 0.5)


def tracks(people: int) -> Tracks:
    """People at x = 50, y = 25, the first joint weak."""
    points = np.full((people, K, 2), (50, 25))
    scores = np.full((people, K), 0.9)
    scores[:, 0] = 0.2
    poses = Poses(
        points, scores, np.tile([0, 0, 100, 50], (people, 1)), np.linspace(1, 0.1, people), POSETRACK18
    )
    return Tracks(poses, np.arange(people) + 1, np.zeros(people, bool), 3, 0.5, (200, 100))


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(60)
        yield listening


def test_json_lines_are_tracks_jsonl() -> None:
    stream = io.StringIO()
    with JsonLinesSink(stream, Header("cam", 200, 100, 30.0, POSETRACK18, "light")) as sink:
        sink.write(FRAME, tracks(2))
    header, line = map(json.loads, stream.getvalue().splitlines())
    assert header["format"] == "posetrack.tracks"
    assert [person["id"] for person in line["people"]] == [1, 2]


def test_udp_sends_a_datagram_per_frame(receiver: socket.socket) -> None:
    with UdpSink(*receiver.getsockname()) as sink:
        sink.write(FRAME, tracks(1))
        found = json.loads(receiver.recv(65536))
    assert (found["frame"], found["time"], found["width"], found["height"]) == (3, 0.5, 200, 100)
    assert found["people"][0]["keypoints"][1] == [50, 25, 0.9]


def test_udp_keeps_the_best_of_a_crowd(receiver: socket.socket) -> None:
    with UdpSink(*receiver.getsockname()) as sink:
        sink.write(FRAME, tracks(400))
        found = json.loads(receiver.recv(65536))
    kept = [person["id"] for person in found["people"]]
    assert kept == list(range(1, len(kept) + 1))
    assert 100 < len(kept) < 400


def test_osc_gives_shares_of_the_picture_and_no_weak_joints(receiver: socket.socket) -> None:
    with OscSink(*receiver.getsockname(), min_joint_score=0.5) as sink:
        sink.write(FRAME, tracks(2))
        bundle = OscBundle(receiver.recv(65536))
    messages = {message.address: message.params for message in bundle}
    assert messages["/posetrack/frame"] == [3, 0.5, 2]
    assert messages["/posetrack/person/2"] == pytest.approx([0.1, 0, 0, 0.5, 0.5])
    assert messages["/posetrack/person/1/left_wrist"] == pytest.approx([0.25, 0.25, 0.9])
    assert "/posetrack/person/1/nose" not in messages
    assert len(messages) == 1 + 2 * (1 + K - 1)


def test_osc_splits_a_crowd(receiver: socket.socket) -> None:
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**20)
    with OscSink(*receiver.getsockname()) as sink:
        sink.write(FRAME, tracks(60))
    found = 0
    while found < 1 + 60 * (1 + K):
        found += OscBundle(receiver.recv(65536)).num_contents
    assert found == 1 + 60 * (1 + K)


def test_nobody_need_listen() -> None:
    for sink in (UdpSink("127.0.0.1", 9), OscSink("127.0.0.1", 9)):
        with sink:
            for _ in range(3):
                sink.write(FRAME, tracks(1))
        assert not sink.warnings


@pytest.mark.parametrize("words", ["7000", "host:", ":7000", "host:0", "host:99999", "host:port"])
def test_an_address_that_is_none(words: str) -> None:
    with pytest.raises(PoseTrackError, match=f"--udp {words}: give HOST:PORT"):
        parse_address(words, "--udp")
    with pytest.raises(PoseTrackError, match=r"nobody knows the host 'no\.such\.host\.invalid'"):
        UdpSink("no.such.host.invalid", 7000)
