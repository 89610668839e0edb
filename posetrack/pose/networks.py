"""Pose networks by name, with their weights, ready to look at people.

>>> estimator = posetrack.pose.networks.create("light")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, get_args

from posetrack.errors import PoseTrackError, shortened
from posetrack.skeletons import SKELETONS
from posetrack.zoo.catalog import Decoder

if TYPE_CHECKING:
    from torch import nn

    from posetrack.pose.estimator import HeatmapEstimator, PoseSettings

Word = TypeVar("Word", bound=str)
USAGE = {"model", "skeleton", "input_width", "input_height", "sigma"}  # what a file must say of its network


def names() -> list[str]:
    """Every name that `create` takes."""
    from posetrack.zoo import catalog

    return ["light", *(name for name, entry in catalog.CATALOG.items() if entry.kind == "pose")]


def create(
    name: str,
    *,
    device: str = "cpu",
    weights: Path | None = None,
    decoder: Decoder | None = None,
    flip_test: bool = False,
) -> HeatmapEstimator:
    """The estimator of that name; see `load_network`."""
    from posetrack.pose.estimator import HeatmapEstimator

    network, settings = load_network(name, weights, decoder=decoder, flip_test=flip_test)
    return HeatmapEstimator.fast(network, settings, device)


def load_network(
    name: str, weights: Path | None = None, *, decoder: Decoder | None = None, flip_test: bool = False
) -> tuple[nn.Module, PoseSettings]:
    """A pose network with its weights, and how it is to be used.

    Args:
        name: "light", or pose weights of the zoo.
        weights: a checkpoint of that network to use in place of its published weights, or one of ours
            (safetensors), which says itself what network, joints and input it is for.
        decoder: how crops are cut and heatmaps read; None: as the weights were trained.

    Raises:
        PoseTrackError: the file is missing, broken, or of another network.
    """
    from posetrack import models, zoo
    from posetrack.pose.estimator import PoseSettings
    from posetrack.runtime.calibration import Calibration
    from posetrack.runtime.process import claim_process
    from posetrack.zoo.checkpoint import metadata_number

    claim_process()
    path = weights or (zoo.bundled("light_pose") if name == "light" else zoo.weights(name))
    state = zoo.read_checkpoint(path)
    facts = zoo.read_metadata(path) if path.suffix == ".safetensors" else {}
    usage = facts if "model" in facts else _usage(name)
    if absent := sorted(USAGE - usage.keys()):
        raise PoseTrackError(f"{path}: its metadata lack {', '.join(absent)}: export these weights again")
    width, height = (metadata_number(usage, f"input_{side}", path, 32, 2048) for side in ("width", "height"))
    if width % 32 or height % 32:
        raise PoseTrackError(f"{path} is for inputs of {width:g}x{height:g}: both must be multiples of 32")
    if usage["skeleton"] not in SKELETONS:
        raise PoseTrackError(
            f"{path} is for the skeleton {shortened(usage['skeleton'])!r}, "
            f"which is none of {', '.join(SKELETONS)}"
        )
    skeleton = SKELETONS[usage["skeleton"]]
    network = models.create(usage["model"], len(skeleton), empty=True)
    zoo.load_into(network, state, source=str(path))
    # What a network says of joints that nobody labelled is noise; no PoseTrack file labels the ears.
    ears = "left_ear,right_ear" if skeleton.name == "posetrack18" else ""
    unlabelled = tuple(filter(None, usage.get("unlabelled", ears).split(",")))
    heatmap = _one_of(("gaussian", "softmax"), "heatmap", usage.get("heatmap", "gaussian"), path)
    for joint in unlabelled:
        _one_of(skeleton.keypoints, "unlabelled", joint, path)
    return network, PoseSettings(
        skeleton,
        (int(width), int(height)),
        sigma=metadata_number(usage, "sigma", path, 0.1, 100),
        softmax=heatmap == "softmax",
        unlabelled=unlabelled,
        decoder=decoder or trained_decoder(usage, path),
        flip_test=flip_test,
        half=True,
        calibration=Calibration.read(usage["calibration"]) if "calibration" in usage else None,
    )


def trained_decoder(usage: Mapping[str, str], path: Path) -> Decoder:
    """What fits the targets that a network learned from, by the metadata of its file.

    Raises:
        PoseTrackError: there is no such decoder.
    """
    decoding = usage.get("decoding", "dark" if usage.get("heatmap") == "softmax" else "quarter")
    known: tuple[Decoder, ...] = get_args(Decoder)
    return _one_of(known, "decoding", decoding, path)


def _one_of(known: Sequence[Word], key: str, value: str, path: Path) -> Word:
    for word in known:
        if word == value:
            return word
    raise PoseTrackError(
        f"{path}: its metadata say {key} is {shortened(value)!r}, expected {', '.join(known)}"
    )


def _usage(name: str) -> dict[str, str]:
    """How the weights of that name are used, in the words of the metadata of our own files."""
    from posetrack import zoo
    from posetrack.zoo import catalog

    if name == "light":
        return zoo.read_metadata(zoo.bundled("light_pose"))
    entry = catalog.find(name)
    if entry.kind != "pose" or entry.input_size is None or entry.skeleton is None:
        raise PoseTrackError(f"'{name}' is no pose network: choose weights of the kind 'pose'")
    height, width = entry.input_size
    return {
        "model": entry.network,
        "skeleton": entry.skeleton,
        "input_width": str(width),
        "input_height": str(height),
        "sigma": str(entry.sigma),
        "decoding": entry.decoding,
    }
