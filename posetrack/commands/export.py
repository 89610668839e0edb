"""tracks.jsonl in another format: what `posetrack export` does."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from posetrack.errors import PoseTrackError
from posetrack.presets import joint_score_of
from posetrack.results.export import EXPORTS
from posetrack.results.jsonl import read_jsonl
from posetrack.types import Poses, Tracks


def export_tracks(
    source: Path, to: str, out: Path, *, joint_score: float | None = None, overwrite: bool = False
) -> tuple[str, list[str]]:
    """Convert a file of tracks.

    Args:
        to: a name of `posetrack.results.export.EXPORTS`.
        joint_score: joints below it are left out; None takes the one of the preset that made the tracks.

    Returns:
        A line that says what was written, and what was lost.
    """
    if out.exists() and not overwrite:
        raise PoseTrackError(f"{out} exists already: use --overwrite to replace it, or another --out")
    file = read_jsonl(source)
    least = joint_score_of(file.header.preset) if joint_score is None else joint_score
    tracks = [without_weak_joints(t, least) for t in file.tracks]
    EXPORTS[to](tracks, out, skeleton=file.header.skeleton, source=file.header.source)
    people = sum(len(t) for t in tracks)
    losses = [f"{source}: the last line is cut off and left out"] if file.cut_off else []
    return f"{out}: {people} poses of {len(tracks)} frames, joints scored {least:g} and more", losses


def without_weak_joints(tracks: Tracks, least: float) -> Tracks:
    """Joints below `least` become (0, 0) with score 0, as the benchmark wants joints that are not given."""
    poses = tracks.poses
    strong = poses.keypoint_scores >= least
    kept = Poses(
        np.where(strong[..., None], poses.keypoints, 0),
        np.where(strong, poses.keypoint_scores, 0),
        poses.boxes,
        poses.scores,
        poses.skeleton,
    )
    return Tracks(kept, tracks.ids, tracks.propagated, tracks.index, tracks.time, tracks.size)
