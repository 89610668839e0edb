"""The overlay, asked pixel by pixel: one stick figure whose joints are where the test wants them."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posetrack.drawing.colours import PALETTE, colour_of
from posetrack.drawing.overlay import overlay
from posetrack.drawing.trails import Trails
from posetrack.skeletons import COCO17, POSETRACK18, Skeleton
from posetrack.types import Poses, Tracks

GREY = np.full((300, 400, 3), 90, np.uint8)

# Fractions of the height, from the top of the head between the feet.
FIGURE = {
    "nose": (0.0, 0.09), "head_top": (0.0, 0.0), "head_bottom": (0.0, 0.18),
    "shoulder": (0.12, 0.2), "elbow": (0.2, 0.35), "wrist": (0.22, 0.5),
    "hip": (0.08, 0.52), "knee": (0.09, 0.75), "ankle": (0.1, 1.0), "eye": (0.02, 0.07), "ear": (0.04, 0.08),
}  # fmt: skip


def joints(skeleton: Skeleton, x: float, y: float, height: float) -> np.ndarray:
    """(K, 2): seen from the front, the person's left is on the right of the picture."""
    points = []
    for name in skeleton.keypoints:
        side, _, part = name.partition("_") if name[:4] in ("left", "righ") else ("", "", name)
        dx, dy = FIGURE[part]
        points.append((x + (-dx if side == "right" else dx) * height, y + dy * height))
    return np.array(points)


def people(
    *figures: tuple[float, float, float],
    skeleton: Skeleton = POSETRACK18,
    ids: list[int] | None = None,
    scores: float | np.ndarray = 0.9,
    propagated: bool = False,
    time: float = 0.0,
) -> Tracks:
    points = np.array([joints(skeleton, *f) for f in figures]).reshape(-1, len(skeleton), 2)
    boxes = [(p[:, 0].min() - 5, p[:, 1].min() - 5, p[:, 0].max() + 5, p[:, 1].max() + 5) for p in points]
    n = len(points)
    poses = Poses(points, np.broadcast_to(scores, (n, len(skeleton))), boxes, np.ones(n), skeleton)
    return Tracks(poses, ids or list(range(1, n + 1)), [propagated] * n, 0, time, (400, 300))


def middle(tracks: Tracks, a: str, b: str) -> tuple[int, int]:
    """Row and column half-way between two joints of the first person."""
    skeleton = tracks.poses.skeleton
    x, y = tracks.poses.keypoints[0, [skeleton.index(a), skeleton.index(b)]].mean(axis=0)
    return round(float(y)), round(float(x))


def brightness(colour: np.ndarray | tuple[int, ...]) -> float:
    return float(np.dot(colour, (0.299, 0.587, 0.114)))


def test_nobody_leaves_the_picture_as_it_is() -> None:
    drawn = overlay(GREY, people())
    assert np.array_equal(drawn, GREY)
    assert drawn is not GREY


def test_the_given_picture_is_not_changed() -> None:
    before = GREY.copy()
    drawn = overlay(GREY, people((200, 40, 220)), boxes=True, trails=Trails())
    assert np.array_equal(GREY, before)
    assert (drawn != GREY).any(axis=2).sum() > 500


def test_left_is_lighter_and_right_darker_than_the_identity() -> None:
    tracks = people((200, 40, 220))
    drawn = overlay(GREY, tracks)
    base = colour_of(1)
    left, right = (drawn[middle(tracks, f"{s}_hip", f"{s}_knee")] for s in ("left", "right"))
    across = drawn[middle(tracks, "left_hip", "right_hip")]
    assert tuple(across) == base
    assert brightness(left) > brightness(base) + 30
    assert brightness(right) < brightness(base) - 30
    dot = drawn[
        tuple(np.round(joints(POSETRACK18, 200, 40, 220)[POSETRACK18.index("left_knee")]).astype(int)[::-1])
    ]
    assert tuple(dot) == tuple(left)


def test_what_is_below_the_threshold_is_not_drawn() -> None:
    scores = np.full(len(POSETRACK18), 0.9)
    scores[POSETRACK18.index("left_knee")] = 0.29
    tracks = people((200, 40, 220), scores=scores)
    drawn = overlay(GREY, tracks, joint_threshold=0.3)
    for limb in (("left_hip", "left_knee"), ("left_knee", "left_ankle"), ("left_knee", "left_knee")):
        assert (drawn[middle(tracks, *limb)] == 90).all()
    assert (drawn[middle(tracks, "right_hip", "right_knee")] != 90).any()
    assert (overlay(GREY, tracks, joint_threshold=0.2)[middle(tracks, "left_hip", "left_knee")] != 90).any()


def test_joints_with_score_zero_have_no_place() -> None:
    tracks = people((200, 40, 220), scores=0.0)
    assert np.array_equal(overlay(GREY, tracks, joint_threshold=0.0, labels=False), GREY)


def test_limbs_fade_with_their_score() -> None:
    black = np.zeros_like(GREY)
    values = []
    for score in (0.21, 0.35, 0.45, 0.9):
        tracks = people((200, 40, 220), scores=score)
        values.append(
            brightness(overlay(black, tracks, joint_threshold=0.2)[middle(tracks, "left_hip", "left_knee")])
        )
    assert values == sorted(set(values))
    assert 0.3 < values[0] / values[-1] < 0.5


def test_lines_grow_with_the_person() -> None:
    widths = []
    for height in (60, 160, 280):
        tracks = people((200, 10, height))
        row, column = middle(tracks, "right_hip", "right_knee")
        across = overlay(GREY, tracks)[row, column - 12 : column + 8]
        widths.append(np.abs(across.astype(int) - 90).sum())  # ink: widths are not whole pixels
    assert 1.1 * widths[0] < widths[1] < widths[2] / 1.1


def test_whoever_stands_lower_is_in_front() -> None:
    """Their hips cross at the same pixel."""
    here = 52 * 220 // 100
    far, near = (200, 160 - here, 220), (200, 160 - 0.52 * 240, 240)
    for order in ((far, near), (near, far)):
        tracks = people(*order, ids=[1 if f is far else 2 for f in order])
        assert tuple(overlay(GREY, tracks)[160, 200]) == colour_of(2)


def lab(colours: list[tuple[float, ...]]) -> np.ndarray:
    rgb = np.clip(np.array([colours], np.float32) / 255, 0, 1)
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)[0])


def nearest(colours: list[tuple[float, ...]]) -> float:
    """The smallest distance between two of the colours, in CIE Lab: 2.3 is just noticeable."""
    return min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(lab(colours), 2))


def test_identities_have_colours_of_their_own() -> None:
    assert nearest([colour_of(n) for n in range(1, 11)]) > 25
    assert nearest([colour_of(n) for n in range(1, 31)]) > 6
    assert [colour_of(n) for n in (1, 2)] == list(PALETTE[:2])
    assert len({colour_of(n) for n in range(1, 200)}) > 190


@pytest.mark.parametrize(
    "simulation",  # Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB
    [
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    ],
    ids=["protanopia", "deuteranopia"],
)
def test_the_first_identities_differ_for_the_colour_blind(simulation: list[list[float]]) -> None:
    linear = (np.array(PALETTE[:7]) / 255) ** 2.2
    seen = np.clip(linear @ np.array(simulation).T, 0, 1) ** (1 / 2.2) * 255
    assert nearest([tuple(c) for c in seen]) > 10


def label_pixels(tracks: Tracks, image: np.ndarray = GREY) -> np.ndarray:
    with_label, without = (overlay(image, tracks, labels=wanted) for wanted in (True, False))
    return np.argwhere((with_label != without).any(axis=2))


def test_the_label_sits_above_the_head() -> None:
    rows, columns = label_pixels(people((200, 60, 220))).T
    assert rows.max() < 60
    assert rows.min() > 20
    assert abs(columns.mean() - 200) < 2


@pytest.mark.parametrize("skeleton", [POSETRACK18, COCO17])
@pytest.mark.parametrize("place", [(200, -5), (200, -150), (2, 60), (398, 60), (-60, 60), (460, 250)])
def test_the_label_stays_inside_the_picture(place: tuple[int, int], skeleton: Skeleton) -> None:
    whole = label_pixels(people((200, 100, 220), skeleton=skeleton, ids=[123]))
    here = label_pixels(people((*place, 220), skeleton=skeleton, ids=[123]))
    assert here.min() >= 0
    extent, expected = np.ptp(here, axis=0), np.ptp(whole, axis=0)
    assert np.abs(extent - expected).max() <= 2  # none of it is cut off


def test_labels_make_way_for_each_other() -> None:
    one = len(label_pixels(people((200, 100, 180))))
    two = len(label_pixels(people((200, 100, 180), (201, 100, 180), (203, 101, 179))))
    assert two > 2.7 * one


@pytest.mark.parametrize(("propagated", "gaps"), [(False, 0), (True, 4)])
def test_boxes_that_came_from_flow_are_dashed(propagated: bool, gaps: int) -> None:
    tracks = people((200, 60, 220), propagated=propagated)
    left, top, right, _ = np.round(tracks.poses.boxes[0]).astype(int)
    edge = (overlay(GREY, tracks, boxes=True, labels=False)[top, left + 3 : right - 3] != 90).any(axis=1)
    assert int((np.diff(edge.astype(int)) == -1).sum()) >= gaps
    assert edge.all() == (not propagated)
    assert np.array_equal(overlay(GREY, tracks, labels=False)[top, left:right], GREY[top, left:right])


def test_trails_follow_the_feet_for_a_second() -> None:
    trails = Trails()
    column = {}
    for step in range(30):  # ten frames a second, ten pixels a frame
        drawn = overlay(GREY, people((60 + 10 * step, 40, 220), time=step / 10), trails=trails, labels=False)
        column[step] = 60 + 10 * step
    row = drawn[260].astype(int)
    change = np.abs(row - 90).sum(axis=1)
    recent, older, gone = column[25], column[21], column[15]
    assert change[recent] > change[older] > 0
    assert change[gone] == 0


def test_trails_end_with_the_video_and_leap_nowhere() -> None:
    trails = Trails()
    overlay(GREY, people((60, 40, 220), time=5.0), trails=trails)
    overlay(GREY, people((300, 40, 220), time=0.0), trails=trails)  # another video
    drawn = overlay(GREY, people((310, 40, 220), time=0.1), trails=trails, labels=False)
    assert (drawn[260, 40:250] == 90).all()
    ankles = np.full(len(POSETRACK18), 0.9)
    ankles[[POSETRACK18.index(f"{side}_ankle") for side in ("left", "right")]] = 0
    drawn = overlay(GREY, people((310, 40, 220), time=0.2, scores=ankles), trails=trails, labels=False)
    assert (drawn[200:250, 309:312] == 90).all()  # no line from the feet up to the hips


def test_trails_with_hips_where_feet_are_out_of_sight() -> None:
    scores = np.full(len(POSETRACK18), 0.9)
    scores[[POSETRACK18.index(f"{side}_ankle") for side in ("left", "right")]] = 0
    trails = Trails()
    for step in range(8):
        tracks = people((60 + 30 * step, 40, 220), scores=scores, time=step / 10)
        drawn = overlay(GREY, tracks, trails=trails, labels=False)
    assert (drawn[40 + round(0.52 * 220), 150] != 90).any()
    assert (drawn[260, 60:200] == 90).all()


@pytest.mark.parametrize("far", [1e6, 1e9, 3e38])
def test_a_box_far_beyond_the_picture_costs_no_memory(far: float) -> None:
    """Only what can be seen is drawn, dashes too: the inner side at x = 100, down the whole picture."""
    tracks = people((200, 60, 220), propagated=True)
    tracks.poses.boxes[0] = 100, -far, far, far
    drawn = overlay(GREY, tracks, boxes=True, labels=False, joint_threshold=1.0)
    rows, columns = (drawn != 90).any(axis=2).nonzero()
    assert set(columns) <= set(range(90, 111))
    assert rows.min() < 20
    assert rows.max() > 280


def test_a_limb_that_ends_far_beyond_the_picture_leaves_it_on_the_right_side() -> None:
    tracks = people((200, 60, 220))
    tracks.poses.keypoints[0, POSETRACK18.index("left_wrist")] = 1e9, tracks.poses.keypoints[0, 7, 1]
    row = round(float(tracks.poses.keypoints[0, 7, 1]))
    assert (overlay(GREY, tracks, labels=False)[row, 260:] != 90).any(axis=1).all()


anywhere = st.floats(-1e4, 1e4, width=32) | st.sampled_from([np.nan, np.inf, 0.0, 1e9, -3e38])


@given(st.lists(anywhere, min_size=2 * 17 + 4, max_size=2 * 17 + 4), st.booleans())
@settings(max_examples=40, deadline=None)
def test_whatever_the_numbers_the_picture_keeps_its_shape(numbers: list[float], shown: bool) -> None:
    poses = Poses([np.reshape(numbers[:34], (17, 2))], np.full((1, 17), 0.5), [numbers[34:]], [1.0], COCO17)
    tracks = Tracks(poses, [7], [shown], 0, 0.0, (400, 300))
    drawn = overlay(GREY, tracks, boxes=shown, trails=Trails() if shown else None)
    assert drawn.shape == GREY.shape
    assert drawn.dtype == np.uint8
    if not np.isfinite(numbers[34:]).all():
        assert np.array_equal(drawn, GREY)  # without a box nobody is drawn
