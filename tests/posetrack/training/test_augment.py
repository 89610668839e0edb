"""Joints must follow their pixels through every crop, and half bodies obey the official rules."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posetrack.datasets.people import Person
from posetrack.pose.crop import crop_affines, crop_regions
from posetrack.skeletons import POSETRACK18
from posetrack.training.examples.augment import (
    Appearance,
    Geometry,
    apply_view,
    cut_by_edge,
    half_body_box,
    random_appearance,
    random_edge,
    random_view,
    turned_box,
    view_matrix,
)

SIZE = (96, 128)
CHANGES = [field.name for field in fields(Appearance) if field.name != "smallest"]  # which is no probability
NOTHING = Appearance(**dict.fromkeys(CHANGES, 0.0))
K = len(POSETRACK18)


def person(points: dict[str, tuple[float, float]], box=(0, 0, 100, 100)) -> Person:
    keypoints, labelled = np.zeros((K, 2), np.float32), np.zeros(K, bool)
    for name, point in points.items():
        keypoints[POSETRACK18.index(name)] = point
        labelled[POSETRACK18.index(name)] = True
    return Person("a.jpg", np.array(box, np.float32), keypoints, labelled, np.zeros(K, bool))


def spot(image: np.ndarray) -> np.ndarray:
    """(x, y) centre of brightness."""
    bright = image[..., 0].astype(float)
    y, x = np.mgrid[: bright.shape[0], : bright.shape[1]]
    return np.array([(x * bright).sum(), (y * bright).sum()]) / bright.sum()


@given(
    angle=st.floats(-40, 40),
    width=st.floats(60, 160),
    mirrored=st.booleans(),
    x=st.floats(-12, 12),
    y=st.floats(-12, 12),
)
@settings(max_examples=25, deadline=None)
def test_a_joint_stays_on_its_bright_spot(angle, width, mirrored, x, y):
    image = np.zeros((200, 240, 3), np.uint8)
    columns, rows = np.meshgrid(np.arange(240), np.arange(200))
    centre = (120 + x, 100 + y)
    blob = 250 * np.exp(-((columns - centre[0]) ** 2 + (rows - centre[1]) ** 2) / (2 * 3.0**2))
    image[:] = blob[..., None].astype(np.uint8)
    matrix = view_matrix(np.array([118.0, 103.0]), width, SIZE, angle, mirrored)

    crop, points, inside = apply_view(
        image, person({"left_wrist": centre}), POSETRACK18, matrix, mirrored, SIZE
    )

    joint = POSETRACK18.index("right_wrist" if mirrored else "left_wrist")
    assert np.flatnonzero(inside).tolist() == [joint]
    np.testing.assert_allclose(points[joint], spot(crop), atol=0.06)


@pytest.mark.parametrize("box", [(10, 20, 40, 180), (10, 20, 200, 60), (-5.5, 3.25, 90.75, 77.0)])
def test_an_unaugmented_view_is_the_crop_of_the_estimator(box):
    still = Geometry(
        rotation=0, scale=0, shift=0, mirror_probability=0, half_body_probability=0, rotation_probability=1
    )
    matrix, mirrored = random_view(
        person({"nose": (20, 30)}, box), POSETRACK18, SIZE, still, np.random.default_rng(1)
    )
    regions = crop_regions(np.array([box]), SIZE[0] / SIZE[1])
    np.testing.assert_allclose(matrix, crop_affines(regions, SIZE)[0], rtol=1e-6, atol=1e-4)
    assert not mirrored


def test_worked_view():
    # 48 photo pixels across 96 input pixels: k = 2; the centre (30, 40) lands on (48, 64).
    np.testing.assert_allclose(view_matrix(np.array([30, 40]), 48, SIZE), [[2, 0, -12], [0, 2, -16]])
    # A quarter turn counter-clockwise: what was right of the centre is now above it.
    turned = view_matrix(np.array([30, 40]), 48, SIZE, angle=90)
    np.testing.assert_allclose(turned @ [35, 40, 1], [48, 54], atol=1e-9)
    # Mirrored: x -> 95 - x.
    mirrored = view_matrix(np.array([30, 40]), 48, SIZE, mirrored=True)
    np.testing.assert_allclose(mirrored @ [35, 40, 1], [95 - 58, 64], atol=1e-9)


def test_mirroring_twice_changes_nothing():
    image = np.random.default_rng(2).integers(0, 256, (60, 50, 3)).astype(np.uint8)
    someone = person({"left_knee": (20.5, 30), "right_knee": (35, 31.5), "head_top": (25, 5)})
    plain = view_matrix(np.array([24.0, 31.0]), 60, SIZE)
    crop, points, inside = apply_view(image, someone, POSETRACK18, plain, False, SIZE)
    flipped_crop, flipped, flipped_inside = apply_view(
        image, someone, POSETRACK18, view_matrix(np.array([24.0, 31.0]), 60, SIZE, mirrored=True), True, SIZE
    )
    assert np.abs(flipped_crop[:, ::-1].astype(int) - crop).max() <= 2  # OpenCV rounds to 1/32 pixel
    back = flipped[POSETRACK18.flip_order] * [-1, 1] + [SIZE[0] - 1, 0]
    np.testing.assert_allclose(back[inside], points[inside], atol=1e-4)
    assert (flipped_inside[POSETRACK18.flip_order] == inside).all()
    assert flipped_inside[POSETRACK18.index("head_top")]  # head_bottom and head_top are no pair


def test_joints_outside_the_crop_do_not_count():
    matrix = view_matrix(np.array([50.0, 50.0]), 96, SIZE)  # k = 1: shows x -48 + 50 = 2 .. 97, y -14 .. 113
    _, _, inside = apply_view(
        np.zeros((9, 9, 3), np.uint8),
        person({"nose": (2, 50), "head_top": (1.9, 50), "left_hip": (97, 113), "right_hip": (97, 113.1)}),
        POSETRACK18,
        matrix,
        False,
        SIZE,
    )
    assert [POSETRACK18.keypoints[i] for i in np.flatnonzero(inside)] == ["nose", "left_hip"]


UPPER = {"nose": (10, 10), "left_shoulder": (4, 20), "right_wrist": (22, 30)}
LOWER = {"left_hip": (8, 40), "left_knee": (8, 60), "left_ankle": (14, 80)}


@pytest.mark.parametrize(
    ("points", "upper", "expected"),
    [
        (UPPER | LOWER, True, (3, 10, 21, 30)),  # mean (12, 20), reach 18 x 20
        (UPPER | LOWER, False, (7, 40, 13, 80)),  # mean (10, 60), reach 6 x 40
        ({"nose": (10, 10), "left_elbow": (0, 0)} | LOWER, True, (7, 40, 13, 80)),  # two above: legs instead
        (UPPER | {"left_hip": (8, 40), "left_knee": (8, 60)}, False, (3, 10, 21, 30)),  # two below: the rest
        ({"left_hip": (8, 40), "nose": (1, 1)}, True, None),  # one in each half
    ],
)
def test_half_body_box(points, upper, expected):
    box = half_body_box(person(points), POSETRACK18, upper)
    assert (box is None) == (expected is None)
    if expected is not None:
        np.testing.assert_allclose(box, expected)


def test_half_bodies_only_of_people_with_many_joints():
    diagonal = {name: (10.0 * i, 5.0 * i) for i, name in enumerate(POSETRACK18.keypoints)}
    many = person(diagonal, (0, 0, 160, 80))
    few = replace(many, labelled=many.labelled & (np.arange(K) < 8))
    always = Geometry(
        rotation=0, scale=0, shift=0, mirror_probability=0, half_body_probability=1, half_body_joints=8
    )

    def magnification(who: Person) -> float:
        return random_view(who, POSETRACK18, SIZE, always, np.random.default_rng(3))[0][0, 0]

    whole = 96 / (160 * 1.25)
    assert magnification(few) == pytest.approx(whole)
    # All 17 slots: the upper half (0 .. 10) reaches 100 across, the lower (11 .. 16) 50; both padded by 1.5.
    assert any(magnification(many) == pytest.approx(96 / (reach * 1.5)) for reach in (100, 50))


def test_views_stay_within_their_limits():
    someone = person({"nose": (50, 50)}, (0, 0, 75, 100))
    geometry = Geometry()
    rng = np.random.default_rng(4)
    views = [random_view(someone, POSETRACK18, SIZE, geometry, rng) for _ in range(300)]
    scales = np.array([96 / 75 / 1.25 / np.linalg.norm(matrix[:, 0]) for matrix, _ in views])
    angles = np.degrees(np.arcsin(np.clip([m[0, 1] / np.linalg.norm(m[1, :2]) for m, _ in views], -1, 1)))
    assert scales.min() >= 1 - geometry.scale - 1e-6
    assert scales.max() <= 1 + geometry.scale + 1e-6
    assert scales.min() < 0.75 < 1.25 < scales.max()
    assert 30 < np.abs(angles).max() <= geometry.rotation + 1e-6
    assert 0.3 < np.mean([mirrored for _, mirrored in views]) < 0.7


@pytest.mark.parametrize("change", CHANGES)
def test_each_change_of_appearance_shows_and_is_repeatable(change):
    crop = np.random.default_rng(5).integers(60, 200, (64, 48, 3)).astype(np.uint8)
    before = crop.copy()
    always = replace(NOTHING, **{change: 1.0})
    first, again = (random_appearance(crop, always, np.random.default_rng(6)) for _ in range(2))
    assert first.shape == crop.shape
    assert first.dtype == np.uint8
    assert (first != crop).any()
    assert (first == again).all()
    assert (crop == before).all()  # the input is left alone
    assert (random_appearance(crop, NOTHING, np.random.default_rng(6)) == crop).all()


def test_a_turn_by_any_angle_keeps_the_person_in_view():
    # Hands and feet of a person who stands in a tall box; the box of the turn is the one about their ellipse.
    limbs = {"head_top": (40, 2), "left_ankle": (40, 198), "left_wrist": (2, 100), "right_wrist": (78, 100)}
    someone = person(limbs, (0, 0, 80, 200))
    always = replace(Geometry(0, 0, 0, 0, 0), turn_probability=1.0)
    rng, angles, sizes = np.random.default_rng(7), [], []
    for _ in range(200):
        matrix, mirrored = random_view(someone, POSETRACK18, SIZE, always, rng)
        points = someone.keypoints[someone.labelled] @ matrix[:, :2].T + matrix[:, 2]
        assert ((points >= 0) & (points <= np.array(SIZE) - 1)).all()
        assert not mirrored
        angles.append(np.degrees(np.arctan2(matrix[0, 1], matrix[0, 0])))
        sizes.append(np.ptp(points, axis=0).max())
    assert np.histogram(angles, 4, (-180, 180))[0].min() > 25
    assert min(sizes) > 0.7 * SIZE[0]  # nor is the person small


@pytest.mark.parametrize(("angle", "expected"), [(0, (10, 20, 40, 180)), (90, (-55, 85, 105, 115))])
def test_turned_box(angle, expected):
    np.testing.assert_allclose(turned_box(np.float32([10, 20, 40, 180]), angle), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("side", "share", "window", "box"),
    [
        ("bottom", 0.5, (0, 0, 100, 60), (20, 20, 60, 60)),
        ("top", 0.25, (0, 40, 100, 120), (20, 0, 60, 60)),
        ("left", 0.5, (40, 0, 100, 120), (0, 20, 20, 100)),
        ("right", 0.75, (0, 0, 30, 120), (20, 20, 30, 100)),
    ],
)
def test_a_picture_that_ends_within_a_person(side, share, window, box):
    rows, columns = np.mgrid[:120, :100]
    image = np.stack([rows, columns, rows], axis=2).astype(np.uint8)
    points = {"head_top": (25, 21), "left_wrist": (58, 55), "right_wrist": (22, 70), "left_ankle": (50, 99)}
    whole = person(points, box=(20, 20, 60, 100))

    part, cut = cut_by_edge(image, whole, side, share)

    x1, y1, x2, y2 = window
    np.testing.assert_array_equal(part, image[y1:y2, x1:x2])
    np.testing.assert_array_equal(cut.box, box)
    for name, (x, y) in points.items():
        k = POSETRACK18.index(name)
        np.testing.assert_array_equal(cut.keypoints[k], (x - x1, y - y1))
        assert cut.labelled[k] == (x1 <= x < x2 and y1 <= y < y2)
    assert 0 < cut.labelled.sum() < 4


def test_too_little_of_a_person_is_not_left():
    image = np.zeros((120, 100, 3), np.uint8)
    spread = {name: (50, 25 + 5 * k) for k, name in enumerate((*POSETRACK18.keypoints[:3], "left_ankle"))}
    whole = person(spread, box=(20, 20, 60, 100))
    cuts = [random_edge(image, whole, np.random.default_rng(i))[1] for i in range(200)]
    assert {int(cut.labelled.sum()) for cut in cuts} == {3, 4}
    assert any(cut is whole for cut in cuts)
