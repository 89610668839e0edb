"""`posetrack export`: tracks.jsonl in another format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from posetrack.commands import options
from posetrack.commands.render import refuse_own_source
from posetrack.files import refuse_existing


def export(
    tracks: Annotated[Path, "TRACKS.jsonl"],
    *,
    to: Annotated[
        Literal["posetrack18", "posetrack17", "coco", "coco-dataset", "mot", "csv", "parquet"], "format"
    ],
    out: Annotated[Path, "file to write"],
    joint_score: Annotated[float | None, "drop joints below this score; default: the preset's"] = None,
    overwrite: options.Overwrite = False,
) -> int:
    """Write tracks.jsonl in another format."""
    written, warnings = export_tracks(tracks, to, out, joint_score=joint_score, overwrite=overwrite)
    print(written)
    for warning in warnings:
        options.complain(warning)
    return options.SOME_FAILED if warnings else options.DONE


def export_tracks(
    source: Path, to: str, out: Path, *, joint_score: float | None = None, overwrite: bool = False
) -> tuple[str, list[str]]:
    """Convert a file of tracks.

    Args:
        to: a name of `posetrack.results.export.EXPORTS`.
        joint_score: joints below it are left out; None takes the one of the preset that made the tracks.

    Returns:
        A line that says what was written, and what was not as it should be.
    """
    from posetrack.presets import min_joint_score_of
    from posetrack.results.export import EXPORTS
    from posetrack.results.jsonl import read_jsonl

    refuse_own_source(out, source)
    refuse_existing(out, overwrite=overwrite)
    file = read_jsonl(source)
    least = min_joint_score_of(file.header.preset) if joint_score is None else joint_score
    tracks = [t.hide_weak_joints(least) for t in file.tracks]
    EXPORTS[to](tracks, out, skeleton=file.header.skeleton, source=file.header.source)
    people = sum(len(t) for t in tracks)
    warnings = [f"{source}: {file.broken_off}"] if file.broken_off else []
    return f"{out}: {people} poses of {len(tracks)} frames, joints scored {least:g} and more", warnings
