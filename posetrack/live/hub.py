"""What all visitors of a server share: networks, places for clients, the settings it was started with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from posetrack.live.rota import Rota
from posetrack.pipeline import PoseTracker
from posetrack.skeletons import Skeleton


@dataclass(eq=False)
class Hub:
    """Args: load: builds the system of a preset by its name."""

    load: Callable[[str], PoseTracker]
    preset: str = "light"
    presets: Sequence[str] = ("light",)
    detect_every: int | None = None
    max_clients: int = 8
    record: Path | None = None
    rota: Rota = field(default_factory=Rota)
    clients: int = 0
    _systems: dict[str, PoseTracker] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.skeleton: Skeleton = self.rota.submit(self, lambda: self.system(self.preset)).result().skeleton

    def system(self, preset: str) -> PoseTracker:
        """The networks of a preset, built when first asked for; only the networks' thread may ask."""
        if preset not in self._systems:
            self._systems[preset] = self.load(preset)
        return self._systems[preset]

    @contextmanager
    def place(self) -> Iterator[bool]:
        """A place for one client, for the length of the block; False where all are taken."""
        if self.clients >= self.max_clients:
            yield False
            return
        self.clients += 1
        try:
            yield True
        finally:
            self.clients -= 1
