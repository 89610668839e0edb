"""Poses for MPII's test set as .mat, in the form of the benchmark and in that of HRNet's code.

The benchmark takes `pred`: the annotations of its test pictures, with the predicted joints at the people whom
it asks for (README of its evaluation kit), in a file named pred_keypoints_mpii.mat. Pixels count from 1.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray


def benchmark_mat(annolist: NDArray[Any], places: NDArray[np.intp], points: NDArray[np.floating]) -> bytes:
    """A file with `pred`.

    Args:
        annolist: (M,) struct array of the test pictures, as scipy reads it from the official file.
        places: (N, 2) picture and person of every pose, from 0.
        points: (N, 16, 2) joints in MPII's order, in pixels from 0.
    """
    pred = np.array([tuple(entry) for entry in annolist], annolist.dtype)  # later changes stay ours
    for picture in np.unique(places[:, 0]).tolist():
        people = _with_field(pred[picture]["annorect"].ravel(), "annopoints")
        for row in np.flatnonzero(places[:, 0] == picture).tolist():
            people[places[row, 1]]["annopoints"] = _annopoints(points[row] + 1)
        pred[picture]["annorect"] = people[None]
    return _saved(pred=pred[None])


def hrnet_mat(points: NDArray[np.floating]) -> bytes:
    """A file with `preds` (N, 16, 2), in the order of HRNet's test.json, as its code saves them."""
    return _saved(preds=np.asarray(points, np.float64) + 1)


def _with_field(structs: NDArray[Any], name: str) -> NDArray[Any]:
    """The same structs (R,) with an empty field of that name."""
    names = dict.fromkeys((*(structs.dtype.names or ()), name))
    wider = np.empty(len(structs), [(field, object) for field in names])
    for place, struct in enumerate(structs):
        for field in names:
            wider[place][field] = np.zeros((0, 0)) if field == name else struct[field]
    return wider


def _annopoints(points: NDArray[np.floating]) -> NDArray[Any]:
    joints = np.empty((1, len(points)), [(name, object) for name in ("x", "y", "id")])
    for number, (x, y) in enumerate(points.tolist()):
        joints[0, number] = (x, y, float(number))
    holder = np.empty((1, 1), [("point", object)])
    holder[0, 0]["point"] = joints
    return holder


def _saved(**variables: NDArray[Any]) -> bytes:
    from scipy.io import savemat

    file = io.BytesIO()
    savemat(file, variables, do_compression=True)  # type: ignore[arg-type]  # stubs know paths alone
    return file.getvalue()
