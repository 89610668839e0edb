"""The working copy of a picture keeps pixel centres: x in the picture is (x + 0.5) * s - 0.5 in the copy."""

from __future__ import annotations

import numpy as np
import pytest

from flow import create
from flow.scale import WorkingScale


@pytest.mark.parametrize(
    ("size", "scale", "working"),
    [
        ((1280, 720), None, (640, 360)),
        ((1920, 1080), None, (640, 360)),
        ((720, 1280), None, (360, 640)),
        ((320, 240), None, (320, 240)),  # nothing is enlarged
        ((1280, 720), 1.0, (1280, 720)),
        ((1281, 719), 0.5, (640, 360)),
        ((3, 2), 0.1, (1, 1)),
    ],
)
def test_working_size(size: tuple[int, int], scale: float | None, working: tuple[int, int]) -> None:
    assert WorkingScale.of(*size, scale).working == working


@pytest.mark.parametrize("scale", [0.5, 0.3, 0.77])
def test_a_blob_lands_where_its_centre_is_said_to(scale: float) -> None:
    """Also at the picture's ends, where a half-pixel error of the convention is largest."""
    x, y = np.meshgrid(np.arange(120.0), np.arange(90.0))
    world = WorkingScale.of(120, 90, scale)
    centres = np.array([[20.3, 15.8], [99.7, 20.2], [60.0, 45.5], [97.1, 72.4]], np.float32)
    for centre, said in zip(centres, world.to_working(centres), strict=True):
        blob = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * 5.0**2))
        small = world.shrink((255 * blob).astype(np.uint8)).astype(float)
        v, u = np.indices(small.shape)
        found = np.array([(small * u).sum(), (small * v).sum()]) / small.sum()
        assert np.abs(found - said).max() < 0.03
    np.testing.assert_allclose(world.to_picture(world.to_working(centres)), centres, atol=1e-4)


def test_inside() -> None:
    points = np.array([[-0.5, -0.5], [119.5, 89.5], [119.6, 10], [5, -0.6], [np.nan, 5]], np.float32)
    assert WorkingScale.of(120, 90, 0.5).inside(points).tolist() == [True, True, False, False, False]


@pytest.mark.parametrize("scale", [0, -1, 1.5])
@pytest.mark.parametrize("spec", ["lucas_kanade", "dis"])
def test_impossible_scale(spec: str, scale: float) -> None:
    with pytest.raises(ValueError, match=f"scale of flow is {scale}; give a number above 0 and at most 1"):
        create(spec, scale=scale)
