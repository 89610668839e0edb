"""Every published weights file that the project knows: where it is, how to know it is whole, what it reaches.

    >>> catalog.find("hrnet_w48_posetrack18_384x288").score
    Score(value=77.8, metric='mAP', on='PoseTrack18 val, Cascade R-CNN X101 boxes')

Scores are those that the publisher states for the file, not ours.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from posetrack.datasets.names import TRAINING
from posetrack.errors import PoseTrackError

# How heatmaps are read. "dark" and "udp" weights lose accuracy unless it is as in their training; "udp" also
# decides how crops are cut and the flip test is merged.
Decoder = Literal["quarter", "dark", "udp"]


@dataclass(frozen=True)
class Score:
    """A published result."""

    value: float
    metric: str
    on: str  # data and conditions

    def __str__(self) -> str:
        return f"{self.value:g} {self.metric} on {self.on}"


@dataclass(frozen=True)
class Weights:
    """One file."""

    name: str  # for `posetrack fetch` and the presets
    kind: Literal["pose", "classifier", "detector", "flow"]
    network: str  # for models.create; torchvision's or ptlflow's own name for a detector or flow
    url: str
    digest: str  # "sha256:" or "md5:" and the hex digits that the publisher gives: often the first eight
    licence: str
    trained_on: str  # in the words of posetrack.datasets.names
    score: Score | None = None
    skeleton: str | None = None  # of posetrack.skeletons
    input_size: tuple[int, int] | None = None  # (height, width) pixels that the network was trained on
    sigma: float | None = None  # of the target Gaussian, heatmap pixels
    decoding: Decoder = "quarter"

    @property
    def file_name(self) -> str:
        return self.url.rpartition("/")[2]


def find(name: str) -> Weights:
    """The entry of that name.

    Raises:
        PoseTrackError: there is none; the message names the closest ones.
    """
    if name not in CATALOG:
        close = difflib.get_close_matches(name, CATALOG, n=3, cutoff=0.5)
        samples = {entry.kind: entry.name for entry in reversed(list(CATALOG.values()))}  # one of each kind
        known = (
            f"{len(CATALOG)} are listed in posetrack/zoo/catalog.py, such as {', '.join(samples.values())}"
        )
        hint = f"did you mean {', '.join(close)}?" if close else known
        raise PoseTrackError(f"there are no weights named '{name}'; {hint}")
    return CATALOG[name]


def trained_on(file_name: str) -> str:
    """What the published file of that name learned from; '' where none has it."""
    return next((entry.trained_on for entry in CATALOG.values() if entry.file_name == file_name), "")


_MMPOSE = "https://download.openmmlab.com/mmpose"
_MMPOSE_COCO = f"{_MMPOSE}/v1/body_2d_keypoint/topdown_heatmap/coco"
_TORCHVISION = "https://download.pytorch.org/models"
_PTLFLOW = "https://github.com/hmorimitsu/ptlflow/releases/download/weights1"

# Published by mmpose for boxes of a detector with 56.4 AP on people, flip test.
_COCO_VAL = "COCO val2017, detector boxes, flip test"
_COCO_POSE: tuple[tuple[str, str, Decoder, str, str, str, float], ...] = (
    # network, input, decoding, beginning of the file name after 'td-hm_', digest and date at its end, AP
    ("hrnet_w32", "256x192", "quarter", "hrnet-w32_8xb64-210e_coco", "81c58e40", "20220909", 74.9),
    ("hrnet_w32", "384x288", "quarter", "hrnet-w32_8xb64-210e_coco", "ca5956af", "20220909", 76.1),
    ("hrnet_w48", "256x192", "quarter", "hrnet-w48_8xb32-210e_coco", "0e67c616", "20220913", 75.6),
    ("hrnet_w48", "384x288", "quarter", "hrnet-w48_8xb32-210e_coco", "c161b7de", "20220915", 76.7),
    ("hrnet_w32", "256x192", "dark", "hrnet-w32_dark-8xb64-210e_coco", "0e00bf12", "20220914", 75.7),
    ("hrnet_w32", "384x288", "dark", "hrnet-w32_dark-8xb64-210e_coco", "9bab4c9b", "20220917", 76.6),
    ("hrnet_w48", "256x192", "dark", "hrnet-w48_dark-8xb32-210e_coco", "e1ebdd6f", "20220913", 76.4),
    ("hrnet_w48", "384x288", "dark", "hrnet-w48_dark-8xb32-210e_coco", "39c3c381", "20220916", 77.2),
    ("hrnet_w32", "256x192", "udp", "hrnet-w32_udp-8xb64-210e_coco", "73ede547", "20220914", 76.2),
    ("hrnet_w32", "384x288", "udp", "hrnet-w32_udp-8xb64-210e_coco", "9a3f7c85", "20220914", 76.8),
    ("hrnet_w48", "256x192", "udp", "hrnet-w48_udp-8xb32-210e_coco", "3feaef8f", "20220913", 76.8),
    ("hrnet_w48", "384x288", "udp", "hrnet-w48_udp-8xb32-210e_coco", "70d7ab01", "20220913", 77.3),
    ("simple_baseline_r50", "256x192", "quarter", "res50_8xb64-210e_coco", "04af38ce", "20220923", 71.8),
    ("simple_baseline_r50", "384x288", "quarter", "res50_8xb64-210e_coco", "7b8db90e", "20220923", 73.1),
    ("simple_baseline_r101", "256x192", "quarter", "res101_8xb64-210e_coco", "065d3625", "20220926", 72.8),
    ("simple_baseline_r152", "256x192", "quarter", "res152_8xb32-210e_coco", "0345f330", "20220928", 73.6),
    ("simple_baseline_r152", "384x288", "quarter", "res152_8xb32-210e_coco", "7fbb906f", "20220927", 75.0),
)  # fmt: skip

_PT18_BOXES = "PoseTrack18 val, Cascade R-CNN X101 boxes"
_PT18_GT = "PoseTrack18 val, ground-truth boxes"
_POSETRACK_POSE = (
    # network, input, beginning of the file name, digest and date at its end, mAP, boxes
    ("hrnet_w32", "256x192", "hrnet/hrnet_w32", "1ee951c4", "20201028", 76.9, _PT18_BOXES),
    ("hrnet_w32", "384x288", "hrnet/hrnet_w32", "806f00a3", "20211130", 77.3, _PT18_BOXES),
    ("hrnet_w48", "256x192", "hrnet/hrnet_w48", "b5d9b3f1", "20211130", 77.4, _PT18_BOXES),
    ("hrnet_w48", "384x288", "hrnet/hrnet_w48", "5fd6d3ff", "20211130", 77.8, _PT18_BOXES),
    ("simple_baseline_r50", "256x192", "resnet/res50", "a62807c7", "20201028", 81.2, _PT18_GT),
)  # fmt: skip

_MPII_POSE = (
    ("hrnet_w32", "hrnet/hrnet_w32", "6c4f923f", "20200812", 90.0),
    ("hrnet_w48", "hrnet/hrnet_w48", "92cab7bd", "20200812", 90.1),
    ("simple_baseline_r50", "resnet/res50", "418ffc88", "20200812", 88.2),
    ("simple_baseline_r101", "resnet/res101", "416f5d71", "20200812", 88.8),
    ("simple_baseline_r152", "resnet/res152", "3ecba29d", "20200812", 88.9),
)

_MPII_VAL = "MPII val, flip test"
# The files of the HRNet authors, as mmpose hosts them. The error rates are the authors'.
_IMAGENET = (("hrnet_w32_c", "hrnet_w32", "36af842e", 21.5), ("hrnet_w48_c", "hrnet_w48", "8ef0771d", 20.7))

_DETECTORS = (
    # torchvision's name, file, box AP over all 80 classes
    ("fasterrcnn_resnet50_fpn_v2", "fasterrcnn_resnet50_fpn_v2_coco", "dd69338a", 46.7),
    ("fasterrcnn_resnet50_fpn", "fasterrcnn_resnet50_fpn_coco", "258fb6c6", 37.0),
    ("fasterrcnn_mobilenet_v3_large_fpn", "fasterrcnn_mobilenet_v3_large_fpn", "fb6a3cc7", 32.8),
    ("fasterrcnn_mobilenet_v3_large_320_fpn", "fasterrcnn_mobilenet_v3_large_320_fpn", "907ea3f9", 22.8),
    ("retinanet_resnet50_fpn_v2", "retinanet_resnet50_fpn_v2_coco", "5905b1c5", 41.5),
    ("retinanet_resnet50_fpn", "retinanet_resnet50_fpn_coco", "eeacb38b", 36.4),
    ("fcos_resnet50_fpn", "fcos_resnet50_fpn_coco", "99b0c9b7", 39.2),
    ("ssdlite320_mobilenet_v3_large", "ssdlite320_mobilenet_v3_large_coco", "a79551df", 21.3),
    ("keypointrcnn_resnet50_fpn", "keypointrcnn_resnet50_fpn_coco", "fc266e95", 54.6),  # of people only
)

_APACHE, _BSD, _NC = "Apache-2.0", "BSD-3-Clause", "CC-BY-NC-SA-4.0 (no commercial use)"
# ptlflow/models/flownet/WEIGHTS_LICENSE; the code beside it is Apache-2.0
_RESEARCH = "research only; commercial use needs the consent of the FlowNet 2 authors"
_PTLFLOW_FLOWS = (
    # ptlflow's name for the network, digest by checkpoint, licence
    ("flownet2", {"things": "d63b53a7"}, _RESEARCH),
    ("flownets", {"things": "98cde14d"}, _RESEARCH),
    ("flownetc", {"things": "cc8ac7fd"}, _RESEARCH),
    ("flownetcs", {"things": "4bdecffa"}, _RESEARCH),
    ("flownetcss", {"things": "b42e67d0"}, _RESEARCH),
    ("flownetsd", {"things": "c5f3124e"}, _RESEARCH),
    ("neuflow", {"things": "c402aa7a", "sintel": "0d969ea2"}, _APACHE),
    ("neuflow2", {"mixed": "acac1a70", "sintel": "15c625f8", "things": "6ed47437"}, _APACHE),
    ("raft", {"chairs": "590f38f7", "things": "802bbcfd", "sintel": "fb44381e", "kitti": "3a831a4b"}, _BSD),
    ("raft_small", {"things": "b7d9f997"}, _BSD),
    ("sea_raft_s", {"things": "a15c1713", "sintel": "bb63371a", "spring": "4d13c106"}, _BSD),
    ("rapidflow", {"things": "0377c8fa", "sintel": "89a21262", "kitti": "2561329f"}, _NC),
    ("dpflow", {"things": "2012b5d6", "sintel": "b44b072c"}, _NC),
)  # fmt: skip


# What ptlflow's checkpoints are named after: the set that they saw last.
_FLOW_SETS = {
    "chairs": "FlyingChairs",
    "things": "FlyingThings3D",
    "sintel": "MPI Sintel",
    "kitti": "KITTI",
    "spring": "Spring",
    "mixed": "several sets",
}
_FLOWS = (
    ("raft_small", "raft_small_C_T_V2", "01064c6d", "FlyingChairs and FlyingThings3D"),
    ("raft_large", "raft_large_C_T_SKHT_V2", "ff5fadd5",
     "FlyingChairs, FlyingThings3D, MPI Sintel, KITTI and HD1K"),
)  # fmt: skip


def _pose(
    name: str,
    network: str,
    size: str,
    skeleton: str,
    file: tuple[str, str],
    trained_on: str,
    score: Score,
    decoding: Decoder = "quarter",
) -> Weights:
    height, width = map(int, size.split("x"))
    sigma = 3.0 if size == "384x288" else 2.0  # the official code's, not the paper's 1 pixel
    seen = f"{TRAINING['imagenet']}, and {trained_on}"
    return Weights(
        name, "pose", network, *file, _APACHE, seen, score, skeleton, (height, width), sigma, decoding
    )


def _file(folder: str, name: str, digest: str, end: str = ".pth") -> tuple[str, str]:
    """Address and digest of a file whose publisher puts the first digits of its sha256 into its name."""
    return f"{folder}/{name}-{digest}{end}", f"sha256:{digest}"


def _entries() -> list[Weights]:
    entries = []
    coco, posetrack18 = TRAINING["coco"], f"{TRAINING['coco']} and {TRAINING['posetrack18']}"
    top_down = f"{_MMPOSE}/top_down"
    for network, size, decoding, stem, digest, date, ap in _COCO_POSE:
        name = f"{network}_coco_{size}" + ("" if decoding == "quarter" else f"_{decoding}")
        file = _file(_MMPOSE_COCO, f"td-hm_{stem}-{size}", digest, f"_{date}.pth")
        score = Score(ap, "AP", _COCO_VAL)
        entries.append(_pose(name, network, size, "coco17", file, coco, score, decoding))
    for network, size, stem, digest, date, value, boxes in _POSETRACK_POSE:
        name, score = f"{network}_posetrack18_{size}", Score(value, "mAP", boxes)
        file = _file(top_down, f"{stem}_posetrack18_{size}", digest, f"_{date}.pth")
        entries.append(_pose(name, network, size, "posetrack18", file, posetrack18, score))
    for network, stem, digest, date, value in _MPII_POSE:
        name, score = f"{network}_mpii_256x256", Score(value, "PCKh@0.5", _MPII_VAL)
        file = _file(top_down, f"{stem}_mpii_256x256", digest, f"_{date}.pth")
        entries.append(_pose(name, network, "256x256", "mpii16", file, TRAINING["mpii"], score))
    for network, stem, digest, error in _IMAGENET:
        name, score = f"{network}_imagenet", Score(error, "% top-1 error", "ImageNet val")
        file = _file(f"{_MMPOSE}/pretrain_models", stem, digest)
        entries.append(Weights(name, "classifier", network, *file, "MIT", TRAINING["imagenet"], score))
    for network, stem, digest, ap in _DETECTORS:
        classes = "people of COCO val2017" if network.startswith("keypoint") else "COCO val2017, all classes"
        file, score = _file(_TORCHVISION, stem, digest), Score(ap, "box AP", classes)
        entries.append(Weights(network, "detector", network, *file, _BSD, coco, score))
    for network, stem, digest, sets in _FLOWS:
        entries.append(Weights(network, "flow", network, *_file(_TORCHVISION, stem, digest), _BSD, sets))
    for network, digests, licence in _PTLFLOW_FLOWS:
        for checkpoint, digest in digests.items():
            name, sets = f"ptlflow:{network}/{checkpoint}", _FLOW_SETS[checkpoint]
            file = _file(_PTLFLOW, f"{network}-{checkpoint}", digest, ".ckpt")
            entries.append(Weights(name, "flow", network, *file, licence, sets))
    return entries


CATALOG: Mapping[str, Weights] = {entry.name: entry for entry in _entries()}
