"""Frozen settings of the whole system, one place: light, realtime, paper. `build` puts the parts together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from posetrack.errors import PoseTrackError
from posetrack.skeletons import SKELETONS
from trackers.flow_tracker import FlowTracker, FlowTrackerSettings

if TYPE_CHECKING:
    from torch import nn

    from flow.base import Flow
    from posetrack.pipeline import Detector, Estimator, PoseTracker
    from posetrack.pose.estimator import PoseSettings


@dataclass(frozen=True)
class Preset:
    """Everything that decides what comes out, but for the device and the batch size."""

    name: str
    detector: str  # "light", or a torchvision detector
    detector_score: float  # least score of a detected box
    pose: str  # "light", or a weight name of the zoo
    flow: str  # see flow.create
    flow_scale: float | None  # size at which flow is computed; None: the method's own choice
    joint_score: float  # joints below it are neither drawn nor exported
    decoder: Literal["quarter", "dark"] = "quarter"
    flip_test: bool = False
    within_frame: bool = True  # joints beyond the frame count as unseen; the paper's evaluation keeps them
    tracker: FlowTrackerSettings = field(default_factory=FlowTrackerSettings)

    def models(self) -> dict[str, str]:
        """Names for the header of tracks.jsonl."""
        return {"detector": self.detector, "pose": self.pose, "flow": self.flow, "tracker": "flow"}


# From docs/association.md; threshold, duplicate_oks and birth_score then moved a little with the bundled
# weights: on the demo clip, whose truth is exact, and by the number of identities in three real clips.
# Scores of detector, joint and birth follow from MOTA on rendered clips (MODEL_CARD.md).
# Scores are calibrated: on held-out photos a box or joint is right about as often as its score says, joints
# of 0.5 to 0.6 a little less often (49 %).
LIGHT = Preset(
    name="light",
    detector="light",
    detector_score=0.4,
    pose="light",
    decoder="dark",
    flow="lucas_kanade",
    flow_scale=None,
    joint_score=0.5,
    tracker=FlowTrackerSettings(
        joint_score=0.1,
        threshold=0.2,
        nms_iou=0.5,
        propagate_score=0.5,
        propagate_seconds=1.0,
        memory_frames=60,
        memory_seconds=1.5,
        every_pose=False,
        duplicate_oks=0.4,  # in the rendered clips all people but one then have one identity
        birth_score=0.5,  # with 0.4 the foot of a table is somebody in every empty frame of the walkers' clip
        return_likeness=0.8,
    ),
)

REALTIME = Preset(
    name="realtime",
    detector="fasterrcnn_mobilenet_v3_large_320_fpn",
    detector_score=0.5,
    pose="hrnet_w32_posetrack18_256x192",
    flow="lucas_kanade",  # about as fast as DIS ultrafast for few people, and loses half as many joints
    flow_scale=None,
    joint_score=0.4,
    tracker=FlowTrackerSettings(
        propagate_seconds=1.0,
        memory_frames=60,
        memory_seconds=1.5,
        every_pose=False,
    ),
)

PAPER = Preset(
    name="paper",
    detector="fasterrcnn_resnet50_fpn_v2",
    detector_score=0.5,
    pose="hrnet_w48_posetrack18_384x288",
    flip_test=True,
    within_frame=False,
    flow="ptlflow:flownet2/things",
    flow_scale=None,
    joint_score=0.4,
    tracker=FlowTrackerSettings(),
)

PRESETS: Mapping[str, Preset] = {p.name: p for p in (LIGHT, REALTIME, PAPER)}


def find(name: str) -> Preset:
    if name not in PRESETS:
        raise PoseTrackError(f"unknown preset '{name}': choose one of {', '.join(PRESETS)}")
    return PRESETS[name]


def find_device(device: str) -> str:
    """'auto' is CUDA where there is one, else the CPU."""
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    known = re.fullmatch(r"cpu|mps|cuda(?::(\d+))?", device)
    if not known:
        raise PoseTrackError(f"unknown device '{device}': choose auto, cpu, cuda or cuda:N")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise PoseTrackError(
            f"device '{device}' asked for, but torch sees no CUDA GPU here: use --device cpu"
        )
    if known[1] and int(known[1]) >= torch.cuda.device_count():
        raise PoseTrackError(
            f"device '{device}' asked for, but the last one here is cuda:{torch.cuda.device_count() - 1}"
        )
    if device == "mps" and not torch.backends.mps.is_available():
        raise PoseTrackError("device 'mps' asked for, but torch sees no such GPU here: use --device cpu")
    return device


def joint_score_of(preset: str) -> float:
    """The score below which a preset leaves joints out; tracks of other makers show every joint."""
    return PRESETS[preset].joint_score if preset in PRESETS else 0.0


def build(
    preset: Preset, device: str = "auto", boxes: Path | None = None, weights: Path | None = None
) -> PoseTracker:
    """The system that a preset describes.

    Args:
        device: "auto", "cpu", "cuda" or "cuda:1".
        boxes: a file of detections to use in place of the preset's detector.
        weights: a checkpoint to use in place of the preset's pose weights.

    Raises:
        PoseTrackError: weights that are not there (the message says how to fetch them), no such device.
    """
    from posetrack.pipeline import PoseTracker

    place = find_device(device)
    return PoseTracker(
        _detector(preset, place, boxes),
        _estimator(preset, place, weights),
        _flow(preset, place),
        FlowTracker(preset.tracker),
        within_frame=preset.within_frame,
    )


def load(
    preset: str = "light",
    device: str = "auto",
    boxes: str | Path | None = None,
    weights: str | Path | None = None,
) -> PoseTracker:
    """A preset by name, ready to track; see `build`.

    >>> tracker = posetrack.load("light")
    >>> for tracks in tracker.track(posetrack.read_video("clip.mp4")): ...
    """
    return build(find(preset), device, *(None if path is None else Path(path) for path in (boxes, weights)))


def weights_of(preset: str) -> list[str]:
    """Names in the zoo of the files that a preset needs; none for light, whose weights ship with it."""
    chosen = find(preset)
    needed = [name for name in (chosen.detector, chosen.pose) if name != "light"]
    return [*needed, chosen.flow] if _flow_has_weights(chosen) else needed


USAGE = {"model", "skeleton", "input_width", "input_height", "sigma"}  # what a file must say of its network


def pose_network(preset: Preset, weights: Path | None = None) -> tuple[nn.Module, PoseSettings]:
    """The pose network with its weights, and how it is to be used.

    Args:
        weights: a checkpoint of the preset's network, or one of ours (safetensors), which says itself what
            network, joints and input it is for. None takes the preset's own weights.

    Raises:
        PoseTrackError: the file is missing, broken, or of another network.
    """
    from posetrack import models, zoo
    from posetrack.pose.estimator import PoseSettings
    from posetrack.runtime.calibration import Calibration

    path = weights or (zoo.bundled("light_pose") if preset.pose == "light" else zoo.weights(preset.pose))
    state = zoo.read_checkpoint(path)
    facts = zoo.read_metadata(path) if path.suffix == ".safetensors" else {}
    usage = facts if "model" in facts else _usage(preset.pose)
    if absent := sorted(USAGE - usage.keys()):
        raise PoseTrackError(f"{path}: its metadata lack {', '.join(absent)}: export these weights again")
    width, height = int(usage["input_width"]), int(usage["input_height"])
    if width % 32 or height % 32:
        raise PoseTrackError(f"{path} is for inputs of {width}x{height}: both must be multiples of 32")
    skeleton = SKELETONS[usage["skeleton"]]
    network = models.create(usage["model"], len(skeleton), empty=True)
    zoo.load_into(network, state, source=str(path))
    # What a network says of joints that nobody labelled is noise; no PoseTrack file labels the ears.
    ears = "left_ear,right_ear" if skeleton.name == "posetrack18" else ""
    unlabelled = tuple(filter(None, usage.get("unlabelled", ears).split(",")))
    return network, PoseSettings(
        skeleton,
        (width, height),
        sigma=float(usage["sigma"]),
        softmax=usage.get("heatmap") == "softmax",
        unlabelled=unlabelled,
        decoder=preset.decoder,
        flip_test=preset.flip_test,
        half=True,
        calibration=Calibration.read(usage["calibration"]) if "calibration" in usage else None,
    )


def _usage(pose: str) -> dict[str, str]:
    """How the weights of that name are used, in the words of the metadata of our own files."""
    from posetrack import zoo
    from posetrack.zoo import catalog

    if pose == "light":
        return zoo.read_metadata(zoo.bundled("light_pose"))
    entry = catalog.find(pose)
    if entry.kind != "pose" or entry.input_size is None or entry.skeleton is None:
        raise PoseTrackError(f"'{pose}' is no pose network: choose weights of the kind 'pose'")
    if entry.decoding == "udp":
        raise PoseTrackError(
            f"'{pose}' was trained on UDP crops, which this version does not make: choose another"
        )
    height, width = entry.input_size
    return {
        "model": entry.network,
        "skeleton": entry.skeleton,
        "input_width": str(width),
        "input_height": str(height),
        "sigma": str(entry.sigma),
    }


def _detector(preset: Preset, device: str, boxes: Path | None) -> Detector:
    if boxes is not None:
        from posetrack.detectors.from_file import FileDetector

        return FileDetector(boxes, score_threshold=preset.detector_score)
    if preset.detector == "light":
        from posetrack.detectors.light import LightDetector

        return LightDetector(device=device, score_threshold=preset.detector_score)
    from posetrack import zoo
    from posetrack.detectors.torchvision import TorchvisionDetector

    return TorchvisionDetector(
        preset.detector,
        weights=zoo.weights(preset.detector),
        device=device,
        score_threshold=preset.detector_score,
    )


def _estimator(preset: Preset, device: str, weights: Path | None) -> Estimator:
    from posetrack.pose.estimator import HeatmapEstimator

    network, settings = pose_network(preset, weights)
    return HeatmapEstimator.fast(network, settings, device)


def _flow(preset: Preset, device: str) -> Flow:
    import flow
    from posetrack import zoo

    weights = zoo.weights(preset.flow) if _flow_has_weights(preset) else None
    try:
        return flow.create(preset.flow, device=device, weights=weights, scale=preset.flow_scale)
    except (ValueError, FileNotFoundError) as error:
        raise PoseTrackError(str(error)) from error


def _flow_has_weights(preset: Preset) -> bool:
    return preset.flow.startswith(("raft", "ptlflow:"))
