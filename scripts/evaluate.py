r"""Measure a network on a benchmark of single pictures: COCO, MPII, PoseTrack, Leeds Sports, ImageNet.

    python scripts/evaluate.py --data coco --root coco --weights w48.safetensors --boxes detections.json
    python scripts/evaluate.py --data coco --root coco --weights pose_hrnet_w48_384x288.pth \
        --model hrnet_w48_coco_384x288
    python scripts/evaluate.py --data mpii --root mpii --model hrnet_w32_mpii_256x256
    python scripts/evaluate.py --data posetrack18 --root posetrack18 --weights w48.safetensors --json ap.json
    python scripts/evaluate.py --data lspet --root ../shared/data/lspet --weights light.safetensors --no-flip
    python scripts/evaluate.py --data imagenet --root imagenet --weights hrnet_w32-36af842e.pth \
        --model hrnet_w32_c

Folders are those of the distributed data sets: coco/annotations/person_keypoints_val2017.json and
coco/val2017; mpii/annot/{valid.json,gt_valid.mat} and mpii/images; posetrack18/annotations/val and
posetrack18/images; imagenet/val/nXXXXXXXX. Poses come from the tracker's own estimator.

Exit codes: 0 done, 1 some pictures are lost (named; the rest is measured), 2 the request was wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from posetrack.errors import PoseTrackError
from posetrack.files import replacing

DATA = ("coco", "mpii", "posetrack17", "posetrack18", "lspet", "imagenet")
DONE, SOME_LOST, WRONG_REQUEST = 0, 1, 2
SHOWN = 5  # lost pictures that are named on the terminal; the JSON names all


def main(arguments: Sequence[str] | None = None) -> int:
    given = parse(arguments)
    start = time.perf_counter()
    try:
        summary, table, results, lost = imagenet(given) if given.data == "imagenet" else people(given)
        summary["seconds"] = round(time.perf_counter() - start, 1)
        save(given, summary, results)
    except PoseTrackError as error:
        print(f"error: {error}", file=sys.stderr)
        return WRONG_REQUEST
    print(f"{given.data}: {summary['pictures']} pictures in {summary['seconds']} s\n\n{table}")
    if lost:
        print(f"\n{len(lost)} pictures are lost, all else is measured:", file=sys.stderr)
        for reason in list(lost.values())[:SHOWN]:
            print(f"  {reason}", file=sys.stderr)
        if len(lost) > SHOWN:
            print(f"  and {len(lost) - SHOWN} more", file=sys.stderr)
    return SOME_LOST if lost else DONE


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", choices=DATA, required=True)
    add("--root", type=Path, required=True, help="folder of the data set as distributed")
    add("--weights", type=Path, help="any checkpoint that posetrack reads; published ones when not given")
    add("--model", help="published weights used in the same way, for files that do not say it themselves")
    add("--boxes", type=Path, help="COCO detection results; labelled boxes when not given")
    add("--box-score", type=float, default=0.0, help="detected boxes below it are left out")
    add("--flip", action=argparse.BooleanOptionalAction, default=True, help="look at the mirrored crop too")
    add("--decoder", choices=("quarter", "dark"), help="how heatmaps are read; as trained when not given")
    add(
        "--oks-nms", type=float, default=0.9, metavar="OKS", help="of poses more alike the best stays; 1: all"
    )
    add("--soft-nms", action="store_true", help="lower the others' rank instead, and take 20 people")
    add("--split", default="val")
    add("--json", type=Path, help="write settings and metrics")
    add("--save", type=Path, help="write the poses as JSON; for PoseTrack a folder of prediction files")
    add("--device", default="auto")
    return parser.parse_args(arguments)


def people(given: argparse.Namespace) -> tuple[dict[str, Any], str, Any, Mapping[str, str]]:
    """What the JSON says, the table, the poses, and the lost pictures."""
    from posetrack.benchmarks.evaluate import BENCHMARKS
    from posetrack.benchmarks.predict import load_estimator
    from posetrack.benchmarks.result import Options

    if not 0 <= given.oks_nms <= 1:
        raise PoseTrackError(f"--oks-nms {given.oks_nms}: an OKS is from 0 to 1")
    options = Options(given.boxes, given.box_score, given.oks_nms, given.soft_nms, given.split)
    estimator = load_estimator(
        given.weights, given.model, device=given.device, flip=given.flip, decoder=given.decoder
    )
    outcome = BENCHMARKS[given.data](estimator, given.root, options)
    summary = {
        **named(given),
        "input_size": list(estimator.settings.input_size),
        "skeleton": estimator.skeleton.name,
        "device": str(estimator.device),
        "boxes": "labelled" if given.boxes is None else str(given.boxes),
        "box_score": given.box_score,
        "flip": given.flip,
        "decoder": estimator.settings.decoder,
        "oks_nms": given.oks_nms,
        "soft_nms": given.soft_nms,
        "people": outcome.people,
        "pictures": outcome.pictures,
        "lost": list(outcome.lost.values()),
        "metrics": outcome.metrics,
    }
    return summary, outcome.table, outcome.results, outcome.lost


def imagenet(given: argparse.Namespace) -> tuple[dict[str, Any], str, Any, Mapping[str, str]]:
    import torch

    from posetrack.benchmarks.imagenet import classify, load_classifier
    from posetrack.runtime.device import find_device
    from posetrack.training.data import read_image_folder

    if given.save or given.boxes:
        raise PoseTrackError("--save and --boxes are about people: leave them out for imagenet")
    device = find_device(given.device)
    network = load_classifier(given.weights, given.model, device)
    report, lost = classify(network, read_image_folder(given.root, given.split), torch.device(device))
    summary = named(given) | {"device": device, "pictures": report.pictures, "lost": list(lost.values())}
    return summary | {"metrics": report.to_json()}, report.table(), None, lost


def named(given: argparse.Namespace) -> dict[str, Any]:
    weights = None if given.weights is None else str(given.weights)
    return {"data": given.data, "split": given.split, "weights": weights, "model": given.model}


def save(given: argparse.Namespace, summary: Mapping[str, Any], results: Any) -> None:
    if given.save and given.data.startswith("posetrack"):
        for name, content in results.items():
            write(given.save / name, content)
    elif given.save:
        write(given.save, results)
    if given.json:
        write(given.json, summary)


def write(path: Path, content: Any) -> None:
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1 if isinstance(content, dict) else None))


if __name__ == "__main__":
    sys.exit(main())
