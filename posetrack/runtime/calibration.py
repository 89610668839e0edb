"""Scores that mean something: a network's own scores mapped to the share of cases in which they are right.

Logistic in the log odds (Platt, 1999): two numbers per network, which its weights file carries.

    >>> honest = Calibration(slope=1.0, shift=0.0)      # changes nothing
    >>> Calibration.read('{"slope": 0.8, "shift": -0.5}')(scores)
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from posetrack.errors import PoseTrackError, shortened

CEILING = 0.99  # scores above count as this: no network is certain


@dataclass(frozen=True)
class Calibration:
    """log odds of being right = slope x log odds of the score + shift; slope > 0, so no order changes."""

    slope: float = 1.0
    shift: float = 0.0

    def __post_init__(self) -> None:
        if not (self.slope > 0 and np.isfinite([self.slope, self.shift]).all()):
            raise PoseTrackError(
                f"calibration with slope {self.slope} and shift {self.shift}: the slope must be positive"
            )

    def __call__(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores (any shape) in 0..1 to shares in 0..1; 0 stays 0."""
        score = np.minimum(scores.astype(np.float64), CEILING)
        right = np.exp(self.shift) * score**self.slope
        share = right / (right + (1 - score) ** self.slope)
        return np.asarray(share, np.float32)

    def text(self) -> str:
        """For the metadata of a weights file, key "calibration"."""
        return json.dumps({name: round(value, 4) for name, value in asdict(self).items()})

    @staticmethod
    def read(text: str) -> Calibration:
        """From the metadata of a weights file.

        Raises:
            PoseTrackError: it is something else.
        """
        try:
            values = json.loads(text)
            return Calibration(float(values["slope"]), float(values["shift"]))
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise PoseTrackError(
                f'calibration {shortened(text)!r}: expected {{"slope": 1.0, "shift": 0.0}}, '
                "export the weights again"
            ) from error
