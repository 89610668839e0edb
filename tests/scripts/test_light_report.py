"""The arithmetic of scripts/report_light.py on tiny worlds."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from light import failures, honesty, thresholds
from light.accuracy import line
from light.agreement import deviation_of_mean, registered
from light.curve import curve
from light.markdown import fill, table
from light.scenes import Clip, Score, count_boxes

from posetrack.datasets.people import Person
from posetrack.errors import PoseTrackError
from posetrack.evaluation.people import Frames, People
from posetrack.runtime.calibration import Calibration
from posetrack.skeletons import POSETRACK18
from posetrack.types import Frame, Poses, Tracks

K = len(POSETRACK18)


def test_table_and_fill():
    text = table(["a", "b"], [["x", 1.25], [3, float("nan")]])
    assert text == "| a | b |\n| --- | --- |\n| x | 1.2 |\n| 3 | - |"
    card = "a\n<!-- measured: speed -->\nold\nolder\n<!-- end -->\nb <!-- measured: other -->\n<!-- end -->"
    assert fill(card, "speed", "new") == card.replace("old\nolder", "new")
    with pytest.raises(PoseTrackError, match="0 places '<!-- measured: size"):
        fill(card, "size", "")


@pytest.mark.parametrize("angle", [0.0, 0.7, np.pi / 2])
def test_motion_kernel_is_a_line_through_its_middle(angle):
    kernel = line(4.0, angle)
    assert kernel.sum() == pytest.approx(1)
    np.testing.assert_allclose(kernel, kernel[::-1, ::-1], atol=1e-6)  # moves nothing
    rows, columns = np.indices(kernel.shape) - len(kernel) // 2
    aside = rows * np.cos(angle) - columns * np.sin(angle)
    along = rows * np.sin(angle) + columns * np.cos(angle)
    assert np.abs(kernel * aside).sum() < 0.5
    spread = float(np.sqrt((kernel * along**2).sum()))
    assert spread == pytest.approx(4 / np.sqrt(12), rel=0.15)  # of a uniform line of 4 pixels


def test_two_copies_of_a_photo_are_laid_over_each_other():
    rng = np.random.default_rng(1)
    photo = cv2.GaussianBlur(rng.integers(0, 256, (200, 240, 3), np.uint8), (0, 0), 2)
    photo = cv2.normalize(photo, None, 0, 255, cv2.NORM_MINMAX)
    moved = np.array([[0.8, 0, 7], [0, 0.8, -5]])
    copy = cv2.warpAffine(photo, moved, (200, 150))
    found = registered(photo, copy)
    np.testing.assert_allclose(found[:, :2], moved[:, :2], atol=0.02)
    np.testing.assert_allclose(found[:, 2], moved[:, 2], atol=1.0)
    assert registered(photo, rng.integers(0, 256, (200, 240, 3), np.uint8)) is None
    assert registered(photo, np.zeros_like(photo)) is None


def test_standard_error_of_a_share_takes_photos_as_a_whole():
    counted = np.full(25, 10)
    assert deviation_of_mean(np.full(25, 7), counted) == 0
    hits = np.array([0, 10] * 13)[:25]
    assert deviation_of_mean(hits, counted) == pytest.approx(0.1, rel=0.03)  # as of 25 coins


def a_clip(boxes, ids, joints=None):
    """Frames of 100 x 100 with true boxes and identities."""
    frames = [Frame(np.zeros((100, 100, 3), np.uint8), t, t / 25) for t in range(len(boxes))]
    empty = People(*[np.zeros(0, np.int64)] * 3, *[np.zeros((0, 15))] * 3, np.zeros(0))
    return Clip(
        "tiny",
        frames,
        Frames((), np.zeros(0, bool), np.zeros(0, np.int64), {}),
        empty,
        [np.array(b, float).reshape(-1, 4) for b in boxes],
        [np.array(i, np.int64) for i in ids],
        joints or [np.zeros((len(b), K, 3)) for b in boxes],
    )


def some_tracks(t, boxes, ids, joint_score=0.9, points=None):
    n = len(ids)
    points = np.zeros((n, K, 2)) if points is None else points
    poses = Poses(points, np.full((n, K), joint_score), np.reshape(boxes, (n, 4)), np.ones(n), POSETRACK18)
    return Tracks(poses, ids, [False] * n, t, t / 25, (100, 100))


LEFT, RIGHT = [0, 0, 20, 50], [60, 0, 80, 50]
TRUTH = a_clip([[LEFT, RIGHT]] * 3, [[1, 2]] * 3)


@pytest.mark.parametrize(
    ("answer", "counts"),  # true boxes, misses, false boxes, switches, identities
    [
        ([([LEFT, RIGHT], [5, 6])] * 3, (6, 0, 0, 0, 2)),  # all found, under other names
        ([([LEFT, RIGHT], [5, 6])] * 2 + [([LEFT, RIGHT], [5, 7])], (6, 0, 0, 1, 3)),  # one renamed
        ([([LEFT], [5])] * 3, (6, 3, 0, 0, 1)),  # one never found
        ([([LEFT, [62, 20, 82, 70]], [5, 6])] * 3, (6, 3, 3, 0, 2)),  # one beside the person: IoU 0.36
        ([([], [])] * 3, (6, 6, 0, 0, 0)),
    ],
)
def test_count_boxes(answer, counts):
    tracks = [some_tracks(t, boxes, ids) for t, (boxes, ids) in enumerate(answer)]
    assert count_boxes(TRUTH, tracks, 0.3) == counts


def test_people_without_a_shown_joint_do_not_count():
    tracks = [some_tracks(t, [LEFT, RIGHT], [5, 6], joint_score=0.2) for t in range(3)]
    assert count_boxes(TRUTH, tracks, 0.3) == (6, 6, 0, 0, 0)


def test_faults():
    true = np.zeros((2, K, 3))
    true[..., :2] = np.arange(2 * K * 2).reshape(2, K, 2)
    true[..., 2] = 1
    true[:, failures.NECK, :2], true[:, failures.HEAD_TOP, :2] = (10, 20), (10, 10)  # a head of 10 pixels
    true[0, POSETRACK18.index("left_knee"), 2] = 0  # hidden
    clip = a_clip([[LEFT, RIGHT]], [[1, 2]], [true])
    points = true[:1, :, :2].copy()
    for name in ("nose", "left_ear", "left_knee"):  # a wrong one, one that nobody labels, a hidden one
        points[0, POSETRACK18.index(name)] += 6
    points[0, POSETRACK18.index("left_hip")] += 3  # 4.2 pixels: within half a head
    points = np.concatenate([points, points])
    found = failures.faults(clip, 0, some_tracks(0, [LEFT, [30, 50, 50, 99]], [1, 2], points=points), 0.3)
    assert found == failures.Faults(missed=1, invented=1, joints=1)


def test_worst_frames_lie_apart():
    weights = [0, 5, 9, 8, 0, 7, 0, 1]
    assert failures.worst(weights, 2, apart=2) == [2, 5]
    assert failures.worst(weights, 3, apart=4) == [2, 7]  # nothing is left for a third


GOOD = Score(0, 0, 0, 0, 0, 0, 0, 0, 0)


def test_descent_goes_no_further_than_it_must_and_builds_on_what_it_took():
    def evaluate(settings):
        gain = 5 - 10 * abs(settings.detector_score - 0.6)  # best at 0.6
        gain += 0.2 * (settings.tracker.birth_score == 0.5)  # better, but by too little
        gain += (
            4 * settings.joint_score if settings.detector_score == 0.6 else 0
        )  # visible only after the first
        return [replace(GOOD, mota=gain), replace(GOOD, mota=gain + 1)]

    tracker = replace(thresholds.PRESET.tracker, birth_score=0.35)
    start = replace(thresholds.PRESET, detector_score=0.4, joint_score=0.3, tracker=tracker)
    chosen, trials = thresholds.descend(evaluate, start)
    assert chosen == replace(start, detector_score=0.6, joint_score=0.6)
    first = [t for t in trials if t.setting == "detector_score"]
    assert [t.value for t in first] == [0.15, 0.25, 0.4, 0.5, 0.6, 0.7]
    assert first[2].mean("mota") == pytest.approx(3.5)


def test_settings_of_the_tracker_are_reached_by_name():
    settings = thresholds.changed(thresholds.PRESET, "tracker.birth_score", 0.11)
    assert settings.tracker.birth_score == thresholds.value_of(settings, "tracker.birth_score") == 0.11
    assert thresholds.changed(settings, "tracker.birth_score", 0.35).detector_score == settings.detector_score


def cases(scores, right, half, weight=1.0):
    n = len(scores)
    return honesty.Cases(np.array(scores), np.array(right, float), np.full(n, weight), np.array(half))


def test_halves_are_calibrated_on_each_other():
    # Half 0 says 0.5 where half of the cases are right; half 1 says 0.5 and 0.8, and three of four are right.
    scores = [0.5, 0.5, 0.8, 0.8] * 2 + [0.5] * 4 + [0.8] * 4
    right = [0, 1, 1, 1] + [0, 1, 1, 1] + [1, 1, 1, 0] * 2
    both = cases(scores, right, [0] * 8 + [1] * 8)
    crossed = both.crossed()
    other = cases(scores[8:], right[8:], [1] * 8).fit()
    np.testing.assert_array_equal(crossed[:8], both.honest(other)[:8])


def test_sets_together_weigh_the_same():
    together = honesty.Cases.together([cases([0.5] * 4, [0, 0, 0, 0], [0] * 4), cases([0.5], [1], [1])])
    assert np.average(together.right, weights=together.weights) == pytest.approx(0.5)
    assert together.reliability().ece == pytest.approx(0)


def test_any_stride_leaves_photos_in_both_halves():
    for stride in (1, 2, 8, 20):
        shares = np.mean([honesty.half_of(f"im{n:05d}.jpg") for n in range(9001, 9501, stride)])
        assert 0.25 < shares < 0.75


def test_curve_keeps_the_last_row(tmp_path):
    lines = []
    for n in range(1, 26):
        lines.append({"pictures": 1000 * n, "loss": 4.0, "width": 96 if n < 20 else 128})
        lines.append({"pictures": 1000 * n, "pck_lspet": float(n), "pck_others": 2.0 * n})
    log = tmp_path / "log.jsonl"
    log.write_text("\n".join(map(json.dumps, lines)) + "\n")
    rows = curve(log).splitlines()[2:]
    assert rows[-1] == "| 25,000 | 128 px | 25.0 | 50.0 |"
    assert rows[0] == "| 1,000 | 96 px | 1.0 | 2.0 |"
    assert len(rows) == 9


def test_a_person_is_worth_the_share_of_right_joints():
    keypoints, labelled = np.zeros((K, 2), np.float32), np.zeros(K, bool)
    for name, place in (("left_shoulder", (0, 0)), ("right_hip", (0, 50)), ("nose", (0, -20))):
        keypoints[POSETRACK18.index(name)], labelled[POSETRACK18.index(name)] = place, True
    pseudo = np.arange(K) == POSETRACK18.index("nose")
    person = Person("a.jpg", np.zeros(4, np.float32), keypoints, labelled, pseudo)
    found = keypoints.copy()
    found[POSETRACK18.index("right_hip")] += (0, 11)  # 0.22 torso
    assert honesty.share_right(found, person, human_only=True) == 0.5
    assert honesty.share_right(found, person, human_only=False) == pytest.approx(2 / 3)


def test_person_scores_by_what_is_calibrated():
    halves = np.array([0])
    people = honesty.FoundPeople(*(np.array([v]) for v in (0.8, 0.5, 0.6, 1.0)), halves)
    products = {name: c.scores[0] for name, c in people.cases(Calibration(0.5, 0.0)).items()}  # 0.8 is 2/3
    assert list(products.values()) == pytest.approx([0.4, 0.48, 0.4])


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        ([[300, 100, 340, 200]], (217, 92, 422, 207)),  # 115 high with the margin, 204.4 wide
        ([[0, 0, 640, 360]], (0, 0, 640, 360)),  # never larger than the picture
        ([[600, 300, 640, 360]], (517, 291, 640, 360)),  # never beyond it
    ],
)
def test_window_round_people(boxes, expected):
    assert failures.window(np.array(boxes, float), 640, 360) == expected
