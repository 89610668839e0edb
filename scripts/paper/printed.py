"""Figures printed in HRNet (CVPR 2019), as text, so that their digits stay, and counts of the official code.

Scores of the SimpleBaseline rows are those that the HRNet paper lists, unless the row names its own paper.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """A row of a table of costs."""

    where: str
    network: str  # a name of posetrack.models
    keypoints: int
    height: int  # of the input, pixels
    width: int
    millions: str | None  # of parameters; None where the row repeats an earlier one
    gflops: str


@dataclass(frozen=True)
class Counted:
    """What an instance of the official model counts."""

    network: str
    keypoints: int
    height: int
    width: int
    parameters: int
    billions: str  # multiply-adds, 1e9
    gflops: str  # multiply-adds / 2**30


@dataclass(frozen=True)
class Score:
    """A row whose score needs data."""

    recipe: str
    row: str
    scores: str


COSTS = (
    Cost("Table 1", "hourglass_8", 17, 256, 192, "25.1", "14.3"),
    Cost("Table 1", "cpn_r50", 17, 256, 192, "27.0", "6.20"),
    Cost("Table 1", "simple_baseline_r50", 17, 256, 192, "34.0", "8.90"),
    Cost("Table 1", "simple_baseline_r101", 17, 256, 192, "53.0", "12.4"),
    Cost("Table 1", "simple_baseline_r152", 17, 256, 192, "68.6", "15.7"),
    Cost("Table 1", "hrnet_w32", 17, 256, 192, "28.5", "7.10"),
    Cost("Table 1", "hrnet_w48", 17, 256, 192, "63.6", "14.6"),
    Cost("Tables 1, 2", "simple_baseline_r152", 17, 384, 288, None, "35.6"),
    Cost("Tables 1, 2", "hrnet_w32", 17, 384, 288, None, "16.0"),
    Cost("Tables 1, 2", "hrnet_w48", 17, 384, 288, None, "32.9"),
    Cost("Table 4", "hrnet_w32", 16, 256, 256, "28.5", "9.5"),
    Cost("Table 4", "simple_baseline_r152", 16, 256, 256, "68.6", "20.9"),
    Cost("Table 4", "hourglass_8", 16, 256, 256, "25.1", "19.1"),
    Cost("Table 4", "dilated_r101", 16, 256, 256, "42.6", "41.2"),
)

COUNTED = (
    Counted("hrnet_w32", 17, 256, 192, 28_536_113, "7.645", "7.12"),
    Counted("hrnet_w32", 17, 384, 288, 28_536_113, "17.201", "16.02"),
    Counted("hrnet_w32", 16, 256, 256, 28_536_080, "10.193", "9.49"),
    Counted("hrnet_w48", 17, 256, 192, 63_595_745, "15.692", "14.61"),
    Counted("hrnet_w48", 17, 384, 288, 63_595_745, "35.307", "32.88"),
    Counted("hrnet_w48", 16, 256, 256, 63_595_696, "20.922", "19.49"),
)

# The README of HRNet-Image-Classification: millions of parameters, GFLOPs at 224x224, top-1 and top-5 error.
CLASSIFIERS = {
    "hrnet_w18_small_v1_c": ("13.2", "1.49", "27.7", "9.3"),
    "hrnet_w18_small_v2_c": ("15.6", "2.42", "24.9", "7.6"),
    "hrnet_w18_c": ("21.3", "3.99", "23.2", "6.6"),
    "hrnet_w30_c": ("37.7", "7.55", "21.8", "5.8"),
    "hrnet_w32_c": ("41.2", "8.31", "21.5", "5.8"),
    "hrnet_w40_c": ("57.6", "11.8", "21.1", "5.5"),
    "hrnet_w44_c": ("67.1", "13.9", "21.1", "5.6"),
    "hrnet_w48_c": ("77.5", "16.1", "20.7", "5.5"),
    "hrnet_w64_c": ("128.1", "26.9", "20.5", "5.4"),
}

# The paper's appendix on ImageNet: top-1 and top-5 error, percent.
IMAGENET = {"w32": ("22.7", "6.5"), "w48": ("22.1", "6.1")}

# Multiply-adds / 2**30 by input size (height, width): the official models of W32 and W48.
BY_SIZE = {
    (128, 96): ("1.78", "3.65"),
    (192, 128): ("3.56", "7.31"),
    (256, 192): ("7.12", "14.61"),
    (320, 224): ("10.38", "21.31"),
    (352, 256): ("13.05", "26.79"),
    (384, 288): ("16.02", "32.88"),
}

# Exchanges among branches that Table 6 counts, by the `exchange` of HRNetConfig.
EXCHANGES = {"final": 1, "across": 3, "all": 8}

ABLATIONS = (
    Score("ablation_exchange_final", "Table 6 (a): exchange at the very end", "70.8"),
    Score("ablation_exchange_across", "Table 6 (b): where a stage ends", "71.9"),
    Score("ablation_exchange_all", "Table 6 (c): after every module", "73.4"),
    Score("ablation_all_branches_narrow", "Section 4.4: all four branches, at equal cost", "72.5"),
    Score("ablation_all_branches", "Section 4.4: all four branches, as wide and deep as (c)", "none printed"),
    Score("ablation_one_branch", "Section 4.4: the highest branch alone", "much lower"),
    Score("ablation_w32_maps", "Figure 5: W32, at 1/4, 1/8, 1/16, 1/32", "74.4 68.9 55.0, below 10"),
    Score("ablation_w48_maps", "Figure 5: W48, at 1/4, 1/8, 1/16, 1/32", "75.1 69.6 55.4, below 10"),
    Score("ablation_w32_map_8", "Figure 5, a network for each: W32, at 1/8", "68.9"),
    Score("ablation_w32_map_16", "Figure 5, a network for each: W32, at 1/16", "55.0"),
    Score("ablation_w32_map_32", "Figure 5, a network for each: W32, at 1/32", "below 10"),
    Score("ablation_w48_map_8", "Figure 5, a network for each: W48, at 1/8", "69.6"),
    Score("ablation_w48_map_16", "Figure 5, a network for each: W48, at 1/16", "55.4"),
    Score("ablation_w48_map_32", "Figure 5, a network for each: W48, at 1/32", "below 10"),
)

COCO_VAL = (
    Score("coco_hourglass_256x192", "8-stage Hourglass, 256x192, from scratch", "66.9"),
    Score("coco_cpn_r50_256x192", "CPN R50, 256x192", "68.6"),
    Score("coco_cpn_r50_256x192_ohkm", "CPN R50 with OHKM, 256x192", "69.4"),
    Score("coco_dilated_r50_256x192", "dilated R50 (Figure 2 d), 256x192", "none printed"),
    Score("coco_r50_256x192", "SimpleBaseline R50, 256x192", "70.4 88.6 78.3 67.1 77.2 76.3"),
    Score("coco_r101_256x192", "SimpleBaseline R101, 256x192", "71.4 89.3 79.3 68.1 78.1 77.1"),
    Score("coco_r152_256x192", "SimpleBaseline R152, 256x192", "72.0 89.3 79.8 68.7 78.9 77.8"),
    Score("coco_w32_256x192_scratch", "HRNet-W32, 256x192, from scratch", "73.4 89.5 80.7 70.2 80.1 78.9"),
    Score("coco_w32_256x192", "HRNet-W32, 256x192", "74.4 90.5 81.9 70.8 81.0 79.8"),
    Score("coco_w48_256x192", "HRNet-W48, 256x192", "75.1 90.6 82.2 71.5 81.8 80.4"),
    Score("coco_r152_384x288", "SimpleBaseline R152, 384x288", "74.3 89.6 81.1 70.5 79.7 79.7"),
    Score("coco_w32_384x288", "HRNet-W32, 384x288", "75.8 90.6 82.7 71.9 82.8 81.0"),
    Score("coco_w48_384x288", "HRNet-W48, 384x288", "76.3 90.8 82.9 72.3 83.4 81.2"),
)

COCO_TEST = (
    Score("coco_r152_384x288", "SimpleBaseline R152, 384x288", "73.7 91.9 81.1 70.3 80.0 79.0"),
    Score("coco_w32_384x288", "HRNet-W32, 384x288", "74.9 92.5 82.8 71.3 80.9 80.1"),
    Score("coco_w48_384x288", "HRNet-W48, 384x288", "75.5 92.5 83.3 71.9 81.5 80.5"),
    Score("coco_ai_challenger_w48_384x288", "HRNet-W48 with AI Challenger", "77.0 92.7 84.5 73.4 83.1 82.0"),
)

# PCKh@0.5 by part, then the mean: Table 3 on the test set; the official README on the validation set.
MPII_TEST = (
    Score("mpii_hourglass_256x256", "8-stage Hourglass (Newell et al.)", "mean 90.9"),
    Score("mpii_dilated_r101_256x256", "dilated R101 (Insafutdinov et al.)", "mean 88.5"),
    Score("mpii_r152_256x256", "SimpleBaseline R152", "98.5 96.6 91.9 87.6 91.1 88.1 84.1 91.5"),
    Score("mpii_w32_256x256", "HRNet-W32", "98.6 96.9 92.8 89.0 91.5 89.0 85.7 92.3"),
    Score("mpii_w48_256x256", "HRNet-W48", "mean 92.3"),
)
MPII_VAL = (
    Score("mpii_r50_256x256", "SimpleBaseline R50", "mean 88.5, at 0.1: 34.0"),
    Score("mpii_r101_256x256", "SimpleBaseline R101", "mean 89.1, at 0.1: 34.0"),
    Score("mpii_r152_256x256", "SimpleBaseline R152", "mean 89.6, at 0.1: 35.0"),
    Score("mpii_w32_256x256", "HRNet-W32", "97.1 95.9 90.3 86.4 89.1 87.1 83.3, mean 90.3, at 0.1: 37.7"),
    Score("mpii_w48_256x256", "HRNet-W48", "none printed"),
    Score("mpii_hourglass_256x256", "8-stage Hourglass", "none printed"),
    Score("mpii_dilated_r101_256x256", "dilated R101", "none printed"),
)

POSETRACK = (
    Score("posetrack17_w48", "HRNet-W48, PoseTrack 17 test", "mAP 74.9, MOTA 57.9"),
    Score("posetrack17_r152", "FlowTrack with SimpleBaseline R152, PoseTrack 17 test", "mAP 74.6, MOTA 57.8"),
    Score("posetrack17_w48", "HRNet-W48, PoseTrack 17 validation (README of DCPose)", "mAP 77.3"),
    Score(
        "posetrack17_r152",
        "FlowTrack with SimpleBaseline R152, PoseTrack 17 validation (its paper)",
        "mAP 76.7, MOTA 65.4",
    ),
    Score(
        "posetrack17_r50",
        "FlowTrack with SimpleBaseline R50, PoseTrack 17 validation (its paper)",
        "mAP 72.4, MOTA 62.9",
    ),
    Score("posetrack_w48", "HRNet-W48, PoseTrack 18", "none printed"),
    Score("posetrack_w32", "HRNet-W32, PoseTrack 18", "none printed"),
    Score("posetrack_r152", "SimpleBaseline R152, PoseTrack 18", "none printed"),
    Score("posetrack_r50", "SimpleBaseline R50, PoseTrack 18", "none printed"),
)

# AP of W32 above that of SimpleBaseline R50 by input size (height, width), as the text on Figure 6 tells.
FIGURE_6 = {(128, 96): "+6.3", (256, 192): "+4.0"}
