"""Average precision per joint, as poseval computes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from posetrack.evaluation.people import Bools, Floats, Ints, K
from posetrack.evaluation.scene import Scene


@dataclass(frozen=True, eq=False)
class Detected:
    """Scored joints of P predicted poses in the frames that count, and how much there was to find."""

    scores: Floats  # (P, 15)
    present: Bools  # (P, 15)
    right: Bools  # (P, 15) the joint matches that of the person which the pose was assigned to
    objects: Ints  # (15,) annotated joints
    frames: int

    @staticmethod
    def concatenate(parts: Sequence[Detected]) -> Detected:
        return Detected(
            np.concatenate([np.zeros((0, K)), *(p.scores for p in parts)]),
            np.concatenate([np.zeros((0, K), np.bool_), *(p.present for p in parts)]),
            np.concatenate([np.zeros((0, K), np.bool_), *(p.right for p in parts)]),
            np.sum([np.zeros(K, np.int64), *(p.objects for p in parts)], axis=0),
            sum(p.frames for p in parts),
        )


@dataclass(frozen=True, eq=False)
class Curve:
    """Precision over recall of one joint, best score first."""

    recall: Floats  # (n,)
    precision: Floats  # (n,)


def assign_poses(scene: Scene) -> Ints:
    """(P,) the ground-truth row that each predicted pose is assigned to, -1 for none.

    PCKh decides, not the score: each prediction holds on to the person of whose joints it matches the
    largest share, then each person takes the prediction that matches most of theirs. Of equals the first.
    """
    hits = scene.match.sum(axis=1)
    annotated = np.maximum(scene.truth.present.sum(axis=1), 1)[scene.pair_truth]
    pck = hits / annotated  # (Q,)
    assigned = np.full(len(scene.predictions), -1)
    if not len(pck):
        return assigned
    hit = np.flatnonzero(pck)
    # the best truth of each prediction: pairs come sorted by prediction, then truth
    order = hit[np.lexsort((hit, -pck[hit], scene.pair_prediction[hit]))]
    best = order[_first_of_each(scene.pair_prediction[order])]
    # the best prediction of each truth among those
    order = best[np.lexsort((best, -pck[best], scene.pair_truth[best]))]
    best = order[_first_of_each(scene.pair_truth[order])]
    assigned[scene.pair_prediction[best]] = scene.pair_truth[best]
    return assigned


def _first_of_each(keys: Ints) -> Bools:
    return np.concatenate([np.ones(min(len(keys), 1), np.bool_), keys[1:] != keys[:-1]])


def detect(scene: Scene, assigned: Ints) -> Detected:
    """Right and wrong joints of every predicted pose.

    QUIRK unlabelled-frame: a frame counts when the ground truth lists a pose in it, whatever its
    `is_labeled` says; predictions in other frames are free.
    """
    counts = scene.frames.listed > 0
    right = np.zeros(scene.predictions.present.shape, np.bool_)
    taken = np.flatnonzero(assigned >= 0)
    frame = scene.predictions.frame[taken]
    # a frame's pairs form a block of predictions x truth
    row = taken - scene.prediction_start[frame]
    people = scene.truth_start[frame + 1] - scene.truth_start[frame]
    pair = scene.pair_start[frame] + row * people + assigned[taken] - scene.truth_start[frame]
    right[taken] = scene.match[pair]
    rows = counts[scene.predictions.frame]
    return Detected(
        scene.predictions.scores[rows],
        scene.predictions.present[rows],
        right[rows],
        scene.truth.present[counts[scene.truth.frame]].sum(axis=0),
        int(counts.sum()),
    )


def curves(detected: Detected) -> list[Curve]:
    """The 15 precision-recall curves; recall is NaN where nothing is annotated."""
    result = []
    for joint in range(K):
        there = detected.present[:, joint]
        scores, right = detected.scores[there, joint], detected.right[there, joint]
        # QUIRK score-ties: poseval sorts with numpy's unstable default and reads it backwards; so do we,
        # over the joints in the same order, as the order of equal scores changes AP
        order = np.argsort(scores)[::-1]
        found = np.cumsum(right[order])
        with np.errstate(invalid="ignore"):
            recall = found / float(detected.objects[joint])
        result.append(Curve(recall, found / np.arange(1, len(found) + 1)))
    return result


def average_precision(curve: Curve) -> float:
    """Area under the precision envelope, all points (VOC 2010), in percent."""
    recall = np.concatenate([[0.0], curve.recall, [1.0]])
    precision = np.concatenate([[0.0], curve.precision, [0.0]])
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(recall) * envelope[1:]).sum() * 100)


@dataclass(frozen=True, eq=False)
class ApScores:
    """Percent, (15,) each; NaN where undefined."""

    ap: Floats
    precision: Floats  # at the lowest score
    recall: Floats


def ap_scores(detected: Detected, *, zero_for_undefined: bool = True) -> ApScores:
    """AP, precision and recall of every joint.

    QUIRK zero-for-undefined: a joint that is never predicted gets AP, precision and recall 0 even where
    none is annotated, and a joint that is only predicted gets precision 0; both enter the totals. Switched
    off, joints without annotation are undefined (NaN) throughout, and so is a precision without predictions.
    """
    ap, precision, recall = np.zeros(K), np.zeros(K), np.zeros(K)
    for joint, curve in enumerate(curves(detected)):
        if len(curve.recall):
            ap[joint] = average_precision(curve)
            precision[joint], recall[joint] = curve.precision[-1] * 100, curve.recall[-1] * 100
        elif not zero_for_undefined:
            precision[joint] = np.nan
    if not zero_for_undefined:
        for values in (ap, precision, recall):
            values[detected.objects == 0] = np.nan
    return ApScores(ap, precision, recall)
