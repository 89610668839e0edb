"""Where people went: a fading line on the ground behind each of them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from posetrack.drawing.colours import colour_of
from posetrack.drawing.strokes import Image, Points, Style, capsules, fade
from posetrack.types import Tracks

_PARTS = ("ankle", "hip")  # the first pair that is seen is followed; the one seen more often is drawn
_GAP = 0.4  # seconds for which a part may be unseen without a break in the line


@dataclass
class Trails:
    """Remembers where everybody's feet (or hips, where feet are not seen) were in the last second."""

    seconds: float = 1.0
    _paths: dict[int, deque[_Step]] = field(default_factory=dict, init=False)
    _now: float = field(default=-np.inf, init=False)

    def reset(self) -> None:
        """Forget everything: a new video begins."""
        self._paths.clear()
        self._now = -np.inf

    def update(self, tracks: Tracks, joint_threshold: float) -> None:
        """Remember this frame, and forget what is older than `seconds`. A time that steps back resets."""
        if tracks.time < self._now:
            self.reset()
        self._now = tracks.time
        for n, identity in enumerate(tracks.ids.tolist()):
            step = self._step(tracks, n, joint_threshold)
            if step is not None:
                self._paths.setdefault(identity, deque()).append(step)
        for identity, path in list(self._paths.items()):
            while path and path[0].time < self._now - self.seconds:
                path.popleft()
            if not path:
                del self._paths[identity]

    def draw(self, canvas: Image) -> None:
        """Paint all trails, older parts fainter and thinner."""
        for identity, path in self._paths.items():
            # No line from feet to hips: that would be a leap. The feet of fast people are seen now and then.
            parts = [step.part for step in path]
            steps = [step for step in path if step.part == max(_PARTS, key=parts.count)]
            edges = [(k - 1, k) for k in range(1, len(steps)) if steps[k].time - steps[k - 1].time < _GAP]
            if edges:
                newer = [steps[k] for _, k in edges]
                age = np.array([(self._now - step.time) / self.seconds for step in newer], np.float32)
                widths = np.array([step.width for step in newer], np.float32) * (1 - 0.7 * age)
                outlines = capsules(np.stack([step.place for step in steps]), edges, widths)
                fade(canvas, list(outlines), (0.75 * (1 - age)).tolist(), colour_of(identity))

    def _step(self, tracks: Tracks, n: int, threshold: float) -> _Step | None:
        poses = tracks.poses
        for part in _PARTS:
            pair = [k for k, name in enumerate(poses.skeleton.keypoints) if name.endswith(part)]
            place: NDArray[np.float32] = poses.keypoints[n, pair].mean(axis=0) if pair else np.full(2, np.nan)
            if np.isfinite(place).all() and (poses.keypoint_scores[n, pair] >= threshold).all():
                style = Style.of(int(tracks.ids[n]), poses.boxes[n], max(tracks.size))
                return _Step(tracks.time, part, place, style.width)
        return None


@dataclass(frozen=True)
class _Step:
    time: float  # seconds
    part: str
    place: Points  # (2,)
    width: float  # of the person's lines
