"""What counts as seen, with bodies made of one board each."""

from dataclasses import replace

import numpy as np
import pytest

from scripts.render.assets import Rig
from scripts.render.backdrop import Layers
from scripts.render.bodies import JOINT_BONES, PARTS, Appearance, Body
from scripts.render.lighting import develop
from scripts.render.picture import Crowd, Window, ZBuffer, photograph, photograph_before
from scripts.render.rasterise import Camera, rasterise
from scripts.render.truth import KEYPOINTS, measure, posetrack18

CAMERA = Camera((0, 1, 0), 200, (321, 201))
BONES = (*dict.fromkeys(JOINT_BONES.values()), "Head")
LANDMARKS = [name for name in KEYPOINTS if name not in JOINT_BONES]  # nose, head_top and the ears


def board(left, right, depth):
    """A person: a board 2 m high whose joints lie in a row from left to right, 10 cm behind its front."""
    corners = np.array([[left, 0, 0], [right, 0, 0], [right, 2, 0], [left, 2, 0]], float) - [0, 0, depth]
    x = dict(zip(KEYPOINTS, np.linspace(left + 0.05, right - 0.05, 17), strict=True))
    points = np.array([[x[name], 1, -depth - 0.1] for name in LANDMARKS])
    heads = {bone: [x[name], 1, -depth - 0.1] for name, bone in JOINT_BONES.items()} | {"Head": [0, 0, 0]}
    vertices = np.concatenate([corners, points])
    weights = np.zeros((len(vertices), len(BONES)))
    weights[:, BONES.index("Head")] = np.arange(len(vertices)) >= 4
    rig = Rig(BONES, (-1,) * len(BONES), (), (), weights)
    places = np.array([heads[bone] for bone in BONES], float)
    landmarks = {name: 4 + i for i, name in enumerate(LANDMARKS)}
    parts = np.zeros(len(vertices), int)
    triangles = np.array([[0, 1, 2], [0, 2, 3]])
    body = Body(
        Appearance({}, "", "", "", {}),
        vertices,
        triangles,
        parts,
        weights,
        places,
        places,
        rig,
        landmarks,
        {},
    )
    return body, vertices, places


def look_at(people):
    """The z-buffer of some boards, two samples per pixel."""
    crowd = Crowd([p[0] for p in people], [p[1] for p in people])
    points = CAMERA.project(np.concatenate(crowd.vertices))
    window = Window.around(points, CAMERA, 2)
    points[:, :2] = window.samples_of(points[:, :2])
    return ZBuffer(rasterise(points, crowd.triangles, window.size), window, crowd.owners)


def test_one_person_is_seen_whole():
    person = board(-0.5, 0.5, depth=4)
    truth = measure(*person, CAMERA, look_at([person]), 0)
    assert truth.visible.all()
    assert truth.inside.all()
    assert truth.seen == pytest.approx(1)
    # 1 m at 4 m is 50 px; the joints lie 10 cm deeper: 0.45 m at 4.1 m is 21.95 px from the middle at 160
    np.testing.assert_allclose(truth.box, [160 - 25, 50, 160 + 25, 150])
    np.testing.assert_allclose(truth.keypoints[[0, -1], 0], [160 - 21.951, 160 + 21.951], atol=1e-3)
    np.testing.assert_allclose(truth.keypoints[:, 1], 100)


def test_joints_behind_somebody_else_are_hidden():
    far, near = board(-0.8, 0.8, depth=4), board(0.02, 0.9, depth=2)
    seen = look_at([far, near])
    truth = measure(*far, CAMERA, seen, 0)
    np.testing.assert_array_equal(truth.visible, truth.keypoints[:, 0] < 162)  # it begins at 2 px
    assert truth.inside.all()
    assert measure(*near, CAMERA, seen, 1).visible.all()


def test_nobody_is_listed_who_cannot_be_seen():
    far, near = board(-0.3, 0.3, depth=6), board(-1.0, 1.0, depth=2)
    assert measure(*far, CAMERA, look_at([far, near]), 0) is None
    outside = board(9.0, 9.6, depth=4)
    assert measure(*outside, CAMERA, look_at([near, outside]), 1) is None


def test_a_joint_deep_inside_the_own_body_is_hidden():
    body, vertices, places = board(-0.5, 0.5, depth=4)
    seen = look_at([(body, vertices, places)])
    deep = places.copy()
    deep[BONES.index("LeftHand"), 2] -= 0.3  # 40 cm behind the front: an arm behind the trunk
    truth = measure(body, vertices, deep, CAMERA, seen, 0)
    assert [n for n, v in zip(KEYPOINTS, truth.visible, strict=True) if not v] == ["left_wrist"]


def test_posetrack_form_of_somebody_half_outside():
    person = board(-4.2, -2.0, depth=4)  # the picture ends at x = -3.2
    truth = measure(*person, CAMERA, look_at([person]), 0)
    annotations = posetrack18([[], [(3, truth)]])
    assert [i["file_name"] for i in annotations["images"]] == [
        "images/val/000001_mpii_test/000000.jpg", "images/val/000001_mpii_test/000001.jpg"
    ]  # fmt: skip
    (found,) = annotations["annotations"]
    assert (found["image_id"], found["track_id"], found["id"]) == (10000010001, 3, 1000001000103)
    joints = np.array(found["keypoints"]).reshape(17, 3)
    np.testing.assert_array_equal((joints == 0).all(axis=1), ~truth.inside)
    assert 4 <= truth.inside.sum() < 17
    x, _, width, _ = found["bbox"]
    assert (x, x + width) == (-0.5, 60)  # cut at the border; -2 m at 4 m is 100 px left of the middle
    assert annotations["categories"][0]["keypoints"] == list(KEYPOINTS)


def test_people_stand_before_the_square():
    """A red board on grey ground: red where it is, darker ground where its shadow falls, else the ground."""
    body, vertices, _ = board(-0.5, 0.5, depth=4)
    red = replace(
        body,
        appearance=Appearance({}, "", "", "", {"shoe": (0.8, 0.1, 0.1)}),
        parts=np.full(len(vertices), PARTS.index("shoe")),
    )
    shape = CAMERA.size[::-1]
    grey = np.full((*shape, 3), 0.3, np.float32)
    square = Layers(grey, grey.copy(), np.ones(shape, np.float32))
    rng = np.random.default_rng(0)
    picture, seen = photograph(Crowd([red], [vertices]), square, CAMERA, CAMERA, 2, rng)
    empty = develop(2 * grey, np.random.default_rng(0))
    assert (seen.window.left, seen.window.width) == (133, 55)  # 135 to 185, two pixels more on each side
    redness = picture[..., 0].astype(int) - picture[..., 1]
    assert redness[60:140, 140:181].min() > 40
    assert np.abs(redness[:, :130]).max() < 15
    x, y, _ = CAMERA.project(np.array([0.6, 0, -4.5])).round().astype(int)  # behind and to the right
    assert (picture[y, x].astype(int) < empty[y, x].astype(int) - 30).all()
    np.testing.assert_allclose(picture[190, 10].astype(int), empty[190, 10].astype(int), atol=8)


def test_people_stand_before_a_photo():
    """The photo stays as it is beside them, whatever their light."""
    body, vertices, _ = board(-0.5, 0.5, depth=4)
    blue = replace(
        body,
        appearance=Appearance({}, "", "", "", {"shoe": (0.1, 0.1, 0.8)}),
        parts=np.full(len(vertices), PARTS.index("shoe")),
    )
    photo = np.full((*CAMERA.size[::-1], 3), 120, np.uint8)
    photo[:, :100] = (200, 90, 30)

    def picture(*light):
        rng = np.random.default_rng(0)
        return photograph_before(photo, Crowd([blue], [vertices]), CAMERA, 2, rng, *light)[0].astype(int)

    sunny, cloudy, dark = picture(), picture(0.0), picture(1.0, (0.3, 0.3, 0.3))
    board_there = np.s_[60:140, 140:181]
    for shot in (sunny, cloudy, dark):
        assert (shot[..., 2] - shot[..., 0])[board_there].min() > 20
        assert abs(shot[80:120, 220:260].mean() - 120) < 12  # the lens vignettes
        red, green, _ = shot[80:120, 30:70].mean(axis=(0, 1))
        assert red - green > 80
    assert sunny[board_there].mean() > cloudy[board_there].mean() + 5
    assert sunny[board_there].mean() > dark[board_there].mean() + 20
