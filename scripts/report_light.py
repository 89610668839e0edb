"""Measure the bundled light networks on held-out people, draw the curves, and fill the model card with it.

    python scripts/render_validation.py --assets FOLDER_OF_MAKEHUMAN --out /tmp/runs/scenes        # once
    python scripts/report_light.py --data ../shared/data --scenes /tmp/runs/scenes
    python scripts/report_light.py --data ../shared/data --only calibration --write-calibration
    python scripts/report_light.py --data ../shared/data --only accuracy --card /tmp/card.md --every 20

Every part prints Markdown and puts it between the marks of its name in the card; curves and failures go to
docs/light_*. Thresholds and failures use the maps of the scores that were just fitted, or those that the
weights carry (metadata "calibration"). Nothing of the photos leaves the data pack: only rendered people are
drawn.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import torch
from light.accuracy import accuracy
from light.curve import curve
from light.failures import failures
from light.honesty import honesty
from light.markdown import fill
from light.parts import Parts
from light.precision import precision
from light.scenes import Sight, read_clip
from light.thresholds import PRESET, thresholds
from light.tradeoff import tradeoff
from safetensors.torch import load_file

from posetrack import zoo
from posetrack.runtime.calibration import Calibration
from posetrack.training import export

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("curve", "accuracy", "precision", "calibration", "tradeoff", "thresholds", "failures")
LEAST = 0.15  # detector score from which boxes of the clips are looked at


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the data pack, with lspet/ in it")
    parser.add_argument("--scenes", type=Path, help="folder of scripts/render_validation.py")
    parser.add_argument("--weights", type=Path, help="of the pose network; the bundled ones when not given")
    parser.add_argument("--detector", type=Path, help="weights of the detector, likewise")
    parser.add_argument(
        "--beside", type=Path, nargs="+", default=[], help="other pose weights, for the trade-off"
    )
    parser.add_argument("--log", type=Path, help="log.jsonl of the pose network's training, for its curve")
    parser.add_argument("--card", type=Path, default=ROOT / "posetrack/zoo/MODEL_CARD.md")
    parser.add_argument("--pictures", type=Path, default=ROOT / "docs", help="folder of the curves")
    parser.add_argument("--only", nargs="*", default=list(PARTS), choices=PARTS)
    parser.add_argument("--every", type=int, default=5, help="one in so many people where a part allows it")
    parser.add_argument("--demo", action="store_true", help="check the thresholds on the demo clip, too")
    parser.add_argument(
        "--write-calibration", action="store_true", help="put the fitted maps into the weights"
    )
    given = parser.parse_args()
    if {"thresholds", "failures"} & set(given.only) and given.scenes is None:
        parser.error("--scenes is needed for thresholds and failures")
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    cv2.setNumThreads(1)
    weights = given.weights or zoo.bundled("light_pose")
    detector = given.detector or zoo.bundled("light_detector")
    Report(Parts(given.data, weights, detector, given.every), given).run()


class Report:
    """Runs the parts that were asked for, in their order."""

    def __init__(self, parts: Parts, given: argparse.Namespace) -> None:
        self.parts, self.given = parts, given
        self.for_joints = carried(parts.pose_weights)
        self.for_boxes = carried(parts.detector_weights)

    def run(self) -> None:
        if "curve" in self.given.only and self.given.log:
            self.show("curve", lambda: curve(self.given.log))
        if "accuracy" in self.given.only:
            self.show("accuracy", lambda: accuracy(self.parts))
        if "precision" in self.given.only:
            self.show("precision", lambda: precision(self.parts))
        if "calibration" in self.given.only:
            self.show("calibration", self._calibrate)
            if self.given.write_calibration:
                write_calibration(self.parts.pose_weights, self.for_joints)
                write_calibration(self.parts.detector_weights, self.for_boxes)
        if "tradeoff" in self.given.only:
            score, path = PRESET.detector_score, self.given.pictures / "light_tradeoff.png"
            beside = {weights.stem.replace("_", " "): weights for weights in self.given.beside}
            self.show("tradeoff", lambda: tradeoff(self.parts, score, path, beside))
        if {"thresholds", "failures"} & set(self.given.only):
            self._clips()

    def show(self, name: str, measure: Callable[[], str]) -> None:
        start = time.process_time()
        text = measure()
        print(f"\n## {name} ({time.process_time() - start:.0f} s of CPU time)\n\n{text}", flush=True)
        facts = self.parts.facts
        made = (
            f"Weights of {facts.get('pictures', '?')} pictures, input {'x'.join(map(str, self.parts.size))}."
        )
        card = self.given.card
        card.write_text(fill(card.read_text(), name, f"{made}\n\n{text}"))

    def _calibrate(self) -> str:
        path = self.given.pictures / "light_calibration.png"
        text, self.for_joints, self.for_boxes = honesty(self.parts, path)
        return text

    def _clips(self) -> None:
        estimator = self.parts.estimator(self.for_joints)
        detector = self.parts.detector(calibration=self.for_boxes)
        paths = sorted(self.given.scenes.glob("*.mp4"))
        sights = [Sight(read_clip(path), detector, estimator, LEAST) for path in paths]
        if "thresholds" in self.given.only:
            demo = [ROOT / "posetrack/demo/demo.mp4"] if self.given.demo else []
            check = [Sight(read_clip(path), detector, estimator, LEAST) for path in demo]
            path = self.given.pictures / "light_thresholds.png"
            self.show("thresholds", lambda: f"{self._maps()}\n\n{thresholds(sights, check, path)}")
        if "failures" in self.given.only:
            sheet = self.given.pictures / "light_failures.jpg"
            self.show("failures", lambda: f"{self._maps()}\n\n{failures(sights, PRESET, sheet)}")

    def _maps(self) -> str:
        names = (("joints", self.for_joints), ("boxes", self.for_boxes))
        return "Scores of " + ", of ".join(
            f"{name} {f'calibrated by `{m.text()}`' if m else 'as they are'}" for name, m in names
        )


def carried(weights: Path) -> Calibration | None:
    """The map in the metadata of a weights file."""
    text = zoo.read_metadata(weights).get("calibration")
    return Calibration.read(text) if text else None


def write_calibration(path: Path, calibration: Calibration | None) -> None:
    """Add the map to the metadata of a weights file; its tensors stay as they are."""
    if calibration is None:
        return
    known = zoo.read_metadata(path)
    facts = known | {"calibration": calibration.text()}
    if facts == known:  # written again, the file would be another one to git: the order within is arbitrary
        return
    export.write(load_file(path), path, facts)
    print(f"{path}: calibration {calibration.text()}")


if __name__ == "__main__":
    main()
