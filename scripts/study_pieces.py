"""What cutting a long video into pieces costs: identities, IDF1 and MOTA against one run, for docs/scale.md.

    python -m scripts.render crowd --assets MAKEHUMAN --out scenes --people 5 --seconds 60 --name long
    python -m scripts.study_pieces posetrack/demo/demo.mp4 scenes/long.mp4

Each clip needs its PoseTrack18 truth beside it. Detector and pose network are asked once for each frame and
box; flow, tracker and stitching run anew for each length of piece. Shorter overlaps come from the same
pieces, ended earlier.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from posetrack import load
from posetrack.cluster.pieces import spans
from posetrack.evaluation import evaluate_posetrack
from posetrack.pipeline import Detector, Estimator, PoseTracker
from posetrack.results.posetrack import export_posetrack
from posetrack.types import Detections, Frame, Poses, Tracks
from posetrack.video import open_video
from scripts.markdown import fill_file, table
from scripts.report.clips import truth_of
from trackers.stitching import stitch

SHARES = (2, 4, 8, 16)  # pieces of a clip
OVERLAPS = (0.5, 1.0, 2.0, 3.5, 5.0, 10.0)  # seconds
PAGE = Path(__file__).parents[1] / "docs" / "scale.md"


@dataclass
class Remembered:
    """Detector and estimator that look at the same boxes of the same moment once."""

    detector: Detector
    estimator: Estimator
    seen: dict[float, Detections] = field(default_factory=dict)
    known: dict[tuple[float, bytes], Poses] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.skeleton = self.estimator.skeleton

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        for frame in frames:
            if frame.time not in self.seen:
                self.seen[frame.time] = self.detector([frame])[0]
        return [self.seen[frame.time] for frame in frames]

    def __call__(self, frames: Sequence[Frame], detections: Sequence[Detections]) -> list[Poses]:
        return [self.estimate_frame(*pair) for pair in zip(frames, detections, strict=True)]

    def estimate_frame(self, frame: Frame, detections: Detections) -> Poses:
        key = frame.time, detections.boxes.tobytes() + detections.scores.tobytes()
        if key not in self.known:
            self.known[key] = self.estimator.estimate_frame(frame, detections)
        return self.known[key]


def study(clip: Path) -> list[list[object]]:
    """Rows: one run, and every number of pieces with every overlap that fits."""
    tracker = load("light")
    memory = Remembered(tracker.detector, tracker.estimator)
    tracker = replace(tracker, detector=memory.detect, estimator=memory)
    with open_video(clip) as video:
        whole = list(tracker.track(video))
        place = {round(tracks.time, 6): tracks.index for tracks in whole}
        rows = [[clip.stem, "one run", "", *score(tracker, clip, whole)]]
        for count in SHARES:
            length = float(video.duration or 0) / count
            fitting = [seconds for seconds in OVERLAPS if seconds <= length / 4]
            if not fitting:
                break
            cuts = spans(video, length * 1.001, max(fitting))
            pieces = [list(tracker.track(video.between(*cut))) for cut in cuts]
            for overlap in (0.0, *fitting):
                joined = stitch(ended(pieces, overlap)) if overlap else apart(ended(pieces, 0))
                tracks = [replace(t, index=place[round(t.time, 6)]) for t in joined]
                said = f"{overlap:g}" if overlap else "not stitched"
                rows.append(
                    [clip.stem, f"{len(cuts)} of {length:.0f} s", said, *score(tracker, clip, tracks)]
                )
    return rows


def ended(pieces: list[list[Tracks]], overlap: float) -> list[list[Tracks]]:
    """Each without what is later than `overlap` seconds after the next one's beginning."""
    ends = [piece[0].time + overlap - 1e-6 for piece in pieces[1:]] + [np.inf]
    return [[t for t in piece if t.time < end] for piece, end in zip(pieces, ends, strict=True)]


def apart(pieces: list[list[Tracks]]) -> Iterator[Tracks]:
    """One after the other, with everybody new in each."""
    used = 0
    for piece in pieces:
        yield from (replace(tracks, ids=tracks.ids + used) for tracks in piece)
        used += max([i for tracks in piece for i in tracks.ids.tolist()], default=0)


def score(tracker: PoseTracker, clip: Path, tracks: Sequence[Tracks]) -> list[object]:
    """MOTA and IDF1 in percent, as `posetrack eval --strict` has them, and identities / people."""
    least = tracker.min_joint_score
    with tempfile.TemporaryDirectory() as place:
        folders = [Path(place, name) for name in ("gt", "pred")]
        for folder in folders:
            folder.mkdir()
        (folders[0] / "clip.json").write_bytes(truth_of(clip).read_bytes())
        export_posetrack(
            tracks, folders[1] / "clip.json", skeleton=tracker.skeleton, source="clip",
            annotation=truth_of(clip), joint_score=least,
        )  # fmt: skip
        report = evaluate_posetrack(*folders, strict=True)
    people = {p for s in report.sequences for p in s.timeline.truth.tolist()}
    shown = np.concatenate([t.ids[(t.poses.keypoint_scores >= least).any(1)] for t in tracks])
    total = report.totals
    return [f"{total['mota']:.2f}", f"{total['idf1']:.2f}", f"{len(np.unique(shown))} / {len(people)}"]


def main() -> None:
    rows = [row for name in sys.argv[1:] for row in study(Path(name))]
    text = table("clip | pieces | overlap, s: | MOTA: | IDF1: | identities / people:", rows)
    print(text)
    fill_file(PAGE, "pieces", text)


if __name__ == "__main__":
    main()
