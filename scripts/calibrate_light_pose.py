"""Fit the map of the pose network's joint scores to held-out people, and write it into the weights.

    python scripts/calibrate_light_pose.py --data ../shared/data --weights light_pose.safetensors

Leeds athletes, Leeds bystanders, COCO's and MPII's everyday people weigh alike. A joint is right within 0.2
torso lengths of its label; people whose torso is not labelled have the usual one for their area.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from report_light import write_calibration

from posetrack import presets
from posetrack.datasets.lspet import read_held_out
from posetrack.datasets.people import HeldOut, Person
from posetrack.models.fuse import for_inference
from posetrack.skeletons import POSETRACK18
from posetrack.training.calibrate import fit, reliability
from posetrack.training.everyday_report import AREA, read_everyday_set
from posetrack.training.pck import torso_lengths
from posetrack.training.validate import Reading, locate

HIT = 0.2  # torso lengths
TORSO = 0.74  # roots of a person's area: the median of COCO's validation people with a torso


@dataclass(frozen=True)
class Cases:
    scores: NDArray[np.float64]  # (N,)
    right: NDArray[np.float64]  # (N,) 0 or 1


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the data pack")
    parser.add_argument("--weights", type=Path, required=True)
    given = parser.parse_args()
    torch.set_num_threads(1)
    network, settings = presets.pose_network(presets.LIGHT, given.weights)
    network = for_inference(network, "cpu")
    reading = Reading(POSETRACK18, settings.input_size, settings.sigma)
    sets = {}
    for held_out in (*read_held_out(given.data / "lspet"), *everyday(given.data / "people")):
        with torch.autocast("cpu", torch.bfloat16):  # as the preset computes
            points, scores, _ = locate(
                network, held_out.people, held_out.images, reading, torch.device("cpu")
            )
        sets[held_out.name] = cases(points, scores, held_out)
    weights = np.concatenate([np.full(len(c.scores), 1000 / len(c.scores)) for c in sets.values()])
    calibration = fit(*(np.concatenate(column) for column in joined(sets)), weights)
    for name, c in sets.items():
        before, after = reliability(c.scores, c.right), reliability(calibration(c.scores), c.right)
        print(
            f"{name}: {len(c.scores)} joints, right {100 * c.right.mean():.1f} %, "
            f"ECE {100 * before.ece:.1f} % before, {100 * after.ece:.1f} % after"
        )
    write_calibration(given.weights, calibration)


def joined(
    sets: dict[str, Cases],
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    return [c.scores for c in sets.values()], [c.right for c in sets.values()]


def everyday(folder: Path) -> list[HeldOut]:
    read = {source: read_everyday_set(folder, source) for source in ("coco", "mpii")}
    return [HeldOut(source, found.people, found.images) for source, found in read.items()]


def cases(points: NDArray[np.float64], scores: NDArray[np.float64], held_out: HeldOut) -> Cases:
    people = held_out.people
    labels = np.stack([p.keypoints for p in people]).astype(np.float64)
    labelled = np.stack([p.labelled for p in people])
    counted = labelled & ~np.stack([p.pseudo for p in people]) if held_out.human_only else labelled
    lengths = torso_lengths(labels, labelled, POSETRACK18)
    lengths = np.where(np.isfinite(lengths), lengths, [usual_torso(p) for p in people])
    right = np.linalg.norm(points - labels, axis=2) <= HIT * lengths[:, None]
    return Cases(np.clip(scores[counted], 0, 1), right[counted].astype(np.float64))


def usual_torso(person: Person) -> float:
    return TORSO * float(np.sqrt(AREA * np.prod(person.box[2:] - person.box[:2])))


if __name__ == "__main__":
    main()
