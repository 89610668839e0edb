"""Colours of clothes: histograms of painted people, and people who come back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from posetrack.skeletons import POSETRACK18
from posetrack.types import Frame, Poses
from tests.trackers.worlds import CUT, STILL, people
from trackers.appearance import alike, histograms, looks_of
from trackers.base import Motion
from trackers.flow_tracker import FlowTracker, FlowTrackerSettings
from trackers.gallery import Gallery

Colour = tuple[int, int, int]
RED, BLUE, GREEN, DARK = (200, 40, 40), (40, 60, 200), (60, 180, 60), (50, 45, 40)
FPS = 10.0

# A person about (0, 0) in a box of 40 x 80: trunk 14 wide from -18 to 6, thighs down to 18.
PLACES = {
    "left_shoulder": (7, -18), "right_shoulder": (-7, -18), "left_hip": (5, 6), "right_hip": (-5, 6),
    "left_knee": (5, 18), "right_knee": (-5, 18), "left_ankle": (5, 30), "right_ankle": (-5, 30),
    "head_top": (0, -30),
}  # fmt: skip


def poses(*places: tuple[float, float]) -> Poses:
    points = np.zeros((len(places), len(POSETRACK18), 2), np.float32)
    scores = np.zeros(points.shape[:2], np.float32)
    for name, (x, y) in PLACES.items():
        slot = POSETRACK18.index(name)
        points[:, slot] = np.array(places).reshape(-1, 2) + np.array([x, y])
        scores[:, slot] = 0.9
    boxes = [(x - 20, y - 40, x + 20, y + 40) for x, y in places]
    return Poses(points, scores, boxes, [0.9] * len(places), POSETRACK18)


def painted(*people: tuple[tuple[float, float], Colour, Colour]) -> NDArray[np.uint8]:
    """Grey, and rectangles as trunk and legs; later people in front."""
    image = np.full((200, 600, 3), 128, np.uint8)
    for (x, y), shirt, trousers in people:
        x, y = int(x), int(y)
        image[y - 20 : y + 7, x - 7 : x + 7] = shirt
        image[y + 7 : y + 30, x - 7 : x + 7] = trousers
    return image


Step = tuple[Motion, NDArray[np.uint8], Poses]


def ids(steps: Sequence[Step], **changes: object) -> list[list[int]]:
    settings: dict[str, object] = {
        "threshold": 0.2, "memory_frames": 5, "memory_seconds": 0.5, "match_all_poses": False,
        "duplicate_oks": 1.0, "reid_threshold": 0.85, "reid_seconds": 2.0,
    }  # fmt: skip
    tracker = FlowTracker(FlowTrackerSettings(**settings | changes))  # type: ignore[arg-type]
    result = []
    for index, (motion, image, found) in enumerate(steps):
        tracker.propagate(motion)
        frame = Frame(image, index, index / FPS)
        result.append(tracker.assign(frame, found, np.zeros(len(found), bool)).ids.tolist())
    return result


# ---- histograms


def test_histograms_are_unit_vectors_and_tell_colours_apart() -> None:
    image = np.zeros((4, 40, 3), np.uint8)
    shades = [RED, BLUE, (220, 55, 50), (255, 255, 255)]  # the third is red in more light
    for k, shade in enumerate(shades):
        image[:, 10 * k : 10 * k + 10] = shade
    points = np.array([[[10 * k + 5, y] for y in range(4)] for k in range(4)], float)
    each = histograms(image, points)
    np.testing.assert_allclose(np.linalg.norm(each, axis=1), 1, atol=1e-6)
    likeness = each @ each.T
    assert likeness[0, 1] < 0.01
    assert likeness[0, 2] > 0.6
    assert likeness[0, 3] < 0.01


def test_points_outside_the_picture_do_not_count() -> None:
    image = np.full((10, 10, 3), RED, np.uint8)
    inside, half, outside = [[2, 2], [3, 3]], [[2, 2], [30, 3]], [[-5, 2], [3, 99]]
    each = histograms(image, np.array([inside, half, outside], float))
    np.testing.assert_allclose(each[0], each[1], atol=1e-6)
    assert not each[2].any()


def test_parts_without_their_joints_are_not_compared() -> None:
    image = painted(((100, 100), RED, DARK), ((200, 100), RED, BLUE))
    found = poses((100, 100), (200, 100))
    whole = looks_of(image, found)
    assert whole.known.all()
    likeness = alike(whole, whole)
    assert likeness[0, 0] == pytest.approx(1, abs=1e-5)
    assert likeness[0, 1] == pytest.approx(0.5, abs=0.1)  # the same shirt, other trousers
    scores = found.keypoint_scores.copy()
    scores[0, POSETRACK18.index("left_knee")] = 0.05
    legless = Poses(found.keypoints, scores, found.boxes, found.scores, POSETRACK18)
    looks = looks_of(image, legless, joint_score=0.1)
    assert looks.known.tolist() == [[True, False], [True, True]]
    assert alike(looks, looks)[0, 1] == pytest.approx(1, abs=0.1)  # of trunks alone
    scores[0] = 0
    nothing = looks_of(image, Poses(found.keypoints, scores, found.boxes, found.scores, POSETRACK18))
    assert np.isnan(alike(nothing, nothing)[0]).all()


# ---- people who come back


def test_skeletons_without_a_trunk_go_by_places() -> None:
    image = np.zeros((200, 400, 3), np.uint8)
    looks = looks_of(image, people((100, 100)))
    assert len(looks) == 1
    assert not looks.known.any()
    steps: list[Step] = [(CUT, image, people((100, 100))), (STILL, image, people((103, 100)))]
    assert ids(steps) == [[1], [1]]


def away(frames: int, image: NDArray[np.uint8]) -> list[Step]:
    return [(STILL, image, poses())] * frames


@pytest.mark.parametrize(
    ("frames", "place", "clothes", "expected"),
    [
        (8, (150, 100), (RED, DARK), 1),  # a second later, less than a body height on
        (8, (150, 100), (BLUE, DARK), 2),  # somebody else
        (25, (150, 100), (RED, DARK), 2),  # longer than reid_seconds
        (8, (400, 100), (RED, DARK), 2),  # almost four body heights in a second
    ],
)
def test_return(
    frames: int, place: tuple[float, float], clothes: tuple[Colour, Colour], expected: int
) -> None:
    seen = painted(((100, 100), RED, DARK))
    steps: list[Step] = [(CUT, seen, poses((100, 100))), (STILL, seen, poses((100, 100)))]
    steps += away(frames, painted())
    steps.append((STILL, painted((place, *clothes)), poses(place)))
    assert ids(steps)[-1] == [expected]
    assert ids(steps, reid_threshold=None)[-1] == [2]
    assert ids(steps, memory_seconds=float("inf"))[-1] == [expected]  # another memory: of places


def test_nobody_comes_back_three_times_as_tall() -> None:
    seen = painted(((100, 100), RED, DARK))
    found = poses((100, 100))
    tall = Poses(found.keypoints, found.keypoint_scores, [(40, 0, 160, 240)], [0.9], POSETRACK18)
    start: list[Step] = [(CUT, seen, found), (STILL, seen, found), *away(8, painted())]
    assert ids([*start, (STILL, seen, found)])[-1] == [1]
    assert ids([*start, (STILL, seen, tall)])[-1] == [2]


def test_a_slow_change_of_light_is_followed() -> None:
    # From red to green in twenty steps, then out of sight: nobody remembers the red.
    shades = [tuple(np.linspace(RED, GREEN, 20)[k].astype(int).tolist()) for k in range(20)]
    steps: list[Step] = [(CUT, painted(((100, 100), RED, RED)), poses((100, 100)))]
    steps += [(STILL, painted(((100, 100), c, c)), poses((100, 100))) for c in shades for _ in range(4)]
    steps += [(STILL, painted(((100, 100), GREEN, GREEN)), poses((100, 100)))] * 10
    for clothes, expected in ((GREEN, 1), (RED, 2)):
        end: list[Step] = [
            *away(8, painted()),
            (STILL, painted(((100, 100), clothes, clothes)), poses((100, 100))),
        ]
        assert ids([*steps, *end])[-1] == [expected]


def test_the_gallery_forgets() -> None:
    gallery = Gallery(2.0)
    image, found = painted(((100, 100), RED, DARK)), poses((100, 100))
    looks = looks_of(image, found)
    for identity, time in ((1, 0.0), (2, 1.0), (3, 2.5)):
        gallery.remember(looks, found.boxes, np.array([identity]), time)
    assert set(gallery.members) == {2, 3}


def test_a_cut_ends_it() -> None:
    seen = painted(((100, 100), RED, DARK))
    steps: list[Step] = [(CUT, seen, poses((100, 100))), (CUT, seen, poses((100, 100)))]
    assert ids(steps) == [[1], [2]]


def test_present_people_are_not_taken_for_those_who_left() -> None:
    # Twins in the same clothes: the second one is new although the first one looks alike.
    first = painted(((100, 100), RED, DARK))
    both = painted(((100, 100), RED, DARK), ((160, 100), RED, DARK))
    steps: list[Step] = [
        (CUT, first, poses((100, 100))),
        (STILL, both, poses((100, 100), (160, 100))),
    ]
    assert ids(steps)[-1] == [1, 2]


def test_clothes_of_somebody_in_front_are_not_learned() -> None:
    # Blue passes before red for a second: red's joints then lie on blue cloth. Then red is away, and returns.
    red, apart = (100.0, 100.0), [(100.0, 100.0), (160.0, 100.0)]
    alone = painted((red, RED, DARK), (apart[1], BLUE, GREEN))
    crossing = painted((red, RED, DARK), ((104, 100), BLUE, GREEN))
    steps: list[Step] = [(CUT, alone, poses(*apart)), (STILL, alone, poses(*apart))]
    steps += [(STILL, painted((red, RED, DARK), ((130, 100), BLUE, GREEN)), poses(red, (130, 100)))]
    steps += [(STILL, crossing, poses(red, (108, 100)))] * 10
    steps += away(8, painted())
    steps.append((STILL, painted((red, RED, DARK)), poses(red)))
    assert ids(steps, threshold=0.02)[-1] == [1]
