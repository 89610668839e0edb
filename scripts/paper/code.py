"""Rules of the paper and of the official code that need no data: what they say, and where they stand here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from scripts.markdown import table


@dataclass(frozen=True)
class Rule:
    """`function` and `constant` are looked up in the module when the table is made."""

    rule: str
    module: str
    function: str
    constant: str = ""
    printed: object = None  # value of the constant in print


CROPS = (
    Rule(
        "box grown to the input's aspect, then 1.25 times",
        "posetrack.pose.crop",
        "crop_regions",
        "PADDING",
        1.25,
    ),
    Rule(
        "similarity to the input; its sides count W and H, not W-1 and H-1",
        "posetrack.pose.crop",
        "crop_affines",
    ),
    Rule("for UDP weights they count W-1 and H-1, as mmpose has it", "posetrack.pose.crop", "crop_affines"),
    Rule("RGB less ImageNet's mean", "posetrack.pose.crop", "normalise", "MEAN", (0.485, 0.456, 0.406)),
    Rule("RGB by ImageNet's deviation", "posetrack.pose.crop", "normalise", "STD", (0.229, 0.224, 0.225)),
    Rule(
        "half bodies, 1.5 times",
        "posetrack.training.examples.augment",
        "half_body_box",
        "HALF_BODY_PADDING",
        1.5,
    ),
    Rule("scaled, turned, mirrored", "posetrack.training.examples.augment", "random_view"),
    Rule(
        "targets: peak 1, centre rounded, cut at 3 sigma",
        "posetrack.training.tasks.losses",
        "official_targets",
    ),
    Rule(
        "loss: half the squared error, mean of places and joints",
        "posetrack.training.tasks.losses",
        "joints_mse",
    ),
)
DECODING = (
    Rule(
        "highest place, a quarter pixel towards the higher side", "posetrack.pose.heatmap", "decode_quarter"
    ),
    Rule("DARK: a Newton step on the logarithm", "posetrack.pose.heatmap", "decode_dark"),
    Rule(
        "UDP: a Newton step among direct neighbours, as mmpose has it",
        "posetrack.pose.heatmap",
        "decode_udp",
        "UDP_KERNEL",
        11,
    ),
    Rule(
        "flip test: sides swapped, moved by a pixel (UDP: not), mean",
        "posetrack.pose.heatmap",
        "merge_flipped",
    ),
    Rule("scores: heights of the maps, also above 1", "posetrack.benchmarks.predict", "load_estimator"),
    Rule(
        "box score x mean joint above 0.2",
        "posetrack.pose.estimator",
        "person_scores",
        "IN_VIS_THRESHOLD",
        0.2,
    ),
    Rule("OKS-NMS, areas of padded crops", "posetrack.evaluation.oks_nms", "oks_nms", "THRESHOLD", 0.9),
)
TRACKER = "trackers.flow_tracker"
TRACKING = (
    Rule(
        "boxes round carried joints, + 15 %",
        TRACKER,
        "FlowTracker.propagate",
        "FlowTrackerSettings.expansion",
        0.15,
    ),
    Rule("detected and carried boxes unified by NMS", TRACKER, "FlowTracker.merge_boxes"),
    Rule(
        "OKS to the carried poses",
        TRACKER,
        "FlowTracker.update",
        "FlowTrackerSettings.similarity",
        "flow_oks",
    ),
    Rule("greedy matching", TRACKER, "FlowTracker.update", "FlowTrackerSettings.matching", "greedy"),
    Rule("boxes from 0.5", "posetrack.presets", "load", "PAPER.detector_score", 0.5),
    Rule("joints from 0.4 are written", "posetrack.presets", "load", "PAPER.min_joint_score", 0.4),
)
METRICS = (
    Rule("COCO: AP over OKS 0.50 to 0.95, and AR", "posetrack.evaluation.coco", "evaluate_coco"),
    Rule("MPII: PCKh of 0.6 head diagonals", "posetrack.evaluation.mpii", "pckh", "HEAD_BIAS", 0.6),
    Rule(
        'MPII: "@0.1" of the official script is 0.11',
        "posetrack.evaluation.mpii",
        "pckh",
        "OFFICIAL_TENTH",
        0.11,
    ),
    Rule(
        "PoseTrack: joints match within half a head",
        "posetrack.evaluation.scene",
        "Scene",
        "MATCH_DISTANCE",
        0.5,
    ),
    Rule("PoseTrack: AP of each joint", "posetrack.evaluation.ap", "average_precision"),
    Rule("PoseTrack: MOTA of each joint, as poseval counts", "posetrack.evaluation.mot", "mot_scores"),
    Rule("ImageNet: top-1 and top-5, one crop", "posetrack.benchmarks.imagenet", "classify"),
)


def look_up(module: str, name: str) -> Any:
    found: Any = import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def rules(rows: tuple[Rule, ...]) -> str:
    def cells() -> Iterator[tuple[object, ...]]:
        for row in rows:
            look_up(row.module, row.function)
            where = f"`{row.module.replace('.', '/')}.py`, `{row.function}`"
            if row.constant:
                value = look_up(row.module, row.constant)
                same = "same" if value == row.printed else f"in print {row.printed}"
                yield row.rule, where, f"`{row.constant}` = {value}", same
            else:
                yield row.rule, where, "", ""

    return table("rule | where | value | difference", cells())
