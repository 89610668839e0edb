"""Trackers: poses of a frame in, the same poses with identities out.

>>> tracker = TRACKERS["flow"]()
"""

from collections.abc import Callable

from trackers.base import Tracker
from trackers.flow_tracker import FlowTracker, FlowTrackerSettings


def OksTracker() -> FlowTracker:  # noqa: N802 (reads as the tracker it makes)
    """Baseline without flow: OKS to the poses of the frame before, as they stood."""
    return FlowTracker(FlowTrackerSettings(propagate=False, similarity="oks", memory_frames=1))


def IouTracker() -> FlowTracker:  # noqa: N802
    """Baseline without flow: overlap with the boxes of the frame before."""
    return FlowTracker(FlowTrackerSettings(propagate=False, similarity="iou", memory_frames=1))


TRACKERS: dict[str, Callable[[], Tracker]] = {"flow": FlowTracker, "oks": OksTracker, "iou": IouTracker}

__all__ = ["TRACKERS", "FlowTracker", "FlowTrackerSettings", "IouTracker", "OksTracker", "Tracker"]
