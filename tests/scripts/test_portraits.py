"""Rendered training people: looks that can be dressed, cameras that see them, what their labels say."""

import re

import numpy as np

from scripts.render import people, portraits
from scripts.render.appearances import HAIR, SUITS, random_appearance
from scripts.render.bodies import Library
from scripts.render.motion import Clip
from scripts.render.portraits import LIMBS, SIZE, Studio, random_camera
from scripts.render.truth import KEYPOINTS, Truth

JOINTS = (
    "Hips",
    "LeftUpLeg",
    "LeftLeg",
    "RightUpLeg",
    "RightLeg",
    *(j for limb in LIMBS.values() for j in limb),
)


def truth(seen=1.0, inside=None, visible=None):
    points = np.stack([10.0 + np.arange(17), 20.0 + 2 * np.arange(17)], axis=1)
    all_of = np.ones(17, bool)
    return Truth(
        points,
        all_of if visible is None else visible,
        all_of if inside is None else inside,
        np.array([5.0, 6.0, 45.0, 86.0]),
        np.zeros(4),
        seen,
    )


def labelled(person):
    return {name for name, v in zip(KEYPOINTS, person["keypoints"][2::3], strict=True) if v}


def test_hidden_joints_have_labels_but_hidden_noses_do_not():
    visible = np.ones(17, bool)
    visible[[KEYPOINTS.index("nose"), KEYPOINTS.index("left_knee")]] = False
    found = people.person(truth(visible=visible))
    assert labelled(found) == set(KEYPOINTS) - {"nose", "left_ear", "right_ear"}
    assert found["keypoints"][3:6] == [11.0, 22.0, 1.0]
    assert found["keypoints"][:3] == [0, 0, 0]
    assert (found["bbox"], found["score"]) == ([5, 6, 40, 80], 1.0)


def test_joints_outside_and_people_mostly_hidden_have_no_labels():
    inside = np.arange(17) < 13
    assert labelled(people.person(truth(inside=inside))) == set(KEYPOINTS[:13]) - {"left_ear", "right_ear"}
    hidden = people.person(truth(seen=people.LEAST_SEEN - 0.01))
    assert labelled(hidden) == set()
    assert (hidden["bbox"], hidden["score"]) == ([5, 6, 40, 80], people.HIDDEN_SCORE)


def test_looks_suit_the_body_and_colours_are_colours():
    looks = [random_appearance(np.random.default_rng(seed)) for seed in range(200)]
    for look in looks:
        (kind,) = [target for target in look.shape if re.match("caucasian|asian|african", target)]
        sex = kind.split("-")[1]
        assert look.suit in SUITS[sex]
        assert look.hair in HAIR[sex]
        assert all(0 < channel < 1 for colour in look.colours.values() for channel in colour)
        assert {f"{part}_second" for part in look.patterns} <= look.colours.keys()
    assert len({look.suit for look in looks}) == 6
    assert random_appearance(np.random.default_rng(3)) == looks[3]


def test_cameras_see_the_whole_person_mostly():
    person = np.array([[x, y, z] for x in (0.7, 1.3) for y in (0.0, 1.75) for z in (-2.2, -1.8)])
    whole, sides = 0, set()
    for seed in range(200):
        camera = random_camera(person, np.random.default_rng(seed))
        points = camera.project(person)
        assert points[:, 2].min() > 0.5
        whole += bool(((points[:, :2] >= 0) & (points[:, :2] <= SIZE - 1)).all())
        extent = points[:, 1].max() - points[:, 1].min()
        assert 60 < extent < 400
        sides.add(int(camera.yaw // (np.pi / 2)) % 4)
    assert whole > 150
    assert len(sides) == 4


def studio(monkeypatch, clips):
    monkeypatch.setattr(portraits.Studio, "clips", clips)
    return Studio(Library("nowhere"), [], seed=1)


def still_clip(angle):
    """Two frames in which every joint is turned about y by the same angle."""
    turned = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    rotations = np.tile(turned, (2, len(JOINTS), 1, 1))
    return Clip(JOINTS, (-1,) * len(JOINTS), np.zeros((len(JOINTS), 3)), {}, rotations, np.zeros((2, 3)), 30)


def test_poses_are_rotations_and_leave_the_clips_as_they_are(monkeypatch):
    clips = [still_clip(0.0), still_clip(1.0)]
    before = [clip.rotations.copy() for clip in clips]
    poses = [studio(monkeypatch, clips).pose(np.random.default_rng(seed)) for seed in range(100)]
    for clip, rotations in poses:
        assert any(clip is c for c in clips)
        np.testing.assert_allclose(
            rotations @ rotations.transpose(0, 2, 1), np.tile(np.eye(3), (len(JOINTS), 1, 1)), atol=1e-9
        )
    for clip, rotations in zip(clips, before, strict=True):
        np.testing.assert_array_equal(clip.rotations, rotations)
    knees = [rotations[JOINTS.index("LeftLeg")] for _, rotations in poses]
    bends = np.degrees(np.arccos(np.clip([knee[1, 1] for knee in knees], -1, 1)))  # of what points down
    assert (bends > 60).sum() > 5  # some sit
    assert (bends < 20).sum() > 40  # most stand
    again = studio(monkeypatch, clips).pose(np.random.default_rng(7))[1]
    np.testing.assert_array_equal(again, poses[7][1])


def test_places_fill_the_picture(monkeypatch):
    photos = [np.full((200, 300, 3), 10, np.uint8), np.full((500, 400, 3), 240, np.uint8)]
    here = Studio(Library("nowhere"), photos, seed=1)
    shots = [here.place(np.random.default_rng(seed)) for seed in range(20)]
    assert all(shot.shape == (SIZE, SIZE, 3) for shot in shots)
    assert {int(shot.max()) for shot in shots} == {10, 240}
