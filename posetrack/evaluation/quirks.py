"""Where poseval does something that its description does not say, by name. All on: poseval's own numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Quirks:
    """Switches; True copies the reference implementation.

    Three more have no switch because they need none: MOTP is always reported in both readings (raw-rows),
    missing scores rank last (missing-score), and frames are paired by their place in the file.
    """

    skip_last_frame: bool = True  # the tracking metrics leave out the last labelled frame of every sequence
    empty_frame_costs_one: bool = (
        True  # a frame without poses on one side: 1 miss + 1 false positive per joint
    )
    zero_for_undefined: bool = True  # joints without matches or annotations enter MOTP, AP, precision as 0
    # and one of the PoseTrack21 kit, off, as it contradicts the definition of HOTA:
    kit_empty_frames: bool = False  # a frame without poses on one side costs all joints of the sequence


POSEVAL = Quirks()
STRICT = Quirks(skip_last_frame=False, empty_frame_costs_one=False)  # every frame, real misses
