"""MPII from HRNet's JSON and from the official .mat: pixels from 0, and the crop of the official code."""

import json

import numpy as np
import pytest
from scipy.io import savemat

from posetrack.datasets.mpii import MAT, read_mpii, read_mpii_truth
from posetrack.errors import InputError
from posetrack.pose.crop import crop_affines, crop_regions
from posetrack.skeletons import MPII16
from tests.posetrack.datasets import official
from tests.posetrack.datasets.mpii_files import NOTHING, rect, structs, write_mat
from tests.posetrack.datasets.worlds import write_jpeg

SIZE = (256, 256)


def entry(image="a.jpg", joints=None, **more):
    """A person of HRNet's JSON; joints: slot -> 1-based position."""
    joints = {0: [31.0, 41.0], 9: [30.0, 11.5]} if joints is None else joints
    person = {
        "image": image,
        "center": [30.0, 25.0],
        "scale": 0.2,
        "joints": [joints.get(slot, [-1.0, -1.0]) for slot in range(16)],
        "joints_vis": [int(slot in joints) for slot in range(16)],
    }
    return person | more


def write_json(root, split, entries):
    (root / "annot").mkdir(exist_ok=True)
    (root / "annot" / f"{split}.json").write_text(json.dumps(entries))


@pytest.mark.parametrize(
    ("center", "scale"), [((594.0, 257.0), 3.021046), ((30.0, 25.0), 0.2), ((1100.5, 700.25), 7.9)]
)
def test_the_crop_is_the_official_one(tmp_path, center, scale):
    write_jpeg(tmp_path / "images" / "a.jpg")
    write_json(tmp_path, "train", [entry(center=list(center), scale=scale)])

    (person,) = read_mpii(tmp_path, "train").people

    # Official: lower by 15 x scale, larger by 1.25, then one pixel back as Python counts from 0.
    centre = np.array([center[0], center[1] + 15 * scale]) - 1
    expected = official.affine(centre, np.full(2, scale * 1.25), 0, SIZE)
    regions = crop_regions(person.box[None], aspect=1.0)
    np.testing.assert_allclose(crop_affines(regions, SIZE)[0], expected, rtol=2e-5, atol=2e-3)
    np.testing.assert_allclose(regions[0], [*centre, 250 * scale, 250 * scale], rtol=1e-5)


def test_joints_count_from_zero(tmp_path):
    write_jpeg(tmp_path / "images" / "a.jpg")
    write_json(tmp_path, "valid", [entry()])
    data = read_mpii(tmp_path, "valid")
    (person,) = data.people
    assert (data.name, data.skeleton, data.lost, person.image) == ("mpii valid", MPII16, [], "a.jpg")
    assert [MPII16.keypoints[i] for i in np.flatnonzero(person.labelled)] == ["right_ankle", "head_top"]
    np.testing.assert_array_equal(person.keypoints[[0, 9, 5]], [[30, 40], [29, 10.5], [0, 0]])
    assert data.pictures["a.jpg"].shape == (48, 64, 3)


def test_whoever_is_left_out_of_the_json_is_named(tmp_path):
    write_jpeg(tmp_path / "images" / "a.jpg")
    broken = entry()
    del broken["scale"]
    write_json(
        tmp_path,
        "train",
        [
            entry(joints={}),
            entry(center=[-1, -1]),
            entry(),
            broken,
            entry("gone.jpg"),
            entry(joints_vis=[1, 0]),
            entry(scale=float("nan")),
        ],
    )
    data = read_mpii(tmp_path, "train")
    assert len(data.people) == 1
    assert data.lost == [
        "train.json: entry 0: no labelled joint (a.jpg)",
        "train.json: entry 1: no position or scale (a.jpg)",
        "train.json: entry 3: cannot be read (KeyError('scale'))",
        "train.json: entry 5: cannot be read (ValueError('cannot reshape array of size 2 into shape (16,)'))",
        "train.json: entry 6: no position or scale (a.jpg)",
        f"{tmp_path / 'images' / 'gone.jpg'}: missing, 1 people",
    ]


def test_the_official_mat_gives_the_same_people_as_the_json(tmp_path):
    for name in ("a.jpg", "b.jpg", "held_out.jpg", "test.jpg"):
        write_jpeg(tmp_path / "images" / name)
    joints = {0: (31.0, 41.0), 9: (30.0, 11.5)}
    write_mat(
        tmp_path,
        [
            ("a.jpg", [rect(joints)], True),
            ("empty.jpg", [], True),
            (
                "b.jpg",
                [
                    rect({}),  # only its head was marked
                    rect({7: (5, 6)}),  # one joint: MATLAB has no list of one
                    rect(joints, scale=NOTHING, objpos=NOTHING),
                ],
                True,
            ),
            ("held_out.jpg", [rect(joints)], True),
            ("test.jpg", [rect(joints)], False),
        ],
    )
    write_json(tmp_path, "valid", [entry("held_out.jpg")])

    data = read_mpii(tmp_path, "train")

    assert [person.image for person in data.people] == ["a.jpg", "b.jpg"]
    assert data.lost == [
        f"{MAT}: annolist(3).annorect(1): no labelled joint (b.jpg)",
        f"{MAT}: annolist(3).annorect(3): no position or scale (b.jpg)",
    ]
    first, thorax = data.people
    np.testing.assert_array_equal(thorax.keypoints[7], [4, 5])
    assert np.flatnonzero(thorax.labelled).tolist() == [7]
    write_json(tmp_path, "train", [entry()])  # HRNet's JSON, where it is, is preferred
    (same,) = read_mpii(tmp_path, "train").people
    for field in ("box", "keypoints", "labelled"):
        np.testing.assert_array_equal(getattr(first, field), getattr(same, field))


def test_annotations_that_are_none(tmp_path):
    with pytest.raises(InputError, match=r"train\.json: cannot be read"):
        read_mpii(tmp_path, "train")
    (tmp_path / MAT).write_bytes(b"MATLAB" * 40)
    with pytest.raises(InputError, match=r"u12_1\.mat is no readable \.mat file"):
        read_mpii(tmp_path, "train")
    savemat(tmp_path / MAT, {"other": [1, 2]})
    with pytest.raises(InputError, match=r"u12_1\.mat lacks RELEASE"):
        read_mpii(tmp_path, "train")
    savemat(tmp_path / MAT, {"RELEASE": structs({"annolist": 3})})
    with pytest.raises(InputError, match="is not the official"):
        read_mpii(tmp_path, "train")
    write_json(tmp_path, "valid", {"image": "a.jpg"})
    with pytest.raises(InputError, match="is no list of people"):
        read_mpii(tmp_path, "valid")


def test_the_ground_truth_of_pckh(tmp_path):
    N = 2
    joints = np.arange(16 * 2 * N, dtype=float).reshape(16, 2, N)
    missing = np.zeros((16, N))
    missing[6, 1] = 1
    heads = np.stack([[[11, 21], [31, 51]], [[1, 2], [3, 4]]], axis=2)  # corner, axis, person
    names = np.array([["rank", "rkne"]], object)
    path = tmp_path / "gt_valid.mat"
    content = {"jnt_missing": missing, "pos_gt_src": joints, "headboxes_src": heads, "dataset_joints": names}
    savemat(path, content)

    truth = read_mpii_truth(path)

    assert truth.joints.shape == (N, 16, 2)
    assert truth.joints[1, 3].tolist() == [joints[3, 0, 1] - 1, joints[3, 1, 1] - 1]
    assert np.argwhere(truth.missing).tolist() == [[1, 6]]
    np.testing.assert_array_equal(truth.head_boxes, [[10, 20, 30, 50], [0, 1, 2, 3]])
    savemat(path, content | {"jnt_missing": missing.T})
    with pytest.raises(InputError, match=r"as in gt_valid\.mat"):
        read_mpii_truth(path)
    savemat(path, {"pos_gt_src": joints})
    with pytest.raises(InputError, match="lacks jnt_missing, headboxes_src"):
        read_mpii_truth(path)
