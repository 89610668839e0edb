"""Frozen settings of the whole system, one place: light, realtime, paper. `load` puts the parts together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from posetrack.errors import PoseTrackError
from trackers import TRACKERS, Tracker
from trackers.flow_tracker import FlowTrackerSettings

if TYPE_CHECKING:
    from flow.base import Flow
    from posetrack.pipeline import Detector, Estimator, PoseTracker


@dataclass(frozen=True)
class Preset:
    """Everything that decides what comes out, but for the device and the batch size."""

    name: str
    detector: str  # see posetrack.detectors.DETECTORS
    detector_score: float  # least score of a detected box
    pose: str  # "light", or a weight name of the zoo
    flow: str  # see flow.create
    flow_scale: float | None  # size at which flow is computed; None: the method's own choice
    min_joint_score: float  # joints below it are neither drawn nor exported
    flip_test: bool = False
    hide_outside_frame: bool = True  # joints there count as unseen; the paper's evaluation keeps them
    confirm_frames: int = 3  # identities seen in fewer frames are left out; the paper keeps them
    tracker: FlowTrackerSettings = field(default_factory=FlowTrackerSettings)


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
    flow="lucas_kanade",
    flow_scale=None,
    min_joint_score=0.5,
    tracker=FlowTrackerSettings(
        match_joint_score=0.1,
        threshold=0.2,
        twin_prior=0.5,
        nms_iou=0.5,
        propagate_score=0.5,
        propagate_seconds=1.0,
        memory_frames=60,
        memory_seconds=1.5,
        match_all_poses=False,
        duplicate_oks=0.4,  # in the rendered clips all people but one then have one identity
        birth_score=0.5,  # with 0.4 the foot of a table is somebody in every empty frame of the walkers' clip
        reid_threshold=0.8,
    ),
)

REALTIME = Preset(
    name="realtime",
    detector="fasterrcnn_mobilenet_v3_large_320_fpn",
    detector_score=0.5,
    pose="hrnet_w32_posetrack18_256x192",
    flow="lucas_kanade",  # about as fast as DIS ultrafast for few people, and loses half as many joints
    flow_scale=None,
    min_joint_score=0.4,
    tracker=FlowTrackerSettings(
        propagate_seconds=1.0,
        memory_frames=60,
        memory_seconds=1.5,
        match_all_poses=False,
    ),
)

PAPER = Preset(
    name="paper",
    detector="fasterrcnn_resnet50_fpn_v2",
    detector_score=0.5,
    pose="hrnet_w48_posetrack18_384x288",
    flip_test=True,
    hide_outside_frame=False,
    confirm_frames=1,
    flow="ptlflow:flownet2/things",
    flow_scale=None,
    min_joint_score=0.4,
    tracker=FlowTrackerSettings(),
)

PRESETS: Mapping[str, Preset] = {p.name: p for p in (LIGHT, REALTIME, PAPER)}


def find(name: str) -> Preset:
    if name not in PRESETS:
        raise PoseTrackError(f"unknown preset '{name}': choose one of {', '.join(PRESETS)}")
    return PRESETS[name]


def min_joint_score_of(preset: str) -> float:
    """The score below which a preset leaves joints out; tracks of other makers show every joint."""
    return PRESETS[preset].min_joint_score if preset in PRESETS else 0.0


def min_detector_score_of(preset: str) -> float:
    """The score below which a preset leaves boxes out."""
    return PRESETS[preset].detector_score if preset in PRESETS else 0.0


def load(
    preset: str = "light",
    device: str = "auto",
    *,
    detector: str | Detector | None = None,
    estimator: str | Estimator | None = None,
    flow: str | Flow | None = None,
    flow_scale: float | None = None,
    tracker: str | Tracker | None = None,
    weights: str | Path | None = None,
) -> PoseTracker:
    """The system that a preset describes, ready to track; any part of it may be another one.

    >>> tracker = posetrack.load("light", flow="dis")
    >>> for tracks in tracker.track(posetrack.read_video("clip.mp4")): ...

    Args:
        device: "auto", "cpu", "cuda" or "cuda:1".
        detector: a name (`posetrack.detectors.DETECTORS`) or a detector, in place of the preset's.
        estimator: likewise a name (`posetrack.pose.networks.names()`) or an estimator.
        flow: likewise (`flow.FLOWS`).
        flow_scale: working size of the flow / picture size.
        tracker: likewise (`trackers.TRACKERS`).
        weights: a checkpoint to use in place of the pose network's own.

    Raises:
        PoseTrackError: weights that are not there (it says how to fetch them), no such name or device.
    """
    from posetrack import detectors
    from posetrack.pipeline import PoseTracker
    from posetrack.pose import networks
    from posetrack.runtime.device import find_device

    chosen, place = find(preset), find_device(device)
    file = None if weights is None else Path(weights)
    score, flip = chosen.detector_score, chosen.flip_test
    the_detector, detector_name = _part(
        detector, chosen.detector, lambda name: detectors.create(name, device=place, min_score=score)
    )
    the_estimator, pose_name = _part(
        estimator,
        chosen.pose,
        lambda name: networks.create(name, device=place, weights=file, flip_test=flip),
    )
    scale = flow_scale or chosen.flow_scale
    the_flow, flow_name = _part(flow, chosen.flow, lambda name: create_flow(name, place, scale))
    the_tracker, tracker_name = _part(tracker, "flow", lambda name: _tracker(name, chosen.tracker))
    return PoseTracker(
        the_detector,
        the_estimator,
        the_flow,
        the_tracker,
        hide_outside_frame=chosen.hide_outside_frame,
        confirm_frames=chosen.confirm_frames,
        min_joint_score=chosen.min_joint_score,
        preset=chosen.name,
        models={
            "detector": detector_name,
            "pose": pose_name if file is None else file.name,
            "flow": flow_name,
            "tracker": tracker_name,
        },
    )


def weights_of(preset: str) -> list[str]:
    """Names in the zoo of the files that a preset needs; none for light, whose weights ship with it."""
    chosen = find(preset)
    needed = [name for name in (chosen.detector, chosen.pose) if name != "light"]
    return [*needed, chosen.flow] if _flow_has_weights(chosen.flow) else needed


def _part(given: Any, default: str, create: Callable[[str], Any]) -> tuple[Any, str]:
    """A part and its name: the one of that name, the one that was given, or the preset's."""
    if given is None or isinstance(given, str):
        name = given or default
        return create(name), name
    return given, type(given).__name__


def create_flow(name: str, device: str, scale: float | None = None) -> Flow:
    """A flow with its weights.

    Raises:
        PoseTrackError: an unknown name, or weights that are not there.
    """
    import flow
    from posetrack import zoo

    weights = zoo.weights(name) if _flow_has_weights(name) else None
    try:
        return flow.create(name, device=device, weights=weights, scale=scale)
    except (ValueError, FileNotFoundError) as error:
        raise PoseTrackError(str(error)) from error


def _flow_has_weights(name: str) -> bool:
    return name.startswith(("raft", "ptlflow:"))


def _tracker(name: str, settings: FlowTrackerSettings) -> Tracker:
    if name not in TRACKERS:
        raise PoseTrackError(f"unknown tracker '{name}': choose one of {', '.join(TRACKERS)}")
    return TRACKERS[name](settings)
