"""`posetrack eval`: PoseTrack's numbers of a folder of predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from posetrack.commands import options
from posetrack.files import refuse_existing


def evaluate(
    *,
    gt: Annotated[Path, "folder of PoseTrack annotation files"],
    pred: Annotated[Path, "folder of prediction files of the same names"],
    json: Annotated[Path | None, "write all numbers to this file"] = None,
    plot: Annotated[Path | None, "draw plots into this folder"] = None,
    strict: Annotated[bool, "without poseval's quirks: count the last frame and all misses"] = False,
    overwrite: options.Overwrite = False,
) -> int:
    """PoseTrack mAP, MOTA, HOTA, as poseval computes them."""
    from posetrack.evaluation import evaluate_posetrack

    refuse_existing(json, overwrite=overwrite)
    if plot is not None and not (plot.is_dir() and not any(plot.iterdir())):  # an empty folder will do
        refuse_existing(plot, overwrite=overwrite)
    report = evaluate_posetrack(gt, pred, strict=strict)
    if json is not None:  # before the table: whoever reads that may go away early
        options.write_json(json, report.to_json())
    if plot is not None:
        from posetrack.evaluation.plots import plot_report  # matplotlib takes a second to import

        plot_report(report, plot)
    print(report.table())
    if len(report.sequences) > 1:
        print("\n" + report.sequence_table())
    for warning in report.warnings:
        options.complain(warning)
    return options.DONE
