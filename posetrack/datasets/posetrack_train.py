"""PoseTrack 2017, 2018 and 2021 people for training, in the 17 joints of PoseTrack 2018.

data = read_posetrack(Path("posetrack18"), "train")
"""

from __future__ import annotations

from pathlib import Path

from posetrack.datasets.people import PoseData

# "15 %" of the paper, shared by both sides, as the tracker enlarges the joints that flow carries.
# Other readings: 1.3, as the boxes in PoseTrack 2018 files; 1 / 0.85, as DetectAndTrack.
GROWTH = 1.15
SMALLEST_AREA = 1000.0  # square pixels of the box


def read_posetrack(
    root: Path, split: str, year: int = 2018, growth: float = GROWTH, smallest_area: float = SMALLEST_AREA
) -> PoseData:
    """People in the labelled frames of a split."""
    raise NotImplementedError
