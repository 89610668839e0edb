"""The networks, by name. Importing this package costs nothing; torch comes with the first call.

>>> network = posetrack.models.create("hrnet_w48", keypoints=17)
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from posetrack.errors import PoseTrackError, shortened

if TYPE_CHECKING:
    from torch import nn

    from posetrack.models.hrnet import HRNetConfig


def create(name: str, keypoints: int = 17, *, empty: bool = False) -> nn.Module:
    """A freshly initialised network with the state-dict keys of the official releases.

    Args:
        name: one of `names()`, or a shape as `shapes.name_of` writes it.
        keypoints: heatmaps that it puts out. The ImageNet classifiers (`..._c`) have 1000 classes instead.
        empty: leave it without values, on the meta device, for `zoo.load_into` to fill: ten times faster.

    Raises:
        PoseTrackError: there is no network of that name.
    """
    from posetrack.models.shapes import builder, is_shape

    try:
        build = builder(name) if is_shape(name) else _networks()[name]
    except KeyError:
        raise PoseTrackError(
            f"there is no network '{shortened(name)}'; choose one of {', '.join(names())}"
        ) from None
    if not empty:
        return build(keypoints)
    import torch

    from posetrack.models.meta import SkipInit

    with torch.device("meta"), SkipInit():
        return build(keypoints)


def names() -> list[str]:
    """Every name that `create` takes."""
    return sorted(_networks())


def _networks() -> dict[str, Callable[[int], nn.Module]]:
    from posetrack.models.classifier import W18_SMALL_V1, W18_SMALL_V2
    from posetrack.models.cpn import CPN
    from posetrack.models.dilated import DilatedResNet
    from posetrack.models.hourglass import Hourglass, HourglassConfig
    from posetrack.models.hrnet import LIGHT, W32, W48, HRNet, HRNetConfig
    from posetrack.models.resnet import BLOCKS
    from posetrack.models.simple_baseline import SimpleBaseline

    pose = {"hrnet_w32": W32, "hrnet_w48": W48, "hrnet_light": LIGHT}
    imagenet = {f"hrnet_w{width}_c": HRNetConfig(width) for width in (18, 30, 32, 40, 44, 48, 64)}
    imagenet |= {"hrnet_w18_small_v1_c": W18_SMALL_V1, "hrnet_w18_small_v2_c": W18_SMALL_V2}
    return {
        **{name: partial(HRNet, config) for name, config in pose.items()},
        **{f"simple_baseline_r{depth}": partial(SimpleBaseline, depth) for depth in BLOCKS},
        **{f"cpn_r{depth}": partial(CPN, depth) for depth in BLOCKS},
        **{f"dilated_r{depth}": partial(DilatedResNet, depth) for depth in BLOCKS},
        **{f"hourglass_{n}": partial(Hourglass, HourglassConfig(n)) for n in (1, 2, 4, 8)},
        **{name: partial(_classifier, config) for name, config in imagenet.items()},
    }


def _classifier(config: HRNetConfig, keypoints: int) -> nn.Module:
    from posetrack.models.classifier import HRNetClassifier

    return HRNetClassifier(config)
