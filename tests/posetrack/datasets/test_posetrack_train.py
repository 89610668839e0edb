"""PoseTrack people for training: labelled frames, boxes from joints, the joints of 2018 in every year."""

import json

import numpy as np
import pytest

from posetrack.datasets.posetrack_train import grown_box, read_posetrack
from posetrack.errors import InputError, PoseTrackError
from posetrack.results.annotations import read_annotations, write_annotations
from posetrack.results.formats import to_2017
from posetrack.skeletons import POSETRACK18
from tests.posetrack.datasets.worlds import triples, write_jpeg

VIDEO = "000001_mpii_train"
# Slots of 2018: nose, head_bottom, head_top, left_wrist, right_ankle; the last one is hidden but has a place.
WHOLE = {0: (30, 12, 1), 1: (30, 16, 1), 2: (30, 6, 1), 9: (50, 26, 1), 16: (10, 46, 0)}


def frames(*people_of_frame, name=VIDEO, labelled=None):
    """A 2018 file; every person is a dictionary of joints."""
    images, annotations = [], []
    for t, people in enumerate(people_of_frame):
        images.append(
            {
                "file_name": f"images/train/{name}/{t:06d}.jpg",
                "id": 10_000_010_000 + t,
                "is_labeled": bool(people) if labelled is None else labelled[t],
            }
        )
        annotations += [
            {"image_id": images[-1]["id"], "track_id": n, "keypoints": triples(joints), "scores": []}
            for n, joints in enumerate(people)
        ]
    category = {"name": "person", "id": 1, "keypoints": list(POSETRACK18.keypoints)}
    return {"images": images, "annotations": annotations, "categories": [category]}


def write(root, content, name=VIDEO, pictures=3):
    folder = root / "annotations" / "train"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(content))
    for t in range(pictures):
        write_jpeg(root / "images" / "train" / name / f"{t:06d}.jpg", red=100 + t)
    return folder / f"{name}.json"


def test_people_of_labelled_frames(tmp_path):
    write(tmp_path, frames([WHOLE], [WHOLE], [WHOLE], labelled=[True, False, True]))

    data = read_posetrack(tmp_path, "train")

    first, last = data.people
    assert (data.name, data.skeleton, data.lost) == ("posetrack2018 train", POSETRACK18, [])
    assert last.image == "images/train/000001_mpii_train/000002.jpg"
    assert data.pictures[last.image][0, 0, 0] == pytest.approx(102, abs=2)
    assert list(data.pictures) == [first.image, last.image]
    assert np.flatnonzero(first.labelled).tolist() == [0, 1, 2, 9, 16]  # ears never
    np.testing.assert_array_equal(first.keypoints[[9, 16, 3]], [[50, 26], [10, 46], [0, 0]])
    # Joints reach 40 x 40 about (30, 26); 15 % more, shared by both sides.
    np.testing.assert_allclose(first.box, [7, 3, 53, 49])


@pytest.mark.parametrize(
    ("growth", "expected"), [(1.0, [10, 6, 50, 46]), (1.3, [4, 0, 56, 52]), (2.0, [-10, -14, 70, 66])]
)
def test_the_growth_of_boxes_can_be_chosen(tmp_path, growth, expected):
    write(tmp_path, frames([WHOLE]))
    (person,) = read_posetrack(tmp_path, "train", growth=growth).people
    np.testing.assert_allclose(person.box, expected)


def test_small_people_are_left_out_and_named(tmp_path):
    small = {0: (10, 10, 1), 16: (30, 40, 1)}  # 20 x 30, grown 23 x 34.5 = 793.5
    write(tmp_path, frames([{}, WHOLE, {0: (5, 5, 1)}, small]))
    data = read_posetrack(tmp_path, "train")
    assert len(data.people) == 1
    place = "train/000001_mpii_train.json: 000000.jpg: person"
    assert data.lost == [
        f"{place} 0: 0 joints in a box of 0 square pixels",
        f"{place} 2: 1 joints in a box of 0 square pixels",
        f"{place} 3: 2 joints in a box of 794 square pixels",
    ]
    assert len(read_posetrack(tmp_path, "train", smallest_area=793).people) == 2


def test_2017_files_have_the_same_people(tmp_path):
    path = write(tmp_path, frames([WHOLE], [], [WHOLE, WHOLE]))
    new = read_posetrack(tmp_path, "train")
    write_annotations(to_2017(read_annotations(path)), path)
    assert "annolist" in json.loads(path.read_text())

    old = read_posetrack(tmp_path, "train", year=2017)

    assert old.name == "posetrack2017 train"
    assert len(old.people) == len(new.people) == 3
    for a, b in zip(old.people, new.people, strict=True):
        assert a.image == b.image
        for field in ("box", "keypoints", "labelled"):
            np.testing.assert_array_equal(getattr(a, field), getattr(b, field))


def test_the_layout_of_2021(tmp_path):
    write(tmp_path, frames([WHOLE]))
    (tmp_path / "annotations").rename(tmp_path / "posetrack_data")
    assert len(read_posetrack(tmp_path, "train", year=2021).people) == 1


def test_broken_files_and_missing_pictures_are_named(tmp_path):
    write(tmp_path, frames([WHOLE, WHOLE], [WHOLE]), pictures=2)
    write(tmp_path, frames([WHOLE]) | {"images": 3}, "000002_mpii_train", pictures=0)
    short = frames([WHOLE], name="000003_mpii_train")
    short["annotations"][0]["keypoints"] = [1, 2, 1]
    short["annotations"].append({"image_id": 7, "track_id": 5, "keypoints": triples(WHOLE)})
    write(tmp_path, short, "000003_mpii_train", pictures=1)
    gone = tmp_path / "images" / "train" / VIDEO / "000000.jpg"
    gone.unlink()

    data = read_posetrack(tmp_path, "train")

    assert [person.image for person in data.people] == ["images/train/000001_mpii_train/000001.jpg"]
    broken, numbers, nowhere, missing = data.lost
    assert broken.startswith("train/000002_mpii_train.json: images: Input should be a valid array, got 3")
    assert numbers == "train/000003_mpii_train.json: 000000.jpg: person 0: 3 numbers for 17 joints"
    assert nowhere == "train/000003_mpii_train.json: image_id 7: 1 people in a frame that is not listed"
    assert missing == f"{gone}: missing, 2 people"


def test_nobody_or_no_folder(tmp_path):
    write(tmp_path, frames([{0: (5, 5, 1)}]))
    with pytest.raises(
        InputError, match=r"posetrack2018 train: nobody to train on, 1 left out, first .*person 0"
    ):
        read_posetrack(tmp_path, "train")
    with pytest.raises(PoseTrackError, match="no annotations of the split 'val'"):
        read_posetrack(tmp_path, "val")


def test_box_of_no_joints():
    np.testing.assert_array_equal(grown_box(np.zeros((0, 2)), 1.15), [0, 0, 0, 0])
