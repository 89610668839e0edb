"""What the study compares: the paper's ablation, one setting at a time, other methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from association.candidates import Blend, Faded, Patient, Rigid, TwoStage, Weighted
from trackers.flow_tracker import FlowTracker, FlowTrackerSettings

# What docs/association.md justifies.
CHOSEN: Mapping[str, FlowTrackerSettings] = {
    "paper": FlowTrackerSettings(),
    "light": FlowTrackerSettings(
        nms_iou=0.5,
        propagate_score=0.5,
        propagate_seconds=1.0,
        match_joint_score=0.2,
        threshold=0.15,
        duplicate_oks=0.7,
        birth_score=0.3,
        match_all_poses=False,
        memory_frames=60,
        memory_seconds=1.5,
    ),
}
# The paper's words and nothing else: where it is silent, no threshold.
LITERAL: dict[str, Any] = {
    "propagate_score": 0.0, "duplicate_oks": 1.0, "match_joint_score": 0.0, "birth_score": 0.0,
    "nms_iou": 0.5,
}  # fmt: skip


@dataclass(frozen=True)
class Variant:
    """One line of a table."""

    name: str
    make: Callable[[], FlowTracker]
    perfect_ids: bool = False


def ablation(settings: FlowTrackerSettings) -> list[Variant]:
    """Table 5 of Simple Baselines, and more memory lengths and the optimal matching."""
    similarities: dict[str, dict[str, Any]] = {
        "IoU": {"similarity": "iou", "memory_frames": 1},
        "OKS": {"similarity": "oks", "memory_frames": 1},
        **{f"flow OKS, L_Q {n}": {"similarity": "flow_oks", "memory_frames": n} for n in (1, 2, 4, 8, 16)},
    }
    return [
        _variant(
            f"{'boxes from flow' if propagate else 'detected boxes'} | {name} | {matching}",
            settings, propagate=propagate, matching=matching, **changes,
        )
        for propagate in (False, True)
        for name, changes in similarities.items()
        for matching in ("greedy", "hungarian")
    ]  # fmt: skip


def one_at_a_time(settings: FlowTrackerSettings) -> list[Variant]:
    """The chosen settings first, then each with one of them changed."""
    values: dict[str, tuple[Any, ...]] = {
        "threshold": (0.05, 0.1, 0.2, 0.3, 0.5),
        "nms_iou": (0.3, 0.4, 0.5, 0.6, 0.7),
        "propagate_score": (0.0, 0.3, 0.4, 0.5, 0.6),
        "duplicate_oks": (0.5, 0.6, 0.8, 0.9, 1.0),
        "match_joint_score": (0.0, 0.2, 0.3, 0.4),
        "birth_score": (0.0, 0.2, 0.3, 0.4, 0.5),
        "expansion": (0.0, 0.3),
        "propagate_seconds": (0.2, 0.5),
        "memory_seconds": (0.3, 0.8, 3.0),
    }
    rows = [_variant("chosen", settings)]
    rows += [
        _variant(f"{name} {value}", settings, **{name: value})
        for name, tried in values.items()
        for value in tried
        if value != getattr(settings, name)
    ]
    rows += [
        _variant(f"all poses, L_Q {n}", settings, match_all_poses=True, memory_frames=n)
        for n in (4, 8, 16, 32)
    ]
    newest = {"match_all_poses": False, "memory_frames": 60, "memory_seconds": 1.5}
    rows.append(_variant("newest pose, 1.5 s", settings, **newest))
    rows.append(_variant("the paper literally", settings, **LITERAL))
    return rows


def steps(settings: FlowTrackerSettings) -> list[Variant]:
    """From the paper's words to the chosen settings, one threshold after the other."""
    now = replace(settings, **LITERAL)
    rows = [
        _variant("detected boxes only, to the letter", now, propagate=False),
        _variant("the paper to the letter", now),
    ]
    for name in ("propagate_score", "duplicate_oks", "match_joint_score", "birth_score", "nms_iou"):
        value = getattr(settings, name)
        if value != getattr(now, name):
            now = replace(now, **{name: value})
            rows.append(_variant(f"+ {name} {value}", now))
    return rows


def other_methods(settings: FlowTrackerSettings) -> list[Variant]:
    """The chosen settings first, then other ways to associate, and what no association can better."""
    methods: dict[str, Callable[[FlowTrackerSettings], FlowTracker]] = {
        "two stages, strong from 0.4": partial(TwoStage, strong=0.4),
        "two stages, strong from 0.6": partial(TwoStage, strong=0.6),
        "0.7 OKS + 0.3 IoU": partial(Blend, boxes=0.3),
        "0.4 OKS + 0.6 IoU": partial(Blend, boxes=0.6),
        "joints by score": partial(Weighted, power=1),
        "joints by squared score": partial(Weighted, power=2),
        "sigmas x 2": partial(Weighted, power=0, looseness=2),
        "older poses fade, 3 % a frame": partial(Faded, keep=0.97),
        "median motion where flow fails": Rigid,
        "boxes for lost people, 3 frames": partial(Patient, patience=3),
    }
    rows = [_variant("chosen: greedy OKS", settings), _variant("Hungarian", settings, matching="hungarian")]
    rows += [Variant(name, partial(make, settings)) for name, make in methods.items()]
    rows.append(_variant("no flow: OKS, same memory", settings, similarity="oks"))
    rows.append(Variant("perfect identities", partial(FlowTracker, settings), perfect_ids=True))
    return rows


def _variant(name: str, settings: FlowTrackerSettings, **changes: Any) -> Variant:
    return Variant(name, partial(FlowTracker, replace(settings, **changes)))


PARTS: Mapping[str, Callable[[FlowTrackerSettings], list[Variant]]] = {
    "ablation": ablation,
    "steps": steps,
    "settings": one_at_a_time,
    "methods": other_methods,
}
