"""One video under evaluation: ground truth, predictions, and the distances of all pairs in a frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from posetrack.errors import PoseTrackError
from posetrack.evaluation.people import Bools, Floats, Frames, Ints, K, People, without_ignored

MATCH_DISTANCE = 0.5  # head sizes
MAX_PAIRS = 5_000_000  # 2 GB; a sequence of PoseTrack with its predictions has 100,000 at most


@dataclass(frozen=True, eq=False)
class Scene:
    """G ground-truth poses, P predicted poses, Q pairs of them in a common frame.

    Pairs are sorted by frame, then prediction, then ground truth, so those of one frame are a block of
    (predictions of the frame) x (ground truth of the frame).
    """

    name: str
    frames: Frames  # of the ground truth
    truth: People
    predictions: People
    pair_truth: Ints  # (Q,) row of truth
    pair_prediction: Ints  # (Q,) row of predictions
    distance: Floats  # (Q, 15) head sizes; infinite unless both have the joint
    truth_start: Ints  # (F + 1,) first row of truth in every frame
    prediction_start: Ints  # (F + 1,)
    pair_start: Ints  # (F + 1,)

    @property
    def match(self) -> Bools:
        """(Q, 15) the joints lie within half a head size."""
        return self.distance <= MATCH_DISTANCE

    def block(self, values: Floats, frame: int) -> Floats:
        """(G', P', ...) of one frame from values (Q, ...) of all pairs."""
        rows = values[self.pair_start[frame] : self.pair_start[frame + 1]]
        G = self.truth_start[frame + 1] - self.truth_start[frame]
        return rows.reshape(-1, G, *values.shape[1:]).swapaxes(0, 1)

    @property
    def frame_of_pair(self) -> Ints:
        return self.truth.frame[self.pair_truth]


def make_scene(name: str, frames: Frames, truth: People, predictions: People) -> Scene:
    """Ignore regions applied to both sides, then every pair measured."""
    F = len(frames.names)
    truth, predictions = without_ignored(truth, frames.regions), without_ignored(predictions, frames.regions)
    truth_start = np.searchsorted(truth.frame, np.arange(F + 1))
    prediction_start = np.searchsorted(predictions.frame, np.arange(F + 1))
    truth_count, prediction_count = np.diff(truth_start), np.diff(prediction_start)

    pairs = int((truth_count * prediction_count).sum())
    if pairs > MAX_PAIRS:
        raise PoseTrackError(
            f"{name}: {len(truth)} annotated and {len(predictions)} predicted poses are {pairs} pairs in "
            f"common frames, more than the {MAX_PAIRS} that fit into memory: leave out the weak predictions"
        )
    repeats = truth_count[predictions.frame]  # (P,) pairs of each prediction
    pair_prediction = np.repeat(np.arange(len(predictions)), repeats)
    first = np.cumsum(repeats) - repeats
    step = np.arange(len(pair_prediction)) - first[pair_prediction]
    pair_truth = truth_start[predictions.frame[pair_prediction]] + step
    return Scene(
        name,
        frames,
        truth,
        predictions,
        pair_truth,
        pair_prediction,
        _distances(truth, predictions, pair_truth, pair_prediction),
        truth_start,
        prediction_start,
        np.concatenate([[0], np.cumsum(truth_count * prediction_count)]),
    )


def _distances(truth: People, predictions: People, pair_truth: Ints, pair_prediction: Ints) -> Floats:
    offset = truth.points[pair_truth] - predictions.points[pair_prediction]  # (Q, 15, 2)
    with np.errstate(divide="ignore", invalid="ignore"):  # a head box without extent matches nothing
        distance = np.sqrt((offset**2).sum(axis=2)) / truth.head_sizes[pair_truth, None]
    both = truth.present[pair_truth] & predictions.present[pair_prediction]
    return np.where(both & ~np.isnan(distance), distance, np.inf)


def lone_edges(scene: Scene, edge_pair: Ints, edge_joint: Ints) -> Bools:
    """(E,) for edges between joints: neither end has another edge, so any best assignment holds this one.

    Any assignment without it can be made better by adding it, as its ends have no other use. This settles
    nearly all joints without a solver.
    """
    truth_end = scene.pair_truth[edge_pair] * K + edge_joint
    prediction_end = scene.pair_prediction[edge_pair] * K + edge_joint
    of_truth = np.bincount(truth_end, minlength=len(scene.truth) * K)
    of_prediction = np.bincount(prediction_end, minlength=len(scene.predictions) * K)
    alone: Bools = (of_truth[truth_end] == 1) & (of_prediction[prediction_end] == 1)
    return alone
