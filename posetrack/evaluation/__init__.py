"""Benchmarks: PoseTrack (AP, MOTA, HOTA). Loaded on first use, so that `posetrack --help` stays quick."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from posetrack.evaluation.posetrack import evaluate_posetrack
    from posetrack.evaluation.report import PoseTrackReport

__all__ = ["PoseTrackReport", "evaluate_posetrack"]


def __getattr__(name: str) -> Any:
    if name == "evaluate_posetrack":
        from posetrack.evaluation.posetrack import evaluate_posetrack

        return evaluate_posetrack
    if name == "PoseTrackReport":
        from posetrack.evaluation.report import PoseTrackReport

        return PoseTrackReport
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
