"""The tasks of a run on a Ray cluster: actors that each load the networks once. OUT is a place that all see.

Ray is an extra (`pip install posetrack[cluster]`). Its actors, not Ray Data, since a tracker goes through its
video in order. The driver holds the queue; what a lost actor or node was at comes back to it. Ray ends the
actors of a driver that dies.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import Any

from posetrack.cluster.engines import Outcomes, Queue
from posetrack.cluster.work import MAX_TRIES, Entry, Outcome, Request, Worker
from posetrack.errors import PoseTrackError

ANSWER = 10.0  # seconds for a cluster to answer
LOOK = 5.0  # seconds between looks at which machines are there
CPUS = 2  # of one actor: more threads hardly help one video


def connect(address: str) -> Any:
    """Ray, connected to the cluster at `address` ("auto": the one that this machine belongs to).

    Raises:
        PoseTrackError: Ray is not installed, or nothing answers there.
    """
    try:
        import ray
    except ImportError as error:
        raise PoseTrackError("--ray needs Ray: pip install 'posetrack[cluster]'") from error
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


class _Actor:
    """A worker, on whichever machine."""

    def __init__(self, request: Request, threads: int) -> None:
        os.environ["OMP_NUM_THREADS"] = str(threads)
        self._worker, self._refusal = None, None
        try:
            self._worker = Worker(request)
        except PoseTrackError as error:
            self._refusal = Outcome("unable", f"{socket.gethostname()}: {error}")

    def ready(self) -> Outcome | None:
        """Why it is good for nothing; None where it is ready."""
        return self._refusal

    def run(self, entry: Entry) -> Outcome:
        assert self._worker is not None
        return self._worker.run(entry)


@dataclass(frozen=True)
class _Hand:
    """An actor and what it is at; nothing while it starts."""

    actor: Any
    entry: Entry | None = None


def actors(queue: Queue, request: Request, cluster: Any) -> Outcomes:
    """As many actors as the cluster has room for; outcomes as they come.

    A new actor takes the place of a lost one as soon as there is room, also on machines that come later.

    Raises:
        PoseTrackError: no machine is left that has room, or no actor is good for anything.
    """
    ray = cluster
    hands: dict[Any, _Hand] = {}  # by the answer to come
    lost = unable = 0  # actors that died before they were ready, in a row; those that were let go
    try:
        while queue or any(hand.entry for hand in hands.values()):
            cpus, gpus, room = _room(ray.nodes())
            starting = sum(hand.entry is None for hand in hands.values())
            wanted = min(room - unable - len(hands), len(queue) - starting)
            for _ in range(wanted if lost < MAX_TRIES else 0):
                kind = ray.remote(num_cpus=cpus, num_gpus=gpus, max_restarts=0, max_task_retries=0)
                actor = kind(_Actor).remote(request, cpus or CPUS)
                hands[actor.ready.remote()] = _Hand(actor)
            if not hands:
                queue.trouble = queue.trouble or "no machine of the cluster has a free CPU"
                break
            for answer in ray.wait(list(hands), timeout=LOOK)[0]:
                hand = hands.pop(answer)
                said: Outcome | None = None
                try:
                    said = ray.get(answer)
                    dead, lost = False, 0
                except ray.exceptions.RayError as error:  # the actor, or its machine, is gone
                    dead, queue.trouble = True, str(error).splitlines()[0]
                    lost += hand.entry is None
                if hand.entry is not None and (outcome := queue.settle(hand.entry, said)) is not None:
                    yield outcome
                if said is not None and said.state == "unable":
                    queue.trouble, unable = said.line, unable + 1
                if queue and not dead and (said is None or said.state != "unable"):
                    entry = queue.next()
                    hands[hand.actor.run.remote(entry)] = _Hand(hand.actor, entry)
                else:  # whoever takes the place of a lost actor needs its room
                    ray.kill(hand.actor)
        queue.refuse_rest()
    finally:
        for hand in hands.values():
            ray.kill(hand.actor)


def _room(nodes: list[dict[str, Any]]) -> tuple[int, int, int]:
    """CPUs and GPUs of an actor, and how many actors the machines that are alive hold, each within one."""
    alive = [node["Resources"] for node in nodes if node["Alive"]]
    if gpus := sum(int(node.get("GPU", 0)) for node in alive):
        return 0, 1, gpus
    cpus = min(CPUS, max((int(node.get("CPU", 0)) for node in alive), default=0))
    return cpus, 0, sum(int(node.get("CPU", 0)) // cpus for node in alive) if cpus else 0
