"""Camera and z-buffer in worlds of a few triangles."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.render import rasterise as module
from scripts.render.rasterise import Camera, rasterise, vertex_normals

SQUARE = np.array([[0, 2, 1], [1, 2, 3]])  # of corners left-top, right-top, left-bottom, right-bottom


def square(left, top, right, bottom, depth):
    return np.array(
        [[left, top, depth], [right, top, depth], [left, bottom, depth], [right, bottom, depth]], float
    )


def test_a_square_covers_the_samples_whose_centres_it_holds():
    drawn = rasterise(square(0.6, 0.5, 4.2, 3.0, 2.0), SQUARE, (7, 5))
    expected = np.zeros((5, 7), bool)
    expected[1:4, 1:5] = True  # x 1..4 lie in 0.6..4.2, y 1..3 in 0.5..3.0 (a border counts)
    np.testing.assert_array_equal(drawn.triangle >= 0, expected)
    np.testing.assert_array_equal(drawn.depth[expected], 2)
    assert np.isinf(drawn.depth[~expected]).all()


@pytest.mark.parametrize("near_first", [True, False])
def test_the_nearer_square_wins_in_any_order(near_first):
    near, far = square(0, 0, 3, 3, 1.0), square(2, 0, 6, 3, 4.0)
    points = np.concatenate([near, far] if near_first else [far, near])
    drawn = rasterise(points, np.concatenate([SQUARE, SQUARE + 4]), (8, 4))
    np.testing.assert_array_equal(drawn.depth[1], [1, 1, 1, 1, 4, 4, 4, np.inf])
    is_near = np.isin(drawn.triangle, [0, 1] if near_first else [2, 3])
    np.testing.assert_array_equal(is_near[1], [True] * 4 + [False] * 4)


def test_crossing_surfaces_change_places_where_they_meet():
    rising = square(0, 0, 10, 4, 1.0)
    rising[[1, 3], 2] = 4.0  # 1/depth falls from 1 to 0.25 along x: to 0.4 at x = 8
    flat = square(0, 0, 10, 4, 2.5)
    drawn = rasterise(np.concatenate([rising, flat]), np.concatenate([SQUARE, SQUARE + 4]), (11, 5))
    np.testing.assert_array_equal(drawn.triangle[2, :8] >= 2, False)
    np.testing.assert_array_equal(drawn.triangle[2, 9:] >= 2, True)
    assert drawn.depth[2, 8] == pytest.approx(2.5)


def test_weights_are_correct_in_perspective():
    points = np.array([[0, 0, 1.0], [4, 0, 3.0], [0, 4, 1.0]])
    drawn = rasterise(points, np.array([[0, 1, 2]]), (5, 5))
    # half way on the screen 1/depth is (1 + 1/3) / 2, so depth 1.5 and a quarter of the far corner
    assert drawn.depth[0, 2] == pytest.approx(1.5)
    np.testing.assert_allclose(drawn.weights[0, 2], [0.75, 0.25, 0], atol=1e-6)


def test_backs_are_left_out_unless_two_sided():
    camera = Camera((0, 0, 0), 10, (9, 9))
    front = np.array([[-1, -1, -4.0], [1, -1, -4.0], [0, 1, -4.0]])  # counter-clockwise, faces +z
    triangles = np.array([[0, 1, 2], [2, 1, 0]])
    points = camera.project(front)
    assert (rasterise(points, triangles[:1], (9, 9), two_sided=False).triangle >= 0).any()
    assert not (rasterise(points, triangles[1:], (9, 9), two_sided=False).triangle >= 0).any()
    both = rasterise(points, triangles[[1, 1]], (9, 9), two_sided=np.array([False, True]))
    assert set(both.triangle.ravel()) == {-1, 1}


def test_what_lies_behind_the_camera_is_left_out():
    points = square(0, 0, 3, 3, 1.0)
    points[0, 2] = -1.0
    assert set(rasterise(points, SQUARE, (4, 4)).triangle.ravel()) == {-1, 1}  # the triangle without it


def test_small_chunks_draw_the_same(monkeypatch):
    rng = np.random.default_rng(0)
    points = np.column_stack([rng.uniform(-5, 45, (90, 2)), rng.uniform(1, 9, 90)])
    triangles = rng.permutation(90).reshape(30, 3)
    whole = rasterise(points, triangles, (40, 30))
    monkeypatch.setattr(module, "CHUNK", 50)
    parts = rasterise(points, triangles, (40, 30))
    np.testing.assert_array_equal(parts.triangle, whole.triangle)
    np.testing.assert_array_equal(parts.weights, whole.weights)
    assert (whole.triangle >= 0).mean() > 0.5


@pytest.mark.parametrize(
    ("camera", "point", "pixel"),
    [
        (Camera((0, 0, 0), 100, (201, 101)), (0, 0, -5), (100, 50, 5)),  # straight ahead: the middle
        (Camera((0, 0, 0), 100, (201, 101)), (1, 0, -2), (150, 50, 2)),  # right is right: 100 * 1/2
        (Camera((0, 0, 0), 100, (201, 101)), (0, 1, -4), (100, 25, 4)),  # up is up
        (Camera((0, 1.5, 2), 100, (200, 100)), (0, 1.5, -3), (99.5, 49.5, 5)),  # even sizes: between pixels
        (Camera((0, 0, 0), 100, (201, 101), yaw=np.pi / 2), (-5, 0, 0), (100, 50, 5)),  # turned to the left
        (Camera((0, 0, 0), 100, (201, 101), pitch=np.pi / 4), (0, 3, -3), (100, 50, 3 * 2**0.5)),
        (Camera((0, 0, 0), 100, (201, 101), roll=np.pi / 2), (0, 1, -4), (125, 50, 4)),  # left down, up right
    ],
)
def test_projection(camera, point, pixel):
    np.testing.assert_allclose(camera.project(np.array(point, float)), pixel, atol=1e-9)


ANGLES = st.floats(-0.6, 0.6)


@settings(max_examples=25, deadline=None)
@given(ANGLES, ANGLES, ANGLES, st.floats(0, 639), st.floats(0, 359))
def test_rays_undo_projection(yaw, pitch, roll, x, y):
    camera = Camera((1, 2, 3), 500, (640, 360), yaw, pitch, roll)
    point = np.array(camera.position) + 7 * camera.rays(np.array([x, y]))
    np.testing.assert_allclose(camera.project(point), [x, y, 7], atol=1e-8)


def test_a_pixel_is_the_mean_of_its_samples():
    camera = Camera((0, 1, 0), 300, (64, 48), pitch=0.1)
    point = np.array([0.1, 1.3, -4])
    x, y, _ = camera.project(point)
    fine = camera.supersampled(3).project(point)
    np.testing.assert_allclose(fine[:2], [(x + 0.5) * 3 - 0.5, (y + 0.5) * 3 - 0.5])


def test_normals_of_a_fold():
    # two unit squares that meet at a right angle along the y axis: one faces +z, the other +x
    corners = np.array([[-1, 0, 0], [0, 0, 0], [0, 1, 0], [-1, 1, 0], [0, 0, -1], [0, 1, -1]], float)
    triangles = np.array([[0, 1, 2], [0, 2, 3], [1, 4, 5], [1, 5, 2]])
    normals = vertex_normals(corners, triangles)
    np.testing.assert_allclose(normals[[0, 3]], [[0, 0, 1]] * 2)
    np.testing.assert_allclose(normals[[4, 5]], [[1, 0, 0]] * 2)
    diagonal = normals[1] + normals[2]  # each leans to the square with two of its triangles
    np.testing.assert_allclose(diagonal / np.linalg.norm(diagonal), [0.5**0.5, 0, 0.5**0.5])
