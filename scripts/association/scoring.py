"""Run a tracker through simulated worlds, and the benchmark's numbers for what it says."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from association.videos import SIZE, Video
from association.worlds import World
from posetrack.evaluation.ap import Detected, ap_scores, assign_poses, detect
from posetrack.evaluation.hota import HotaCounts, count_hota, hota_scores, match_joints
from posetrack.evaluation.mot import MotCounts, count_mot, mot_scores
from posetrack.evaluation.people import K as EVALUATED
from posetrack.evaluation.people import People
from posetrack.evaluation.quirks import POSEVAL
from posetrack.evaluation.scene import make_scene
from posetrack.skeletons import POSETRACK17, POSETRACK18
from posetrack.types import Frame, Tracks
from trackers.base import Tracker
from trackers.matching import greedy

ORDER = np.array([POSETRACK18.index(name) for name in POSETRACK17.keypoints])


@dataclass(frozen=True)
class Result:
    """Percent, means over the joints, but for the counts."""

    map: float
    mota: float
    idf1: float
    hota: float
    assa: float
    switches: float  # per joint
    tracks: int  # identities given out
    microseconds: float  # per frame, of the tracker and the simulated flow


def run(make: Callable[[], Tracker], worlds: Sequence[World], *, perfect_ids: bool = False) -> Result:
    """Track every world and evaluate all together.

    Args:
        perfect_ids: give every pose the identity of the person whom it shows: what no association can better.
    """
    detected: list[Detected] = []
    mot, hota = MotCounts.zero(), HotaCounts.zero()
    tracks, seconds, frames = 0, 0.0, 0
    for world in worlds:
        start = time.perf_counter()
        answer = follow(make(), world)
        seconds += time.perf_counter() - start
        frames += len(answer)
        if perfect_ids:
            answer = [_true_ids(tracks, world.video, t) for t, tracks in enumerate(answer)]
        people = as_people(answer, world.noise.output_score)
        tracks += len(np.unique(people.ids))
        scene = make_scene(world.video.name, world.video.frames, world.video.truth, people)
        detected.append(detect(scene, assign_poses(scene)))
        mot += count_mot(scene, POSEVAL)
        hota += count_hota(scene, match_joints(scene))
    everything = Detected.concatenate(detected)
    annotated = everything.objects > 0  # these data have no nose
    association = hota_scores(hota)
    scores = mot_scores(mot, POSEVAL)
    means = (
        ap_scores(everything).ap,
        scores.mota,
        scores.idf1,
        association.hota,
        association.assa,
        mot.switches,
    )
    return Result(*(float(values[annotated].mean()) for values in means), tracks, 1e6 * seconds / frames)


def follow(tracker: Tracker, world: World) -> list[Tracks]:
    """What the main path does with every frame, with the world in place of networks and flow."""
    image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    tracker.reset()
    answer = []
    for t in range(len(world.video)):
        frame = Frame(image, t, t * world.video.seconds)
        seen, found = world.seen[t], world.found[t]
        answer.append(tracker.update(frame, world.motion(t), seen, found, partial(world.look, t)))
    return answer


def _true_ids(tracks: Tracks, video: Video, t: int) -> Tracks:
    """Each person's number to the pose that shows most of their joints; the others keep to themselves."""
    apart = np.linalg.norm(tracks.poses.keypoints[:, None] - video.points[t][None], axis=-1)  # (N, P, K)
    hit = (apart <= 0.5 * np.nan_to_num(video.head[t])[None, :, None]) & video.known[t][None]
    rows, people = greedy(hit.sum(2) / np.maximum(video.known[t].sum(1), 1), 0.05)
    ids = tracks.ids + video.present.shape[1]
    ids[rows] = people + 1
    return Tracks(tracks.poses, ids, tracks.propagated, tracks.index, tracks.time, tracks.size)


def as_people(answer: Sequence[Tracks], least: float) -> People:
    """Predictions as the evaluator has them; joints scored below `least` are dropped, as in the paper.

    A joint's score is joint x person score, which ranks better than the joint score alone.
    """
    N = sum(len(tracks) for tracks in answer)
    frame = np.repeat(np.arange(len(answer)), [len(tracks) for tracks in answer])
    points = np.concatenate([tracks.poses.keypoints for tracks in answer])[:, ORDER].astype(np.float64)
    scores = np.concatenate([tracks.poses.keypoint_scores for tracks in answer])[:, ORDER].astype(np.float64)
    ids = np.concatenate([tracks.ids for tracks in answer])
    persons = np.concatenate([tracks.poses.scores for tracks in answer])
    present = (scores >= least) & (scores > 0)
    assert points.shape == (N, EVALUATED, 2)
    people = People(
        frame, ids, np.full(N, -1), points, present, scores * persons[:, None], np.full(N, np.nan)
    )
    return people[present.any(1)]
