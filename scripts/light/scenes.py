"""Rendered clips with their truth, what the light networks see in them, and what a tracker makes of it.

scene = read_scene(Path("/tmp/runs/scenes/games.mp4"))
sight = Sight(scene, detector, estimator, least=0.15)
tracks = sight.follow(Settings(...))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import motmetrics as mm
import numpy as np
from association.scoring import as_people
from numpy.typing import NDArray

from flow.lucas_kanade import LucasKanadeFlow
from posetrack.boxes import iou
from posetrack.detectors.light import LightDetector
from posetrack.evaluation.ap import Detected, ap_scores, assign_poses, detect
from posetrack.evaluation.mot import MotCounts, count_mot, mot_scores
from posetrack.evaluation.people import Frames, People, read_people
from posetrack.evaluation.quirks import STRICT
from posetrack.evaluation.scene import make_scene
from posetrack.pipeline import hide_outside_frame
from posetrack.pose.estimator import HeatmapEstimator
from posetrack.results.annotations import Annotations18, read_annotations
from posetrack.types import Detections, Frame, Poses, Tracks
from posetrack.video.reader import open_video
from trackers.flow_tracker import FlowTracker, FlowTrackerSettings

Boxes = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Clip:
    """A video and everything that is true of it."""

    name: str
    frames: Sequence[Frame]
    listed: Frames
    truth: People
    boxes: Sequence[Boxes]  # per frame (P, 4) xyxy
    ids: Sequence[NDArray[np.int64]]  # per frame (P,)
    joints: Sequence[Boxes]  # per frame (P, 17, 3) as annotated


def read_clip(path: Path) -> Clip:
    """A video with its PoseTrack18 truth beside it: NAME.json, or NAME_truth.json."""
    beside = path.with_suffix(".json")
    file = read_annotations(beside if beside.exists() else path.with_name(f"{path.stem}_truth.json"))
    assert isinstance(file, Annotations18)
    with open_video(path) as video:
        frames = list(video)
    rows: list[list[tuple[list[float], int, list[float]]]] = [[] for _ in file.images]
    place = {image.id: index for index, image in enumerate(file.images)}
    for person in file.annotations:
        assert person.bbox is not None
        rows[place[person.image_id]].append((list(person.bbox), person.track_id, list(person.keypoints)))
    boxes = [np.array([b for b, _, _ in row], np.float64).reshape(-1, 4) for row in rows]
    boxes = [np.concatenate([b[:, :2], b[:, :2] + b[:, 2:]], axis=1) for b in boxes]
    ids = [np.array([i for _, i, _ in row], np.int64) for row in rows]
    joints = [np.array([k for _, _, k in row], np.float64).reshape(-1, 17, 3) for row in rows]
    return Clip(path.stem, frames, *read_people(file), boxes, ids, joints)


@dataclass(frozen=True)
class Settings:
    """What is chosen here, of a preset."""

    detector_score: float
    joint_score: float  # least score of an exported joint
    tracker: FlowTrackerSettings


class Sight:
    """The networks' answers to one clip, each asked for once."""

    def __init__(
        self, clip: Clip, detector: LightDetector, estimator: HeatmapEstimator, least: float
    ) -> None:
        self.clip, self._estimator = clip, estimator
        seen = [detector([frame])[0] for frame in clip.frames]
        self.seen = [s[s.scores >= least] for s in seen]
        self.found = [
            estimator.estimate_frame(frame, s) for frame, s in zip(clip.frames, self.seen, strict=True)
        ]
        flow = LucasKanadeFlow()
        self._motions = flow([frame.image for frame in clip.frames])
        self._looks: dict[tuple[int, bytes], Poses] = {}
        self._answers: dict[tuple[float, FlowTrackerSettings], list[Tracks]] = {}

    def _look(self, t: int, boxes: Detections) -> Poses:
        key = t, boxes.boxes.tobytes() + boxes.scores.tobytes()
        if key not in self._looks:
            self._looks[key] = self._estimator.estimate_frame(self.clip.frames[t], boxes)
        return self._looks[key]

    def follow(self, settings: Settings) -> list[Tracks]:
        """What posetrack.pipeline does, with the remembered answers."""
        key = settings.detector_score, settings.tracker
        if key not in self._answers:
            self._answers[key] = self._follow(settings)
        return self._answers[key]

    def _follow(self, settings: Settings) -> list[Tracks]:
        tracker = FlowTracker(settings.tracker)
        answer = []
        for t, frame in enumerate(self.clip.frames):
            good = self.seen[t].scores >= settings.detector_score
            seen, found = self.seen[t][good], self.found[t][good]
            tracks = tracker.update(frame, self._motions[t], seen, found, partial(self._look, t))
            answer.append(hide_outside_frame(tracks))
        return answer


@dataclass(frozen=True)
class Score:
    """Percent, but for the counts."""

    mota: float
    map: float
    idf1: float
    switches: float  # mean over the joints
    box_mota: float
    found: float  # boxes found by a track
    false: float  # false boxes per frame
    identities: int  # given out; there are `people`
    people: int


def score(clips: Sequence[Clip], answers: Sequence[Sequence[Tracks]], joint_score: float) -> Score:
    """MOTA and mAP of joints by our evaluator, of boxes (IoU 0.5) by motmetrics."""
    detected, mot = [], MotCounts.zero()
    boxes = [count_boxes(clip, answer, joint_score) for clip, answer in zip(clips, answers, strict=True)]
    for clip, answer in zip(clips, answers, strict=True):
        scene = make_scene(clip.name, clip.listed, clip.truth, as_people(answer, joint_score))
        detected.append(detect(scene, assign_poses(scene)))
        mot += count_mot(scene, STRICT)
    scores = mot_scores(mot, STRICT)
    objects, misses, false, switches, identities = (sum(column) for column in zip(*boxes, strict=True))
    frames = sum(len(clip.frames) for clip in clips)
    return Score(
        float(np.nanmean(scores.mota)),
        float(np.nanmean(ap_scores(Detected.concatenate(detected)).ap)),
        float(np.nanmean(scores.idf1)),
        float(mot.switches.mean()),
        100 * (1 - (misses + false + switches) / objects),
        100 * (1 - misses / objects),
        false / frames,
        identities,
        sum(len(set(np.concatenate(clip.ids).tolist())) for clip in clips),
    )


def count_boxes(clip: Clip, answer: Sequence[Tracks], joint_score: float) -> tuple[int, int, int, int, int]:
    """True boxes, misses, false boxes, switches, identities. People without a shown joint are not there."""
    events = mm.MOTAccumulator(auto_id=True)
    given: set[int] = set()
    for t, tracks in enumerate(answer):
        shown = tracks[(tracks.poses.keypoint_scores >= max(joint_score, 1e-6)).any(1)]
        distance = 1 - iou(clip.boxes[t], shown.poses.boxes.astype(np.float64))
        events.update(clip.ids[t], shown.ids, np.where(distance <= 0.5, distance, np.nan))
        given.update(shown.ids.tolist())
    kinds = events.mot_events.Type.value_counts()
    count = {name: int(kinds.get(name, 0)) for name in ("MISS", "FP", "SWITCH")}
    return sum(map(len, clip.ids)), count["MISS"], count["FP"], count["SWITCH"], len(given)
