"""Reading labelled people and their pictures, and what happens when either is broken."""

import io
import json
import tarfile

import cv2
import numpy as np
import pytest

from posetrack.datasets.archives import read_tar_images
from posetrack.datasets.lspet import (
    BEHIND_WEIGHT,
    BYSTANDER_WEIGHT,
    UPRIGHT_WEIGHT,
    read_held_out,
    read_lspet,
    read_rendered,
)
from posetrack.datasets.people import (
    Person,
    near_duplicates_of,
    pose_type,
    read_people,
    view,
)
from posetrack.errors import InputError
from posetrack.skeletons import COCO17, POSETRACK18

K = len(POSETRACK18)


def annotation(image_id, points, **more):
    triples = [0.0] * (3 * K)
    for name, (x, y) in points.items():
        slot = 3 * POSETRACK18.index(name)
        triples[slot : slot + 3] = [x, y, 1]
    return {"image_id": image_id, "keypoints": triples, "bbox": [1, 2, 10, 20], **more}


def write_labels(path, annotations, names):
    images = [{"id": i, "file_name": name} for i, name in enumerate(names, 1)]
    category = {"keypoints": POSETRACK18.keypoints}
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": [category]}))
    return path


def write_tar(path, pictures):
    with tarfile.open(path, "w") as archive:
        for name, data in pictures.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def png(colour):
    return cv2.imencode(".png", np.full((4, 5, 3), colour, np.uint8)[..., ::-1])[1].tobytes()


STANDING = {"left_shoulder": (5, 5), "right_shoulder": (3, 5), "left_hip": (5, 15), "right_hip": (3, 15)}


def test_people_are_read_with_their_pseudo_joints(tmp_path):
    path = write_labels(
        tmp_path / "a.json",
        [
            annotation(1, {"nose": (3, 4), "head_top": (3, 1)}, pseudo=["nose"]),
            annotation(2, {}),  # nobody labelled a joint
            annotation(3, {"left_knee": (7, 8)}),
        ],
        ["1.jpg", "2.jpg", "3.jpg"],
    )
    first, second = read_people(path, POSETRACK18)
    assert (first.image, second.image) == ("1.jpg", "3.jpg")
    np.testing.assert_array_equal(first.box, [1, 2, 11, 22])
    np.testing.assert_array_equal(first.keypoints[0], [3, 4])
    assert np.flatnonzero(first.labelled).tolist() == [0, 2]
    assert np.flatnonzero(first.pseudo).tolist() == [0]
    (machine,) = read_people(path, POSETRACK18, pseudo=True, skip=["1.jpg"])
    assert np.flatnonzero(machine.pseudo).tolist() == [POSETRACK18.index("left_knee")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not JSON"),
        ("[]", "is no COCO-keypoints JSON"),
        ('{"images": []}', "is no COCO-keypoints JSON"),
        ("no json", "not JSON"),
    ],
)
def test_labels_that_are_none(tmp_path, content, message):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(InputError, match=rf"a\.json:? {message}"):
        read_people(tmp_path / "a.json", POSETRACK18)


def test_labels_of_another_skeleton(tmp_path):
    path = write_labels(tmp_path / "a.json", [], [])
    with pytest.raises(InputError, match="expected those of coco17"):
        read_people(path, COCO17)


def test_pictures_are_rgb_and_only_the_wanted_ones_are_kept(tmp_path):
    path = write_tar(tmp_path / "a.tar", {"1.png": png((250, 20, 3)), "2.png": png((1, 2, 3))})
    images = read_tar_images([path], ["1.png"])
    assert list(images) == ["1.png"]
    assert images["1.png"].shape == (4, 5, 3)
    assert images["1.png"][0, 0].tolist() == [250, 20, 3]


def test_lost_pictures_are_counted_and_named(tmp_path):
    path = write_tar(tmp_path / "a.tar", {"1.png": png(9), "2.png": b"no picture", "3.png": b""})
    message = r"3 of 4 pictures are lost \(2 do not decode, 1 are missing\): 2\.png, 3\.png, 4\.png$"
    with pytest.raises(InputError, match=message):
        read_tar_images([path], ["1.png", "2.png", "3.png", "4.png"])


def test_an_archive_that_is_none(tmp_path):
    (tmp_path / "a.tar").write_bytes(b"junk" * 300)
    with pytest.raises(InputError, match=r"a\.tar is no readable tar archive"):
        read_tar_images([tmp_path / "a.tar"], ["1.png"])


@pytest.mark.parametrize(
    ("shoulders", "hips", "expected"),
    [
        ((50, 10), (50, 60), "upright"),
        ((90, 10), (50, 60), "upright"),  # 39 degrees
        ((110, 10), (50, 60), "bent"),  # 50 degrees
        ((0, 60), (50, 60), "bent"),
        ((50, 60), (50, 10), "inverted"),
        ((50, 60), None, None),
    ],
)
def test_pose_type(shoulders, hips, expected):
    keypoints, labelled = np.zeros((K, 2), np.float32), np.zeros(K, bool)
    for name, point in (("left_shoulder", shoulders), ("right_hip", hips)):
        if point is not None:
            keypoints[POSETRACK18.index(name)], labelled[POSETRACK18.index(name)] = point, True
    someone = Person("a.jpg", np.zeros(4, np.float32), keypoints, labelled, np.zeros(K, bool))
    assert pose_type(someone, POSETRACK18) == expected


def test_near_duplicates_of_held_out_pictures_only(tmp_path):
    pairs = [("1", "2"), ("9", "1"), ("3", "9"), ("8", "9"), ("4", "8")]
    (tmp_path / "d.json").write_text(json.dumps([{"a": a, "b": b} for a, b in pairs]))
    assert near_duplicates_of(tmp_path / "d.json", {"8", "9"}) == {"1", "3", "4"}


def test_the_pack_leaves_out_what_repeats_held_out_pictures(tmp_path):
    lying = {"left_shoulder": (5, 5), "left_hip": (15, 5)}
    from_behind = STANDING | {"right_shoulder": (7, 5), "right_hip": (7, 15)}
    write_labels(
        tmp_path / "lspet_train.json",
        [annotation(1, STANDING), annotation(2, lying), annotation(3, STANDING), annotation(4, from_behind)],
        ["1.png", "2.png", "3.png", "5.png"],
    )
    write_labels(tmp_path / "other_people_train.json", [annotation(1, {"nose": (1, 1)})], ["2.png"])
    write_labels(tmp_path / "lspet_val.json", [annotation(1, STANDING, pseudo=["left_hip"])], ["4.png"])
    write_labels(tmp_path / "other_people_val.json", [annotation(1, {"nose": (1, 1)})], ["4.png"])
    write_tar(tmp_path / "train-00.tar", {f"{i}.png": png(i) for i in (1, 2, 5)})
    write_tar(tmp_path / "val.tar", {"4.png": png(4)})
    (tmp_path / "near_duplicates.json").write_text(json.dumps([{"a": "3.png", "b": "4.png"}]))

    pack = read_lspet(tmp_path)

    assert [(p.image, p.weight) for p in pack.people] == [
        ("1.png", UPRIGHT_WEIGHT),
        ("2.png", 1.0),
        ("5.png", UPRIGHT_WEIGHT * BEHIND_WEIGHT),
        ("2.png", BYSTANDER_WEIGHT),
    ]
    assert [p.pseudo.any() for p in pack.people] == [False, False, False, True]
    assert set(pack.pictures) == {"1.png", "2.png", "5.png"}
    athletes, bystanders = read_held_out(tmp_path)
    assert athletes.human_only
    assert not bystanders.human_only

    write_labels(
        tmp_path / "people.json",
        [annotation(1, STANDING), annotation(1, lying), annotation(2, {})],
        ["r.png", "h.png"],
    )
    write_tar(tmp_path / "people.tar", {"r.png": png(7), "h.png": png(8)})
    rendered = read_rendered(tmp_path)
    assert [p.image for p in rendered.people] == ["r.png", "r.png"]  # nobody without a joint
    assert set(rendered.pictures) == {"r.png"}


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ({"left_shoulder": (60, 20), "right_shoulder": (40, 20), "left_hip": (55, 60)}, "front"),
        ({"left_shoulder": (40, 20), "right_shoulder": (60, 20), "left_hip": (45, 60)}, "behind"),
        # 3 pixels are under a twenty-fifth of the box's height of 100
        ({"left_shoulder": (53, 20), "right_shoulder": (50, 20), "left_hip": (51, 60)}, "side"),
        # shoulders +10, hips -30: turned at the waist, but more behind than front
        (
            {
                "left_shoulder": (55, 20),
                "right_shoulder": (45, 20),
                "left_hip": (35, 60),
                "right_hip": (65, 60),
            },
            "behind",
        ),
        ({"left_shoulder": (50, 20), "left_hip": (50, 60)}, None),  # no pair
        ({"left_shoulder": (60, 60), "right_shoulder": (40, 60), "left_hip": (55, 20)}, None),  # upside down
    ],
    ids=["front", "behind", "side", "turned at the waist", "no pair", "not upright"],
)
def test_view(points, expected):
    keypoints, labelled = np.zeros((K, 2), np.float32), np.zeros(K, bool)
    for name, point in points.items():
        keypoints[POSETRACK18.index(name)], labelled[POSETRACK18.index(name)] = point, True
    box = np.array([0, 0, 50, 100], np.float32)
    assert view(Person("a.jpg", box, keypoints, labelled, np.zeros(K, bool)), POSETRACK18) == expected
