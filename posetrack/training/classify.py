"""ImageNet accuracy of the classifiers whose trunks the pose networks start from, by the official crop.

>>> counts = classify(network, Path("imagenet/val"), torch.device("cpu"))

Pictures lie in a folder for each class, named by its WordNet id; the place in their order is the class.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from posetrack import models, zoo
from posetrack.errors import InputError, PoseTrackError
from posetrack.evaluation.imagenet import Counts, TopReport
from posetrack.models.fuse import for_inference
from posetrack.pose.crop import MEAN, STD
from posetrack.presets import find_device
from posetrack.progress import progress
from posetrack.training.predict import metadata, read_ahead
from posetrack.zoo import catalog

RESIZED, CROPPED = 256, 224  # pixels: short side, then the centre
BATCH = 64
PICTURES = (".jpeg", ".jpg", ".png")


def load_classifier(weights: Path | None, model: str | None, device: str = "auto") -> nn.Module:
    """A classifier ready to run.

    Args:
        weights: a file that the zoo reads; None takes the published weights named by `model`.
        model: name of published weights or of a network (..._c), for files that do not say it themselves.

    Raises:
        PoseTrackError: the file is missing, broken, of another network, or does not say of which it is.
    """
    facts = metadata(weights)
    name = facts.get("model", model)
    if name is None:
        raise PoseTrackError(
            f"{weights} does not say what network it is of: add --model, such as hrnet_w32_c"
        )
    if "model" not in facts and name in catalog.CATALOG:
        name = catalog.CATALOG[name].network
    if not name.endswith("_c") or name not in models.names():
        known = ", ".join(n for n in models.names() if n.endswith("_c"))
        raise PoseTrackError(f"'{name}' is no ImageNet classifier: choose one of {known}")
    if weights is None:
        weights = zoo.weights(model or name)
    network = models.create(name, empty=True)
    zoo.load_into(network, zoo.read_checkpoint(weights), source=str(weights))
    return for_inference(network, find_device(device))


def classify(network: nn.Module, folder: Path, device: torch.device) -> tuple[TopReport, Mapping[str, str]]:
    """Top-1 and top-5 accuracy over all pictures of a folder, and the pictures that were lost, with reasons.

    Args:
        network: (B, 3, 224, 224) to (B, classes).

    Raises:
        PoseTrackError: no such folder, no picture, or another number of classes than the network has.
    """
    labels = _labels(folder)
    counts, lost = Counts(), {}
    crops: list[Tensor] = []
    batch: list[int] = []
    classes = len({path.parent for path in labels})

    def look() -> None:
        scores = _scores(network, torch.stack(crops), device)
        if not counts.pictures:
            _check_classes(folder, scores.shape[1])
        counts.add(scores, np.array(batch))
        crops.clear()
        batch.clear()

    with progress("imagenet", len(labels)) as report:
        for done, (path, crop) in enumerate(read_ahead(labels, centre_crop), 1):
            if isinstance(crop, InputError):
                lost[str(path)] = str(crop)
            else:
                crops.append(crop)
                batch.append(labels[path])
            if len(batch) == BATCH or (done == len(labels) and batch):
                look()
            report(done, classes)
    if not counts.pictures:
        raise PoseTrackError(f"{folder}: all {len(lost)} pictures are lost: {next(iter(lost.values()))}")
    return counts.report(), lost


def _labels(folder: Path) -> dict[Path, int]:
    """Class of every picture."""
    classes = _classes(folder)
    labels = {
        path: number
        for number, place in enumerate(classes)
        for path in sorted(place.iterdir())
        if path.suffix.lower() in PICTURES
    }
    if not labels:
        raise PoseTrackError(
            f"{folder}: no picture in {len(classes)} class folders: expected nXXXXXXXX/*.JPEG"
        )
    return labels


def _classes(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise PoseTrackError(
            f"{folder}: no such folder; give the one that holds val/ with a folder per class"
        )
    return sorted(path for path in folder.iterdir() if path.is_dir())


def _check_classes(folder: Path, classes: int) -> None:
    """The place of a folder is its class, so one too few would shift all that follow."""
    found = len(_classes(folder))
    if found != classes:
        raise PoseTrackError(
            f"{folder}: {found} class folders, the network has {classes} classes: complete them"
        )


@torch.inference_mode()
def _scores(network: nn.Module, crops: Tensor, device: torch.device) -> np.ndarray:
    logits = network(crops.to(device).contiguous(memory_format=torch.channels_last))
    return np.asarray(logits.float().cpu().numpy())


def centre_crop(path: Path) -> Tensor:
    """The middle of a picture as the official validation sees it: (3, 224, 224), normalised.

    Short side to 256 by torchvision's antialiased bilinear Resize on PIL pictures, then CenterCrop.

    Raises:
        InputError: it does not decode.
    """
    from PIL import Image
    from torchvision.transforms import functional as F

    try:
        with Image.open(path) as file:
            picture = file.convert("RGB")
    except (OSError, ValueError, SyntaxError) as error:  # PIL's ways to say that it cannot be decoded
        raise InputError(f"{path}: does not decode ({error}): fetch this picture again") from error
    middle = F.center_crop(F.resize(picture, [RESIZED]), [CROPPED, CROPPED])
    crop: Tensor = F.normalize(F.to_tensor(middle), MEAN, STD)
    return crop
