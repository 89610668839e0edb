"""What all visitors of a server share: networks, places for clients, the settings it was started with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from posetrack.live.recorder import Recorder
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
    record: Path | None = None  # folder for recordings; None: there are none
    trails: bool = False  # drawn into recordings and the annotated stream
    boxes: bool = False  # likewise
    rota: Rota = field(default_factory=Rota)
    clients: int = 0
    recordings: dict[str, Path] = field(default_factory=dict)  # what may be downloaded, by name
    _systems: dict[str, PoseTracker] = field(default_factory=dict)

    def __post_init__(self) -> None:
        system = self.rota.submit(self, lambda: self.system(self.preset)).result()
        self.skeleton: Skeleton = system.skeleton
        self.min_joint_score = system.min_joint_score

    def system(self, preset: str) -> PoseTracker:
        """The networks of a preset, built when first asked for; only the networks' thread may ask."""
        if preset not in self._systems:
            self._systems[preset] = self.load(preset)
        return self._systems[preset]

    def recorder(self, stem: str) -> Recorder | None:
        """Writes into the recordings' folder; None where nothing may be written."""
        if self.record is None:
            return None
        return Recorder(self.record, stem, self.recordings, trails=self.trails, boxes=self.boxes)

    @property
    def full(self) -> str:
        """What somebody hears for whom there is no place."""
        many = self.max_clients > 1
        return f"all {self.max_clients} places are taken" if many else "the only place is taken"

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
