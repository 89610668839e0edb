"""Measure the bundled light pose network on held-out people and print the tables of its model card.

python scripts/report_light_pose.py --data ../shared/data/lspet
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import torch
from safetensors import safe_open

from posetrack import models
from posetrack.datasets.lspet import read_held_out
from posetrack.skeletons import POSETRACK18
from posetrack.training import pose_report
from posetrack.training.validate import predict

BUNDLED = Path(__file__).resolve().parents[1] / "posetrack/zoo/bundled/light_pose.safetensors"
SCORES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 9.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the lspet folder of the data pack")
    parser.add_argument("--weights", type=Path, default=BUNDLED)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.set_flush_denormal(True)
    cv2.setNumThreads(1)

    with safe_open(given.weights, "pt") as file:
        about = file.metadata()
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    network = models.create(about["model"], len(POSETRACK18))
    network.load_state_dict(state, strict=False)
    size, sigma = (int(about["input_width"]), int(about["input_height"])), float(about["sigma"])
    print(f"{given.weights.name}: {about['pictures']} pictures, input {size[0]}x{size[1]}, sigma {sigma}")

    for held_out in read_held_out(given.data):
        for flip in (False, True):
            found = predict(network, held_out, POSETRACK18, size, sigma, torch.device("cpu"), flip)
            errors = found.errors
            x, y = pose_report.bias(found)
            print(f"\n## {held_out.name}{', flip test' if flip else ''}: PCK@0.2 {errors.pck():.1f}")
            print(f"bias {x:+.3f} {y:+.3f} heatmap pixels")
            print(f"sides exchanged: {pose_report.swapped(found, POSETRACK18):.1f} % of people")
            for name, value in pose_report.by_joint(errors, POSETRACK18).items():
                print(f"| {name} | {value:.1f} |")
            if flip:
                continue
            for name, (people, value) in pose_report.by_pose(errors, held_out, POSETRACK18).items():
                print(f"| {name} | {people} | {value:.1f} |")
            for (low, high), (people, value) in pose_report.by_size(
                errors, held_out, (0, 80, 120, 180, 400)
            ).items():
                print(f"| {low} to {high} px | {people} | {value:.1f} |")
            for (low, high), (share, hits) in pose_report.reliability(found.scores, errors, SCORES).items():
                print(f"| {low} to {high} | {share:.1f} | {hits:.1f} |")
            for limit, (precision, recall) in pose_report.thresholds(
                found.scores, errors, SCORES[:-1]
            ).items():
                print(f"| >= {limit} | {precision:.1f} | {recall:.1f} |")


if __name__ == "__main__":
    main()
