"""One live picture's tracker: gaps, resets, shared networks, sparse detection."""

from __future__ import annotations

import pytest

from posetrack.live.session import FORGET_AFTER, MOST_SPARSE, Session, SparseDetector
from posetrack.types import Detections, Frame
from tests.posetrack.live.stubs import BlockDetector, block, block_tracker


def ids(session: Session, x: int | None, time: float) -> list[int]:
    return session.step(block(x), time)[1].ids.tolist()


def test_identities_survive_a_short_gap_and_are_new_after_a_long_one() -> None:
    session = Session(block_tracker(), detect_every=1)
    assert ids(session, 20, 0.0) == [1]
    assert ids(session, 22, 0.1) == [1]
    assert ids(session, 24, 0.1 + FORGET_AFTER - 0.1) == [1]
    assert ids(session, 26, 2.0 + FORGET_AFTER + 0.1) == [2]  # nobody's identity is given twice
    assert ids(session, 28, 2.2 + FORGET_AFTER) == [2]


def test_a_picture_of_another_size_begins_anew() -> None:
    session = Session(block_tracker(), detect_every=1)
    ids(session, 20, 0.0)
    frame, tracks = session.step(block(20, (200, 140)), 0.1)
    assert (frame.index, tracks.size, tracks.ids.tolist()) == (1, (200, 140), [2])


def test_two_sessions_share_networks_but_no_identities() -> None:
    system = block_tracker()
    one, two = Session(system, 1), Session(system, 1)
    assert ids(one, 20, 0.0) == [1]
    assert ids(two, 60, 0.0) == [1]
    assert ids(one, 90, FORGET_AFTER + 1) == [2]
    assert ids(two, 61, 0.1) == [1]
    assert isinstance(system.detector, BlockDetector)
    assert system.detector.asked == 4


def test_between_detections_flow_carries_the_boxes() -> None:
    system = block_tracker()
    session = Session(system, detect_every=3)
    found = [session.step(block(20 + 2 * n), n / 25)[1] for n in range(7)]
    assert [tracks.ids.tolist() for tracks in found] == [[1]] * 7
    assert [tracks.propagated.tolist() for tracks in found] == [
        [detected] for detected in (False, True, True, False, True, True, False)
    ]


def test_with_nobody_in_view_every_frame_is_looked_at() -> None:
    system = block_tracker()
    session = Session(system, detect_every=4)
    for n in range(5):
        ids(session, None, n / 25)
    assert isinstance(system.detector, BlockDetector)
    assert system.detector.asked == 5
    assert ids(session, 20, 0.2) == [1]


class FreeDetector:
    def __call__(self, frames: list[Frame]) -> list[Detections]:
        return [Detections.empty() for _ in frames]


@pytest.mark.parametrize(
    ("detect", "rest", "every"),
    [
        (0.020, 0.020, 1),  # 40 ms: within 1/15 s
        (0.060, 0.030, 2),  # 30 + 60 / 2 = 60 ms
        (0.100, 0.030, 3),  # 30 + 100 / 3 = 63 ms
        (0.100, 0.090, MOST_SPARSE),  # nothing helps
    ],
)
def test_auto_detects_as_often_as_time_allows(detect: float, rest: float, every: int) -> None:
    detector = SparseDetector(FreeDetector(), None)
    for _ in range(200):
        detector.measure(detect, rest)
    assert detector.every == every
