"""MPII's test set, there and back: people of the official .mat or of HRNet's JSON, poses in a .mat."""

import io
import json

import numpy as np
import pytest
from scipy.io import loadmat

from posetrack.datasets.mpii import MAT, crop_box
from posetrack.datasets.mpii_test import read_mpii_test
from posetrack.errors import InputError
from posetrack.results.mpii import benchmark_mat, hrnet_mat
from tests.posetrack.datasets.mpii_files import NOTHING, rect, someone, write_mat


def write_test_half(root):
    """Of five pictures three are for testing; the benchmark asks for one person of b and two of d."""
    nowhere = someone(0, 0, scale=NOTHING)
    write_mat(
        root,
        [
            ("a.jpg", [rect({0: (31.0, 41.0)})], True),
            ("b.jpg", [someone(60, 80), someone(200, 90)], False),
            ("c.jpg", [], False),
            ("e.jpg", [rect({})], True),
            ("d.jpg", [someone(50, 70, 1.5), nowhere, someone(99, 71)], False),
        ],
        asked={0: [1], 1: [2], 3: [1], 4: [1, 2, 3]},
    )


def test_the_people_of_the_official_file(tmp_path):
    write_test_half(tmp_path)
    people = read_mpii_test(tmp_path)
    assert people.names == ["b.jpg", "d.jpg", "d.jpg"]
    assert people.places.tolist() == [[0, 1], [2, 0], [2, 2]]  # among test pictures; both from 0
    assert people.lost == {"d.jpg": f"{MAT}: person 2 of d.jpg has no position or scale"}
    # 250 x scale wide once padded, centred 15 x scale lower, a pixel back since MATLAB counts from 1.
    np.testing.assert_allclose(people.boxes[1], [49 - 150, 69 + 22.5 - 150, 49 + 150, 69 + 22.5 + 150])
    np.testing.assert_array_equal(people.boxes[0], crop_box(np.array([200.0, 90]), 0.5))


def test_the_json_gives_the_same_people(tmp_path):
    (tmp_path / "annot").mkdir()
    entries = [
        ("b.jpg", 200, 90, 0.5),
        ("d.jpg", 50, 70, 1.5),
        ("x.jpg", -1, -1, 1.0),
        ("d.jpg", 99, 71, 0.5),
    ]
    listed = [{"image": name, "center": [x, y], "scale": scale} for name, x, y, scale in entries]
    (tmp_path / "annot" / "test.json").write_text(json.dumps([*listed, {"image": "y.jpg"}]))
    people = read_mpii_test(tmp_path)
    assert people.annolist is None
    assert people.names == ["b.jpg", "d.jpg", "d.jpg"]
    assert list(people.lost) == ["x.jpg", "y.jpg"]
    write_test_half(tmp_path)  # the official file, where it is, is preferred
    same = read_mpii_test(tmp_path)
    np.testing.assert_array_equal(same.boxes, people.boxes)
    assert same.annolist is not None


def test_what_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match=r"neither .*\.mat nor annot/test\.json"):
        read_mpii_test(tmp_path)
    (tmp_path / "annot").mkdir()
    (tmp_path / "annot" / "test.json").write_text("[]")
    with pytest.raises(InputError, match=r"test\.json names nobody"):
        read_mpii_test(tmp_path)
    write_mat(tmp_path, [("a.jpg", [someone(1, 2)], False)], asked={0: [2]})  # there is one person
    with pytest.raises(InputError, match="is not the official"):
        read_mpii_test(tmp_path)
    write_mat(tmp_path, [("a.jpg", [rect({})], True)])
    with pytest.raises(InputError, match=r"\.mat names nobody"):
        read_mpii_test(tmp_path)


def test_the_benchmark_finds_every_pose_where_it_asked_for_it(tmp_path):
    write_test_half(tmp_path)
    people = read_mpii_test(tmp_path)
    points = np.arange(3 * 16 * 2, dtype=float).reshape(3, 16, 2) + 0.25

    written = loadmat(io.BytesIO(benchmark_mat(people.annolist, people.places, points)))
    pred = written["pred"][0]

    # As evaluatePCKh.m goes: as many pictures as there are test pictures, people by their place, ids from 0.
    assert [str(entry["image"][0, 0]["name"].item()) for entry in pred] == ["b.jpg", "c.jpg", "d.jpg"]
    found = []
    for picture, person in people.places:
        (joints,) = pred[picture]["annorect"][0, person]["annopoints"][0, 0]["point"]
        assert [joint["id"].item() for joint in joints] == list(range(16))
        found.append([(joint["x"].item(), joint["y"].item()) for joint in joints])
    np.testing.assert_array_equal(found, points + 1)
    unasked = pred[0]["annorect"][0, 0]
    assert (unasked["annopoints"].size, unasked["scale"].item(), pred[1]["annorect"].size) == (0, 0.5, 0)
    assert "annopoints" not in people.annolist[0]["annorect"].dtype.names  # what was read stays as it was


def test_predictions_as_the_code_of_hrnet_saves_them():
    points = np.arange(2 * 16 * 2, dtype=np.float32).reshape(2, 16, 2)
    preds = loadmat(io.BytesIO(hrnet_mat(points)))["preds"]
    np.testing.assert_array_equal(preds, points + 1)
