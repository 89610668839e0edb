"""AI Challenger's 14 joints in the 17 slots of COCO, and the two sets as one."""

import json
import pickle

import numpy as np
import pytest

from posetrack.datasets.ai_challenger import read_ai_challenger
from posetrack.datasets.coco import read_coco
from posetrack.datasets.concatenate import concatenate
from posetrack.errors import InputError
from posetrack.skeletons import COCO17, POSETRACK18
from posetrack.training.examples.augment import apply_view, view_matrix
from tests.posetrack.datasets.worlds import coco_person, write_ai_challenger, write_coco, write_jpeg
from tests.posetrack.training.stick_people import stick_people

# Right shoulder first: joint number n at (10 + n, 20 + n), the fourth one (left shoulder) hidden, left ankle
# not given. Official order; the numbers of one person follow each other without brackets.
GIVEN = [[10 + n, 20 + n, 1] for n in range(14)]
GIVEN[3][2] = 2
GIVEN[11] = [0, 0, 3]
FLAT = [number for triple in GIVEN for number in triple]


def entry(image="0a1b", joints=None, boxes=None, **more):
    return {
        "image_id": image,
        "url": "http://www.example.org/0a1b.jpg",
        "keypoint_annotations": {"human1": FLAT} if joints is None else joints,
        "human_annotations": {"human1": [5, 8, 30, 44]} if boxes is None else boxes,
    } | more


def test_twelve_joints_go_to_their_slots_and_the_rest_stays_unlabelled(tmp_path):
    write_ai_challenger(tmp_path, [entry()])

    data = read_ai_challenger(tmp_path)

    (person,) = data.people
    assert (data.name, data.skeleton, data.lost) == ("ai_challenger train", COCO17, [])
    assert person.image == "0a1b.jpg"
    np.testing.assert_array_equal(person.box, [5, 8, 30, 44])
    named = {COCO17.keypoints[i]: person.keypoints[i].tolist() for i in np.flatnonzero(person.labelled)}
    assert named == {
        "right_shoulder": [10, 20], "right_elbow": [11, 21], "right_wrist": [12, 22],
        "left_shoulder": [13, 23], "left_elbow": [14, 24], "left_wrist": [15, 25],  # hidden counts
        "right_hip": [16, 26], "right_knee": [17, 27], "right_ankle": [18, 28],
        "left_hip": [19, 29], "left_knee": [20, 30],
    }  # fmt: skip
    assert not person.keypoints[~person.labelled].any()  # nose, eyes, ears, and the left ankle
    assert not person.pseudo.any()
    assert data.pictures[person.image].shape == (48, 64, 3)


def test_mirrored_joints_change_sides(tmp_path):
    write_ai_challenger(tmp_path, [entry()])
    data = read_ai_challenger(tmp_path)
    (person,) = data.people
    # A crop of 64 x 48 about the middle of the picture is the picture; mirrored, x becomes 63 - x.
    matrix = view_matrix(np.array([32, 24]), 64, (64, 48), mirrored=True)
    image = data.pictures[person.image]
    _, points, inside = apply_view(image, person, COCO17, matrix, True, (64, 48))
    left, right = COCO17.index("left_shoulder"), COCO17.index("right_shoulder")
    np.testing.assert_allclose(points[[left, right]], [[63 - 10, 20], [63 - 13, 23]], atol=1e-4)
    assert inside[COCO17.index("left_ankle")]  # the right one's place
    assert not inside[COCO17.index("right_ankle")]  # the left one was not given
    assert inside.sum() == 11


def test_whoever_is_left_out_is_named(tmp_path):
    head = [[0, 0, 3]] * 12 + [[30, 5, 1], [30, 12, 1]]
    box = [5, 8, 30, 44]
    path = write_ai_challenger(
        tmp_path,
        [
            entry(),
            entry("headless", {"human1": head, "human2": FLAT}, {"human1": box, "human2": box}),
            entry("parts", {"human1": FLAT, "human2": FLAT}, {"human1": box, "human3": box}),
            entry("flat", boxes={"human1": [5, 8, 5, 44]}),
            entry("flags", {"human1": [[1, 2, 0]] * 14}),
            entry("short", {"human1": FLAT[:-3]}),
            entry("nan", {"human1": [[float("nan"), 2, 1]] * 14}),
            entry("nobody", {}, {}),
            {"image_id": "bare"},
            7,
            entry("gone", {"human1": FLAT, "human2": FLAT}, {"human1": box, "human2": box}),
        ],
    )
    gone = path.parent / "keypoint_train_images_20170902" / "gone.jpg"
    gone.unlink()

    data = read_ai_challenger(tmp_path)

    assert [person.image for person in data.people] == ["0a1b.jpg", "headless.jpg", "parts.jpg"]
    file = "keypoint_train_annotations_20170902.json: entry"
    assert data.lost[:5] == [
        f"{file} 1: human1 of headless.jpg: no labelled joint that COCO has",
        f"{file} 2: human2 of parts.jpg: no box",
        f"{file} 2: human3 of parts.jpg: no joints",
        f"{file} 3: human1 of flat.jpg: a box without area, [5, 8, 5, 44]",
        f"{file} 4: human1 of flags.jpg: a visibility that is none of 1, 2 and 3",
    ]
    assert data.lost[5].startswith(f"{file} 5: human1 of short.jpg: cannot be read (ValueError")
    assert data.lost[6] == f"{file} 6: human1 of nan.jpg: a joint that is no number"
    assert data.lost[7].startswith(f"{file} 8: cannot be read (KeyError")
    assert data.lost[8].startswith(f"{file} 9: cannot be read (TypeError")
    assert data.lost[9:] == [f"{gone}: missing, 2 people"]


def test_the_folder_itself_or_a_later_file_beside_it(tmp_path):
    path = write_ai_challenger(tmp_path, [entry()])
    assert len(read_ai_challenger(path.parent).people) == 1
    later = tmp_path / "ai_challenger_keypoint_train_annotations_20170909"
    later.mkdir()
    two = entry("0a1b", {"human1": FLAT, "human2": FLAT}, {"human1": [0, 0, 9, 9], "human2": [1, 1, 9, 9]})
    (later / "keypoint_train_annotations_20170909.json").write_text(json.dumps([two]))
    assert len(read_ai_challenger(tmp_path).people) == 2


def test_an_archive_beside_its_folder_is_not_taken_for_the_pictures(tmp_path):
    write_ai_challenger(tmp_path, [entry()])
    (folder,) = tmp_path.glob("**/keypoint_train_images_*")
    folder.with_name(folder.name + ".zip").write_bytes(b"PK")  # sorts after the folder
    assert len(read_ai_challenger(tmp_path).people) == 1


def test_what_is_no_ai_challenger(tmp_path):
    with pytest.raises(InputError, match=r"no keypoint_train_annotations_\*\.json there or one folder below"):
        read_ai_challenger(tmp_path)
    path = write_ai_challenger(tmp_path, [])
    with pytest.raises(InputError, match=r"no keypoint_train_images_\*/ there"):
        read_ai_challenger(tmp_path)
    write_ai_challenger(tmp_path, [entry(joints={})])
    with pytest.raises(
        InputError, match=r"ai_challenger train: nobody to train on, 1 left out, first .*no joints"
    ):
        read_ai_challenger(tmp_path)
    path.write_text("{}")
    with pytest.raises(InputError, match="is no list of pictures"):
        read_ai_challenger(tmp_path)
    path.write_text("[")
    with pytest.raises(InputError, match="not JSON"):
        read_ai_challenger(tmp_path)


def test_two_sets_as_one(tmp_path):
    """COCO's person and AI Challenger's, whose pictures have the same name but not the same content."""
    write_coco(tmp_path / "coco", [coco_person(1, 1, {0: (20, 8, 2)})], ["same.jpg"])
    path = write_ai_challenger(tmp_path / "more", [entry("same")])
    write_jpeg(path.parent / "keypoint_train_images_20170902" / "same.jpg", red=90)
    coco, more = read_coco(tmp_path / "coco", "train"), read_ai_challenger(tmp_path / "more")

    both = concatenate([coco, more])

    assert both.name == "coco train and ai_challenger train"
    assert [p.image for p in both.people] == ["coco train/same.jpg", "ai_challenger train/same.jpg"]
    assert [p.labelled.sum() for p in both.people] == [1, 11]
    assert list(both.pictures) == [p.image for p in both.people]
    assert len(both.pictures) == 2
    pictures = pickle.loads(pickle.dumps(both.pictures))  # as a worker process gets them
    assert [int(pictures[p.image][20, 20, 0]) for p in both.people] == pytest.approx([200, 90], abs=3)
    assert "same.jpg" not in both.pictures
    assert concatenate([coco]) is coco


def test_what_does_not_go_together():
    sticks = stick_people(1, POSETRACK18)
    with pytest.raises(ValueError, match="do not go together: sticks, sticks"):
        concatenate([sticks, sticks])
    other = stick_people(1, COCO17)
    with pytest.raises(ValueError, match="do not go together"):
        concatenate([sticks, other])
