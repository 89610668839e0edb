"""Crops against cv2.warpAffine with the official three-point affine, worked out independently here."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from posetrack.pose.crop import (
    MEAN,
    STD,
    crop_affines,
    crop_cpu,
    crop_each_on_device,
    crop_on_device,
    crop_regions,
    heatmap_to_picture,
    normalise,
)

RNG = np.random.default_rng(0)
PICTURE = cv2.GaussianBlur(RNG.integers(0, 256, (97, 143, 3), np.uint8), (0, 0), 2)
BOXES = np.array(
    [[20, 10, 60, 90], [-15, 30, 25, 80], [100, 60, 160, 120], [40, 40, 44, 43], [0, 0, 143, 97]], np.float32
)


def official_affine(box: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The official lib's affine, from its description: three points, scale = size / 200 x 1.25."""
    x1, y1, x2, y2 = box.astype(np.float64)
    w, h = x2 - x1, y2 - y1
    centre = np.array([x1 + w / 2, y1 + h / 2])
    aspect = size[0] / size[1]
    if w > aspect * h:
        h = w / aspect
    elif w < aspect * h:
        w = h * aspect
    scale_w = w / 200 * 1.25
    direction = np.array([0, -0.5 * scale_w * 200])
    target = np.array(size) / 2
    source_points = np.array([centre, centre + direction, centre + direction + [direction[1], -direction[0]]])
    up = np.array([0, -size[0] / 2])
    target_points = np.array([target, target + up, target + up + [up[1], -up[0]]])
    return cv2.getAffineTransform(source_points.astype(np.float32), target_points.astype(np.float32))


@pytest.mark.parametrize("size", [(192, 256), (288, 384), (256, 256), (48, 64)])
def test_affine_is_the_official_one(size: tuple[int, int]) -> None:
    ours = crop_affines(crop_regions(BOXES, size[0] / size[1]), size)
    for box, affine in zip(BOXES, ours, strict=True):
        np.testing.assert_allclose(affine, official_affine(box, size), atol=1e-3)


def test_a_box_worked_by_hand() -> None:
    # 40 x 80 at (20, 10): grown to 60 x 80 (aspect 3:4), times 1.25 = 75 x 100 about (40, 50)
    regions = crop_regions(BOXES[:1], 0.75)
    np.testing.assert_allclose(regions, [[40, 50, 75, 100]])
    np.testing.assert_allclose(crop_affines(regions, (150, 200)), [[[2, 0, -5], [0, 2, 0]]])


def test_device_crop_equals_warp_affine() -> None:
    size = (48, 64)
    affines = crop_affines(crop_regions(BOXES, 0.75), size)
    images = torch.from_numpy(np.stack([np.zeros_like(PICTURE), PICTURE]))
    owners = torch.ones(len(BOXES), dtype=torch.int64)
    ours = crop_on_device(images, owners, affines, size).numpy()
    theirs = crop_cpu(PICTURE, affines, size).numpy().astype(np.float32)
    difference = np.abs(ours - theirs)
    assert difference.mean() < 0.5  # OpenCV rounds to whole grey levels: 0.25 on average
    # and positions to 1/32 pixel, which shows only at the hard border to black
    assert np.quantile(difference, 0.99) < 2.5
    assert theirs.std() > 20  # the comparison is not one of black pictures


def test_device_crop_takes_each_person_from_their_own_picture() -> None:
    images = torch.stack([torch.full((20, 20, 3), v, dtype=torch.uint8) for v in (10, 200)])
    affines = crop_affines(crop_regions(np.array([[5, 5, 10, 10], [5, 5, 10, 10]], np.float32), 1.0), (4, 4))
    crops = crop_on_device(images, torch.tensor([1, 0]), affines, (4, 4))
    assert crops[0].unique().tolist() == [200]
    assert crops[1].unique().tolist() == [10]


def test_device_crops_of_pictures_of_several_sizes() -> None:
    """Two sizes, mixed, one picture without a person: each crop equals that of its picture alone."""
    rng = np.random.default_rng(0)
    shapes = [(40, 30, 3), (20, 50, 3), (40, 30, 3), (20, 50, 3)]
    images = [torch.from_numpy(rng.integers(0, 256, shape, dtype=np.uint8)) for shape in shapes]
    owners = np.array([0, 1, 1, 2, 0])
    boxes = np.array(
        [[2, 2, 20, 30], [5, 1, 40, 18], [0, 0, 9, 9], [9, 9, 25, 35], [1, 5, 6, 12]], np.float32
    )
    affines = crop_affines(crop_regions(boxes, 0.75), (6, 8))
    crops = crop_each_on_device(images, owners, affines, (6, 8))
    for n, owner in enumerate(owners):
        alone = crop_on_device(images[owner][None], torch.tensor([0]), affines[n : n + 1], (6, 8))
        assert torch.equal(crops[n], alone[0])
    assert torch.equal(
        crop_each_on_device(images[:1], owners[:1], affines[:1], (6, 8)), crops[:1]
    )  # of one size, too


@settings(max_examples=30, deadline=None)
@given(
    st.floats(-50, 500),
    st.floats(-50, 500),
    st.floats(1, 400),
    st.floats(1, 400),
    st.sampled_from([0.75, 1.0]),
)
def test_picture_to_heatmap_and_back(x: float, y: float, w: float, h: float, aspect: float) -> None:
    size = (int(64 * aspect), 64)
    regions = crop_regions(np.array([[x, y, x + w, y + h]]), aspect)
    affine = crop_affines(regions, size)[0]
    points = np.array([[x, y], [x + w, y + h], [x + w / 3, y - h]])
    there = points @ affine[:, :2].T + affine[:, 2]
    np.testing.assert_allclose(heatmap_to_picture(there[None], regions, size)[0], points, atol=1e-6)


def test_normalise() -> None:
    crops = torch.tensor([0, 255, 128], dtype=torch.uint8).view(1, 1, 1, 3)
    expected = [(v / 255 - m) / s for v, m, s in zip((0, 255, 128), MEAN, STD, strict=True)]
    np.testing.assert_allclose(normalise(crops).flatten(), expected, rtol=1e-5)
    assert normalise(torch.zeros(2, 8, 6, 3, dtype=torch.uint8)).shape == (2, 3, 8, 6)
