"""MakeHuman's file formats, in files of a few lines."""

import numpy as np

from scripts.render.assets import read_binding, read_obj, read_target

OBJ = """# a square and a triangle
v 0 0 0
v 1 0 0
v 1 1 0
v 0 1 0
v 0 0 5
vt 0 0
g square
f 1/1 2/1 3/1 4/1
g joint-a
f 1/1 2/1 5/1
"""

MHCLO = """# uuid lines and verts 0 come first
name shirt
x_scale 0 1 2.0
z_scale 0 2 5.0
y_scale 0 3 1.0
verts 0
0 1 2 0.5 0.25 0.25 0.1 0.2 0.3
3
delete_verts
4 - 6 9 11 - 13
"""


def test_read_obj(tmp_path):
    (tmp_path / "mesh.obj").write_text(OBJ)
    mesh = read_obj(tmp_path / "mesh.obj")
    assert mesh.vertices.shape == (5, 3)
    assert mesh.triangles.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 4]]
    assert {name: numbers.tolist() for name, numbers in mesh.groups.items()} == {
        "square": [0, 1],
        "joint-a": [2],
    }


def test_read_target(tmp_path):
    (tmp_path / "tall.target").write_text("# made by hand\n1 0 .5 0\n3 -1 0 2\n")
    expected = [[0, 0, 0], [0, 0.5, 0], [0, 0, 0], [-1, 0, 2]]
    np.testing.assert_array_equal(read_target(tmp_path / "tall.target", 4), expected)
    (tmp_path / "none.target").write_text("# nothing\n")
    assert not read_target(tmp_path / "none.target", 4).any()


def test_a_garment_follows_the_body_it_hangs_on(tmp_path):
    (tmp_path / "shirt.mhclo").write_text(MHCLO)
    binding = read_binding(tmp_path / "shirt.mhclo")
    assert binding.hidden.tolist() == [4, 5, 6, 9, 11, 12, 13]
    base = np.array([[0, 0, 0], [4, 0, 0], [0, 0, 10], [7, 3, 1]], float)
    # sizes: x |0 - 4| / 2 = 2, y |0 - 3| / 1 = 3, z |0 - 10| / 5 = 2
    # first: (0, 0, 0)/2 + (4, 0, 0)/4 + (0, 0, 10)/4 + (0.2, 0.6, 0.6); second: on vertex 3
    np.testing.assert_allclose(binding.fit(base), [[1.2, 0.6, 3.1], [7, 3, 1]])
    weights = np.array([[1, 0], [0, 1], [1, 0], [0, 1]], float)
    np.testing.assert_allclose(binding.mix(weights), [[0.75, 0.25], [0, 1]])
