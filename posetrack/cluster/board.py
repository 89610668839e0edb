"""What is known of every task, as small files in OUT/.posetrack: whoever comes later reads them there.

    manifest.jsonl    the tasks, and of which settings they are
    done/ID.json      written last, when the results stand in OUT under their own names
    failed/ID.json    given up: the reason, and how often it was tried
    tried/ID.json     how often it was begun; it outlives whoever began it
    lock/.ID.lock     held by the process that is at it; the system lets go of it when that process dies
    work/ID-.../      results in the making, under a name of their own for each attempt

A task may be begun twice, by two drivers or after a kill; its results appear once, by renaming. No clock of
any machine decides anything; how long a run takes is read off the clock of the store.
"""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from typing import Any

from posetrack.cluster.store import BOARD, PIECES, Store
from posetrack.errors import PoseTrackError

STATES = ("done", "failed", "tried")
MANIFEST = f"{BOARD}/manifest.jsonl"


@dataclass(frozen=True)
class Board:
    """The state of a run, beside its results."""

    store: Store

    def read(self, state: str, identity: str) -> dict[str, Any] | None:
        """What stands in STATE/ID.json; None where there is no such file."""
        data = self.store.read(_name(state, identity))
        if data is None:
            return None
        try:
            return dict(json.loads(data))
        except ValueError as error:
            raise PoseTrackError(
                f"{self.store}/{_name(state, identity)} is broken: delete it ({error})"
            ) from None

    def write(self, state: str, identity: str, **values: Any) -> None:
        data = (json.dumps({**values, "host": socket.gethostname()}) + "\n").encode()
        (self.store.create if state == "done" else self.store.write)(_name(state, identity), data)

    def known(self, state: str) -> dict[str, float]:
        """The ids of one state, and when each came into it."""
        found = self.store.names(f"{BOARD}/{state}")
        return {name[:-5]: when for name, when in found.items() if name.endswith(".json") and name[0] != "."}

    def results(self) -> set[str]:
        """The names of all files that are there, those of pieces with their folder."""
        return set(self.store.names()) | {f"{PIECES}/{name}" for name in self.store.names(PIECES)}

    def tries(self, identity: str) -> int:
        return int((self.read("tried", identity) or {}).get("count", 0))

    def forget(self, identity: str, *states: str) -> None:
        for state in states or STATES:
            self.store.remove(_name(state, identity))


def _name(state: str, identity: str) -> str:
    return f"{BOARD}/{state}/{identity}.json"
