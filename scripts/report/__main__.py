"""Measure the bundled networks on held-out people and rendered clips, and fill the model card with it.

    python -m scripts.render clips --assets MAKEHUMAN --out SCENES         # once
    python -m scripts.report --data DATA --scenes SCENES                   # everything
    python -m scripts.report --data DATA --only scores --write-calibration # after new weights, first of all

DATA has lspet/ and people/ in it and, for peers to compare with, teachers/. Every part prints Markdown and
puts it between the marks of its name in the card; pictures go to docs/light_*. Nothing of the photos leaves
the data: only rendered people are drawn.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, get_args

import torch
from safetensors.torch import load_file

from posetrack import zoo
from posetrack.errors import PoseTrackError
from posetrack.runtime.calibration import Calibration
from posetrack.training import export
from scripts.cli import run
from scripts.markdown import fill_file
from scripts.report.accuracy import boxes, joints
from scripts.report.clips import Clip, clips
from scripts.report.everyday import everyday
from scripts.report.failures import failures
from scripts.report.networks import Networks
from scripts.report.scores import scores

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "posetrack" / "demo" / "demo.mp4"
Part = Literal["boxes", "joints", "everyday", "scores", "clips", "thresholds", "failures"]


def report(
    *,
    data: Annotated[Path, "folder with lspet/ and people/ in it"],
    scenes: Annotated[Path | None, "folder of rendered clips"] = None,
    weights: Annotated[Path | None, "of the pose network; default: the bundled ones"] = None,
    detector: Annotated[Path | None, "weights of the detector, likewise"] = None,
    only: Annotated[list[Part] | None, "these parts; default: all"] = None,
    every: Annotated[int, "look at one in so many people and photos"] = 1,
    write_calibration: Annotated[bool, "put the fitted maps of the scores into the weights"] = False,
    card: Annotated[Path, "the document to fill"] = ROOT / "posetrack" / "zoo" / "MODEL_CARD.md",
    pictures: Annotated[Path, "folder of the pictures"] = ROOT / "docs",
) -> None:
    """Measure, print, fill the card, draw the pictures."""
    torch.set_num_threads(1)
    wanted = only or list(get_args(Part))
    on_clips = {"clips", "thresholds", "failures"} & set(wanted)
    if on_clips and scenes is None:
        raise PoseTrackError(f"--scenes is needed for {', '.join(sorted(on_clips))}: see --help")
    paths = weights or zoo.bundled("light_pose"), detector or zoo.bundled("light_detector")
    networks = Networks(data, *paths, every)

    def show(name: str, measure: Callable[[], str]) -> None:
        start = time.process_time()
        text = measure()
        print(f"\n## {name} ({time.process_time() - start:.0f} s of CPU time)\n\n{text}", flush=True)
        fill_file(card, name, text)

    def fit() -> str:
        text, *maps = scores(networks, pictures / "light_calibration.png")
        if write_calibration:
            for path, calibration in zip(paths, maps, strict=True):
                carry(path, calibration)
        return text

    if "scores" in wanted:  # first: it may change what the weights carry
        show("scores", fit)
    if "boxes" in wanted:
        show("boxes", lambda: boxes(networks))
    if "joints" in wanted:
        show("joints", lambda: joints(networks))
    if "everyday" in wanted:
        show("everyday", lambda: everyday(networks))
    if on_clips and scenes is not None:
        for_joints, for_boxes = networks.carried()
        system = networks.detector(for_boxes), networks.estimator(for_joints)
        rendered = [Clip(path, *system) for path in [*sorted(scenes.glob("*.mp4")), DEMO]]
        if "clips" in wanted or "thresholds" in wanted:
            curves = pictures / "light_thresholds.png" if "thresholds" in wanted else None
            show("clips", lambda: clips(rendered, curves))
        if "failures" in wanted:
            failures(rendered[:-1], pictures / "light_failures.jpg")


def carry(path: Path, calibration: Calibration) -> None:
    """Write the map into the metadata of a weights file; its tensors stay as they are."""
    known = zoo.read_metadata(path)
    if known.get("calibration") != calibration.text():  # written again, it would be another file to git
        export.write(load_file(path), path, known | {"calibration": calibration.text()})
        print(f"{path}: calibration {calibration.text()}")


if __name__ == "__main__":
    sys.exit(run("report", __doc__, {"report": report}))
