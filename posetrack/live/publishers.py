"""Joints for other programs: JSON lines, UDP datagrams, OSC messages. All are sinks; nobody need listen."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Self, TextIO

from posetrack.errors import PoseTrackError
from posetrack.results.jsonl import Header, frame_line
from posetrack.sinks import Kind, Trace
from posetrack.types import Frame, Tracks

if TYPE_CHECKING:
    from pythonosc.osc_message import OscMessage

_DATAGRAM = 65_000  # bytes that one holds, at most


class _Publisher:
    """What all of them have in common."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Kind, error: BaseException | None, trace: Trace) -> None:
        self.close()

    def close(self) -> None:
        """Let go of what is open."""


class JsonLinesSink(_Publisher):
    """tracks.jsonl on a text stream, a line as soon as its frame is tracked."""

    def __init__(self, stream: TextIO, header: Header) -> None:
        super().__init__()
        self._stream = stream
        self._line(header.to_dict())

    def write(self, frame: Frame, tracks: Tracks) -> None:
        self._line(frame_line(tracks))

    def _line(self, values: dict[str, object]) -> None:
        self._stream.write(json.dumps(values) + "\n")
        self._stream.flush()


class UdpSink(_Publisher):
    """One datagram per frame: its line of tracks.jsonl, with the picture's width and height.

    A crowd too large for a datagram loses those whose score is lowest.
    """

    def __init__(self, host: str, port: int) -> None:
        super().__init__()
        self._address, self._socket = _open_udp(host, port)

    def write(self, frame: Frame, tracks: Tracks) -> None:
        width, height = tracks.size
        line = {**frame_line(tracks), "width": width, "height": height}
        people = sorted(line["people"], key=lambda person: -person["score"])
        while len(data := json.dumps({**line, "people": people}, separators=(",", ":")).encode()) > _DATAGRAM:
            people.pop()
        _send(self._socket, data, self._address)

    def close(self) -> None:
        self._socket.close()


class OscSink(_Publisher):
    """One OSC bundle per frame (several for a crowd), for TouchDesigner, Max, Unity and their like.

    `/posetrack/frame` index, seconds, people. Then for every person, x and y as shares of the picture's width
    and height: `/posetrack/person/ID` score, x1, y1, x2, y2 and `/posetrack/person/ID/JOINT` x, y, score.
    Joints below `min_joint_score` are not sent.
    """

    def __init__(self, host: str, port: int, *, min_joint_score: float = 0.0) -> None:
        super().__init__()
        self._address, self._socket = _open_udp(host, port)
        self._min_joint_score = min_joint_score

    def write(self, frame: Frame, tracks: Tracks) -> None:
        from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder

        builder, size = OscBundleBuilder(IMMEDIATELY), 0
        for message in self._messages(tracks):
            if size + message.size > _DATAGRAM // 2:
                _send(self._socket, builder.build().dgram, self._address)
                builder, size = OscBundleBuilder(IMMEDIATELY), 0
            builder.add_content(message)
            size += message.size + 4
        _send(self._socket, builder.build().dgram, self._address)

    def _messages(self, tracks: Tracks) -> list[OscMessage]:
        width, height = tracks.size
        out = [_message("/posetrack/frame", tracks.index, float(tracks.time), len(tracks))]
        poses = tracks.poses
        for n, identity in enumerate(tracks.ids.tolist()):
            x1, y1, x2, y2 = poses.boxes[n].tolist()
            person = f"/posetrack/person/{identity}"
            out.append(
                _message(person, float(poses.scores[n]), x1 / width, y1 / height, x2 / width, y2 / height)
            )
            for k, name in enumerate(poses.skeleton.keypoints):
                score = float(poses.keypoint_scores[n, k])
                if score > 0 and score >= self._min_joint_score:
                    x, y = poses.keypoints[n, k].tolist()
                    out.append(_message(f"{person}/{name}", x / width, y / height, score))
        return out

    def close(self) -> None:
        self._socket.close()


def _message(address: str, *values: float) -> OscMessage:
    from pythonosc.osc_message_builder import OscMessageBuilder

    builder = OscMessageBuilder(address)
    for value in values:
        builder.add_arg(value)
    return builder.build()


def parse_address(words: str, flag: str) -> tuple[str, int]:
    """HOST:PORT as a pair. Raises PoseTrackError."""
    host, colon, port = words.rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise PoseTrackError(f"{flag} {words}: give HOST:PORT, such as 127.0.0.1:7000")
    return host.strip("[]"), int(port)


def _open_udp(host: str, port: int) -> tuple[tuple[str, int], socket.socket]:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    except OSError as error:
        raise PoseTrackError(f"nobody knows the host '{host}' ({error.strerror}): check its name") from error
    return (str(address[0]), port), socket.socket(family, kind)


def _send(to: socket.socket, data: bytes, address: tuple[str, int]) -> None:
    try:
        to.sendto(data, address)
    except OSError:  # nobody listens yet, or the network is away: the next frame is another try
        return
