"""Random processes of simulated people: errors that last for some frames, and how bad each system is.

All are drawn once per world and looked up afterwards, so that every tracker meets the same errors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Noise:
    """How well the detector, the pose network and the flow of one system work. Lengths in head sizes."""

    # Detector
    missed: float  # share of fully visible people that it does not find
    missed_occluded: float  # added for a fully occluded one, with the square of the share
    missed_fast: float  # added for a person who moves by one head size per frame
    missed_frames: float  # mean length of such a gap
    box_jitter: float  # standard deviation of each side, as a part of the box
    doubled: float  # share of people with a second box beside the first
    box_score: float  # mean of a fully visible person
    least_box_score: float  # of a detection
    detector_nms: float  # IoU from which the detector itself takes two boxes for one person
    false_people: float  # things per video that look like a person, seen in a third of its frames
    flashes: float  # per frame: the same for a single frame

    # Pose network
    jitter: float  # standard deviation of a shoulder; other joints by their OKS sigma
    gross: float  # share of visible joints that are somewhere else
    gross_occluded: float
    swapped: float  # share of people with arms or legs left for right
    joint_score: float  # mean of a right, visible joint
    ghost_score: float  # mean of the joints where nobody is
    score_noise: float
    output_score: float  # joints below it are not written, as the preset does

    # Flow
    flow_noise: float  # standard deviation of every joint
    flow_noise_motion: float  # part of the motion added to it
    flow_fails: float  # share of joints that it loses when nothing moves
    flow_fails_motion: float  # added at a motion of one head size
    flow_tells: float  # part of its failures that it knows of


# Calibrated to the paper (Simple Baselines, Table 5 c): about 73 mAP and 62 MOTA without, 77 and 65 with
# boxes from flow.
PAPER = Noise(
    missed=0.05, missed_occluded=0.5, missed_fast=0.1, missed_frames=4, box_jitter=0.04, doubled=0.03,
    box_score=0.95, least_box_score=0.5, detector_nms=0.5, false_people=0.7, flashes=0.03,
    jitter=0.12, gross=0.045, gross_occluded=0.25, swapped=0.01, joint_score=0.85, ghost_score=0.15,
    score_noise=0.1, output_score=0.4,
    flow_noise=0.03, flow_noise_motion=0.15, flow_fails=0.01, flow_fails_motion=0.15, flow_tells=0.0,
)  # fmt: skip

# A small network and a small detector on a CPU: a third of the joints is wrong; Lucas-Kanade notices some
# of what it loses.
LIGHT = Noise(
    missed=0.12, missed_occluded=0.6, missed_fast=0.2, missed_frames=4, box_jitter=0.08, doubled=0.06,
    box_score=0.8, least_box_score=0.4, detector_nms=0.6, false_people=1.2, flashes=0.06,
    jitter=0.22, gross=0.14, gross_occluded=0.45, swapped=0.05, joint_score=0.7, ghost_score=0.25,
    score_noise=0.13, output_score=0.2,
    flow_noise=0.05, flow_noise_motion=0.2, flow_fails=0.03, flow_fails_motion=0.4, flow_tells=0.6,
)  # fmt: skip

SYSTEMS = {"paper": PAPER, "light": LIGHT}


def lasting(rng: np.random.Generator, shape: tuple[int, ...], memory: float) -> Array:
    """Standard normal values (T, ...); `memory` is the correlation from one frame to the next."""
    fresh = rng.standard_normal(shape, np.float32)
    fresh[1:] *= np.sqrt(1 - memory**2)
    for t in range(1, len(fresh)):
        fresh[t] += memory * fresh[t - 1]
    return fresh


def episodes(rng: np.random.Generator, share: Array, length: float) -> NDArray[np.bool_]:
    """True for the given share (T, ...) of the time, in stretches of `length` frames on average."""
    state = rng.random(share.shape[1:]) < share[0]
    draws = rng.random(share.shape)
    result = [state]
    for t in range(1, len(share)):
        likely = np.clip(share[t], 0, 0.95)
        begins = np.minimum(likely / (1 - likely) / length, 1)
        state = np.where(state, draws[t] < 1 - 1 / length, draws[t] < begins)
        result.append(state)
    return np.array(result)
