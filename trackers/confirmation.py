"""No identity for a blink: who is seen in one or two frames only is noise to whoever looks at the result."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator

import numpy as np

from posetrack.types import Frame, Tracks

Pairs = Iterator[tuple[Frame, Tracks]]


def confirmed(pairs: Iterable[tuple[Frame, Tracks]], frames: int, *, wait: bool = True) -> Pairs:
    """The pairs without identities seen in fewer than `frames` frames; the others keep their numbers.

    Args:
        pairs: every frame of a video with its tracks.
        frames: 1 leaves everything as it is.
        wait: a pair comes out `frames` - 1 frames late, and whoever proves to stay is there from the first;
            somebody who came in the last frames of the video is there, too. Otherwise pairs come at once, and
            everybody is left out until they have been seen often enough.
    """
    seen: Counter[int] = Counter()
    born: dict[int, int] = {}  # number of the pair
    waiting: deque[tuple[Frame, Tracks]] = deque()
    number = -1
    for number, (frame, tracks) in enumerate(pairs):
        for identity in tracks.ids.tolist():
            seen[identity] += 1
            born.setdefault(identity, number)
        waiting.append((frame, tracks))
        while len(waiting) >= (frames if wait else 1):
            frame, tracks = waiting.popleft()
            yield frame, tracks[np.array([seen[i] >= frames for i in tracks.ids.tolist()], bool)]
    for frame, tracks in waiting:
        stays = [seen[i] >= frames or born[i] > number + 1 - frames for i in tracks.ids.tolist()]
        yield frame, tracks[np.array(stays, bool)]
