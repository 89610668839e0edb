"""MPII's official .mat in miniature, with the structs and the empty arrays that MATLAB writes."""

import numpy as np
from scipy.io import savemat

from posetrack.datasets.mpii import MAT

NOTHING = np.zeros((0, 0))


def structs(*entries):
    """A 1 x N MATLAB struct array; a field that an entry lacks is [], as MATLAB fills them."""
    fields = list(dict.fromkeys(name for fields in entries for name in fields))
    array = np.empty((1, len(entries)), [(name, object) for name in fields])
    for place, values in enumerate(entries):
        for name in fields:
            array[0, place][name] = values.get(name, NOTHING)
    return array


def rect(joints, **more):
    """A person of the .mat; joints: id -> 1-based position. The file lists given joints only."""
    points = [
        {"x": float(x), "y": float(y), "id": identity, "is_visible": NOTHING if identity == 9 else "1"}
        for identity, (x, y) in joints.items()
    ]
    person = {"x1": 20, "y1": 5, "x2": 40, "y2": 20, "scale": 0.2, "objpos": structs({"x": 30, "y": 25})}
    if points:
        person["annopoints"] = structs({"point": structs(*points)})
    return person | more


def someone(x, y, scale=0.5, **more):
    """A person of the test half: place and scale, no joints, no head."""
    return {"scale": scale, "objpos": structs({"x": x, "y": y})} | more


def write_mat(root, pictures, asked=None):
    """Pictures: (name, people, training); asked: whom the single-person benchmark takes, counted from 1."""
    annolist = structs(
        *[
            {"image": structs({"name": name}), "annorect": structs(*people) if people else NOTHING}
            for name, people, _ in pictures
        ]
    )
    training = np.array([[int(training) for *_, training in pictures]])
    single = np.empty((len(pictures), 1), object)
    for place in range(len(pictures)):
        single[place, 0] = np.array((asked or {}).get(place, ()), float).reshape(-1, 1)
    release = {"annolist": annolist, "img_train": training, "single_person": single}
    savemat(root / MAT, {"RELEASE": structs(release)})
