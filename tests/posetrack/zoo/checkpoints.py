"""A tiny network's weights in the layouts of other makers, and how they are compared."""

from __future__ import annotations

import collections

import torch
from torch import Tensor

from posetrack.errors import PoseTrackError
from posetrack.models.hrnet import HRNet, HRNetConfig

State = dict[str, Tensor]

TINY = HRNetConfig(width=4, modules=(1, 1, 1), blocks=1, stem=8, bottleneck=4, bottlenecks=1)


def tiny() -> HRNet:
    return HRNet(TINY, keypoints=17)


def prefixed(prefix: str, state: State) -> State:
    return collections.OrderedDict((prefix + key, tensor) for key, tensor in state.items())


def mmpose(state: State, head: str) -> State:
    """The trunk under backbone, final_layer and deconv_layers under the head."""
    return {
        (head if key.startswith(("final_layer", "deconv_layers")) else "backbone.") + key: tensor
        for key, tensor in state.items()
    }


def assert_same(found: State, expected: State) -> None:
    assert sorted(found) == sorted(expected)
    for key, tensor in expected.items():
        assert found[key].dtype == tensor.dtype
        assert torch.equal(found[key], tensor.detach()), key


def assert_one_line(error: PoseTrackError, *parts: str) -> None:
    text = str(error)
    assert "\n" not in text
    for part in parts:
        assert part in text
