"""One live picture's tracker: frames in one at a time, tracks out. Networks are shared, identities are not.

>>> session = Session(posetrack.load("light"))  # doctest: +SKIP
>>> tracks = session.step(image, time=0.04)
"""

from __future__ import annotations

import copy
import sys
import time as clock
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from posetrack.pipeline import Detector, PoseTracker
from posetrack.types import Detections, Frame, Tracks

FORGET_AFTER = 2.0  # seconds without a frame from which everybody is new
BUDGET = 1 / 15  # seconds for a frame, which "auto" keeps by detecting less often
MOST_SPARSE = 4  # frames from one detection to the next, at most
T = TypeVar("T")
_SMOOTH = 0.1  # weight of the newest measurement


class Session:
    """Tracks one live source. Identities survive a gap of `FORGET_AFTER` seconds and are never used again.

    Args:
        system: its detector and estimator are used as they are; flow and tracker are copied.
        detect_every: frames from one detection to the next; None chooses by what a frame may cost.
    """

    def __init__(self, system: PoseTracker, detect_every: int | None = None) -> None:
        self._detector = SparseDetector(system.detector, detect_every)
        self._system = replace(
            system,
            detector=self._detector,
            flow=_own(system.flow),
            tracker=_own(system.tracker),
        )
        self._highest = self._offset = 0
        self._frame: Frame | None = None
        self._index = 0
        self.reset()

    def reset(self) -> None:
        """Forget everybody; whoever comes gets an identity that nobody had."""
        self._offset = self._highest
        self._pairs = self._system.follow(self._frames(), live=True)
        self._detector.reset()

    def step(self, image: Any, time: float) -> tuple[Frame, Tracks]:
        """Track the next frame.

        Args:
            image: (H, W, 3) uint8 RGB; another size than before starts anew.
            time: seconds, of the frame; increasing.
        """
        before, frame = self._frame, Frame(image, self._index, time)
        if before is not None:
            gap = time - before.time
            if gap > FORGET_AFTER or gap <= 0 or frame.size != before.size:
                self.reset()
        self._frame = frame
        self._index += 1
        start = clock.perf_counter()
        _, tracks = next(self._pairs)
        self._detector.account(clock.perf_counter() - start, len(tracks))
        if self._offset:
            tracks = replace(tracks, ids=tracks.ids + self._offset)
        self._highest = max(self._highest, int(tracks.ids.max(initial=0)))
        return frame, tracks

    def _frames(self) -> Iterator[Frame]:
        while self._frame is not None:
            yield self._frame


class SparseDetector:
    """Asks the detector every few frames; between them flow carries the boxes. Nobody tracked: every frame.

    Args:
        every: frames from one detection to the next; None adapts it to `BUDGET`.
    """

    def __init__(self, detector: Detector, every: int | None) -> None:
        self._detector = detector
        self._auto = every is None
        self.every = every or 1
        self._spent = 0.0  # seconds in the last call, 0 where the detector was not asked
        self._detect, self._rest = 0.0, 0.0  # seconds, smoothed
        self.reset()

    def reset(self) -> None:
        self._since = 0  # frames since the last detection
        self._people = 0

    def __call__(self, frames: Sequence[Frame]) -> list[Detections]:
        self._spent = 0.0
        if self._people and 0 < self._since < self.every:
            self._since += 1
            return [Detections.empty() for _ in frames]
        self._since = 1
        start = clock.perf_counter()
        found = self._detector(frames)
        self._spent = clock.perf_counter() - start
        return found

    def account(self, seconds: float, people: int) -> None:
        """What the whole frame took, and how many people are followed."""
        self._people = people
        self.measure(self._spent, seconds - self._spent)

    def measure(self, detect: float, rest: float) -> None:
        """Seconds that a frame spent in the detector (0: not asked) and elsewhere."""
        self._rest += _SMOOTH * (rest - self._rest) if self._rest else rest
        if detect:
            self._detect += _SMOOTH * (detect - self._detect) if self._detect else detect
        if self._auto:
            left = BUDGET - self._rest
            wanted = self._detect / left if left > 0 else MOST_SPARSE
            self.every = int(np.clip(np.ceil(wanted), 1, MOST_SPARSE))


def _own(part: T) -> T:
    """A copy with a memory of its own; networks in it stay shared."""
    torch = sys.modules.get("torch")  # not loaded: there are no networks either
    values = vars(part).values() if torch else ()
    shared = {id(value): value for value in values if torch and isinstance(value, torch.nn.Module)}
    return copy.deepcopy(part, shared)
