"""Parity of the augmentation with HRNet's official code, for each data set's joints."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posetrack.datasets.people import Person
from posetrack.pose.crop import crop_regions
from posetrack.skeletons import COCO17, MPII16, POSETRACK17, POSETRACK18, Skeleton
from posetrack.training.examples.augment import (
    Geometry,
    apply_view,
    half_body_box,
    lower_body,
    random_view,
    view_matrix,
)
from tests.posetrack.datasets import official

LOWER = {  # slots of the official data set classes; PoseTrack 2017 has none there
    "coco17": range(11, 17),
    "posetrack18": range(11, 17),
    "mpii16": range(7),
    "posetrack17": range(6),
}
SKELETONS = [COCO17, POSETRACK18, MPII16, POSETRACK17]
SIZES = [(192, 256), (288, 384), (256, 256)]


def someone(skeleton: Skeleton, points, labelled=None, image="a.jpg") -> Person:
    K = len(skeleton)
    points = np.asarray(points, np.float32).reshape(K, 2)
    labelled = np.ones(K, bool) if labelled is None else np.asarray(labelled, bool)
    box = np.concatenate([points.min(axis=0), points.max(axis=0)])
    return Person(image, box, points, labelled, np.zeros(K, bool))


@given(
    box=st.tuples(st.floats(-50, 500), st.floats(-50, 400), st.floats(20, 400), st.floats(20, 400)),
    size=st.sampled_from(SIZES),
    factor=st.floats(0.65, 1.35),
    rotation=st.floats(-90, 90),
    mirrored=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_the_whole_matrix(box, size, factor, rotation, mirrored):
    photo_width = 640
    centre, scale = official.centre_and_scale(box, size[0] / size[1])
    x, y, w, h = box
    region = crop_regions(np.array([[x, y, x + w, y + h]]), size[0] / size[1])[0]
    ours = view_matrix(region[:2], region[2] * factor, size, -rotation if mirrored else rotation, mirrored)

    if mirrored:  # first the photo, then the crop, which therefore turns the other way
        centre = np.array([photo_width - 1 - centre[0], centre[1]])
        expected = official.affine(centre, scale * factor, rotation, size) @ official.mirror(photo_width)
        # The official code has the person in the middle W / 2 again; ours is the exact mirror image of the
        # crop, as the flip test shows it to the network, whose middle is at W - 1 - W / 2.
        expected[0, 2] -= 1
    else:
        expected = official.affine(centre, scale * factor, rotation, size)
    corners = np.array([[x, y, 1], [x + w, y, 1], [x, y + h, 1], [x + w, y + h, 1]])
    np.testing.assert_allclose(corners @ ours.T, corners @ expected.T, atol=0.02)


@pytest.mark.parametrize("skeleton", SKELETONS, ids=lambda skeleton: skeleton.name)
def test_half_bodies_split_at_the_official_slots(skeleton):
    assert np.flatnonzero(lower_body(skeleton)).tolist() == list(LOWER[skeleton.name])


@given(
    skeleton=st.sampled_from(SKELETONS),
    seed=st.integers(0, 10**6),
    share=st.floats(0.05, 1),
    upper=st.booleans(),
    aspect=st.sampled_from([0.75, 1.0]),
)
@settings(max_examples=120, deadline=None)
def test_half_bodies_are_the_official_ones(skeleton, seed, share, upper, aspect):
    rng = np.random.default_rng(seed)
    K = len(skeleton)
    person = someone(skeleton, rng.uniform(0, 300, (K, 2)), rng.random(K) < share)

    box = half_body_box(person, skeleton, upper)

    above = set(range(K)) - set(LOWER[skeleton.name])
    expected = official.half_body(person.keypoints, person.labelled, above, upper, aspect)
    assert (box is None) == (expected is None)
    if expected is not None:
        centre, scale = expected
        region = crop_regions(box[None], aspect)[0]
        np.testing.assert_allclose(region[:2], centre, atol=1e-3)
        np.testing.assert_allclose(region[2:] / 1.25 * 1.5, scale * official.PIXELS, rtol=1e-4, atol=2e-3)


def test_angles_and_scales_are_drawn_as_officially():
    """COCO: 45 degrees times a normal number clipped at 2, for 60 %; 0.35 times one clipped at 1."""
    person = someone(COCO17, np.random.default_rng(1).uniform(0, 100, (17, 2)))
    geometry = Geometry(rotation=90, scale=0.35, shift=0, mirror_probability=0, half_body_probability=0)
    rng = np.random.default_rng(2)
    whole = crop_regions(person.box[None], 0.75)[0, 2]
    matrices = np.stack([random_view(person, COCO17, (192, 256), geometry, rng)[0] for _ in range(4000)])
    angles = np.degrees(np.arctan2(matrices[:, 0, 1], matrices[:, 0, 0]))
    factors = 192 / whole / np.hypot(matrices[:, 0, 0], matrices[:, 0, 1])

    turned = angles[np.abs(angles) > 1e-6]
    assert len(turned) / 4000 == pytest.approx(0.6, abs=0.03)
    assert turned.std() == pytest.approx(43.4, abs=2)  # of a normal number clipped at 2: 0.964
    assert np.mean(np.abs(turned) > 89.99) == pytest.approx(0.0455, abs=0.015)
    assert np.abs(turned).max() <= 90 + 1e-6
    assert np.mean(np.abs(factors - 1) > 0.3499) == pytest.approx(0.3173, abs=0.03)
    assert (factors - 1).std() == pytest.approx(0.35 * 0.718, abs=0.01)


@pytest.mark.parametrize("skeleton", SKELETONS, ids=lambda skeleton: skeleton.name)
def test_mirrored_joints_find_their_own_pixels(skeleton):
    """Every joint sits on a square of its own colour; in a mirrored sample left and right have changed
    places, and joints of the middle (PoseTrack's head_bottom and head_top) stay themselves."""
    K = len(skeleton)
    points = np.array([(20 + 40 * (slot % 5), 20 + 40 * (slot // 5)) for slot in range(K)], float)
    colours = np.random.default_rng(3).permutation(256)[: 3 * K].reshape(K, 3)
    image = np.zeros((200, 220, 3), np.uint8)
    for (x, y), colour in zip(points.astype(int), colours, strict=True):
        image[y - 6 : y + 7, x - 6 : x + 7] = colour
    person = someone(skeleton, points)
    geometry = Geometry(shift=0, scale=0.2, mirror_probability=1, half_body_probability=0)
    matrix, mirrored = random_view(person, skeleton, (192, 256), geometry, np.random.default_rng(4))

    crop, joints, inside = apply_view(image, person, skeleton, matrix, mirrored, (192, 256))

    assert mirrored
    assert inside.sum() >= K - 4
    for slot in np.flatnonzero(inside):
        name = skeleton.keypoints[slot]
        swap = {"left": "right", "right": "left"}
        side, _, part = name.partition("_")
        source = skeleton.index(f"{swap[side]}_{part}") if side in swap else slot
        x, y = np.rint(joints[slot]).astype(int)
        np.testing.assert_allclose(crop[y, x], colours[source], atol=1, err_msg=name)


def test_joints_beyond_the_border_count_within_the_margin():
    image = np.zeros((50, 50, 3), np.uint8)
    points = np.zeros((17, 2))
    points[:4] = [[2, 50], [-3, 50], [-30, 50], [97, 119]]
    person = someone(COCO17, points, [True] * 4 + [False] * 13)
    matrix = view_matrix(np.array([50.0, 50.0]), 96, (96, 128))  # shows x 2 .. 97 and y -14 .. 113, k = 1

    def inside(margin: float) -> list[int]:
        view = apply_view(image, person, COCO17, matrix, False, (96, 128), margin)
        return np.flatnonzero(view[2]).tolist()

    assert inside(0) == [0]
    assert inside(5.5) == [0, 1]
    assert inside(6) == [0, 1, 3]
    assert inside(np.inf) == [0, 1, 2, 3]
