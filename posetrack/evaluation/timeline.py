"""Who was followed when: the pose-level story of one video, for the timeline plot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from posetrack.evaluation.people import Bools, Floats, Ints
from posetrack.evaluation.scene import Scene


@dataclass(frozen=True, eq=False)
class Timeline:
    """N annotated poses of one video in the frames that count, by frame, and the predictions left over."""

    frame: Ints  # (N,)
    truth: Ints  # (N,) id of the annotated person
    prediction: Ints  # (N,) id of the predicted one, -1 where missed
    share: Floats  # (N,) of the annotated joints that the prediction matches
    switched: Bools  # (N,) the person was last matched to another id
    extra_frame: Ints  # (M,) frames of the predictions that belong to nobody
    frames: Ints  # all frames that count


def make_timeline(scene: Scene, assigned: Ints) -> Timeline:
    """From the assignment of predicted poses to people that AP uses (`assign_poses`)."""
    counts = scene.frames.listed > 0
    prediction = np.full(len(scene.truth), -1)
    share = np.zeros(len(scene.truth))
    taken = np.flatnonzero(assigned >= 0)
    prediction[assigned[taken]] = taken
    hits = scene.match.sum(axis=1)
    kept = prediction[scene.pair_truth] == scene.pair_prediction
    share[scene.pair_truth[kept]] = hits[kept]
    share /= np.maximum(scene.truth.present.sum(axis=1), 1)
    ids = np.where(prediction >= 0, scene.predictions.ids[prediction] if len(scene.predictions) else -1, -1)
    rows = counts[scene.truth.frame]
    extra = (assigned < 0) & counts[scene.predictions.frame]
    return Timeline(
        scene.truth.frame[rows],
        scene.truth.ids[rows],
        ids[rows],
        share[rows],
        _switches(scene.truth.frame[rows], scene.truth.ids[rows], ids[rows]),
        scene.predictions.frame[extra],
        np.flatnonzero(counts),
    )


def _switches(frame: Ints, truth: Ints, prediction: Ints) -> Bools:
    """(N,) matched to another id than at the match before."""
    matched = np.flatnonzero(prediction >= 0)
    order = matched[np.lexsort((frame[matched], truth[matched]))]
    now, before = order[1:], order[:-1]
    switched = np.zeros(len(frame), np.bool_)
    switched[now] = (truth[now] == truth[before]) & (prediction[now] != prediction[before])
    return switched
