"""Which predicted joint is which annotated one, frame by frame: the matching of motmetrics 1.4.0.

In every frame whoever was matched to each other last and is still within reach stays together (carry over);
the rest are matched at least total distance. Joints without a rival need neither rule, so only the few
crowded places are looked at one by one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from posetrack.evaluation.people import Bools, Floats, Ints
from posetrack.evaluation.scene import MATCH_DISTANCE, Scene, lone_edges


@dataclass(frozen=True, eq=False)
class Links:
    """Matched joints (M,) of one video, ordered by frame."""

    frame: Ints
    joint: Ints
    truth: Ints  # ground-truth track, numbered from 0 within the video
    prediction: Ints  # predicted track, likewise
    distance: Floats  # head sizes

    def __getitem__(self, index: Bools) -> Links:
        return Links(*(getattr(self, field.name)[index] for field in fields(self)))


def edges(scene: Scene, frames: Bools) -> tuple[Ints, Ints]:
    """Pair and joint of everything within reach in the given frames."""
    pair, joint = np.nonzero(scene.match & frames[scene.frame_of_pair][:, None])
    return pair, joint


def link(scene: Scene, pair: Ints, joint: Ints) -> tuple[Links, Ints]:
    """Matches among the edges, and their order of acceptance within a frame."""
    truth_track = np.unique(scene.truth.ids, return_inverse=True)[1]
    prediction_track = np.unique(scene.predictions.ids, return_inverse=True)[1]
    links = Links(
        scene.frame_of_pair[pair],
        joint,
        truth_track[scene.pair_truth[pair]],
        prediction_track[scene.pair_prediction[pair]],
        scene.distance[pair, joint],
    )
    alone = lone_edges(scene, pair, joint) & ~_frames_with_twins(scene)[links.frame]
    order = np.zeros(len(pair), np.int64)
    accepted = alone.copy()
    if not alone.all():
        history = _History(links[alone], len(scene.frames.names))
        for rank, edge in _settle(scene, pair, links, np.flatnonzero(~alone), history):
            accepted[edge] = True
            order[edge] = rank
    return links[accepted], order[accepted]


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

    def __init__(self, links: Links, frames: int) -> None:
        self._frames = frames
        self._tracks = int(links.truth.max(initial=-1)) + 1
        keys = (links.joint * self._tracks + links.truth) * frames + links.frame
        order = np.argsort(keys)
        self._keys: list[int] = keys[order].tolist()
        self._predictions: list[int] = links.prediction[order].tolist()
        self._later: dict[tuple[int, int], tuple[int, int]] = {}  # found since: -> frame, prediction

    def last(self, joint: int, truth: int, frame: int) -> int | None:
        when, who = self._later.get((joint, truth), (-1, None))
        if truth < self._tracks:
            base = (joint * self._tracks + truth) * self._frames
            place = bisect_left(self._keys, base + frame) - 1
            if place >= 0 and self._keys[place] > base + when:
                return self._predictions[place]
        return who

    def add(self, joint: int, truth: int, frame: int, prediction: int) -> None:
        self._later[joint, truth] = (frame, prediction)


class _Edge(NamedTuple):
    """A pair of joints within reach that competes with others."""

    frame: int
    joint: int
    row: int  # of the ground truth
    column: int  # of the predictions
    edge: int
    truth: int  # track
    prediction: int
    distance: float


def _settle(
    scene: Scene, pair: Ints, links: Links, rivals: Ints, history: _History
) -> Iterator[tuple[int, int]]:
    """Rank and edge of the accepted ones among the rivals, frame by frame and joint by joint.

    First whoever is carried over, by row of the ground truth; then the rest at least cost.
    """
    columns = (
        links.frame, links.joint, scene.pair_truth[pair], scene.pair_prediction[pair], np.arange(len(pair)),
        links.truth, links.prediction, links.distance,
    )  # fmt: skip
    edges = sorted(map(_Edge._make, zip(*(column[rivals].tolist() for column in columns), strict=True)))
    for (frame, joint), members in groupby(edges, key=itemgetter(0, 1)):
        group = list(members)
        if (e := _only_choice(group, history)) is not None:
            history.add(joint, e.truth, frame, e.prediction)
            yield 0, e.edge
            continue
        rows: set[int] = set()
        used: set[int] = set()
        chosen: list[_Edge] = []
        rest: list[_Edge] = []
        for e in group:
            carried = history.last(joint, e.truth, frame) == e.prediction and e.column not in used
            if carried:
                rows.add(e.row)
                used.add(e.column)
            (chosen if carried else rest).append(e)
        rest = [e for e in rest if e.row not in rows and e.column not in used]
        chosen += _cheapest(scene, rest, rows, used, history)
        for rank, e in enumerate(chosen):
            history.add(joint, e.truth, frame, e.prediction)
            yield rank, e.edge


def _only_choice(group: list[_Edge], history: _History) -> _Edge | None:
    """The usual case at once: one annotated joint and several guesses. None if it is another, or a tie."""
    first = group[0]
    if any(e.row != first.row for e in group):
        return None
    last = history.last(first.joint, first.truth, first.frame)
    for e in group:
        if e.prediction == last or len(group) == 1:
            return e
    nearest, second = sorted(group, key=attrgetter("distance"))[:2]
    return nearest if nearest.distance < second.distance else None


def _cheapest(
    scene: Scene, rest: list[_Edge], rows: set[int], used: set[int], history: _History
) -> list[_Edge]:
    """As many of the rest as possible at least total distance, by row; the solver sees only hard cases."""
    row_count, column_count = Counter(e.row for e in rest), Counter(e.column for e in rest)
    free = [e for e in rest if row_count[e.row] == column_count[e.column] == 1]
    hard = [e for e in rest if not row_count[e.row] == column_count[e.column] == 1]
    if hard and 1 in (len({e.row for e in hard}), len({e.column for e in hard})):
        least = min(e.distance for e in hard)
        nearest = [e for e in hard if e.distance == least]
        if len(nearest) == 1:  # else a tie, which the solver settles as in motmetrics
            return sorted([*free, *nearest])
    if not hard:
        return free
    chosen = set(_solve(scene, hard[0].frame, hard[0].joint, rows, used, history))
    return [e for e in rest if (e.row, e.column) in chosen]


def _solve(
    scene: Scene, t: int, j: int, carried_rows: set[int], carried_columns: set[int], history: _History
) -> list[tuple[int, int]]:
    """Rows and columns matched by the solver on the table that motmetrics gives it, the whole frame's."""
    g0, p0 = int(scene.truth_start[t]), int(scene.prediction_start[t])
    rows = g0 + np.flatnonzero(scene.truth.present[g0 : scene.truth_start[t + 1], j])
    columns = p0 + np.flatnonzero(scene.predictions.present[p0 : scene.prediction_start[t + 1], j])
    cost = scene.block(scene.distance, t)[rows - g0][:, columns - p0, j]
    cost = np.where(cost <= MATCH_DISTANCE, cost, np.nan)
    tracks = np.unique(scene.truth.ids, return_inverse=True)[1]
    found = np.unique(scene.predictions.ids, return_inverse=True)[1]
    for r, c in np.argwhere(np.isfinite(cost)):
        # those without rivals were settled before, but they too may have been carried over
        lone = np.isfinite(cost[r]).sum() == np.isfinite(cost[:, c]).sum() == 1
        if lone and history.last(j, int(tracks[rows[r]]), t) == found[columns[c]]:
            carried_rows, carried_columns = carried_rows | {int(rows[r])}, carried_columns | {int(columns[c])}
    cost[[r in carried_rows for r in rows.tolist()], :] = np.nan
    cost[:, [c in carried_columns for c in columns.tolist()]] = np.nan
    return [(int(rows[r]), int(columns[c])) for r, c in assign(cost)]


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


def event_rows(links: Links, order: Ints) -> tuple[Bools, Ints]:
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
