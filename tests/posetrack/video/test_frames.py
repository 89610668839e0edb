"""Prefetch and the channel below it: order, bounds, errors, and no thread left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from posetrack.video import open_video, prefetch
from posetrack.video.frames import Channel, ClosedError
from scripts.media import number_of, numbered, write_video
from tests.waiting import wait_until


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


class Source:
    """Counts up, remembers how far it went and whether it was closed."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.made, self.closed, self.fails_at = 0, False, fails_at

    def __iter__(self) -> Iterator[int]:
        try:
            while True:
                if self.made == self.fails_at:
                    raise OSError("the disk is gone")
                self.made += 1
                yield self.made - 1
        finally:
            self.closed = True


def test_order_and_end() -> None:
    assert list(prefetch(range(100), 3)) == list(range(100))
    assert list(prefetch([], 3)) == []


def test_real_frames(tmp_path: Path) -> None:
    video = open_video(write_video(tmp_path / "clip.mp4", numbered(20)))
    assert [number_of(f.image) for f in prefetch(video, 4)] == list(range(20))
    assert video.complete


def test_runs_ahead_but_only_so_far() -> None:
    source = Source()
    items = prefetch(source, 4)
    next(items)
    wait_until(lambda: source.made == 6)  # one taken, four waiting, one in hand
    time.sleep(0.05)
    assert source.made == 6
    items.close()
    assert source.closed


def test_an_error_arrives_after_what_came_before_it() -> None:
    source, seen = Source(fails_at=5), list[int]()
    with pytest.raises(OSError, match="the disk is gone"):
        seen.extend(prefetch(source, 2))
    assert seen == [0, 1, 2, 3, 4]
    assert source.closed


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_the_users_own_error_ends_the_thread(error: type[BaseException]) -> None:
    source = Source()
    items = prefetch(source, 2)

    def use() -> None:
        for item in items:
            if item == 3:
                raise error

    with pytest.raises(error):
        use()
    items.close()  # what leaving the scope does
    assert source.closed


def test_an_interrupt_while_waiting(tmp_path: Path) -> None:
    """Ctrl-C arrives in the consumer, which waits for a slow source."""

    def slow() -> Iterator[int]:
        yield 0
        time.sleep(0.3)
        yield 1

    items = prefetch(slow())
    next(items)
    with pytest.raises(KeyboardInterrupt):
        items.throw(KeyboardInterrupt)


def test_channel_hands_an_error_to_both_ends() -> None:
    channel: Channel[int] = Channel(2)
    channel.put(1)
    channel.close(ValueError("full disk"))
    with pytest.raises(ValueError, match="full disk"):
        channel.put(2)
    assert channel.get() == 1
    with pytest.raises(ValueError, match="full disk"):
        channel.get()


def test_channel_as_mailbox() -> None:
    channel: Channel[int] = Channel(1)
    assert [channel.replace(n) for n in (1, 2, 3)] == [0, 1, 1]
    assert channel.get() == 3
    channel.close()
    with pytest.raises(ClosedError):
        channel.replace(4)
