"""What the study compares: trackers in the same simulated worlds, scored as by the benchmark."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from posetrack.evaluation.ap import Detected, ap_scores, assign_poses, detect
from posetrack.evaluation.hota import HotaCounts, count_hota, hota_scores, match_joints
from posetrack.evaluation.mot import MotCounts, count_mot, mot_scores
from posetrack.evaluation.people import K as EVALUATED
from posetrack.evaluation.people import People
from posetrack.evaluation.quirks import POSEVAL
from posetrack.evaluation.scene import make_scene
from posetrack.presets import LIGHT, PAPER
from posetrack.skeletons import POSETRACK17, POSETRACK18
from posetrack.types import Frame, Tracks
from scripts.association.noise import SYSTEMS
from scripts.association.videos import FPS, SIZE, Video
from scripts.association.worlds import World
from trackers.flow_tracker import FlowTracker, FlowTrackerSettings

ORDER = np.array([POSETRACK18.index(name) for name in POSETRACK17.keypoints])
# Simulated people wear no colours.
PRESETS: Mapping[str, FlowTrackerSettings] = {
    "paper": PAPER.tracker,
    "light": replace(LIGHT.tracker, reid_threshold=None),
}
# The paper's words and nothing else: where it is silent, no threshold.
LITERAL: dict[str, Any] = {
    "propagate_score": 0.0, "duplicate_oks": 1.0, "match_joint_score": 0.0, "birth_score": 0.0,
    "nms_iou": 0.5,
}  # fmt: skip
VALUES: dict[str, tuple[float, ...]] = {
    "propagate_score": (0.0, 0.3, 0.4, 0.5, 0.6),
    "duplicate_oks": (0.4, 0.5, 0.6, 0.7, 0.8, 1.0),
    "birth_score": (0.0, 0.2, 0.3, 0.4, 0.5),
    "nms_iou": (0.3, 0.4, 0.5, 0.6, 0.7),
    "threshold": (0.05, 0.1, 0.2, 0.3, 0.5),
    "match_joint_score": (0.0, 0.1, 0.2, 0.3, 0.4),
}

Variants = dict[str, FlowTrackerSettings]


def ablation(settings: FlowTrackerSettings) -> Variants:
    """Table 5 of Simple Baselines, and more lengths of the memory."""
    similarities: dict[str, dict[str, Any]] = {
        "IoU": {"similarity": "iou", "memory_frames": 1},
        "OKS": {"similarity": "oks", "memory_frames": 1},
        **{f"flow OKS, L_Q {n}": {"similarity": "flow_oks", "memory_frames": n} for n in (1, 2, 4, 8, 16)},
    }
    return {
        f"{'boxes from flow' if propagate else 'detected boxes'}, {name}": replace(
            settings, propagate=propagate, **changes
        )
        for propagate in (False, True)
        for name, changes in similarities.items()
    }


def steps(settings: FlowTrackerSettings) -> Variants:
    """From the paper's words to the chosen settings, one threshold after the other."""
    now = replace(settings, **LITERAL)
    rows = {"detected boxes only": replace(now, propagate=False), "the paper to the letter": now}
    for name in LITERAL:
        value = getattr(settings, name)
        if value != getattr(now, name):
            now = replace(now, **{name: value})
            rows[f"+ `{name}` {value:g}"] = now
    return rows


def one_at_a_time(settings: FlowTrackerSettings) -> Variants:
    """The chosen settings first, then each with one of them changed."""
    changed = {
        f"{name} {value:g}": replace(settings, **{name: value})  # type: ignore[arg-type]
        for name, values in VALUES.items()
        for value in values
    }
    return {"chosen": settings, **{n: s for n, s in changed.items() if s != settings}}


PARTS: Mapping[str, Callable[[FlowTrackerSettings], Variants]] = {
    "ablation": ablation,
    "steps": steps,
    "settings": one_at_a_time,
}


@dataclass(frozen=True)
class Result:
    """Percent, means over the joints, but for the counts."""

    map: float
    mota: float
    idf1: float
    hota: float
    switches: float  # per joint
    tracks: int  # identities given out


def study(
    variants: Variants, videos: Sequence[Video], system: str, seeds: Sequence[int]
) -> dict[str, list[Result]]:
    """A result per variant and seed. The worlds of one seed are built once and met by all variants."""
    results: dict[str, list[Result]] = {name: [] for name in variants}
    for seed in seeds:
        worlds = [World(video, SYSTEMS[system], seed) for video in videos]
        for number, (name, settings) in enumerate(variants.items()):
            results[name].append(run(settings, worlds))
            print(f"\rseed {seed}: {number + 1} of {len(variants)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return results


def run(settings: FlowTrackerSettings, worlds: Sequence[World]) -> Result:
    """Track every world and evaluate all together."""
    detected: list[Detected] = []
    mot, hota, tracks = MotCounts.zero(), HotaCounts.zero(), 0
    for world in worlds:
        people = as_people(follow(FlowTracker(settings), world), world.noise.output_score)
        tracks += len(np.unique(people.ids))
        scene = make_scene(world.video.name, world.video.frames, world.video.truth, people)
        detected.append(detect(scene, assign_poses(scene)))
        mot += count_mot(scene, POSEVAL)
        hota += count_hota(scene, match_joints(scene))
    everything = Detected.concatenate(detected)
    annotated = everything.objects > 0  # these data have no nose
    scores = mot_scores(mot, POSEVAL)
    means = (ap_scores(everything).ap, scores.mota, scores.idf1, hota_scores(hota).hota, mot.switches)
    score, mota, idf1, hota_, switches = (float(values[annotated].mean()) for values in means)
    return Result(score, mota, idf1, hota_, switches, tracks)


def follow(tracker: FlowTracker, world: World) -> list[Tracks]:
    """What the main path does with every frame, with the world in place of networks and flow."""
    image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    tracker.reset()
    answer = []
    for t in range(len(world.video)):
        frame, look = Frame(image, t, t / FPS), partial(world.look, t)
        answer.append(tracker.update(frame, world.motion(t), world.seen[t], world.found[t], look))
    return answer


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
    scores, nobody = scores * persons[:, None], np.full(N, -1)
    return People(frame, ids, nobody, points, present, scores, np.full(N, np.nan))[np.asarray(present.any(1))]
