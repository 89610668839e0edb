"""The whole system on rendered clips whose truth is exact, with the preset's settings and others."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flow.base import Image, Motion
from posetrack import load
from posetrack.evaluation import evaluate_posetrack
from posetrack.pipeline import Detector, Estimator
from posetrack.presets import LIGHT, Preset
from posetrack.results.posetrack import export_posetrack
from posetrack.skeletons import Skeleton
from posetrack.types import Detections, Frame, Poses, Tracks
from posetrack.video.reader import open_video
from scripts.markdown import table
from scripts.plots import BLUE, MUTED, ORANGE, panels, save
from trackers.flow_tracker import FlowTracker

VALUES: dict[str, tuple[float, ...]] = {
    "detector_score": (0.15, 0.25, 0.4, 0.5, 0.6, 0.7),
    "min_joint_score": (0.0, 0.2, 0.3, 0.4, 0.5, 0.6),
    "tracker.birth_score": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6),
    "tracker.propagate_score": (0.3, 0.4, 0.5, 0.6, 0.7, 1.1),  # 1.1: nobody is carried
    "tracker.match_joint_score": (0.05, 0.1, 0.2, 0.3),
    "tracker.reid_threshold": (0.75, 0.8, 0.85, 0.9, 1.1),  # 1.1: nobody is taken up again
}
METRICS = {"mota": "MOTA", "ap": "mAP", "idf1": "IDF1"}
LOWEST = min(VALUES["detector_score"])  # score from which boxes are kept


@dataclass(frozen=True)
class Score:
    """Percent, means over the joints, but for the counts."""

    ap: float
    mota: float
    hota: float
    idf1: float
    identities: int
    people: int


class Clip:
    """A rendered clip with its truth, and the networks' answers to it, each asked for once."""

    def __init__(self, path: Path, detector: Detector, estimator: Estimator) -> None:
        self.name, self.truth = path.stem, truth_of(path)
        with open_video(path) as video:
            self.frames = list(video)
        self.estimator = Remembered(estimator)
        self.seen = [d[d.scores >= LOWEST] for f in self.frames for d in detector([f])]
        self.motions = load("light", detector=detector, estimator=estimator).flow(
            [frame.image for frame in self.frames]
        )
        self._tracks: dict[Preset, list[Tracks]] = {}

    def track(self, preset: Preset) -> list[Tracks]:
        """What `posetrack track` gives with the preset's settings."""
        key = replace(preset, min_joint_score=0)
        if key not in self._tracks:
            seen = [d[d.scores >= preset.detector_score] for d in self.seen]
            system = load(
                "light",
                detector=Answers(seen),
                estimator=self.estimator,
                flow=Motions(self.motions),
                tracker=FlowTracker(preset.tracker),
            )
            self._tracks[key] = list(system.track(self.frames))
        return self._tracks[key]

    def score(self, preset: Preset) -> Score:
        """As `posetrack eval --strict` has it."""
        return score_of(self.track(preset), self.truth, self.estimator.skeleton, preset.min_joint_score)


def score_of(tracks: Sequence[Tracks], truth: Path, skeleton: Skeleton, joint_score: float) -> Score:
    """Tracks of a clip against its PoseTrack18 truth, as `posetrack eval --strict` has it."""
    with tempfile.TemporaryDirectory() as place:
        folders = [Path(place, name) for name in ("gt", "pred")]
        for folder in folders:
            folder.mkdir()
        (folders[0] / "clip.json").write_bytes(truth.read_bytes())
        export_posetrack(
            tracks, folders[1] / "clip.json", year=2018, skeleton=skeleton,
            source="clip", annotation=truth, joint_score=joint_score, rescore=True,
        )  # fmt: skip
        report = evaluate_posetrack(*folders, strict=True)
    shown = [t.ids[(t.poses.keypoint_scores >= joint_score).any(1)] for t in tracks]
    total, people = report.totals, {p for s in report.sequences for p in s.timeline.truth.tolist()}
    identities = len(np.unique(np.concatenate(shown)))
    return Score(total["ap"], total["mota"], total["hota"], total["idf1"], identities, len(people))


def truth_of(clip: Path) -> Path:
    """PoseTrack18 truth beside a clip: NAME.json, or NAME_truth.json."""
    beside = clip.with_suffix(".json")
    return beside if beside.exists() else clip.with_name(f"{clip.stem}_truth.json")


@dataclass
class Answers:
    """A detector that was asked before."""

    seen: list[Detections]

    def __call__(self, frames: Sequence[Frame]) -> list[Detections]:
        return [self.seen[frame.index] for frame in frames]


@dataclass
class Motions:
    """A flow that was asked before, one picture a call."""

    known: list[Motion]
    frame: int = 0

    def reset(self) -> None:
        self.frame = 0

    def __call__(self, images: Sequence[Image]) -> list[Motion]:
        self.frame += len(images)
        return self.known[self.frame - len(images) : self.frame]


@dataclass
class Remembered:
    """An estimator that looks at the same boxes of a frame once."""

    estimator: Estimator
    known: dict[tuple[int, bytes], Poses] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.skeleton = self.estimator.skeleton

    def __call__(self, frames: Sequence[Frame], detections: Sequence[Detections]) -> list[Poses]:
        return [self.estimate_frame(*pair) for pair in zip(frames, detections, strict=True)]

    def estimate_frame(self, frame: Frame, detections: Detections) -> Poses:
        key = frame.index, detections.boxes.tobytes() + detections.scores.tobytes()
        if key not in self.known:
            self.known[key] = self.estimator.estimate_frame(frame, detections)
        return self.known[key]


def changed(preset: Preset, name: str, value: float) -> Preset:
    """With one value replaced; "tracker." leads to the tracker's own settings."""
    change: dict[str, Any] = {name.removeprefix("tracker."): value}
    if name.startswith("tracker."):
        return replace(preset, tracker=replace(preset.tracker, **change))
    return replace(preset, **change)


def value_of(preset: Preset, name: str) -> float:
    holder = preset.tracker if name.startswith("tracker.") else preset
    return float(getattr(holder, name.removeprefix("tracker.")))


def clips(rendered: Sequence[Clip], picture: Path | None) -> str:
    """Markdown of the preset on every clip; draws what other values give unless there is no picture."""
    rows: list[list[object]] = []
    for clip in rendered:
        s = clip.score(LIGHT)
        rows.append([clip.name, s.ap, s.mota, s.hota, s.idf1, f"{s.identities} / {s.people}"])
    if picture is not None:
        draw(rendered, picture)
    return table("clip | mAP: | MOTA: | HOTA: | IDF1: | identities / people:", rows)


def draw(rendered: Sequence[Clip], path: Path) -> None:
    """Every setting changed alone: means over the clips in colour, single clips thin."""
    figure, axes = panels(len(METRICS), len(VALUES), (2.7 * len(VALUES), 7), sharey="row", sharex="col")
    for column, (name, values) in enumerate(VALUES.items()):
        chosen = value_of(LIGHT, name)
        x = sorted({*values, chosen})
        scores = [[clip.score(changed(LIGHT, name, value)) for clip in rendered] for value in x]
        for axis, metric in zip((row[column] for row in axes), METRICS, strict=True):
            y: NDArray[np.float64] = np.array([[getattr(s, metric) for s in clip] for clip in scores])
            axis.plot(x, y, color=MUTED, lw=0.8, alpha=0.6, zorder=2)
            axis.plot(x, y.mean(1), color=BLUE, marker=".", lw=1.8, zorder=3)
            axis.axvline(chosen, color=ORANGE, lw=1.4, zorder=1)
        axes[-1][column].set_xlabel(name)
    for row, title in zip(axes, METRICS.values(), strict=True):
        row[0].set_ylabel(title)
    figure.suptitle(
        "One setting changed, the others as in the preset (orange); grey: single clips, blue: their mean "
        f"({', '.join(clip.name for clip in rendered)})",
        fontsize=12, x=0.01, ha="left",
    )  # fmt: skip
    save(figure, path)
