"""Frames between threads: a bounded channel, and `prefetch`, which decodes ahead of whoever uses them."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Generator, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")
_PATIENCE = 0.2  # seconds between looks at the clock: without them Ctrl-C would not end a wait on Windows


class ClosedError(Exception):
    """Nobody is at the other end of the channel any more."""


class Channel(Generic[T]):
    """A queue of `size` items between two threads. Either end may close it, and both then notice at once."""

    def __init__(self, size: int) -> None:
        self._items: deque[T] = deque()
        self._size = size
        self._changed = threading.Condition()
        self._closed = False
        self.error: BaseException | None = None  # what it was closed with

    def put(self, item: T) -> None:
        """Wait for room, then add. Raises ClosedError, or the error that the channel was closed with."""
        with self._changed:
            while len(self._items) >= self._size and not self._closed:
                self._changed.wait(_PATIENCE)
            if self._closed:
                raise self.error or ClosedError
            self._items.append(item)
            self._changed.notify_all()

    def replace(self, item: T) -> int:
        """Add at once, in place of whatever waits. Returns how many items it threw away."""
        with self._changed:
            if self._closed:
                raise self.error or ClosedError
            thrown = len(self._items)
            self._items.clear()
            self._items.append(item)
            self._changed.notify_all()
            return thrown

    def offer(self, item: T) -> bool:
        """Add where there is room; False where there is none. Raises as `put` does."""
        with self._changed:
            if self._closed:
                raise self.error or ClosedError
            if len(self._items) >= self._size:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True

    def get(self, timeout: float | None = None) -> T:
        """Wait for the next item. Closed and empty: raises ClosedError or the error it was closed with.

        Raises TimeoutError where nothing comes within `timeout` seconds.
        """
        end = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while not self._items and not self._closed:
                if end is not None and time.monotonic() >= end:
                    raise TimeoutError
                self._changed.wait(_PATIENCE if end is None else max(0.0, end - time.monotonic()))
            if not self._items:
                raise self.error or ClosedError
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def close(self, error: BaseException | None = None, *, discard: bool = False) -> None:
        """No more items. What waits can still be taken, unless `discard`; the first error given is kept."""
        with self._changed:
            self._closed = True
            self.error = self.error or error
            if discard:
                self._items.clear()
            self._changed.notify_all()


def prefetch(frames: Iterable[T], size: int = 8) -> Generator[T]:
    """The same items, made up to `size` ahead in a thread of their own.

    An error in `frames` is raised here, after the items before it. However the loop ends (its end, an error,
    Ctrl-C, `close()`), the thread is gone and `frames` is closed before this generator returns.
    """
    channel: Channel[T] = Channel(size)

    def work() -> None:
        error: BaseException | None = None
        source = iter(frames)
        try:
            for item in source:
                channel.put(item)
        except ClosedError:
            pass
        except BaseException as problem:
            error = problem
        finally:
            if isinstance(source, Generator):
                source.close()
            channel.close(error)

    thread = threading.Thread(target=work, name="prefetch", daemon=True)
    thread.start()
    try:
        while True:
            try:
                item = channel.get()
            except ClosedError:
                return
            yield item
    finally:
        channel.close(discard=True)
        thread.join()
