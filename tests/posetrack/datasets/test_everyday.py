"""Everyday photos: names of joints, what is known of boxes, and what is left out."""

import io
import json
import tarfile
from dataclasses import replace

import cv2
import numpy as np
import pytest

from posetrack.benchmarks.everyday import read_everyday_set
from posetrack.datasets.everyday import read_everyday, read_photo_images
from posetrack.errors import InputError
from posetrack.skeletons import POSETRACK18

COCO_PERSON = {
    "box": [1.0, 2.0, 11.0, 22.0],
    "keypoints": {"nose": [5, 6, 2], "left_eye": [6, 5, 2], "left_ear": [7, 5, 1], "right_wrist": [0, 0, 0]},
}
MPII_PERSON = {
    "box": [0, 0, 30, 40],
    "keypoints": {"neck": [15, 10, 2], "head_top": [15, 1, 2], "thorax": [15, 12, 2], "pelvis": [15, 25, 2]},
}
CROWD = {"box": [0, 0, 9, 9], "keypoints": {"nose": [1, 1, 2]}, "crowd": True}
WITHOUT_JOINTS = {"box": [3, 3, 9, 30]}


def write(folder, source, split, people, **more):
    """One photo of 40 x 50 pixels, all of the colour (200, 100, 50)."""
    entry = {"file": "a.jpg", "width": 40, "height": 50, "people": people, **more}
    (folder / f"{source}_{split}.json").write_text(json.dumps([entry]))
    data = cv2.imencode(".png", np.full((50, 40, 3), (50, 100, 200), np.uint8))[1].tobytes()
    with tarfile.open(folder / f"{source}_{split}.tar", "w") as archive:
        member = tarfile.TarInfo("a.jpg")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))


def labelled_names(person):
    return {POSETRACK18.keypoints[k] for k in np.nonzero(person.labelled)[0]}


def test_joints_of_coco_keep_their_names_and_eyes_have_no_place(tmp_path):
    write(tmp_path, "coco", "train", [COCO_PERSON])
    (photo,) = read_everyday(tmp_path, "train", ("coco",))
    (person,) = photo.people
    assert labelled_names(person) == {"nose", "left_ear"}  # the wrist has v 0
    assert person.keypoints[POSETRACK18.index("nose")].tolist() == [5, 6]
    assert not person.crowd
    assert (photo.name, photo.size) == ("coco/a.jpg", (40, 50))


def test_the_neck_of_mpii_is_head_bottom(tmp_path):
    write(tmp_path, "mpii", "val", [MPII_PERSON])
    (photo,) = read_everyday(tmp_path, "val", ("mpii",))
    assert labelled_names(photo.people[0]) == {"head_bottom", "head_top"}
    assert photo.people[0].keypoints[POSETRACK18.index("head_bottom")].tolist() == [15, 10]
    assert not photo.exhaustive


def test_what_a_photo_tells_of_the_rest_of_it(tmp_path):
    found = [[1, 2, 3, 4, 0.5]]
    people = [WITHOUT_JOINTS, CROWD]
    write(tmp_path, "humanv2", "train", people, exhaustive=True, machine_unlabelled=found)
    (photo,) = read_everyday(tmp_path, "train", ("humanv2",))
    assert photo.exhaustive
    assert [person.crowd for person in photo.people] == [False, True]
    assert photo.boxes.tolist() == [[3, 3, 9, 30]]
    assert photo.ignored.tolist() == [[0, 0, 9, 9], [1, 2, 3, 4]]
    write(tmp_path, "voc", "train", [])
    (photo,) = read_everyday(tmp_path, "train", ("voc",))
    assert photo.boxes.shape == photo.ignored.shape == (0, 4)


def test_only_single_people_with_human_joints_are_looked_at(tmp_path):
    write(tmp_path, "coco", "val", [COCO_PERSON, CROWD, WITHOUT_JOINTS])
    (photo,) = read_everyday(tmp_path, "val", ("coco",))
    assert len(photo.people) == 3
    (person,) = read_everyday_set(tmp_path, "coco").people
    assert person.image == "coco/a.jpg"
    assert person.box.tolist() == [1, 2, 11, 22]
    assert not person.pseudo.any()


def test_pictures_go_by_source_and_file(tmp_path):
    write(tmp_path, "coco", "train", [COCO_PERSON])
    write(tmp_path, "voc", "train", [])
    photos = read_everyday(tmp_path, "train", ("coco", "voc"))
    images = read_photo_images(tmp_path, "train", photos)
    assert set(images) == {"coco/a.jpg", "voc/a.jpg"}
    assert images["coco/a.jpg"].shape == (50, 40, 3)
    assert images["coco/a.jpg"][0, 0].tolist() == [200, 100, 50]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"coco_train.json: cannot be read"),
        ("no json", r"coco_train.json: not JSON"),
        ('[{"file": "a.jpg"}]', r"coco_train.json is no list of everyday photos"),
    ],
)
def test_a_file_that_is_missing_or_of_another_kind(tmp_path, content, message):
    if content is not None:
        (tmp_path / "coco_train.json").write_text(content)
    with pytest.raises(InputError, match=message):
        read_everyday(tmp_path, "train", ("coco",))


def test_a_picture_that_the_tar_lacks(tmp_path):
    write(tmp_path, "coco", "train", [])
    (photo,) = read_everyday(tmp_path, "train", ("coco",))
    with pytest.raises(InputError, match=r"1 of 1 pictures are lost .* b\.jpg"):
        read_photo_images(tmp_path, "train", [replace(photo, name="coco/b.jpg")])
