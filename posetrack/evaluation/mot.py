"""MOTA, MOTP, precision, recall and IDF1 per joint: poseval's counts, without its per-frame loops.

Every joint is tracked on its own: its annotated and predicted places are matched within half a head size,
whatever pose they belong to. The tests compare with motmetrics 1.4.0 event for event.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from posetrack.evaluation.matching import edges, event_rows, link
from posetrack.evaluation.people import Bools, Floats, Ints, K
from posetrack.evaluation.quirks import Quirks
from posetrack.evaluation.scene import Scene


@dataclass(frozen=True, eq=False)
class MotCounts:
    """Counts per joint, (15,) each; those of several videos add up."""

    objects: Floats  # annotated joints
    predictions: Floats
    matches: Floats  # with switches
    switches: Floats
    distance: Floats  # sum over the matches, head sizes
    distance_poseval: Floats  # sum over all rows of the event table, see `event_rows`
    identity_matches: Floats  # IDTP of the best one-to-one map between tracks

    def __add__(self, other: MotCounts) -> MotCounts:
        return MotCounts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @staticmethod
    def zero() -> MotCounts:
        return MotCounts(*(np.zeros(K) for _ in fields(MotCounts)))

    @property
    def misses(self) -> Floats:
        return self.objects - self.matches

    @property
    def false_positives(self) -> Floats:
        return self.predictions - self.matches


def counted_frames(scene: Scene, quirks: Quirks) -> Bools:
    """(F,) frames that enter the tracking metrics.

    QUIRK last-frame: poseval leaves out the last labelled frame of every sequence.
    """
    counts = scene.frames.listed > 0
    if quirks.skip_last_frame and counts.any():
        counts[np.flatnonzero(counts)[-1]] = False
    return counts


def count_mot(scene: Scene, quirks: Quirks) -> MotCounts:
    """All that MOTA, MOTP and IDF1 need from one video."""
    counts = counted_frames(scene, quirks)
    truths, found = np.diff(scene.truth_start), np.diff(scene.prediction_start)
    real, empty = counts.copy(), np.zeros_like(counts)
    if quirks.empty_frame_costs_one:
        # QUIRK empty-frame: a frame without any annotated or any predicted pose counts as one object and
        # one prediction that do not match, for every joint, however many people were missed.
        empty = counts & ((truths == 0) | (found == 0))
        real &= ~empty
    objects = scene.truth.present[real[scene.truth.frame]].sum(axis=0) + empty.sum()
    predictions = scene.predictions.present[real[scene.predictions.frame]].sum(axis=0) + empty.sum()

    pair, joint = edges(scene, real)
    links, order = link(scene, pair, joint)
    switched, extra_rows = event_rows(links, order)
    matches = np.bincount(links.joint, minlength=K)
    distance = _per_joint(links.joint, links.distance)
    # QUIRK raw-rows: poseval's MOTP sums the distances of the whole event table, which since motmetrics
    # 1.1 also holds a RAW row for every pair within reach (and rows for transferred tracks).
    raw = _per_joint(joint, scene.distance[pair, joint])
    return MotCounts(
        objects.astype(float),
        predictions.astype(float),
        matches.astype(float),
        np.bincount(links.joint[switched], minlength=K).astype(float),
        distance,
        raw + distance + _per_joint(links.joint, links.distance * extra_rows),
        _identity_matches(scene, pair, joint),
    )


def _per_joint(joint: Ints, values: Floats) -> Floats:
    return np.bincount(joint, values, K).astype(np.float64)  # an empty sum would be of integers


def _identity_matches(scene: Scene, pair: Ints, joint: Ints) -> Floats:
    """IDTP per joint: frames in reach of each other, under the best one-to-one map between tracks.

    Tracks that nothing connects do not compete, so each connected part is settled on its own: a table of all
    annotated by all predicted tracks would fill the memory where every pose has an own id.
    """
    truth_ids, truth = np.unique(scene.truth.ids, return_inverse=True)
    prediction_ids, prediction = np.unique(scene.predictions.ids, return_inverse=True)
    G, P = len(truth_ids), len(prediction_ids)
    key = (joint * G + truth[scene.pair_truth[pair]]) * P + prediction[scene.pair_prediction[pair]]
    couple, common = np.unique(key, return_counts=True)
    of_joint, of_truth, of_prediction = couple // (G * P or 1), couple // (P or 1), couple % (P or 1)
    ends = of_truth, K * G + of_joint * P + of_prediction  # a node for each track of each joint
    graph = coo_array((common, ends), shape=(K * (G + P),) * 2)
    part = connected_components(graph, directed=False)[1][ends[0]]
    best = np.zeros(K)
    order = np.argsort(part, kind="stable")
    starts = np.flatnonzero(np.diff(part[order], prepend=-1))
    np.add.at(
        best, of_joint[order[starts]], np.maximum.reduceat(common[order], starts) if len(starts) else []
    )
    for members in np.split(order, starts[1:]):
        rows, row = np.unique(of_truth[members], return_inverse=True)
        columns, column = np.unique(of_prediction[members], return_inverse=True)
        if len(rows) > 1 and len(columns) > 1:  # else only one couple can be chosen: the largest
            table = np.zeros((len(rows), len(columns)))
            table[row, column] = common[members]
            chosen = table[linear_sum_assignment(table, maximize=True)].sum()
            best[of_joint[members[0]]] += chosen - common[members].max()
    return best


@dataclass(frozen=True, eq=False)
class MotScores:
    """Percent, (15,) each; NaN where undefined."""

    mota: Floats
    motp: Floats
    motp_poseval: Floats
    precision: Floats
    recall: Floats
    idf1: Floats


def mot_scores(counts: MotCounts, quirks: Quirks) -> MotScores:
    """The tracking metrics of every joint.

    MOTP = 1 - mean distance of the matches in head sizes; `motp_poseval` is what poseval prints with
    today's motmetrics. QUIRK zero-for-undefined: MOTP of a joint that is never matched is 0, not undefined.
    IDF1 = 2 IDTP / (objects + predictions), over the same frames and with the same reach as MOTA.
    """
    objects = np.where(counts.objects > 0, counts.objects, np.nan)
    matches = np.where(counts.matches > 0, counts.matches, np.nan)
    errors = counts.misses + counts.switches + counts.false_positives
    undefined = 0.0 if quirks.zero_for_undefined else np.nan
    motp, motp_poseval = (1 - total / matches for total in (counts.distance, counts.distance_poseval))
    known = (counts.predictions > 0) & ((counts.objects > 0) | quirks.zero_for_undefined)
    predictions = np.where(known, counts.predictions, np.nan)
    return MotScores(
        100 * (1 - errors / objects),
        100 * np.where(np.isnan(matches), undefined, motp),
        100 * np.where(np.isnan(matches), undefined, motp_poseval),
        100 * counts.matches / predictions,
        100 * counts.matches / objects,
        100
        * 2
        * counts.identity_matches
        / np.where(counts.objects > 0, objects + counts.predictions, np.nan),
    )
