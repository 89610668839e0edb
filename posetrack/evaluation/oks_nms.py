"""OKS-NMS: of poses that are nearly the same, the best one stays. Source: lib/nms/nms.py of the HRNet code.

>>> kept = oks_nms(poses.keypoints, areas, poses.scores, COCO17.sigmas)        # rows, best first

N poses of one picture, K joints. The official similarity is the plain OKS with the mean of both areas,
where an area is that of the padded crop (prod(scale * 200)), not that of the person. Of equal scores the
first pose wins; the official code leaves that to numpy's sort.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posetrack.boxes import suppress
from trackers.similarity import oks

Floats = NDArray[np.floating]
THRESHOLD = 0.9  # OKS_THRE of the official configurations
SOFT_MOST = 20  # max_dets of soft_oks_nms


def oks_nms(
    points: Floats,
    areas: Floats,
    scores: Floats,
    sigmas: Floats,
    threshold: float = THRESHOLD,
    valid: NDArray[np.bool_] | None = None,
) -> NDArray[np.intp]:
    """Rows to keep, best first: each has an OKS of at most `threshold` with every better one kept.

    Args:
        points: (N, K, 2) pixels.
        areas: (N,) of the padded crops, pixels squared.
        scores: (N,) of the poses.
        sigmas: (K,) of the skeleton.
        valid: (N, K) joints that count, those that both poses have; None counts all, as the official
            configurations do.
    """
    return suppress(_similarity(points, areas, sigmas, valid), scores, threshold)


def soft_oks_nms(
    points: Floats,
    areas: Floats,
    scores: Floats,
    sigmas: Floats,
    threshold: float = THRESHOLD,
    valid: NDArray[np.bool_] | None = None,
    most: int = SOFT_MOST,
) -> NDArray[np.intp]:
    """At most `most` rows, in the order in which they are taken: again and again the best that is left.

    After each, the scores of all others fall by exp(-OKS^2 / threshold). Arguments as for `oks_nms`.

    QUIRK scores-stay: the lowered scores only choose and order. The official code keeps the poses' own
    scores in the results, so with 20 people or fewer in a picture this changes nothing.
    """
    similarity = _similarity(points, areas, sigmas, valid)
    left = scores.astype(np.float64)
    kept: list[int] = []
    for _ in range(min(most, len(scores))):
        best = int(np.argmax(left))
        kept.append(best)
        left *= np.exp(-(similarity[best] ** 2) / threshold)
        left[kept] = -np.inf
    return np.array(kept, np.intp)


def _similarity(
    points: Floats, areas: Floats, sigmas: Floats, valid: NDArray[np.bool_] | None
) -> NDArray[np.floating]:
    # Not copied: with in_vis_thre set, the official oks_iou writes `list(vg > t) and list(vd > t)`, which in
    # Python is the second list alone, so joints that only the lower-scored pose shows would count. Here both
    # poses must show a joint. The official configurations leave in_vis_thre unset, where both agree.
    counted = np.ones(points.shape[:2], np.bool_) if valid is None else valid
    places, extents = points.astype(np.float64), areas.astype(np.float64)
    return oks(places, places, counted, counted, extents, extents, sigmas)
