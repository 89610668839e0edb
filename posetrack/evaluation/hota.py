"""HOTA, DetA, AssA, FragA and FA-HOTA per joint, as PoseTrack21 defines them (Doering et al., CVPR 2022).

Similarity of two joints: max(0, 1 - d / 0.5001), d their distance in head sizes. For each of 19 thresholds
(0.05 ... 0.95) the joints matched in a frame (most total similarity) count when they are as similar as the
threshold. Protocol 1 associates within each video, protocol 2 over all of them, by `person_id`.

Two differences from the published kit: a frame without predictions costs its own joints, where the kit
adds those of the whole sequence (`kit_empty_frames` copies that); and a joint that is never annotated is
undefined, where the kit has 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import groupby
from operator import itemgetter

import numpy as np
from scipy.optimize import linear_sum_assignment

from posetrack.evaluation.people import MISSING_SCORE, Bools, Floats, Ints, K, People
from posetrack.evaluation.scene import Scene, lone_edges

ALPHAS = np.arange(0.05, 0.99, 0.05)  # the kit's own, with its rounding
A = len(ALPHAS)
_EPS = np.finfo(float).eps
_REACH = 0.5001  # head sizes at similarity 0


@dataclass(frozen=True, eq=False)
class HotaCounts:
    """Sums per threshold and joint, (19, 15) each; those of several videos add up."""

    matches: Floats  # TP
    misses: Floats  # FN
    false_positives: Floats  # FP
    association: Floats  # sum over TP of TPA / (TPA + FNA + FPA)
    fragments: Floats  # the same with the length of the unbroken stretch in place of TPA

    def __add__(self, other: HotaCounts) -> HotaCounts:
        return HotaCounts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @staticmethod
    def zero() -> HotaCounts:
        return HotaCounts(*(np.zeros((A, K)) for _ in fields(HotaCounts)))


@dataclass(frozen=True, eq=False)
class HotaScores:
    """Percent, (15,) each, the mean over the thresholds; NaN for joints that are never annotated."""

    hota: Floats
    deta: Floats
    assa: Floats
    fraga: Floats
    fa_hota: Floats


@dataclass(frozen=True, eq=False)
class Matches:
    """Matched joints (M,) of one video, with all that association asks for."""

    joint: Ints
    frame: Ints
    truth: Ints  # track, numbered from 0 within the video
    prediction: Ints
    accepted: Bools  # (M, 19) counts at the threshold
    truth_tracks: Tracks
    prediction_tracks: Tracks


@dataclass(frozen=True, eq=False)
class Tracks:
    """The T tracks of one side of a video."""

    number: Ints  # (T,) the same for a person in every video, where videos are associated
    joints: Ints  # (T, 15) labelled frames in which the track has the joint


Numbers = dict[tuple[int, int], int]  # (video, track), or (-1, person), -> number among all videos


def match_joints(
    scene: Scene, *, protocol: int = 1, truth: Numbers | None = None, prediction: Numbers | None = None
) -> Matches:
    """Joints matched frame by frame: for most similarity, or in protocol 2 for most matches, then similarity.

    Args:
        truth, prediction: for protocol 2, the numbers given out so far, shared by all videos.
    """
    truth_there, found_there = valid_joints(scene.truth), valid_joints(scene.predictions)
    labelled = scene.frames.labelled
    similarity = np.maximum(1 - scene.distance / _REACH, 0)  # (Q, 15)
    similarity *= truth_there[scene.pair_truth] & found_there[scene.pair_prediction]
    similarity *= labelled[scene.frame_of_pair][:, None]
    pair, joint = np.nonzero(similarity)
    frame = scene.frame_of_pair[pair]
    accepted = similarity[pair, joint][:, None] >= ALPHAS - _EPS  # (E, 19)
    alone = lone_edges(scene, pair, joint)
    if not alone.all():
        _settle(scene, pair, joint, similarity, accepted, alone, protocol)
    truth_track, truth_tracks = _tracks(scene.truth, truth_there, labelled, truth)
    prediction_track, prediction_tracks = _tracks(scene.predictions, found_there, labelled, prediction)
    chosen = accepted.any(axis=1)
    pair = pair[chosen]
    return Matches(
        joint[chosen],
        frame[chosen],
        truth_track[scene.pair_truth[pair]],
        prediction_track[scene.pair_prediction[pair]],
        accepted[chosen],
        truth_tracks,
        prediction_tracks,
    )


def valid_joints(people: People) -> Bools:
    """(N, 15) joints that PoseTrack21 looks at: x and y above 0, and the score above 0 if there is one."""
    scored: Bools = (people.scores > 0) | (people.scores == MISSING_SCORE)
    return people.present & (people.points > 0).all(axis=2) & scored


def _tracks(people: People, there: Bools, labelled: Bools, numbers: Numbers | None) -> tuple[Ints, Tracks]:
    """Track of every pose, numbered from 0, and the tracks."""
    keys = people.ids if numbers is None else np.where(people.persons >= 0, -1 - people.persons, people.ids)
    values, track = np.unique(keys, return_inverse=True)
    pose, joint = np.nonzero(there & labelled[people.frame][:, None])
    joints = np.bincount(track[pose] * K + joint, minlength=len(values) * K).reshape(-1, K)
    if numbers is None:
        return track, Tracks(np.arange(len(values)), joints)
    video = len(numbers)  # grows with every video that brings a new track, so no two videos share it
    number = [
        numbers.setdefault((-1, -1 - v) if v < 0 else (video, v), len(numbers)) for v in values.tolist()
    ]
    return track, Tracks(np.array(number, np.int64), joints)


def _settle(
    scene: Scene, pair: Ints, joint: Ints, similarity: Floats, accepted: Bools, alone: Bools, protocol: int
) -> None:
    """Decide between edges that compete, one frame and joint at a time; those not chosen are not accepted.

    The whole frame goes to the solver, as in the kit, so that equal totals are settled alike.
    """
    rivals = np.flatnonzero(~alone)
    columns = (
        scene.frame_of_pair[pair], joint, scene.pair_truth[pair], scene.pair_prediction[pair],
        similarity[pair, joint], np.arange(len(pair)),
    )  # fmt: skip
    edges = sorted(zip(*(column[rivals].tolist() for column in columns), strict=True))
    refused: list[int] = []
    for (t, j), members in groupby(edges, key=itemgetter(0, 1)):
        _, _, people, guesses, gain, group = zip(*members, strict=True)
        if (len(set(people)) == 1 or len(set(guesses)) == 1) and gain.count(max(gain)) == 1:
            # one person and several guesses, or the other way round
            refused += [e for e, value in zip(group, gain, strict=True) if value != max(gain)]
            continue
        table = scene.block(similarity[:, j], t)
        at = np.array(people) - scene.truth_start[t], np.array(guesses) - scene.prediction_start[t]
        if protocol == 1:
            accepted[group, :] &= _assigned(table)[at][:, None]
        else:  # each threshold on its own: 1000 for a match, plus the similarity
            for a, alpha in enumerate(ALPHAS):
                accepted[group, a] &= _assigned((table >= alpha) * 1000.0 + table)[at]
    accepted[refused] = False


def _assigned(gain: Floats) -> Bools:
    """(rows, columns) the pairs of the assignment with most gain."""
    chosen = np.zeros(gain.shape, np.bool_)
    chosen[linear_sum_assignment(gain, maximize=True)] = True
    return chosen


def count_hota(scene: Scene, matches: Matches, *, kit_empty_frames: bool = False) -> HotaCounts:
    """All that protocol 1 needs from one video."""
    labelled = scene.frames.labelled
    objects = valid_joints(scene.truth) & labelled[scene.truth.frame][:, None]
    found = valid_joints(scene.predictions) & labelled[scene.predictions.frame][:, None]
    threshold, match = np.nonzero(np.ascontiguousarray(matches.accepted.T))
    hits = np.bincount(threshold * K + matches.joint[match], minlength=A * K).reshape(A, K)
    misses, false_positives = objects.sum(axis=0) - hits, found.sum(axis=0) - hits
    if kit_empty_frames:
        no_truth = labelled & (np.diff(scene.truth_start) == 0)
        no_prediction = labelled & ~no_truth & (np.diff(scene.prediction_start) == 0)
        misses += no_prediction.sum() * objects.sum(axis=0) - objects[no_prediction[scene.truth.frame]].sum(
            axis=0
        )
        false_positives += no_truth.sum() * found.sum(axis=0)
        false_positives -= found[no_truth[scene.predictions.frame]].sum(axis=0)
    association, fragments = associate([matches])
    return HotaCounts(
        hits.astype(float), misses.astype(float), false_positives.astype(float), association, fragments
    )


def associate(videos: Sequence[Matches]) -> tuple[Floats, Floats]:
    """Sums (19, 15) of association and fragment scores over all matches of videos that share their tracks.

    A fragment is a stretch of matches of one annotated track with one predicted track, broken only by a
    match with another one.
    """
    video = np.repeat(np.arange(len(videos)), [len(v.joint) for v in videos])
    joint = np.concatenate([v.joint for v in videos])
    frame = np.concatenate([v.frame for v in videos])
    truth = np.concatenate([v.truth_tracks.number[v.truth] for v in videos])
    prediction = np.concatenate([v.prediction_tracks.number[v.prediction] for v in videos])
    order = np.lexsort((frame, video, truth, joint))
    joint, truth, prediction = joint[order], truth[order], prediction[order]
    accepted = np.concatenate([v.accepted for v in videos])[order]
    truth_joints = _add_up([v.truth_tracks for v in videos])
    prediction_joints = _add_up([v.prediction_tracks for v in videos])

    track = joint * (truth.max(initial=0) + 1) + truth  # an annotated joint's track
    _, first, couple = np.unique(
        track * (prediction.max(initial=0) + 1) + prediction, return_index=True, return_inverse=True
    )
    couple_joint = joint[first]
    together = truth_joints[truth[first], couple_joint] + prediction_joints[prediction[first], couple_joint]

    # every accepted match of every threshold, by threshold, track and time
    C = len(first)
    threshold, match = np.nonzero(np.ascontiguousarray(accepted.T))
    key = threshold * C + couple[match]  # (threshold, couple)
    common = np.bincount(key, minlength=A * C).reshape(A, C)
    union = np.maximum(together - common, 1)
    starts = np.flatnonzero(np.diff(key, prepend=-1))  # of the stretches
    length = np.diff(starts, append=len(key))
    cell = (couple_joint + K * np.arange(A)[:, None]).ravel()  # (A C) -> (A K)
    association = np.bincount(cell, (common**2 / union).ravel(), A * K)
    fragments = np.bincount(cell[key[starts]], length**2 / union.ravel()[key[starts]], A * K)
    return association.reshape(A, K).astype(np.float64), fragments.reshape(A, K).astype(np.float64)


def _add_up(parts: Sequence[Tracks]) -> Ints:
    """(T, 15) the joints of every track over all videos, by number."""
    total = np.zeros((max((int(part.number.max(initial=-1)) for part in parts), default=-1) + 1, K), np.int64)
    for part in parts:
        np.add.at(total, part.number, part.joints)
    return total


def hota_scores(counts: HotaCounts) -> HotaScores:
    """The metrics of every joint from its counts."""
    tp = counts.matches
    one = np.maximum(tp, 1)
    deta = tp / np.maximum(tp + counts.misses + counts.false_positives, 1)
    assa, fraga = counts.association / one, counts.fragments / one
    annotated = (tp + counts.misses).max(axis=0) > 0
    values = (np.sqrt(deta * assa), deta, assa, fraga, np.sqrt(deta * np.sqrt(assa * fraga)))
    return HotaScores(*(np.where(annotated, 100 * value.mean(axis=0), np.nan) for value in values))
