"""One thread for the networks; whoever has frames takes turns, a frame each.

>>> rota = Rota()
>>> rota.submit("somebody", lambda: 2 + 2).result()
4
>>> rota.close()
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class RotaClosedError(Exception):
    """The networks' thread has ended."""


class Rota:
    """Jobs of one owner run in their order; owners run in turns, however many jobs each has waiting."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[Hashable, deque[tuple[Future[Any], Callable[[], Any]]]] = OrderedDict()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="networks", daemon=True)
        self._thread.start()

    def submit(self, owner: Hashable, job: Callable[[], T]) -> Future[T]:
        """Run the job when the owner's turn comes. Raises RotaClosedError once it is."""
        future: Future[T] = Future()
        with self._changed:
            if self._closed:
                raise RotaClosedError
            self._waiting.setdefault(owner, deque()).append((future, job))
            self._changed.notify()
        return future

    def forget(self, owner: Hashable) -> None:
        """The owner has gone: cancel what it has waiting."""
        with self._changed:
            for future, _ in self._waiting.pop(owner, ()):
                future.cancel()

    def close(self) -> None:
        """Cancel all that waits, and end the thread after the job in hand."""
        with self._changed:
            self._closed = True
            owners = list(self._waiting)
            self._changed.notify()
        for owner in owners:
            self.forget(owner)
        self._thread.join()

    def _work(self) -> None:
        while (found := self._next()) is not None:
            future, job = found
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(job())
            except BaseException as error:  # for whoever waits for the result
                future.set_exception(error)
            del future, job, found  # pictures do not stay here until the next job

    def _next(self) -> tuple[Future[Any], Callable[[], Any]] | None:
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            if self._closed:
                return None
            owner, jobs = self._waiting.popitem(last=False)
            first = jobs.popleft()
            if jobs:
                self._waiting[owner] = jobs  # to the end of the line
            return first
