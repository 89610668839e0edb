"""`posetrack bench`: how fast this machine is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from posetrack.commands import options
from posetrack.files import refuse_existing


def bench(
    *,
    json: Annotated[Path | None, "write all numbers to this file"] = None,
    device: options.Device = "auto",
    seconds: Annotated[float, "time to spend on each measurement"] = 5.0,
    overwrite: options.Overwrite = False,
) -> int:
    """Milliseconds of every stage on this machine, and of HRNet-W32 and W48."""
    from posetrack.benchmarks.speed import run_bench

    refuse_existing(json, overwrite=overwrite)
    if json is not None:
        options.make_folder(json.parent)
    result = run_bench(device, seconds)
    if json is not None:
        options.write_json(json, result)
    return options.DONE
