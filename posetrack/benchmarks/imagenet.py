"""ImageNet accuracy of the classifiers whose trunks the pose networks start from, by the official crop.

>>> report, lost = classify(network, read_image_folder(Path("imagenet"), "val"), torch.device("cpu"))
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from posetrack import models, zoo
from posetrack.benchmarks.predict import metadata, read_ahead
from posetrack.datasets.imagenet import ImageData
from posetrack.errors import InputError, PoseTrackError
from posetrack.evaluation.imagenet import Counts, TopReport
from posetrack.pose.crop import MEAN, STD
from posetrack.progress import progress
from posetrack.runtime.device import find_device
from posetrack.runtime.folding import for_inference
from posetrack.zoo import catalog

RESIZED, CROPPED = 256, 224  # pixels: short side, then the centre
BATCH = 64


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


def classify(
    network: nn.Module, data: ImageData, device: torch.device
) -> tuple[TopReport, Mapping[str, str]]:
    """Top-1 and top-5 accuracy over all pictures, and the pictures that were lost, with reasons.

    Args:
        network: (B, 3, 224, 224) to (B, classes).

    Raises:
        PoseTrackError: another number of classes than the network has, or all pictures are lost.
    """
    labels = dict(data.pictures)
    counts, lost = Counts(), {}
    crops: list[Tensor] = []
    batch: list[int] = []

    def look() -> None:
        scores = _scores(network, torch.stack(crops), device)
        if len(data.classes) != scores.shape[1]:  # the place of a folder is its class: one less shifts all
            found = f"{data.name}: {len(data.classes)} class folders"
            raise PoseTrackError(f"{found}, but the network has {scores.shape[1]} classes: complete them")
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
            report(done, 0)
    if not counts.pictures:
        raise PoseTrackError(f"{data.name}: all {len(lost)} pictures are lost: {next(iter(lost.values()))}")
    return counts.report(), lost


@torch.inference_mode()
def _scores(network: nn.Module, crops: Tensor, device: torch.device) -> np.ndarray:
    logits = network(crops.to(device).contiguous(memory_format=torch.channels_last))
    return np.asarray(logits.float().cpu().numpy())


def centre_crop(path: Path, side: int = CROPPED) -> Tensor:
    """The middle of a picture as the official validation sees it: (3, side, side), normalised.

    Short side to 256, for 224, by torchvision's antialiased bilinear Resize on PIL pictures, then CenterCrop.

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
    middle = F.center_crop(F.resize(picture, [round(side * RESIZED / CROPPED)]), [side, side])
    crop: Tensor = F.normalize(F.to_tensor(middle), MEAN, STD)
    return crop
