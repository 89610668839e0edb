"""UDP: the algebra of its crops, and heatmaps read as mmpose reads them, worked out again here."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn

from posetrack.pose.crop import MEAN, STD, crop_affines, crop_on_device, heatmap_to_picture
from posetrack.pose.estimator import HeatmapEstimator, PoseSettings
from posetrack.pose.heatmap import decode_dark, decode_udp
from posetrack.skeletons import Skeleton
from posetrack.types import Detections, Frame
from posetrack.zoo.catalog import CATALOG

INPUT, HEATMAP = (192, 256), (48, 64)  # width, height
REGIONS = np.array([[40.0, 50, 75, 100], [12.3, -4.5, 33, 44], [300, 200, 600, 800]])


@pytest.mark.parametrize("size", [INPUT, HEATMAP, (288, 384)])
def test_the_region_lands_on_the_middles_of_the_outermost_pixels(size: tuple[int, int]) -> None:
    """mmpose's get_udp_warp_matrix without rotation: x' = (W - 1) / w (x - cx + w / 2), and y' likewise."""
    for (cx, cy, w, h), affine in zip(REGIONS, crop_affines(REGIONS, size, udp=True), strict=True):
        corners = np.array([[cx - w / 2, cy - h / 2], [cx + w / 2, cy + h / 2], [cx, cy]])
        landed = corners @ affine[:, :2].T + affine[:, 2]
        W, H = size
        np.testing.assert_allclose(landed, [[0, 0], [W - 1, H - 1], [(W - 1) / 2, (H - 1) / 2]], atol=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.floats(-200, 800), st.floats(-200, 800), st.sampled_from([0, 1, 2]))
def test_from_a_point_to_crop_to_heatmap_and_back_nothing_is_lost(x: float, y: float, row: int) -> None:
    """Between crop and heatmap lies (w - 1) / (W - 1), mmpose's scale_factor."""
    region = REGIONS[row : row + 1]
    affine = crop_affines(region, INPUT, udp=True)[0]
    in_crop = affine[:, :2] @ [x, y] + affine[:, 2]
    in_heatmap = in_crop * (np.array(HEATMAP) - 1) / (np.array(INPUT) - 1)
    direct = crop_affines(region, HEATMAP, udp=True)[0]
    np.testing.assert_allclose(direct[:, :2] @ [x, y] + direct[:, 2], in_heatmap, atol=1e-9)
    back = heatmap_to_picture(in_heatmap[None, None], region, HEATMAP, udp=True)
    np.testing.assert_allclose(back[0, 0], [x, y], atol=1e-9)


def test_the_crop_of_the_mirror_image_is_the_mirror_image_of_the_crop() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    region, mirrored = np.array([[33.7, 28.2, 45, 60]]), np.array([[79 - 33.7, 28.2, 45, 60]])
    images, first = torch.from_numpy(np.stack([picture, picture[:, ::-1].copy()])), torch.tensor([0])
    size = (24, 32)

    def off(udp: bool) -> float:
        crop = crop_on_device(images, first, crop_affines(region, size, udp), size)
        other = crop_on_device(images, first + 1, crop_affines(mirrored, size, udp), size)
        return float((crop.flip(2) - other).abs().max())

    assert off(udp=True) < 1e-2  # of 255 grey levels, in single precision
    assert off(udp=False) > 20  # a crop pixel away


DOTS = Skeleton("dots", ("middle", "left_dot", "right_dot"), (), (0.1, 0.1, 0.1))


class UnbiasedNetwork(nn.Module):
    """Heatmap k is colour channel k at the places where a network trained by UDP has its heatmap pixels."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rgb = x * torch.tensor(STD).view(3, 1, 1) + torch.tensor(MEAN).view(3, 1, 1)
        size = [side // 4 for side in x.shape[2:]]
        return nn.functional.interpolate(rgb, size, mode="bilinear", align_corners=True)


def blobs(places: dict[int, tuple[float, float]]) -> Frame:
    """Gaussian spots in the three colours, wide enough to be read from a heatmap."""
    rows, columns = np.mgrid[:240, :180]
    image = np.zeros((240, 180, 3))
    for k, (x, y) in places.items():
        image[..., k] = 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 6.0**2))
    return Frame(image.round().astype(np.uint8), 0, 0.0)


@pytest.mark.parametrize("flip_test", [False, True])
def test_a_joint_comes_back_to_a_fortieth_of_a_heatmap_pixel(flip_test: bool) -> None:
    """Alone and with the mirrored crop, which needs no shift. The middle joint is its own mirror image."""
    frame, seen = blobs({0: (84.3, 70.6)}), Detections([[40, 30, 130, 150]], [1.0])
    chosen = PoseSettings(DOTS, INPUT, decoder="udp", flip_test=flip_test)
    poses = HeatmapEstimator(UnbiasedNetwork(), chosen).estimate_frame(frame, seen)
    heatmap_pixel = 112.5 / 47  # the box, padded, over the steps of the heatmap
    assert np.abs(poses.keypoints[0, 0] - [84.3, 70.6]).max() < heatmap_pixel / 40
    assert poses.keypoint_scores[0, 0] > 0.95


def read_as_mmpose_does(heatmap: NDArray[np.float32]) -> NDArray[np.float64]:
    """Its words: blur by 11 pixels between zeros, scale to the old peak, clip to 0.001..50, take logarithms,
    repeat the border; then one Newton step from the peak, with differences of direct neighbours."""
    y, x = np.unravel_index(heatmap.argmax(), heatmap.shape)
    blurred = cv2.GaussianBlur(heatmap, (11, 11), 0, borderType=cv2.BORDER_CONSTANT)
    log = np.log(np.clip(blurred * (heatmap.max() / blurred.max()), 1e-3, 50))
    v = np.pad(log, 1, mode="edge").astype(np.float64)[y : y + 3, x : x + 3]  # rows of y - 1, y, y + 1
    gradient = np.array([v[1, 2] - v[1, 0], v[2, 1] - v[0, 1]]) / 2
    mixed = (v[2, 2] - v[1, 2] - v[2, 1] + 2 * v[1, 1] - v[1, 0] - v[0, 1] + v[0, 0]) / 2
    hessian = np.array(
        [[v[1, 2] - 2 * v[1, 1] + v[1, 0], mixed], [mixed, v[2, 1] - 2 * v[1, 1] + v[0, 1]]]
    ) + np.finfo(np.float32).eps * np.eye(2)
    return np.array([x, y]) - np.linalg.inv(hessian) @ gradient


def heatmaps(count: int, height: float) -> torch.Tensor:
    """(1, count, 24, 18) Gaussians in noise, some at the border, of about one height."""
    rng = np.random.default_rng(count)
    rows, columns = np.mgrid[:24, :18]
    maps = []
    for x, y in rng.uniform([-1, -1], [18, 24], (count, 2)):
        noise = rng.normal(0, 0.03, rows.shape)
        maps.append(height * (np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8) + noise))
    return torch.from_numpy(np.array(maps, np.float32))[None]


@pytest.mark.parametrize("height", [1.0, 0.003, 60.0])  # the others are clipped, below or above
def test_heatmaps_are_read_as_mmpose_reads_them(height: float) -> None:
    maps = heatmaps(40, height)
    points, scores = decode_udp(maps)
    for map_, point, score in zip(maps[0].numpy(), points[0].numpy(), scores[0].numpy(), strict=True):
        np.testing.assert_allclose(point, read_as_mmpose_does(map_), atol=2e-3)
        assert score == map_.max()


def test_udp_and_dark_agree_inside_and_differ_at_the_border() -> None:
    rows, columns = np.mgrid[:64, :48]
    squares = [(columns - x) ** 2 + (rows - 30.4) ** 2 for x in (20.3, 0.7)]
    inside, border = (torch.from_numpy(np.exp(-s / 8).astype(np.float32))[None, None] for s in squares)
    np.testing.assert_allclose(decode_udp(inside)[0], decode_dark(inside, 2.0)[0], atol=0.02)
    assert decode_dark(border, 2.0)[0][0, 0, 0] == 1  # stays on the pixel
    assert 1.2 < decode_udp(border)[0][0, 0, 0] < 1.6  # mmpose moves it, here inwards: it blurs zeros in


def test_a_map_without_a_positive_value_gives_the_origin() -> None:
    points, scores = decode_udp(torch.full((1, 1, 8, 6), -0.25))
    assert points.tolist() == [[[0.0, 0.0]]]
    assert scores.item() == -0.25


def test_the_catalogue_says_which_weights_are_read_so() -> None:
    names = {name for name, entry in CATALOG.items() if entry.decoding == "udp"}
    assert len(names) == 4
    assert all(name.endswith("_udp") for name in names)


class HighNetwork(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        peak = torch.zeros(len(x), 3, 64, 48)
        peak[:, :, 30, 20] = 1.25
        return peak


@pytest.mark.parametrize(("clip", "score"), [(True, 1.0), (False, 1.25)])
def test_heights_above_one_are_scores_where_the_official_code_is_followed(clip: bool, score: float) -> None:
    estimator = HeatmapEstimator(HighNetwork(), PoseSettings(DOTS, INPUT, clip_scores=clip))
    poses = estimator.estimate_frame(blobs({}), Detections([[40, 30, 130, 150]], [0.5]))
    assert poses.keypoint_scores.tolist() == [[score] * 3]
    assert poses.scores.tolist() == [0.5 * score]
