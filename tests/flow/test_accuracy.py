"""Every method against known motion: a texture that is moved, turned and zoomed by an affine matrix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from flow import Flow
from flow.dis import DisFlow
from flow.lucas_kanade import LucasKanadeFlow
from flow.network import NetworkFlow

CENTRE = np.array([159.5, 119.5])


def shift(x: float, y: float) -> NDArray[np.float64]:
    return np.array([[1, 0, x], [0, 1, y]])


def turn(degrees: float, zoom: float = 1.0, x: float = 0.0, y: float = 0.0) -> NDArray[np.float64]:
    """Rotation and zoom about the picture's centre, then a shift."""
    a = np.deg2rad(degrees)
    m = zoom * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    return np.column_stack([m, CENTRE - m @ CENTRE + [x, y]])


def disguised_dis(images: torch.Tensor) -> torch.Tensor:
    """A network stand-in that finds real flow: only what NetworkFlow puts around it is under test."""
    assert images.dtype == torch.float32
    assert images.shape[-2] % 8 == images.shape[-1] % 8 == 0
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flows = []
    for pair in (images * 255).round().byte().permute(0, 1, 3, 4, 2).numpy():
        a, b = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in pair)
        flows.append(dis.calc(a, b, None))
    return torch.from_numpy(np.stack(flows)).permute(0, 3, 1, 2)


METHODS: dict[str, Callable[[], Flow]] = {
    "lucas_kanade": LucasKanadeFlow,
    "lucas_kanade at 0.5": lambda: LucasKanadeFlow(0.5),
    "dis fast": DisFlow,
    "dis medium": lambda: DisFlow("medium"),
    "dis medium checked": lambda: DisFlow("medium", check=True),
    "dis medium at 0.5": lambda: DisFlow("medium", scale=0.5),
    "network": lambda: NetworkFlow(disguised_dis),
    "network at 0.7": lambda: NetworkFlow(disguised_dis, scale=0.7),  # 224 x 168, padded to nothing
    "network at 0.45": lambda: NetworkFlow(disguised_dis, scale=0.45, check=True),  # 144 x 108: padded below
}


@dataclass(frozen=True)
class Case:
    name: str
    matrix: NDArray[np.float64]
    median: float  # pixels of the picture, for full scale; half scale may have twice as much
    most: float  # 95 of 100 points


CASES = [
    Case("standing", shift(0, 0), median=0.01, most=0.02),
    Case("sub-pixel", shift(0.25, 0.5), median=0.11, most=0.15),
    Case("small", shift(3.4, -2.6), median=0.1, most=0.15),
    Case("large", shift(24, -11), median=0.1, most=0.2),
    Case("30 px", shift(-26, 15), median=0.1, most=0.25),
    Case("turned", turn(3), median=0.15, most=0.4),
    Case("zoomed in", turn(0, 1.05), median=0.15, most=0.4),
    Case("zoomed out", turn(0, 0.93), median=0.25, most=0.7),
    Case("turned, zoomed, moved", turn(-4, 1.04, 6.3, 2.7), median=0.25, most=0.6),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_end_point_error(case: Case, render: Callable[..., NDArray[np.uint8]]) -> None:
    first, second = render(), render(matrix=case.matrix)
    x, y = np.meshgrid(np.arange(12, 310, 16.3), np.arange(12, 230, 16.3))
    points = np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)
    goals = points @ case.matrix[:, :2].T + case.matrix[:, 2]
    keep = ((goals > 12) & (goals < [308, 228])).all(axis=1)
    for name, build in METHODS.items():
        flow = build()
        motions = flow([first, second])
        moved, visible = motions[1].move(points[keep])
        error = np.linalg.norm(moved - goals[keep], axis=1)
        slack = 2 if "at 0" in name else 1
        assert [motion.cut for motion in motions] == [True, False], name
        assert visible.mean() > 0.9, name
        assert np.median(error) < slack * case.median, name
        assert np.percentile(error, 95) < slack * case.most, name


@pytest.mark.parametrize(("move", "bound"), [((0.3, -0.7), 0.1), ((3.5, 2.25), 0.1), ((-7.9, 5.1), 0.1)])
def test_lucas_kanade_is_exact_on_small_shifts(
    move: tuple[float, float], bound: float, render: Callable[..., NDArray[np.uint8]]
) -> None:
    points = np.array([[40, 50], [160.3, 120.7], [280, 200]], np.float32)
    for seed in range(3):
        motion = LucasKanadeFlow()([render(seed), render(seed, shift(*move))])[1]
        moved, visible = motion.move(points)
        assert visible.all()
        assert np.abs(moved - points - move).max() < bound
