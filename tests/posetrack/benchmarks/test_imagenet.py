"""ImageNet accuracy with a network that knows red, green and blue."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision import transforms

from posetrack.benchmarks import imagenet as module
from posetrack.benchmarks.imagenet import centre_crop, classify
from posetrack.datasets.imagenet import ImageData, read_image_folder
from posetrack.errors import PoseTrackError
from posetrack.pose.crop import MEAN, STD

CPU = torch.device("cpu")


class Brightest(nn.Module):
    """Class c is the mean of colour channel c; further classes are ever less likely."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, x: Tensor) -> Tensor:
        assert x.shape[1:] == (3, 224, 224)
        means = x.mean(dim=(2, 3))
        return torch.cat([means, -10 - torch.arange(self.classes - 3.0).expand(len(x), -1)], dim=1)


def write_folders(root: Path, names: str) -> ImageData:
    """A class folder for each letter of `names`, with pictures of the colours that the classes stand for."""
    for n, letter in enumerate(names):
        place = root / "val" / f"n{n:08d}"
        place.mkdir(parents=True)
        image = np.zeros((300, 400, 3), np.uint8)
        image[:, 100:300, 2 - "rgb".index(letter)] = 255  # only the middle has the colour
        cv2.imwrite(str(place / "x.JPEG"), image)
    return read_image_folder(root, "val")


@pytest.mark.parametrize(
    ("colours", "classes", "top1", "top5"),
    [
        ("rgb", 3, 100, 100),
        ("rbg", 3, 100 / 3, 100),  # green and blue exchanged
        ("rgbrgb", 6, 50, 5 / 6 * 100),  # class 5, the last of six, is never among the first five
    ],
)
def test_counts(tmp_path: Path, colours: str, classes: int, top1: float, top5: float) -> None:
    report, lost = classify(Brightest(classes), write_folders(tmp_path, colours), CPU)
    assert (report.pictures, report.top1, report.top5) == pytest.approx((len(colours), top1, top5))
    assert lost == {}


def test_batches_and_lost_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last picture is lost just after a full batch, and once after an incomplete one."""
    monkeypatch.setattr(module, "BATCH", 2)
    data = write_folders(tmp_path, "rgb")
    paths = [path for path, _ in data.pictures]
    paths[2].write_bytes(b"no picture")
    report, lost = classify(Brightest(), data, CPU)
    assert (report.pictures, report.top1, len(lost)) == (2, 100, 1)
    paths[1].write_bytes(b"")
    report, lost = classify(Brightest(), data, CPU)
    assert (report.pictures, report.top1, len(lost)) == (1, 100, 2)
    paths[0].unlink()
    with pytest.raises(PoseTrackError, match=r"all 3 pictures are lost: .*n00000000"):
        classify(Brightest(), data, CPU)


def test_folders_that_are_not_the_classes(tmp_path: Path) -> None:
    with pytest.raises(PoseTrackError, match="3 class folders, but the network has 6 classes"):
        classify(Brightest(6), write_folders(tmp_path, "rgb"), CPU)


@pytest.mark.parametrize("size", [(400, 300), (225, 331), (100, 60), (256, 256)])
def test_the_crop_is_the_official_one(tmp_path: Path, size: tuple[int, int]) -> None:
    from PIL import Image

    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    path = tmp_path / "x.png"
    Image.fromarray(noise).save(path)
    official = transforms.Compose(
        [
            transforms.Resize(int(224 / 0.875)),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
        ]
    )
    assert torch.equal(centre_crop(path), official(Image.open(path)))
