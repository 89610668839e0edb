"""FlowTracker in tiny worlds worked out by hand. A person is 20 x 60.

OKS of two who are d pixels apart is exp(-d^2 / 96): 0.3 at 10.7.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from posetrack.types import Detections, Frame, Poses
from tests.trackers.worlds import CUT, STILL, Shift, Walk, frame, people
from trackers import IouTracker, OksTracker
from trackers.base import Motion
from trackers.flow_tracker import PAPER_LETTER, FlowTracker, FlowTrackerSettings

Step = tuple[Motion, Poses]


def ids(tracker: FlowTracker, steps: Sequence[Step], fps: float = 10) -> list[list[int]]:
    """The ids of every frame, in the order of its poses."""
    result = []
    for index, (motion, poses) in enumerate(steps):
        tracker.propagate(motion)
        tracks = tracker.assign(frame(index, fps), poses, np.zeros(len(poses), bool))
        result.append(tracks.ids.tolist())
    return result


# The paper to the letter, and round numbers where it has none: the defaults may change, these worlds do not.
LETTER: dict[str, object] = {
    "threshold": 0.3, "nms_iou": 0.5,
    "propagate_score": 0.0, "match_joint_score": 0.0, "birth_score": 0.0, "duplicate_oks": 1.0,
}  # fmt: skip


def flow_tracker(**changes: object) -> FlowTracker:
    return FlowTracker(FlowTrackerSettings(**LETTER | changes))  # type: ignore[arg-type]


# ---- identities


def test_two_people_who_walk_through_each_other_keep_their_ids() -> None:
    # Steps of 30 px: without flow, the right one stands where the left one stood.
    steps: list[Step] = [
        (CUT, people((100, 100), (130, 100))),
        (Walk({100: 30, 130: -30}), people((130, 100), (100, 100))),
        (Walk({130: 30, 100: -30}), people((160, 100), (70, 100))),
    ]
    assert ids(flow_tracker(), steps) == [[1, 2], [1, 2], [1, 2]]
    assert ids(OksTracker(), steps)[1] == [2, 1]  # exchanged: the reason for flow
    assert ids(IouTracker(), steps)[1] == [2, 1]


def test_far_jump_with_flow_and_without() -> None:
    steps: list[Step] = [(CUT, people((100, 100))), (Shift(40), people((140, 100)))]
    assert ids(flow_tracker(), steps) == [[1], [1]]
    assert ids(OksTracker(), steps) == [[1], [2]]


@pytest.mark.parametrize(("frames_away", "expected"), [(1, 1), (3, 1), (4, 2)])
def test_return_after_occlusion_within_the_memory(frames_away: int, expected: int) -> None:
    away: list[Step] = [(Shift(5), people())] * frames_away
    steps: list[Step] = [
        (CUT, people((100, 100))),
        *away,
        (Shift(5), people((100 + 5 * (frames_away + 1), 100))),
    ]
    assert ids(flow_tracker(memory_frames=4), steps)[-1] == [expected]


@pytest.mark.parametrize(("fps", "expected"), [(10, 2), (30, 1)])
def test_memory_ages_in_seconds(fps: float, expected: int) -> None:
    # Away for 5 frames: 0.6 s at 10 frames/s, 0.2 s at 30.
    steps: list[Step] = [(CUT, people((100, 100))), *[(STILL, people())] * 5, (STILL, people((100, 100)))]
    tracker = flow_tracker(memory_frames=100, memory_seconds=0.5)
    assert ids(tracker, steps, fps)[-1] == [expected]


@pytest.mark.parametrize("match_all_poses", [True, False])
def test_an_older_pose_helps_where_the_newest_is_wrong(match_all_poses: bool) -> None:
    # Frame 1 shows the person 6 px off (a bad pose). Frame 2 is 12 px from that newest pose (OKS 0.22)
    # and 6 px from the one before (0.69).
    steps: list[Step] = [(CUT, people((100, 100))), (STILL, people((106, 100))), (STILL, people((94, 100)))]
    assert ids(flow_tracker(match_all_poses=match_all_poses), steps)[-1] == ([1] if match_all_poses else [2])


def test_somebody_leaves_and_somebody_else_comes() -> None:
    steps: list[Step] = [
        (CUT, people((100, 100), (300, 100))),
        (STILL, people((100, 100))),
        (STILL, people((100, 100), (200, 100))),
    ]
    assert ids(flow_tracker(), steps) == [[1, 2], [1], [1, 3]]


def test_a_cut_makes_everybody_new() -> None:
    steps: list[Step] = [(CUT, people((100, 100))), (STILL, people((100, 100))), (CUT, people((100, 100)))]
    assert ids(flow_tracker(), steps) == [[1], [1], [2]]
    assert ids(OksTracker(), steps) == [[1], [1], [2]]


@pytest.mark.parametrize("broken", [1, 3])
def test_a_glitch_costs_nobody_their_identity(broken: int) -> None:
    # In the broken frames somebody is seen who is not there; when the scene is back, everybody has moved on.
    steps: list[Step] = [
        (CUT, people((100, 100), (300, 100))),
        *[(CUT, people((200, 50)))] * broken,
        (Shift(40, resumed=True), people((140, 100), (340, 100))),
    ]
    assert ids(flow_tracker(), steps)[-1] == [1, 2]
    tracker = flow_tracker()
    ids(tracker, steps[:-1])
    assert len(tracker.propagate(Shift(40, resumed=True))) == 2  # and flow's boxes are there at once


def test_a_cut_that_is_not_taken_back_in_time_stays_one() -> None:
    steps: list[Step] = [
        (CUT, people((100, 100))),
        (CUT, people()),
        *[(STILL, people())] * 6,
        (CUT, people((50, 50))),
        (Shift(resumed=True), people((100, 100))),
    ]
    assert ids(flow_tracker(), steps)[-1] == [3]


@pytest.mark.parametrize(("prior", "expected"), [(1.0, [[1, 2], [1], [2]]), (0.85, [[1, 2], [1], [1]])])
def test_whoever_was_seen_a_frame_ago_is_likelier(prior: float, expected: list[list[int]]) -> None:
    # Two identities 3 px apart on one body: whichever pose fits a little better would take it in turns.
    steps: list[Step] = [
        (CUT, people((100, 100), (140, 100))),
        (Walk({100: 0, 140: -37}), people((101, 100))),  # flow takes both to one place, 3 px apart
        (STILL, people((102.5, 100))),  # 1.5 px from the first, 0.5 from the second
    ]
    tracker = flow_tracker(twin_prior=prior, match_all_poses=False, duplicate_oks=0.9)
    assert ids(tracker, steps) == expected


def test_reset_counts_from_one_again() -> None:
    tracker = flow_tracker()
    assert ids(tracker, [(CUT, people((100, 100)))]) == [[1]]
    tracker.reset()
    assert ids(tracker, [(CUT, people((300, 100)))]) == [[1]]


def test_greedy_and_hungarian_differ_as_they_should() -> None:
    # Old people at 100 and 110, new ones at 105 and 99. OKS falls with distance: distances
    #   105: 5 and 5; 99: 1 and 11. Greedy takes 99-100 first, leaves 105-110. Hungarian agrees here.
    # Old 100 and 108, new 101 and 95: 101 is 1 and 7 off, 95 is 5 and 13. Greedy: 101-100, then 95-108
    # (13 px, below 0.3) fails. Hungarian with 101-108 (7 px) and 95-100 (5 px) keeps both.
    steps: list[Step] = [(CUT, people((100, 100), (108, 100))), (STILL, people((101, 100), (95, 100)))]
    assert ids(flow_tracker(), steps)[1] == [1, 3]
    assert ids(flow_tracker(matching="hungarian"), steps)[1] == [2, 1]


def test_who_is_dropped() -> None:
    poses = people((100, 100), (102, 100), (300, 100), (350, 100), scores=[0.6, 0.9, 0.3, 0.05])
    tracker = flow_tracker(duplicate_oks=0.7, box_score=0.1, birth_score=0.4)
    tracker.propagate(CUT)
    tracks = tracker.assign(frame(0), poses, np.zeros(4, bool))
    # 100 repeats the better 102; 300 is too weak to start a track; 350 is nobody.
    assert tracks.poses.keypoints[:, 2, 0].tolist() == [102]
    assert tracks.ids.tolist() == [1]


def test_a_weak_pose_continues_a_track_that_it_could_not_start() -> None:
    tracker = flow_tracker(birth_score=0.5)
    weak = people((100, 100), scores=[0.3])
    assert ids(tracker, [(CUT, weak)]) == [[]]
    tracker.reset()
    assert ids(tracker, [(CUT, people((100, 100))), (STILL, weak)]) == [[1], [1]]


def test_the_defaults_do_not_track_the_same_person_twice() -> None:
    # The detector frames one person twice, 3 px apart. To the letter that makes two people.
    steps: list[Step] = [(CUT, people((100, 100), (103, 100), scores=[0.9, 0.6]))] * 2
    assert ids(FlowTracker(), steps) == [[1], [2]]  # frame 1 is a cut as well
    assert ids(flow_tracker(), steps) == [[1, 2], [3, 4]]


@pytest.mark.parametrize(("match_joint_score", "expected"), [(0.0, 2), (0.4, 1)])
def test_weak_joints_do_not_vote(match_joint_score: float, expected: int) -> None:
    # Three of four joints of the new pose are off by 90 px, but say so: OKS 1/4 with them, 1 without.
    astray = people((100, 100))
    points, scores = astray.keypoints.copy(), astray.keypoint_scores.copy()
    points[0, 1:] += 90
    scores[0, 1:] = 0.1
    new = Poses(points, scores, astray.boxes, astray.scores, astray.skeleton)
    steps: list[Step] = [(CUT, people((100, 100))), (STILL, new)]
    assert ids(flow_tracker(match_joint_score=match_joint_score), steps)[1] == [expected]


# ---- boxes from flow


@dataclass
class Counted:
    """A still picture that counts the questions."""

    calls: int = 0
    cut: bool = False
    resumed: bool = False

    def move(self, points: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        self.calls += 1
        return points, np.ones(len(points), bool)


def test_flow_is_asked_once_a_frame_for_all_that_is_remembered() -> None:
    motion = Counted()
    steps: list[Step] = [(CUT, people((100, 100))), *[(motion, people((100, 100), (200, 100)))] * 4]
    ids(flow_tracker(), steps)
    assert motion.calls == 4


def test_only_people_of_the_frame_before_are_carried() -> None:
    tracker = flow_tracker()
    ids(tracker, [(CUT, people((100, 100), (200, 100))), (STILL, people((200, 100)))])
    assert len(tracker.propagate(STILL)) == 1  # 100 is remembered, but not looked for
    tracker.assign(frame(2), people(), np.zeros(0, bool))
    assert len(tracker.propagate(STILL)) == 0
    tracks = tracker.assign(frame(3), people((100, 100), (200, 100)), np.zeros(2, bool))
    assert tracks.ids.tolist() == [1, 2]


def test_carried_box_is_the_extent_enlarged_by_15_percent() -> None:
    tracker = flow_tracker()
    ids(tracker, [(CUT, people((100, 100)))])
    expected = tracker.propagate(Shift(10, 4))
    # Joints x 92..112, y 70..130, moved by (10, 4); 15 % of 20 and 60 are 3 and 9, half on each side.
    np.testing.assert_allclose(expected.boxes, [[100.5, 69.5, 123.5, 138.5]])
    assert expected.scores[0] == pytest.approx(0.9)


def test_joints_that_flow_lost_do_not_stretch_the_box() -> None:
    tracker = flow_tracker()
    ids(tracker, [(CUT, people((100, 100)))])
    expected = tracker.propagate(Shift(10, 0, lost_from=110))  # the hand, at x = 112
    np.testing.assert_allclose(expected.boxes[0, [0, 2]], [102 - 0.6, 110 + 0.6], rtol=1e-6)


def test_a_person_lost_by_flow_keeps_its_guessed_box() -> None:
    tracker = flow_tracker()
    ids(tracker, [(CUT, people((100, 100)))])
    assert len(tracker.propagate(Shift(10, 0, lost_from=0))) == 1


@pytest.mark.parametrize(
    ("changes", "motion", "count"),
    [({}, STILL, 1), ({"propagate": False}, STILL, 0), ({"propagate_score": 0.95}, STILL, 0), ({}, CUT, 0)],
    ids=["carried", "switched off", "joints too weak", "cut"],
)
def test_when_a_box_is_carried(changes: dict[str, object], motion: Motion, count: int) -> None:
    tracker = flow_tracker(**changes)
    ids(tracker, [(CUT, people((100, 100)))])
    assert len(tracker.propagate(motion)) == count


def test_flow_stands_in_for_the_detector_for_a_limited_time() -> None:
    tracker = flow_tracker(propagate_seconds=0.25)
    carried = []
    for index in range(6):  # at 10 frames/s; detected only in frame 0
        expected = tracker.propagate(CUT if index == 0 else STILL)
        carried.append(len(expected))
        poses = people((100, 100)) if index == 0 or len(expected) else people()
        tracker.assign(frame(index), poses, np.full(len(poses), index > 0))
    # frame 3 is carried by the pose of 0.2 s; the pose of 0.3 s is too long undetected
    assert carried == [0, 1, 1, 1, 0, 0]


@pytest.mark.parametrize(
    ("name", "seen", "expected", "kept", "missed"),
    [
        ("both found: the detector's box", [[0, 0, 20, 60]], [[1, 0, 21, 60]], [0], 0),
        ("missed by the detector", [], [[1, 0, 21, 60]], [], 1),
        ("another person", [[100, 0, 120, 60]], [[1, 0, 21, 60]], [0], 1),
        ("two boxes on one person", [[0, 0, 20, 60], [1, 0, 21, 60]], [], [0], 0),
        ("two flow boxes on one person", [], [[0, 0, 20, 60], [1, 0, 21, 60]], [], 1),
        ("nobody", [], [], [], 0),
    ],
)
def test_merge_boxes(
    name: str, seen: list[list[float]], expected: list[list[float]], kept: list[int], missed: int
) -> None:
    rows, left = flow_tracker().merge_boxes(
        Detections(seen, [0.6] * len(seen)), Detections(expected, [0.9] * len(expected))
    )
    assert rows.tolist() == kept
    assert len(left) == missed


# ---- the paper to the letter


def test_a_carried_box_may_win_where_scores_decide() -> None:
    """A detected box of score 0.4 over a carried one of 0.9: ours keeps the former, the paper the better."""
    seen = Detections([[0, 0, 20, 60], [100, 0, 120, 60]], [0.4, 0.8])
    expected = Detections([[1, 0, 21, 60], [101, 0, 121, 60], [200, 0, 220, 60]], [0.9, 0.7, 0.1])
    kept, missed = flow_tracker().merge_boxes(seen, expected)
    assert (kept.tolist(), missed.boxes[:, 0].tolist()) == ([0, 1], [200])
    kept, missed = flow_tracker(nms_order="score").merge_boxes(seen, expected)
    assert (kept.tolist(), missed.boxes[:, 0].tolist()) == ([1], [1, 200])


def test_direct_flow_goes_from_each_remembered_picture_to_the_newest() -> None:
    """Somebody unseen for a frame. The chain of flows is 40 px off by then; one flow finds where they are."""
    asked: list[tuple[int, int]] = []

    def between(old: NDArray[np.uint8], new: NDArray[np.uint8]) -> Motion:
        asked.append((int(old[0, 0, 0]), int(new[0, 0, 0])))
        return Shift(dx=60)

    steps = [(CUT, people((100, 100))), (Shift(dx=20), people()), (Shift(dx=80), people((160, 100)))]

    def follow(tracker: FlowTracker) -> list[list[int]]:
        result = []
        for index, (motion, poses) in enumerate(steps):
            image = np.full((200, 400, 3), index, np.uint8)
            boxes = Detections(poses.boxes, poses.scores)
            tracks = tracker.update(
                Frame(image, index, index / 10), motion, boxes, poses, lambda missed: people()
            )
            result.append(tracks.ids.tolist())
        return result

    settings = replace(flow_tracker(memory_frames=2).settings, propagate=False)
    assert follow(FlowTracker(settings)) == [[1], [], [2]]
    assert follow(FlowTracker(replace(settings, direct_flow=True), between)) == [[1], [], [1]]
    assert asked == [(0, 2)]  # to the frame before there is the ordinary flow
    with pytest.raises(ValueError, match="direct_flow: give `between`"):
        FlowTracker(PAPER_LETTER)


def test_the_letter_has_no_threshold_that_the_paper_does_not_name() -> None:
    """Far apart, hardly scored, carried at any score: everybody is matched with whoever is left."""
    tracker = FlowTracker(replace(PAPER_LETTER, direct_flow=False))
    steps = [(CUT, people((100, 100), scores=[0.01], joint_scores=0.01)), (STILL, people((125, 100)))]
    assert ids(tracker, steps) == [[1], [1]]  # OKS 0.0015
    assert ids(FlowTracker(), steps) == [[], [1]]  # nobody is born with such scores
    tracker.reset()
    tracker.assign(frame(0), people((100, 100), joint_scores=0.01), np.zeros(1, bool))
    assert len(tracker.propagate(STILL)) == 1
