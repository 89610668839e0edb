"""Trackers: poses of a frame in, the same poses with identities out.

>>> tracker = TRACKERS["flow"](FlowTrackerSettings())
"""

from collections.abc import Callable
from dataclasses import replace

from trackers.base import Tracker
from trackers.flow_tracker import FlowTracker, FlowTrackerSettings

DEFAULT = FlowTrackerSettings()


def OksTracker(settings: FlowTrackerSettings = DEFAULT) -> FlowTracker:  # noqa: N802 (reads as what it makes)
    """Baseline without flow: OKS to the poses of the frame before, as they stood."""
    return FlowTracker(replace(settings, propagate=False, similarity="oks", memory_frames=1))


def IouTracker(settings: FlowTrackerSettings = DEFAULT) -> FlowTracker:  # noqa: N802
    """Baseline without flow: overlap with the boxes of the frame before."""
    return FlowTracker(replace(settings, propagate=False, similarity="iou", memory_frames=1))


TRACKERS: dict[str, Callable[[FlowTrackerSettings], Tracker]] = {
    "flow": FlowTracker,
    "oks": OksTracker,
    "iou": IouTracker,
}

__all__ = ["TRACKERS", "FlowTracker", "FlowTrackerSettings", "IouTracker", "OksTracker", "Tracker"]
