"""Who does the tasks: this process, or several processes of this machine; ray_engine.py has a cluster.

An engine takes entries and yields (task, outcome) as they end. A task whose worker died is given to another
worker; board.py counts how often, so that a video that kills its workers is set aside. A worker that is good
for nothing (a full disk, no networks) is let go, and its task given to another one.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Generator, Sequence
from multiprocessing import connection, get_context, parent_process
from multiprocessing.connection import Connection

from posetrack.cluster.work import MAX_TRIES, Entry, Outcome, Request, Worker
from posetrack.errors import PoseTrackError

Outcomes = Generator[Outcome]


class Queue:
    """The driver's entries; those that come back go to its end."""

    def __init__(self, work: Sequence[Entry]) -> None:
        self._entries = deque(work)
        self.given: list[Entry] = []  # to workers, who have not answered yet
        self.trouble = ""  # what the last worker that was let go said

    def __len__(self) -> int:
        return len(self._entries)

    def next(self) -> Entry:
        self.given.append(self._entries.popleft())
        return self.given[-1]

    def settle(self, entry: Entry, outcome: Outcome | None) -> Outcome | None:
        """What there is to say of an answer (None: the worker died); nothing where the task comes back."""
        self.given.remove(entry)
        if outcome is None:
            entry.deaths += 1
            if entry.deaths > MAX_TRIES:  # a worker that saw the board would have given it up
                return Outcome("failed", f"{entry.task.label}: its workers die before they begin")
        elif outcome.state == "unable":
            self.trouble = outcome.line
        elif outcome.state != "elsewhere" or entry.again:
            return outcome
        entry.again = True
        self._entries.append(entry)
        return None

    def refuse_rest(self) -> None:
        """Raises PoseTrackError where tasks are left that no worker is there for."""
        if self._entries:
            raise PoseTrackError(f"{len(self._entries)} not done, no worker is left: {self.trouble}")


def here(queue: Queue, request: Request) -> Outcomes:
    """One after the other in this process."""
    worker = Worker(request)
    while queue:
        entry = queue.next()
        answer = worker.run(entry)
        if (said := queue.settle(entry, answer)) is not None:
            yield said
        elif answer.state == "unable":
            queue.refuse_rest()


def processes(queue: Queue, request: Request, jobs: int) -> Outcomes:
    """In `jobs` processes, which share out the CPU's threads. None of them outlives this one."""
    hands = [_Hand(request, jobs) for _ in range(min(jobs, len(queue)))]
    try:
        while hands:
            for hand in hands:
                if hand.ready and hand.entry is None and queue:
                    hand.give(queue.next())
            if not queue and all(hand.entry is None for hand in hands):
                return
            waiting = connection.wait([hand.pipe for hand in hands])
            for hand in [hand for hand in hands if hand.pipe in waiting]:
                entry, answer = hand.entry, hand.take()
                if entry is not None and (said := queue.settle(entry, answer)) is not None:
                    yield said
                if answer is not None and answer.state == "unable":
                    queue.trouble = answer.line
                    hand.end()
                    hands.remove(hand)
        queue.refuse_rest()
    finally:
        for hand in hands:
            hand.end()


class _Hand:
    """A worker process, as its driver sees it."""

    def __init__(self, request: Request, jobs: int) -> None:
        self._request, self._jobs, self._starts = request, jobs, 0
        self._start()

    def _start(self) -> None:
        """A new process; spawned, since forks of a process with threads hang."""
        self.entry: Entry | None = None
        self.ready = False
        self._starts += 1
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._request, self._jobs), daemon=True)
        self._process.start()
        theirs.close()

    def give(self, entry: Entry) -> None:
        self.entry = entry
        try:
            self.pipe.send(entry)
        except OSError:  # it died before: `take` finds that out
            return

    def take(self) -> Outcome | None:
        """What it says; None if it is ready now, or died, and then a new one is started."""
        self.entry = None
        try:
            answer: Outcome | None = self.pipe.recv()
        except (EOFError, OSError):
            self._process.join()
            if not self.ready and self._starts >= MAX_TRIES:
                return Outcome("unable", f"workers die while they start (exit code {self._process.exitcode})")
            self.pipe.close()
            self._start()
            return None
        self.ready, self._starts = True, 0
        return answer

    def end(self) -> None:
        self.pipe.close()
        self._process.kill()
        self._process.join()


def _serve(pipe: Connection, request: Request, jobs: int) -> None:
    """The worker process: says None once it is ready, then an outcome for each entry."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the driver, which ends its workers
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _end_with_parent()
    os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // jobs))  # before torch is imported
    try:
        worker = Worker(request)
    except PoseTrackError as error:
        pipe.send(Outcome("unable", str(error)))
        return
    try:
        pipe.send(None)
        while True:
            pipe.send(worker.run(pipe.recv()))
    except (EOFError, OSError):
        return


def _end_with_parent() -> None:
    """A driver that was killed cannot end its workers: Linux does, elsewhere a thread looks out."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    threading.Thread(target=_wait_for_parent, daemon=True).start()  # also where it died before that


def _wait_for_parent() -> None:
    if (parent := parent_process()) is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
