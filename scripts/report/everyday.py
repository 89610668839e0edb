"""Everyday people whom humans have labelled: the bundled networks beside their peers, by the same code."""

from __future__ import annotations

from collections.abc import Callable

from posetrack.benchmarks.everyday import SLOTS, EverydaySet, judge
from posetrack.benchmarks.predict import find_labelled
from posetrack.datasets.boxes import Image
from posetrack.detectors.light import LightDetector
from posetrack.evaluation.boxes import HEIGHTS, BoxTruth, evaluate_boxes, found_by_height
from posetrack.pipeline import Detector
from posetrack.pose.estimator import HeatmapEstimator, PoseSettings
from posetrack.presets import LIGHT
from posetrack.skeletons import POSETRACK18
from posetrack.training.tasks.rtmdet import RtmdetTeacher
from posetrack.training.tasks.teacher_boxes import YoloxTeacher
from posetrack.training.tasks.teacher_joints import TINYPOSE, TinyPose
from posetrack.types import Detections, Floats, Frame
from scripts.markdown import table
from scripts.report.networks import Networks


def everyday(networks: Networks) -> str:
    """Markdown: joints in human boxes, and boxes. Peers are measured where DATA/teachers has them."""
    return f"{joints(networks)}\n\n{boxes(networks)}"


def joints(networks: Networks) -> str:
    """OKS AP, mean OKS by kind of person."""
    estimators = {"light": networks.estimator()}
    peer = networks.data / "teachers" / "tinypose_256x192.onnx"
    if peer.exists():
        settings = PoseSettings(TINYPOSE.skeleton, TINYPOSE.size, TINYPOSE.sigma, decoder="dark")
        estimators["PP-TinyPose"] = HeatmapEstimator(TinyPose(peer), settings)
    return "\n\n".join(_of_source(source, data, estimators) for source, data in networks.everyday.items())


def _of_source(source: str, data: EverydaySet, estimators: dict[str, HeatmapEstimator]) -> str:
    kinds = " | ".join(f"{kind} ({members.sum()}):" for kind, members in data.kinds.items())
    rows: list[list[object]] = []
    for name, estimator in estimators.items():
        seen = find_labelled(estimator, data.people, data.images, name)
        points, scores = seen.joints(POSETRACK18)
        result = judge(points[:, SLOTS], scores[:, SLOTS], data)
        rows.append([name, result.coco.ap, result.coco.ap50, *(100 * v for v in result.by_kind().values())])
    return table(f"{source}, mean OKS x 100 | OKS AP: | AP50: | {kinds}", rows)


def boxes(networks: Networks) -> str:
    """AP, and at the preset's score (of peers: their own) people found by height and false boxes."""
    rows: list[list[object]] = []
    for name, detector in detectors(networks).items():
        for source, photos in networks.everyday_photos.items():
            truths = [BoxTruth(photo.size, photo.boxes, photo.ignored) for photo in photos]
            frames = [Frame(networks.everyday_images[photo.name], 0, 0.0) for photo in photos]
            seen = [detector([frame])[0] for frame in frames]
            report = evaluate_boxes(truths, seen)
            found = found_by_height(truths, seen, LIGHT.detector_score)
            shares = [100 * float(share) for share in found.shares()]
            rows.append(
                [name, source, str(len(photos)), report.ap, report.ap50, *shares, f"{found.false:.2f}"]
            )
    heights = " | ".join(f"from {low} px, %:" for low in HEIGHTS)
    return table(f"boxes | of | photos: | AP: | AP50: | {heights} | all, %: | false boxes per photo:", rows)


def detectors(networks: Networks) -> dict[str, Detector]:
    """With low scores, too: AP is an area under a curve."""
    light = LightDetector(networks.detector_weights, score_threshold=0.0)
    light.calibration = networks.carried()[1]
    found: dict[str, Detector] = {"light": light}
    teachers = networks.data / "teachers"
    if (path := teachers / "yolox_nano_416.onnx").exists():
        found["YOLOX-nano 416"] = _peer(YoloxTeacher(path).one_view)
    if (path := teachers / "rtmdet_nano_person_320.onnx").exists():
        found["RTMDet-nano 320"] = _peer(RtmdetTeacher(path, floor=0.03).one_view)
    return found


def _peer(one_view: Callable[[Image], tuple[Floats, Floats]]) -> Detector:
    return lambda frames: [Detections(*one_view(frame.image)) for frame in frames]
