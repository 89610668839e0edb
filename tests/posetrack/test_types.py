"""The nouns check their shapes, take masks and integers as index, and concatenate."""

import numpy as np
import pytest

from posetrack.skeletons import COCO17, MPII16, POSETRACK17, POSETRACK18, SKELETONS, convert
from posetrack.types import Detections, Poses, Tracks


def poses(n: int) -> Poses:
    return Poses(
        np.arange(n * 34).reshape(n, 17, 2), np.full((n, 17), 0.5), np.zeros((n, 4)), np.arange(n), COCO17
    )


def test_wrong_shapes_are_named() -> None:
    with pytest.raises(ValueError, match=r"Detections\.boxes has shape \(2, 3\), expected \(-1, 4\)"):
        Detections([[1, 2, 3], [4, 5, 6]], [0.1, 0.2])
    with pytest.raises(ValueError, match=r"Detections\.scores has shape \(1,\), expected \(2,\)"):
        Detections(np.zeros((2, 4)), [0.1])
    with pytest.raises(ValueError, match=r"Poses\.keypoints"):
        Poses(np.zeros((1, 16, 2)), np.zeros((1, 17)), np.zeros((1, 4)), [1], COCO17)
    with pytest.raises(ValueError, match=r"Tracks\.ids"):
        Tracks(poses(2), [1], [False, False], 0, 0.0, (4, 4))


def test_nobody() -> None:
    nobody = Tracks.empty(COCO17, 3, 0.1, (640, 480))
    assert len(nobody) == len(nobody.poses) == len(Detections.empty()) == 0
    assert nobody.poses.keypoints.shape == (0, 17, 2)
    assert len(nobody[np.zeros(0, bool)]) == 0


def test_index_and_concatenate() -> None:
    p = poses(3)
    assert p[p.scores > 0.5].scores.tolist() == [1, 2]
    assert p[np.array([2, 0])].scores.tolist() == [2, 0]
    assert (p[:1] + p[1:]).keypoints.tolist() == p.keypoints.tolist()
    tracks = Tracks(p, [5, 6, 7], [False, True, False], 2, 0.5, (10, 20))
    assert tracks[tracks.propagated].ids.tolist() == [6]
    both = Tracks.concatenate([tracks[:1], tracks[1:]])
    assert both.ids.tolist() == [5, 6, 7]
    assert (both.index, both.time, both.size) == (2, 0.5, (10, 20))
    with pytest.raises(ValueError, match="frames"):
        Tracks.concatenate([tracks, Tracks.empty(COCO17, 3, 0.6, (10, 20))])
    with pytest.raises(ValueError, match="skeletons"):
        _ = p + Poses.empty(MPII16)


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=lambda s: s.name)
def test_skeletons_are_sound(skeleton) -> None:  # type: ignore[no-untyped-def]
    assert len(set(skeleton.keypoints)) == len(skeleton) == len(skeleton.sigmas)
    assert skeleton.flip_order[skeleton.flip_order].tolist() == list(range(len(skeleton)))
    for a, b in skeleton.flip_pairs:
        assert skeleton.keypoints[a].replace("left", "right") == skeleton.keypoints[b]
    touched = {i for edge in skeleton.edges for i in edge}
    unlinked = {skeleton.keypoints[i] for i in set(range(len(skeleton))) - touched}
    assert unlinked <= {"left_ear", "right_ear"}  # PoseTrack does not label them


def test_posetrack17_order_of_posetrack18() -> None:
    order = [POSETRACK18.index(name) for name in POSETRACK17.keypoints]
    assert order == [16, 14, 12, 11, 13, 15, 10, 8, 6, 5, 7, 9, 1, 0, 2]


def test_mpii_flip_pairs() -> None:
    assert {tuple(sorted(p)) for p in MPII16.flip_pairs} == {
        (0, 5), (1, 4), (2, 3), (10, 15), (11, 14), (12, 13)
    }  # fmt: skip


def test_neck_and_head_top_from_coco() -> None:
    points, scores = np.zeros((2, 17, 2), np.float32), np.full((2, 17), 0.5, np.float32)
    points[:, 0], points[:, 5], points[:, 6] = (50, 20), (60, 42), (40, 38)
    scores[0, 5], scores[0, 6] = 0.8, 0.6
    scores[1, 6] = 0  # right shoulder missing
    joints, values = convert(points, scores, COCO17, POSETRACK18)
    assert joints[0, POSETRACK18.index("head_bottom")].tolist() == [50, 40]
    assert joints[0, POSETRACK18.index("head_top")].tolist() == [50, 0]  # 2 nose - head_bottom
    assert values[0, [1, 2]].tolist() == pytest.approx([0.7, 0.7])
    assert values[1, [1, 2]].tolist() == [0, 0]
    assert joints[0, POSETRACK18.index("left_shoulder")].tolist() == [60, 42]


def test_convert_there_and_back_keeps_shared_joints() -> None:
    points = np.random.default_rng(0).random((3, 17, 2)).astype(np.float32)
    scores = np.random.default_rng(1).random((3, 17)).astype(np.float32)
    there = convert(points, scores, POSETRACK18, POSETRACK17)
    back = convert(*there, POSETRACK17, POSETRACK18)
    ears = [3, 4]
    kept = [k for k in range(17) if k not in ears]
    np.testing.assert_array_equal(back[0][:, kept], points[:, kept])
    assert (back[1][:, ears] == 0).all()


def test_hidden_joints_have_neither_score_nor_position() -> None:
    poses = Poses([[[1, 2]] * 17], [[0.5] * 17], [[0, 0, 9, 9]], [0.9], POSETRACK18)
    joints = np.arange(17)[None] == 3
    hidden = poses.hide(joints)
    assert hidden.keypoints[0, 3].tolist() == [0, 0]
    assert hidden.keypoint_scores[0].tolist() == [0.5] * 3 + [0] + [0.5] * 13
    weak = Tracks(hidden, [1], [False], 0, 0.0, (9, 9)).hide_weak_joints(0.6)
    assert not weak.poses.keypoint_scores.any()
    assert not weak.poses.keypoints.any()
