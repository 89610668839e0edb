"""COCO in its official folders: which people count, and the boxes that the official code makes of them."""

import json
import pickle

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posetrack.datasets.coco import annotation_file, cleaned, image_names, read_coco, read_detections
from posetrack.errors import InputError
from posetrack.pose.crop import crop_regions
from posetrack.skeletons import COCO17
from tests.posetrack.datasets.worlds import coco_person, write_coco, write_jpeg

NOSE_AND_KNEE = {0: (20.5, 8.0, 2), 13: (22.0, 30.0, 1)}  # v = 1: labelled but hidden, which counts


def test_a_person_as_the_official_code_loads_them(tmp_path):
    write_coco(tmp_path, [coco_person(7, 1, NOSE_AND_KNEE)], ["000000000139.jpg"])

    data = read_coco(tmp_path, "train")

    (person,) = data.people
    assert (data.name, data.skeleton, data.lost) == ("coco train", COCO17, [])
    assert person.image == "000000000139.jpg"
    np.testing.assert_array_equal(person.box, [10, 5, 29, 34])  # last pixels: a width of 20 comes out as 19
    assert np.flatnonzero(person.labelled).tolist() == [0, 13]
    np.testing.assert_array_equal(person.keypoints[[0, 13, 5]], [[20.5, 8], [22, 30], [0, 0]])
    assert not person.pseudo.any()
    # Official: centre (10 + 19 / 2, 5 + 29 / 2), 29 high, so 0.75 * 29 = 21.75 wide, all times 1.25.
    np.testing.assert_allclose(crop_regions(person.box[None], 0.75), [[19.5, 19.5, 27.1875, 36.25]])
    assert data.pictures[person.image].shape == (48, 64, 3)
    np.testing.assert_allclose(data.pictures[person.image][20, 20], [200, 0, 0], atol=3)


@pytest.mark.parametrize(
    ("bbox", "expected"),
    [
        ([10, 5, 20, 30], [10, 5, 29, 34]),
        ([-4, -2, 20, 30], [0, 0, 19, 29]),  # moved inside, not cut
        ([50, 30, 40, 40], [50, 30, 63, 47]),  # cut at the last pixel
        ([10.5, 5.25, 20.5, 30.5], [10.5, 5.25, 30, 34.75]),
        ([10, 5, 0.5, 30], [10, 5, 10, 34]),  # a line still has a height
        ([70, 5, 20, 30], None),  # beyond the picture
        ([63, 47, 5, 5], None),  # one pixel
        ([10, 5, -3, 0], None),
        ([float("nan"), 5, 10, 10], None),
    ],
)
def test_cleaned_boxes(bbox, expected):
    box = cleaned(bbox, 64, 48)
    if expected is None:
        assert box is None
    else:
        np.testing.assert_array_equal(box, np.array(expected, np.float32))


@given(
    x=st.floats(-100, 200), y=st.floats(-100, 200), w=st.floats(-10, 300), h=st.floats(-10, 300),
    width=st.integers(1, 150), height=st.integers(1, 150),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_cleaned_boxes_lie_on_the_picture(x, y, w, h, width, height):
    box = cleaned([x, y, w, h], width, height)
    reach = (w - 1, width - 1 - max(x, 0)), (h - 1, height - 1 - max(y, 0))  # beyond the first pixel
    if box is not None:
        x1, y1, x2, y2 = box.astype(float)
        assert 0 <= x1 <= x2 <= width - 1
        assert 0 <= y1 <= y2 <= height - 1
        assert x2 - x1 <= max(w - 1, 0) + 1e-3
        assert y2 - y1 <= max(h - 1, 0) + 1e-3
    else:
        assert x > width - 1 or y > height - 1 or all(min(sides) <= 0 for sides in reach)


def test_whoever_is_left_out_is_named(tmp_path):
    people = [
        coco_person(1, 1, NOSE_AND_KNEE),
        coco_person(2, 1, NOSE_AND_KNEE, iscrowd=1),
        coco_person(3, 1, {}),
        coco_person(4, 1, NOSE_AND_KNEE, area=0),
        coco_person(5, 1, NOSE_AND_KNEE, bbox=[80, 5, 20, 30]),
        coco_person(6, 2, NOSE_AND_KNEE),  # its picture is gone
        coco_person(7, 2, NOSE_AND_KNEE),
        coco_person(8, 9, NOSE_AND_KNEE),  # its picture is not even listed
        coco_person(9, 1, NOSE_AND_KNEE, keypoints=[1, 2, 3]),
        {"id": 10},
        coco_person(11, 1, {0: (float("nan"), 8.0, 2)}),
        coco_person(12, 1, NOSE_AND_KNEE, category_id=17),
    ]
    write_coco(tmp_path, people, ["a.jpg", "b.jpg"])
    (tmp_path / "train2017" / "b.jpg").unlink()

    data = read_coco(tmp_path, "train")

    assert len(data.people) == 1
    assert list(data.pictures) == ["a.jpg"]
    file = "person_keypoints_train2017.json: annotation"
    assert data.lost[:4] == [
        f"{file} 2: a crowd",
        f"{file} 3: no labelled joint",
        f"{file} 4: a box without area, [10.0, 5.0, 20.0, 30.0]",
        f"{file} 5: a box without area, [80, 5, 20, 30]",
    ]
    assert data.lost[4].startswith(f"{file} 8: cannot be read (KeyError(9)")
    assert data.lost[5].startswith(f"{file} 9: cannot be read (ValueError")
    assert data.lost[6].startswith(f"{file} 10: cannot be read (KeyError")
    assert data.lost[7:] == [
        f"{file} 11: a joint that is no number",
        f"{file} 12: no person",
        f"{tmp_path / 'train2017' / 'b.jpg'}: missing, 2 people",
    ]


def test_nobody_left_is_an_error(tmp_path):
    write_coco(tmp_path, [coco_person(1, 1, {}), coco_person(2, 1, {})], ["a.jpg"])
    with pytest.raises(InputError, match=r"coco train: nobody to train on, 2 left out, first .*annotation 1"):
        read_coco(tmp_path, "train")


def test_no_pictures_at_all_is_an_error(tmp_path):
    write_coco(tmp_path, [coco_person(1, 1, NOSE_AND_KNEE)], ["a.jpg"])
    (tmp_path / "train2017").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"train2017: none of the 1 annotated pictures is there"):
        read_coco(tmp_path, "train")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not JSON"),
        ("[]", "no COCO-keypoints JSON"),
        ('{"images": [], "annotations": [], "categories": [{"keypoints": ["nose"]}]}', "expected the 17 of"),
    ],
)
def test_annotations_that_are_none(tmp_path, content, message):
    path = write_coco(tmp_path, [], [])
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        read_coco(tmp_path, "train")
    with pytest.raises(InputError, match=r"person_keypoints_val2017\.json: cannot be read"):
        read_coco(tmp_path, "val")


def test_detected_boxes(tmp_path):
    annotations = write_coco(tmp_path, [], ["a.jpg", "b.jpg"], "val")
    assert annotations == annotation_file(tmp_path, "val")
    found = [
        {"image_id": 2, "category_id": 1, "bbox": [1.5, 2, 10, 20], "score": 0.9},
        {"image_id": 1, "category_id": 3, "bbox": [1, 2, 10, 20], "score": 0.9},  # no person
        {"image_id": 1, "category_id": 1, "bbox": [-3, 2, 90, 20], "score": 0.2},
        {"image_id": 8, "category_id": 1, "bbox": [1, 2, 10, 20], "score": 0.9},  # of another split
    ]
    path = tmp_path / "detections.json"
    path.write_text(json.dumps(found))
    names = image_names(annotations)
    assert names == {1: "a.jpg", 2: "b.jpg"}

    ids, boxes, scores = read_detections(path, names)

    assert ids == [2, 1]
    assert boxes.tolist() == [[1.5, 2, 11.5, 22], [-3, 2, 87, 22]]  # detected boxes are not cleaned
    assert scores.tolist() == pytest.approx([0.9, 0.2])
    assert read_detections(path, names, lowest_score=0.5)[0] == [2]
    with pytest.raises(InputError, match="no person box in any of the 1 pictures"):
        read_detections(path, {5: "c.jpg"})
    path.write_text('[{"image_id": 1}]')
    with pytest.raises(InputError, match="no COCO detection result list"):
        read_detections(path, names)


def test_pictures_are_read_when_drawn(tmp_path):
    write_coco(tmp_path, [coco_person(i, i, NOSE_AND_KNEE) for i in (1, 2, 3)], ["a.jpg", "b.jpg", "c.jpg"])
    data = read_coco(tmp_path, "train")
    folder = tmp_path / "train2017"
    (folder / "a.jpg").write_bytes((folder / "a.jpg").read_bytes()[:9])
    (folder / "b.jpg").unlink()
    write_jpeg(folder / "c.jpg", (10, 8), 90)

    pictures = pickle.loads(pickle.dumps(data.pictures))  # as a worker process gets them

    with pytest.raises(InputError, match=r"a\.jpg: 9 bytes that do not decode: fetch this picture again"):
        pictures["a.jpg"]
    with pytest.raises(InputError, match=r"b\.jpg: cannot be read \(No such file or directory\)"):
        pictures["b.jpg"]
    assert pictures["c.jpg"].shape == (8, 10, 3)
    assert "d.jpg" not in pictures
    assert pictures.get("d.jpg") is None
    assert list(pictures) == ["a.jpg", "b.jpg", "c.jpg"]


def test_pictures_are_not_turned(tmp_path):
    """A note that the photo is to be turned (EXIF) is left alone, as labels are of the pixels as stored."""
    write_coco(tmp_path, [coco_person(1, 1, NOSE_AND_KNEE)], ["a.jpg"])
    path = tmp_path / "train2017" / "a.jpg"
    quarter_turn = b"II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00" + bytes(
        4
    )
    exif = b"Exif\x00\x00" + quarter_turn
    stored = path.read_bytes()
    path.write_bytes(stored[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + stored[2:])
    assert cv2.imread(str(path)).shape == (64, 48, 3)  # OpenCV would turn it
    assert read_coco(tmp_path, "train").pictures["a.jpg"].shape == (48, 64, 3)
