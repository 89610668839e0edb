"""The tasks of a run on a Ray cluster: actors that each load the networks once. OUT is a folder all see.

Ray is an extra (`pip install posetrack[cluster]`). Its actors, not Ray Data, since a tracker goes through its
video in order. The driver holds the queue; a lost actor or node gives its task back.
"""

from __future__ import annotations

import os
import socket
from collections import deque
from typing import Any

from posetrack.cluster.engines import Outcomes, Work
from posetrack.cluster.tasks import Task, bundled_digest
from posetrack.cluster.work import Outcome, Request, Worker
from posetrack.errors import PoseTrackError

ANSWER = 10.0  # seconds for a cluster to answer
CPUS = 2  # of one actor: more threads hardly help one video


def connect(address: str) -> Any:
    """Ray, connected to the cluster at `address` ("auto": the one that this machine belongs to).

    Raises:
        PoseTrackError: Ray is not installed, or nothing answers there.
    """
    try:
        import ray
    except ImportError as error:
        raise PoseTrackError("--ray needs Ray: pip install posetrack[cluster]") from error
    host, _, port = address.rpartition(":")
    if port.isdecimal() and not address.startswith("ray://"):  # Ray itself would ask for minutes
        try:
            socket.create_connection((host, int(port)), timeout=ANSWER).close()
        except OSError as error:
            raise PoseTrackError(
                f"--ray {address}: no Ray cluster there ({error}); start one with `ray start --head`"
            ) from error
    if not ray.is_initialized():
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            ray.init(address=address, log_to_driver=False, configure_logging=False)
        except (ConnectionError, OSError, ValueError, RuntimeError) as error:
            reason = str(error).splitlines()[0][:200]
            raise PoseTrackError(
                f"--ray {address}: no Ray cluster there ({reason}); start one with `ray start --head`"
            ) from error
    return ray


class _Actor(Worker):
    """A worker, on whichever machine."""

    def __init__(self, request: Request, threads: int) -> None:
        os.environ["OMP_NUM_THREADS"] = str(threads)
        super().__init__(request)

    def release(self) -> str:
        return bundled_digest()


def actors(work: Work, request: Request, cluster: Any) -> Outcomes:
    """As many actors as the cluster has room for; (task, outcome) as they end.

    Raises:
        PoseTrackError: a machine has another release than this one.
    """
    ray = cluster
    room = ray.cluster_resources()
    gpus = int(room.get("GPU", 0))
    cpus = min(CPUS, int(room.get("CPU", 1)))
    count = min(len(work), gpus or max(1, int(room.get("CPU", 1)) // cpus))
    remote = ray.remote(num_cpus=0 if gpus else cpus, num_gpus=1 if gpus else 0, max_restarts=0)(_Actor)
    queue = deque(work)
    busy: dict[Any, tuple[Any, tuple[Task, str]]] = {}  # answer to come: its actor and task

    def give(actor: Any) -> None:
        if queue:
            entry = queue.popleft()
            busy[actor.run.remote(*entry)] = (actor, entry)
        else:  # whoever takes the place of a lost actor needs its room
            ray.kill(actor)

    hands = [remote.remote(request, cpus) for _ in range(count)]
    try:
        if hands and ray.get(hands[0].release.remote()) != bundled_digest():
            raise PoseTrackError("the cluster has another release of posetrack: install this one there")
        for hand in hands:
            give(hand)
        while busy:
            (answer,), _ = ray.wait(list(busy))
            actor, entry = busy.pop(answer)
            try:
                outcome: Outcome = ray.get(answer)
            except ray.exceptions.RayError:  # the actor or its machine is gone; board.py counts
                queue.append(entry)
                give(remote.remote(request, cpus))
                continue
            yield entry[0], outcome
            give(actor)
    finally:
        for actor, _ in busy.values():
            ray.kill(actor)
