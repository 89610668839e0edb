"""Shadows, film and noise where the answer is known."""

import numpy as np
import pytest

from scripts.render.lighting import TO_SUN, ShadowMap, crevices, develop, ground_contact
from scripts.render.paint import Noise, linear, srgb
from scripts.render.rasterise import Camera

BOARD = np.array([[-0.5, 1.0, -5.5], [0.5, 1.0, -5.5], [0.5, 1.0, -4.5], [-0.5, 1.0, -4.5]])  # hovers at 1 m
TWO = np.array([[0, 1, 2], [0, 2, 3]])
CAMERA = Camera((0, 1.6, 0), 300, (400, 300), pitch=-0.2)


def shadow_of(point):
    """Where a point's shadow falls on the ground."""
    return point - TO_SUN * point[1] / TO_SUN[1]


def test_a_board_shades_the_ground_along_the_sun():
    shade = ShadowMap.cast(BOARD, TWO).on_ground(CAMERA)
    column, row, _ = CAMERA.project(shadow_of(BOARD.mean(axis=0)))
    assert shade[round(row), round(column)] == pytest.approx(0, abs=0.02)
    for corner in BOARD:  # half a metre beyond each corner there is sun again
        outside = shadow_of(corner + 0.5 * np.sign(corner - BOARD.mean(axis=0)))
        column, row, _ = CAMERA.project(outside)
        assert shade[round(row), round(column)] == pytest.approx(1, abs=0.02)


def test_a_board_shades_itself_only_below():
    shadows = ShadowMap.cast(BOARD, TWO)
    points = np.array([BOARD.mean(axis=0), shadow_of(BOARD.mean(axis=0)), [2.0, 0.0, -5.0]])
    up = np.tile(np.array([0, 1, 0], np.float32), (3, 1))
    np.testing.assert_array_equal(shadows.lit(points, up), [1, 0, 1])


def test_contact_darkens_the_ground_beneath():
    foot = np.array([[x, 0.02, z] for x in np.linspace(-0.1, 0.1, 9) for z in np.linspace(-5.2, -4.8, 15)])
    sky = ground_contact(foot, CAMERA)
    (near, beside) = (CAMERA.project(np.array([x, 0, -5.0]))[:2].round().astype(int) for x in (0.0, 1.2))
    assert sky[near[1], near[0]] < 0.35
    assert sky[beside[1], beside[0]] > 0.97


def test_crevices_are_darker_than_a_plain():
    depth = np.full((80, 80), 5.0, np.float32)
    assert crevices(depth, 500.0)[20:60, 20:60].min() == 1
    depth[:, 40:] -= 0.1  # a wall rises by 10 cm
    closed = crevices(depth, 500.0)
    assert closed[40, 37] < 0.8 < closed[40, 15]
    assert closed[40, 60] == 1


def test_film_brightens_with_light_and_keeps_black_and_white():
    steps = np.array([0, 0.05, 0.2, 0.8, 3.0, 100.0], np.float32)
    values = []
    for step in steps:
        picture = develop(np.full((40, 60, 3), step, np.float32), np.random.default_rng(0), noise=0.0)
        assert picture.shape == (40, 60, 3)
        assert picture.dtype == np.uint8
        values.append(int(picture[20, 30, 1]))
    assert values[0] == 0
    assert values[-1] == 255
    assert (np.diff(values) > 8).all()


def test_srgb_and_linear_undo_each_other():
    values = np.linspace(0, 1, 101, dtype=np.float32)
    np.testing.assert_allclose(srgb(linear(values)), values, atol=1e-5)
    assert linear((0.5, 0.5, 0.5))[0] == pytest.approx(0.21404, abs=1e-4)


def test_noise_repeats_without_a_seam():
    noise = Noise.fractal(7, size=64, octaves=3)
    assert noise.texture.mean() == pytest.approx(0, abs=1e-5)
    assert noise.texture.std() == pytest.approx(1, abs=1e-5)
    u = np.linspace(-1.5, 1.5, 385)
    np.testing.assert_allclose(noise(u, 0 * u + 0.3), noise(u + 2, 0 * u - 0.7), atol=1e-4)
    assert np.abs(np.diff(noise(u, 0 * u + 0.3))).max() < 0.6  # also across the border at 0
    assert noise(np.zeros(0), np.zeros(0)).shape == (0,)
