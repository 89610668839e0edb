"""MOTA, MOTP, precision, recall and IDF1 per joint: poseval's counts, without its per-frame loops.

Every joint is tracked on its own: in each frame its annotated and predicted places are matched within half
a head size, first whoever was matched to each other last (carry over), then the rest at least cost. That is
motmetrics 1.4.0 `MOTAccumulator`; the tests compare event for event.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, fields

import numpy as np
from scipy.optimize import linear_sum_assignment

from posetrack.evaluation.people import Bools, Floats, Ints, K
from posetrack.evaluation.quirks import Quirks
from posetrack.evaluation.scene import Scene, lone_edges


@dataclass(frozen=True, eq=False)
class MotCounts:
    """Counts per joint, (15,) each; those of several videos add up."""

    objects: Floats  # annotated joints
    predictions: Floats
    matches: Floats  # with switches
    switches: Floats
    distance: Floats  # sum over the matches, head sizes
    distance_poseval: Floats  # sum over all rows of the event table, see `_event_rows`
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


@dataclass(frozen=True, eq=False)
class Links:
    """Matched joints (M,) of one video, ordered by frame."""

    frame: Ints
    joint: Ints
    truth: Ints  # ground-truth track, numbered from 0 within the video
    prediction: Ints  # predicted track, likewise
    distance: Floats  # head sizes


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

    edges = _edges(scene, real)
    links, order = _link(scene, *edges)
    switched, extra_rows = _event_rows(links, order)
    matches = np.bincount(links.joint, minlength=K)
    distance = _per_joint(links.joint, links.distance)
    # QUIRK raw-rows: poseval's MOTP sums the distances of the whole event table, which since motmetrics
    # 1.1 also holds a RAW row for every pair within reach (and rows for transferred tracks).
    pair, joint = edges
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


def _edges(scene: Scene, frames: Bools) -> tuple[Ints, Ints]:
    """Pair and joint of everything within reach in the given frames."""
    pair, joint = np.nonzero(scene.match & frames[scene.frame_of_pair][:, None])
    return pair, joint


def _link(scene: Scene, pair: Ints, joint: Ints) -> tuple[Links, Ints]:
    """Matches among the edges, and their order of acceptance within a frame."""
    truth_track = np.unique(scene.truth.ids, return_inverse=True)[1]
    prediction_track = np.unique(scene.predictions.ids, return_inverse=True)[1]
    frame = scene.frame_of_pair[pair]
    alone = lone_edges(scene, pair, joint) & ~_frames_with_twins(scene)[frame]
    order = np.zeros(len(pair), np.int64)
    accepted = alone.copy()
    if not alone.all():
        place = {
            (int(p), int(j)): e for e, (p, j) in enumerate(zip(pair, joint, strict=True)) if not alone[e]
        }
        history = _History(
            joint[alone], truth_track[scene.pair_truth[pair[alone]]], frame[alone],
            prediction_track[scene.pair_prediction[pair[alone]]], len(scene.frames.names),
        )  # fmt: skip
        for key in np.unique(frame[~alone] * K + joint[~alone]):
            t, j = divmod(int(key), K)
            for rank, found in enumerate(_match_frame(scene, t, j, truth_track, prediction_track, history)):
                edge = place.get((found, j))
                if edge is not None:
                    accepted[edge] = True
                    order[edge] = rank
    chosen = np.flatnonzero(accepted)
    pairs = pair[chosen]
    links = Links(
        frame[chosen],
        joint[chosen],
        truth_track[scene.pair_truth[pairs]],
        prediction_track[scene.pair_prediction[pairs]],
        scene.distance[pairs, joint[chosen]],
    )
    return links, order[chosen]


def _frames_with_twins(scene: Scene) -> Bools:
    """(F,) the ground truth uses an id twice in the frame: then the order of matching matters everywhere."""
    twins = np.zeros(len(scene.frames.names), np.bool_)
    order = np.lexsort((scene.truth.ids, scene.truth.frame))
    ids, frame = scene.truth.ids[order], scene.truth.frame[order]
    same = (ids[1:] == ids[:-1]) & (frame[1:] == frame[:-1])
    twins[frame[1:][same]] = True
    return twins


class _History:
    """Whom each annotated joint was matched to last, before a given frame."""

    def __init__(self, joint: Ints, truth: Ints, frame: Ints, prediction: Ints, frames: int) -> None:
        self._frames = frames
        tracks = int(truth.max(initial=-1)) + 1
        self._joint_stride = tracks
        keys = (joint * tracks + truth) * frames + frame
        order = np.argsort(keys)
        self._keys: list[int] = keys[order].tolist()
        self._predictions: list[int] = prediction[order].tolist()
        self._later: dict[
            tuple[int, int], tuple[int, int]
        ] = {}  # found since: (joint, truth) -> frame, prediction

    def last(self, joint: int, truth: int, frame: int) -> int | None:
        when, who = self._later.get((joint, truth), (-1, None))
        if truth < self._joint_stride:
            base = (joint * self._joint_stride + truth) * self._frames
            place = bisect_left(self._keys, base + frame) - 1
            if place >= 0 and self._keys[place] >= base + when + 1:
                return self._predictions[place]
        return who

    def add(self, joint: int, truth: int, frame: int, prediction: int) -> None:
        self._later[joint, truth] = (frame, prediction)


def _match_frame(
    scene: Scene, t: int, j: int, truth_track: Ints, prediction_track: Ints, history: _History
) -> list[int]:
    """Pairs matched in one frame for one joint, in order: carried over first, then the rest at least cost."""
    g0, p0 = int(scene.truth_start[t]), int(scene.prediction_start[t])
    rows = np.flatnonzero(scene.truth.present[g0 : scene.truth_start[t + 1], j])
    columns = np.flatnonzero(scene.predictions.present[p0 : scene.prediction_start[t + 1], j])
    cost = scene.block(scene.distance, t)[rows][:, columns, j]  # (rows, columns)
    cost = np.where(cost <= 0.5, cost, np.nan)
    objects, tracks = truth_track[g0 + rows].tolist(), prediction_track[p0 + columns].tolist()
    column_of: dict[int | None, int] = {track: c for c, track in enumerate(tracks)}
    matched: list[tuple[int, int]] = []
    used: set[int] = set()
    for r, thing in enumerate(objects):
        c = column_of.get(history.last(j, thing, t), -1)
        if c >= 0 and c not in used and np.isfinite(cost[r, c]):
            matched.append((r, c))
            used.add(c)
    for r, c in matched:
        cost[r, :] = np.nan
        cost[:, c] = np.nan
    matched += assign(cost)
    for r, c in matched:
        history.add(j, objects[r], t, tracks[c])
    G = int(scene.truth_start[t + 1]) - g0
    start = int(scene.pair_start[t])
    return [start + int(columns[c]) * G + int(rows[r]) for r, c in matched]


def assign(cost: Floats) -> list[tuple[int, int]]:
    """As many pairs as possible at least total cost; NaN forbids a pair.

    Forbidden pairs get the finite cost that motmetrics gives them, in a matrix of the same shape, so that
    scipy's solver settles ties between equal totals alike.
    """
    allowed = np.isfinite(cost)
    if not allowed.any():
        return []
    forbidden = 2 * min(cost.shape) * (np.abs(cost[allowed]).max() + 1) + 1
    rows, columns = linear_sum_assignment(np.where(allowed, cost, forbidden))
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if allowed[r, c]]


def _event_rows(links: Links, order: Ints) -> tuple[Bools, Ints]:
    """Which links are switches, and how many more rows motmetrics writes for each link.

    A link is new when its object was last matched to another track (a switch) or never. motmetrics adds a
    row to a switch onto a track never matched before (ASCEND), to a new link whose track last was newly
    linked to another object (TRANSFER), and to that again if the object was never matched (MIGRATE). None
    of these counts in MOTA, but poseval's MOTP adds up their distances.
    """
    by_object = np.lexsort((order, links.frame, links.truth, links.joint))
    first_of_object, same_track = _compare(by_object, links.joint, links.truth, links.prediction)
    switched = ~first_of_object & ~same_track
    new = first_of_object | switched

    by_track = np.lexsort((order, links.frame, links.prediction, links.joint))
    first_of_track, _ = _compare(by_track, links.joint, links.prediction, links.truth)
    newly = by_track[new[by_track]]
    first_newly, same_object = _compare(newly, links.joint, links.prediction, links.truth)
    transferred = new & ~first_newly & ~same_object
    rows = (switched & first_of_track).astype(np.int64) + transferred + (transferred & first_of_object)
    return switched, rows


def _compare(order: Ints, joint: Ints, group: Ints, value: Ints) -> tuple[Bools, Bools]:
    """In the given order: is this the first of its joint and group; has it the value of the one before it?

    Links that the order leaves out are neither first nor same.
    """
    first, same = np.zeros(len(joint), np.bool_), np.zeros(len(joint), np.bool_)
    now, before = order[1:], order[:-1]
    follows = (joint[now] == joint[before]) & (group[now] == group[before])
    first[order[:1]] = True
    first[now] = ~follows
    same[now] = follows & (value[now] == value[before])
    return first, same


def _identity_matches(scene: Scene, pair: Ints, joint: Ints) -> Floats:
    """IDTP per joint: frames in reach of each other, under the best one-to-one map between tracks."""
    truth_ids, truth = np.unique(scene.truth.ids, return_inverse=True)
    prediction_ids, prediction = np.unique(scene.predictions.ids, return_inverse=True)
    G, P = len(truth_ids), len(prediction_ids)
    key = (joint * G + truth[scene.pair_truth[pair]]) * P + prediction[scene.pair_prediction[pair]]
    common = np.bincount(key, minlength=K * G * P).reshape(K, G, P)
    result = np.zeros(K)
    for j in range(K):
        rows, columns = linear_sum_assignment(common[j], maximize=True)
        result[j] = common[j, rows, columns].sum()
    return result


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
