"""`posetrack evaluate`: a network on a benchmark of single pictures."""

from __future__ import annotations

import json as json_module
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from posetrack.errors import PoseTrackError
from posetrack.files import refuse_existing, replacing

DONE, SOME_LOST = 0, 1
SHOWN = 5  # lost pictures that are named on the terminal; the JSON names all


def evaluate(
    *,
    data: Annotated[
        Literal["coco", "mpii", "posetrack17", "posetrack18", "lspet", "everyday", "imagenet"],
        "the benchmark",
    ],
    root: Annotated[Path, "folder of the data set as distributed"],
    weights: Annotated[
        Path | None, "any checkpoint that posetrack reads; else published ones, everyday: those that ship"
    ] = None,
    model: Annotated[
        str | None, "published weights used alike, for files that do not say it themselves"
    ] = None,
    boxes: Annotated[Path | None, "COCO detection results; labelled boxes when not given"] = None,
    box_score: Annotated[float, "detected boxes below it are left out"] = 0.0,
    detector: Annotated[str | None, "measure the boxes of this one, too, on everyday photos"] = None,
    flip: Annotated[bool, "do not look at the mirrored crop, too"] = True,
    decoder: Annotated[
        Literal["quarter", "dark", "udp"] | None, "how crops are cut and heatmaps read; else as trained"
    ] = None,
    pyramid: Annotated[bool, "the mean over six sizes of the crop, as MPII's test set is looked at"] = False,
    oks_nms: Annotated[float, "OKS from which the better of two poses stays alone; 1: all"] = 0.9,
    soft_nms: Annotated[bool, "lower the others' rank instead, and take 20 people"] = False,
    split: Annotated[str, "of the data set; test-dev for COCO, test for MPII"] = "val",
    json: Annotated[Path | None, "write settings and metrics"] = None,
    save: Annotated[
        Path | None, "write the poses: JSON, .mat for MPII's test, for PoseTrack a folder of prediction files"
    ] = None,
    device: Annotated[str, "auto, cpu, cuda or cuda:N"] = "auto",
    overwrite: Annotated[bool, "replace files that are there already"] = False,
) -> int:
    """Measure a network on a benchmark of single pictures, of people or of ImageNet.

    Folders are those of the distributed data sets: coco/annotations/person_keypoints_val2017.json and
    coco/val2017; mpii/annot/{valid.json,gt_valid.mat} and mpii/images; posetrack18/annotations/val and
    posetrack18/images; imagenet/val/nXXXXXXXX. Poses come from the tracker's own estimator.
    Exit code 1: some pictures are lost (named; the rest is measured).
    """
    refuse_existing(json, save, overwrite=overwrite)
    if detector is not None and data != "everyday":
        raise PoseTrackError(
            f"--detector {detector}: only the boxes of everyday photos are measured, not {data}'s"
        )
    settings = {
        "data": data,
        "split": split,
        "weights": None if weights is None else str(weights),
        "model": model,
    }
    start = time.perf_counter()
    if data == "imagenet":
        if save or boxes:
            raise PoseTrackError("--save and --boxes are about people: leave them out for imagenet")
        measured = _imagenet(root, weights, model, split, device)
    else:
        options = {"boxes": boxes, "box_score": box_score, "oks_threshold": oks_nms, "soft": soft_nms}
        network = {
            "weights": weights, "model": model, "device": device,
            "flip": flip, "decoder": decoder, "pyramid": pyramid,
        }  # fmt: skip
        measured = _people(data, root, network, {**options, "split": split, "detector": detector})
    seconds = round(time.perf_counter() - start, 1)
    summary = {**settings, **measured.summary, "lost": list(measured.lost.values()), "seconds": seconds}
    _write(data, summary, measured.results, json, save)
    print(f"{data}: {summary['pictures']} pictures in {seconds} s\n\n{measured.table}")
    return _name_lost(list(measured.lost.values()))


@dataclass(frozen=True)
class _Measured:
    summary: dict[str, Any]
    table: str
    lost: Mapping[str, str]  # picture and reason
    results: Any = None  # poses, for --save


def _people(data: str, root: Path, network: dict[str, Any], options: dict[str, Any]) -> _Measured:
    from posetrack import zoo
    from posetrack.benchmarks.evaluate import BENCHMARKS
    from posetrack.benchmarks.predict import load_estimator
    from posetrack.benchmarks.result import Options

    if not 0 <= options["oks_threshold"] <= 1:
        raise PoseTrackError(f"--oks-nms {options['oks_threshold']}: an OKS is from 0 to 1")
    weights, model = network.pop("weights"), network.pop("model")
    if data == "everyday" and weights is None and model is None:
        weights = zoo.bundled("light_pose")
    estimator = load_estimator(weights, model, **network)
    _warn_of_training(weights, model, data, options["split"])
    _warn_of_training(None, options["detector"], data, options["split"])
    result = BENCHMARKS[data](estimator, root, Options(**options))
    summary = {
        "input_size": list(estimator.settings.input_size),
        "skeleton": estimator.skeleton.name,
        "device": str(estimator.device),
        "boxes": "labelled" if options["boxes"] is None else str(options["boxes"]),
        "box_score": options["box_score"],
        "flip": network["flip"],
        "decoder": estimator.settings.decoder,
        "pyramid": network["pyramid"],
        "oks_nms": options["oks_threshold"],
        "soft_nms": options["soft"],
        "people": result.people,
        "pictures": result.pictures,
        "metrics": result.metrics,
    }
    return _Measured(summary, result.table, result.lost, result.results)


def _imagenet(root: Path, weights: Path | None, model: str | None, split: str, device: str) -> _Measured:
    import torch

    from posetrack.benchmarks.imagenet import classify, load_classifier
    from posetrack.datasets.imagenet import read_image_folder
    from posetrack.runtime.device import find_device

    place = find_device(device)
    network = load_classifier(weights, model, place)
    _warn_of_training(weights, model, "imagenet", split)
    report, lost = classify(network, read_image_folder(root, split), torch.device(place))
    summary = {"device": place, "pictures": report.pictures, "metrics": report.to_json()}
    return _Measured(summary, report.table(), lost)


def _warn_of_training(weights: Path | None, model: str | None, data: str, split: str) -> None:
    """A line where the weights may have learned what they are measured on."""
    from posetrack.benchmarks.predict import trained_on
    from posetrack.datasets.names import seen_in_training

    if reason := seen_in_training(trained_on(weights, model), data, split):
        print(f"warning: {weights or model}: {reason}", file=sys.stderr)


def _write(data: str, summary: Mapping[str, Any], results: Any, json: Path | None, save: Path | None) -> None:
    files = {} if json is None else {json: summary}
    if save is not None:
        many = data.startswith("posetrack")
        files |= {save / name: content for name, content in results.items()} if many else {save: results}
    for path, content in files.items():
        with replacing(path) as temporary:
            if isinstance(content, bytes):
                temporary.write_bytes(content)
                continue
            indent = 1 if isinstance(content, dict) else None
            temporary.write_text(json_module.dumps(content, indent=indent))


def _name_lost(reasons: list[str]) -> int:
    if not reasons:
        return DONE
    print(f"\n{len(reasons)} pictures are lost, all else is measured:", file=sys.stderr)
    for reason in reasons[:SHOWN]:
        print(f"  {reason}", file=sys.stderr)
    if len(reasons) > SHOWN:
        print(f"  and {len(reasons) - SHOWN} more", file=sys.stderr)
    return SOME_LOST
