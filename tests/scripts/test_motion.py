"""Clips, loops and skinning with skeletons of two or three bones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.render.bodies import bone_places, skin
from scripts.render.cast import smooth_way
from scripts.render.motion import Clip, between, loop_walk, nearest_rotation, read_bvh, turn

BVH = """HIERARCHY
ROOT Hips
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation
  JOINT Arm
  {
    OFFSET 0 2 0
    CHANNELS 3 Zrotation Yrotation Xrotation
    End Site
    {
      OFFSET 3 0 0
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.0333333
1 2 3 0 0 0 0 0 0
4 5 6 90 0 0 0 90 90
"""


def test_read_bvh(tmp_path):
    (tmp_path / "clip.bvh").write_text(BVH)
    clip = read_bvh(tmp_path / "clip.bvh")
    assert (clip.names, clip.parents) == (("Hips", "Arm"), (-1, 0))
    assert clip.fps == pytest.approx(30, abs=1e-3)
    np.testing.assert_array_equal(clip.places, [[1, 2, 3], [4, 5, 6]])
    np.testing.assert_array_equal(clip.rotations[0], [np.eye(3)] * 2)
    np.testing.assert_allclose(clip.rotations[1, 0] @ [0, 2, 0], [-2, 0, 0], atol=1e-12)  # z turns y to -x
    # the channels of Arm apply from the inside out: x by 90, then y by 90
    np.testing.assert_allclose(clip.rotations[1, 1] @ [0, 1, 0], [1, 0, 0], atol=1e-12)  # y -> z -> x
    assert {n: d.tolist() for n, d in clip.directions().items()} == {"Hips": [0, 2, 0], "Arm": [3, 0, 0]}


@pytest.mark.parametrize(
    ("axis", "start", "goal"),
    [(0, [0, 1, 0], [0, 0, 1]), (1, [0, 0, 1], [1, 0, 0]), (2, [1, 0, 0], [0, 1, 0])],
)
def test_a_quarter_turn(axis, start, goal):
    np.testing.assert_allclose(turn(axis, np.pi / 2) @ start, goal, atol=1e-12)


VECTOR = st.tuples(*[st.floats(-1, 1)] * 3).map(np.array).filter(lambda v: np.linalg.norm(v) > 0.05)


@settings(max_examples=40, deadline=None)
@given(VECTOR, VECTOR)
def test_between_is_the_smallest_rotation(start, goal):
    start, goal = start / np.linalg.norm(start), goal / np.linalg.norm(goal)
    if start @ goal < -0.99:
        return
    rotation = between(3 * start, goal)
    np.testing.assert_allclose(rotation @ start, goal, atol=1e-7)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-7)
    assert np.trace(rotation) == pytest.approx(1 + 2 * start @ goal, abs=1e-7)  # the angle is theirs


def test_opposite_directions_are_refused():
    with pytest.raises(ValueError, match="opposite"):
        between(np.array([0, 1.0, 0]), np.array([0, -2.0, 0]))


def test_the_mean_of_two_rotations_is_half_way():
    mean = nearest_rotation((turn(1, 0.2) + turn(1, 1.0)) / 2)
    np.testing.assert_allclose(mean, turn(1, 0.6), atol=1e-12)
    flat = nearest_rotation(np.diag([1.0, 1.0, -0.1]))  # never a reflection
    assert np.linalg.det(flat) == pytest.approx(1)


def march(frames, period, speed, heading):
    """A figure that swings its leg once per period while it goes straight ahead, swaying sideways."""
    t = np.arange(frames)
    legs = turn(0, 0.5 * np.sin(2 * np.pi * t / period) + 0.2 * np.sin(4 * np.pi * t / period + 1))
    root = np.tile(turn(1, heading), (frames, 1, 1))
    path = np.stack([3 * np.sin(2 * np.pi * t / period), 90 + 0 * t, speed * t], axis=1) @ turn(1, heading).T
    offsets = np.array([[0, 0, 0], [0, -40.0, 0]])
    return Clip(("Hips", "Leg"), (-1, 0), offsets, {}, np.stack([root, legs], axis=1), path, 30.0)


@pytest.mark.parametrize("heading", [0.0, 1.1, -2.5])
def test_a_walk_is_cut_to_one_cycle_that_joins_its_start(heading):
    walk = loop_walk(march(92, 31, 4.0, heading))
    assert len(walk.sway) == 31
    assert walk.stride == pytest.approx(31 * 4.0, abs=0.5)
    np.testing.assert_allclose(walk.rotations[:, 0], [np.eye(3)] * 31, atol=0.03)  # it walks along +z
    at = np.linspace(0, 1, 32)  # also across the seam from the last frame to the first
    rotations, sway = walk.at(at)
    assert np.abs(np.diff(rotations, axis=0)).max() < 1.3 * 2 * np.pi / 31 * 0.9  # no jump: swing per frame
    assert np.abs(np.diff(sway, axis=0)).max() < 1.1 * 3 * 2 * np.pi / 31
    np.testing.assert_allclose(np.abs(sway[:, 0]).max(), 3, atol=0.15)
    np.testing.assert_allclose(walk.at(at + 5)[0], rotations, atol=1e-9)


def test_a_clip_too_short_for_a_cycle_is_refused():
    with pytest.raises(ValueError, match="30 frames are too few"):
        loop_walk(march(30, 31, 4.0, 0.0))


def test_a_way_is_smooth_and_evenly_spaced():
    way = smooth_way(((0, 0), (4, 0), (4, 3)), step=0.05)
    np.testing.assert_allclose(way[0], [0, 0], atol=1e-9)
    np.testing.assert_allclose(way[-1], [4, 3], atol=0.06)
    np.testing.assert_allclose(np.linalg.norm(np.diff(way, axis=0), axis=1), 0.05, rtol=0.01)
    assert np.hypot(*(way - [4, 0]).T).min() > 0.5  # the corner is cut


def test_skinning_a_bent_arm():
    """Two bones along x, the elbow at x = 1: the forearm turns up by 90 degrees, the shoulder moves by 5."""
    heads = np.array([[0, 0, 0], [1, 0, 0]], float)
    turns = np.stack([np.eye(3), turn(2, np.pi / 2)])
    places = bone_places(heads, (-1, 0), turns[None], np.array([[5.0, 0, 0]]))[0]
    np.testing.assert_allclose(places, [[5, 0, 0], [6, 0, 0]])
    rest = np.array([[0.5, 0.1, 0], [2, 0, 0], [1, 0.2, 0]])
    weights = np.array([[1, 0], [0, 1], [0.5, 0.5]])
    posed = skin(rest, weights, heads, turns, places)
    np.testing.assert_allclose(posed, [[5.5, 0.1, 0], [6, 1, 0], [5.9, 0.1, 0]], atol=1e-12)
    # the last is half of (6, 0.2) from the upper arm and half of (5.8, 0) from the forearm
