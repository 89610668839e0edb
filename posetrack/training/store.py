"""Where the training of a light network keeps its state: in one file, or in several small ones.

    store = OneFile(Path("/tmp/runs/pose/last.pt"))
    store.write({"network": network.state_dict(), "pictures": 512})
    state = store.read("cuda")  # None before anything was written

A kill at any time leaves the state that was written last.
"""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import Any, Protocol

import torch

from posetrack.errors import PoseTrackError
from posetrack.training.parts import join, missing, read_part, write_parts

State = dict[str, Any]


class Store(Protocol):
    def read(self, device: torch.device | str) -> State | None: ...

    def write(self, state: State) -> None: ...


class OneFile:
    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, device: torch.device | str) -> State | None:
        if not self.path.exists():
            return None
        state: State = torch.load(self.path, map_location=device, weights_only=True)
        return state

    def write(self, state: State) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_name(f"{self.path.name}.tmp")
        torch.save(state, temporary)
        os.replace(temporary, self.path)

    def __str__(self) -> str:
        return str(self.path)


class SmallFiles:
    """`folder/name-000007-0`, `folder/name-000007-1`: the parts of the seventh state.

    The earlier state goes when all parts of the new one are there; for a moment there are both.
    """

    def __init__(self, folder: Path, name: str, largest: int = 15 * 2**20) -> None:
        """`largest`: bytes of a file."""
        self.folder, self.name, self.largest = folder, name, largest

    def read(self, device: torch.device | str) -> State | None:
        """
        Raises:
            PoseTrackError: there are parts, but never all of one state.
        """
        states = self._states()
        for number in sorted(states, reverse=True):
            try:
                parts = [read_part(path) for path in states[number]]
            except PoseTrackError:
                continue
            if not missing(parts):
                content = io.BytesIO(join(parts))
                state: State = torch.load(content, map_location=device, weights_only=True)
                return state
        if states:
            raise PoseTrackError(f"{self} are not all there: bring all, or remove them to begin anew")
        return None

    def write(self, state: State) -> None:
        content = io.BytesIO()
        torch.save(state, content)
        number = max(self._states(), default=0) + 1
        new = write_parts(content.getvalue(), self.folder, f"{self.name}-{number:06}", self.largest)
        for path in set(self.folder.glob(f"{self.name}-*")) - set(new):
            path.unlink()

    def _states(self) -> dict[int, list[Path]]:
        """The files of each state, whole or not."""
        states: dict[int, list[Path]] = {}
        for path in sorted(self.folder.glob(f"{self.name}-*")):
            if match := re.fullmatch(rf"{re.escape(self.name)}-(\d+)-\d+", path.name):
                states.setdefault(int(match[1]), []).append(path)
        return states

    def __str__(self) -> str:
        return str(self.folder / f"{self.name}-*")
