"""Who does the tasks: this process, or several processes of this machine; ray_engine.py has a cluster.

An engine takes tasks with their ids and yields (task, outcome) as they end. A task whose worker died is given
to another worker; board.py counts how often, so that a video that kills its workers is set aside.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from multiprocessing import connection, get_context, parent_process
from multiprocessing.connection import Connection

from posetrack.cluster.tasks import Task
from posetrack.cluster.work import Outcome, Request, Worker

Work = Sequence[tuple[Task, str]]  # tasks with their ids
Outcomes = Iterator[tuple[Task, Outcome]]


def here(work: Work, request: Request) -> Outcomes:
    """One after the other in this process."""
    worker = Worker(request)
    for task, identity in work:
        yield task, worker.run(task, identity)


def processes(work: Work, request: Request, jobs: int) -> Outcomes:
    """In `jobs` processes, which share out the CPU's threads. None of them outlives this one."""
    queue = deque(work)
    hands = [_Hand(request, jobs) for _ in range(min(jobs, len(work)))]
    try:
        for hand in hands:
            hand.give(queue.popleft())
        while busy := [hand for hand in hands if hand.task is not None]:
            ready = connection.wait([hand.pipe for hand in busy])
            for hand in [hand for hand in busy if hand.pipe in ready]:
                task, identity = hand.task or queue[0]
                outcome = hand.take()
                if outcome is None:  # the worker died
                    queue.append((task, identity))  # the next worker counts, and gives it up in the end
                    hand.start()
                else:
                    yield task, outcome
                if queue:
                    hand.give(queue.popleft())
    finally:
        for hand in hands:
            hand.end()


class _Hand:
    """A worker process, as its driver sees it."""

    def __init__(self, request: Request, jobs: int) -> None:
        self._request, self._jobs = request, jobs
        self.task: tuple[Task, str] | None = None
        self.start()

    def start(self) -> None:
        """A new process; spawned, since forks of a process with threads hang."""
        self.task = None
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._request, self._jobs), daemon=True)
        self._process.start()
        theirs.close()

    def give(self, task: tuple[Task, str]) -> None:
        self.task = task
        try:
            self.pipe.send(task)
        except OSError:  # it died before: `take` finds that out
            return

    def take(self) -> Outcome | None:
        """What it answered; None if it died at it."""
        self.task = None
        try:
            outcome: Outcome = self.pipe.recv()
        except (EOFError, OSError):
            self._process.join()
            return None
        return outcome

    def end(self) -> None:
        self.pipe.close()
        self._process.terminate()
        self._process.join()


def _serve(pipe: Connection, request: Request, jobs: int) -> None:
    """The worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the driver, which ends its workers
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    threads = max(1, (os.cpu_count() or 1) // jobs)
    os.environ["OMP_NUM_THREADS"] = str(threads)  # before torch is imported
    import torch

    torch.set_num_threads(threads)
    worker = Worker(request)
    while True:
        try:
            task, identity = pipe.recv()
        except (EOFError, OSError):
            return
        pipe.send(worker.run(task, identity))


def _end_with_parent() -> None:
    """A driver that was killed cannot end its workers."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
