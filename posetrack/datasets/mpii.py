"""MPII human poses: HRNet's JSON or the official .mat, and the ground truth of PCKh.

    data = read_mpii(Path("mpii"), "train")     # annot/train.json or mpii_human_pose_v1_u12_1.mat, images/
    truth = read_mpii_truth(Path("mpii/annot/gt_valid.mat"))

MPII gives no boxes but a centre and a scale: the person is 200 x scale pixels tall. All files count pixels
from 1, we from 0.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posetrack.datasets.people import Person, PoseData
from posetrack.datasets.pictures import with_pictures
from posetrack.documents import read_json
from posetrack.errors import InputError
from posetrack.skeletons import MPII16

MAT = "mpii_human_pose_v1_u12_1.mat"
K = len(MPII16)


@dataclass(frozen=True, eq=False)
class MpiiTruth:
    """People of the validation split, in the order of valid.json. N people, 16 joints; 0-based pixels."""

    joints: NDArray[np.float64]  # (N, 16, 2)
    missing: NDArray[np.bool_]  # (N, 16)
    head_boxes: NDArray[np.float64]  # (N, 4) x1, y1, x2, y2


def read_mpii(root: Path, split: str) -> PoseData:
    """People with a labelled joint of a split, "train" or "valid".

    Args:
        root: holds images/ and annot/{split}.json of HRNet's release or, for "train", the official .mat. From
            this, pictures that annot/valid.json names are left out, as far as there is such a file.

    Raises:
        InputError: no annotations, or nobody remains.
    """
    path = root / "annot" / f"{split}.json"
    if path.is_file() or split != "train" or not (root / MAT).is_file():
        return read_mpii_json(path, root / "images", f"mpii {split}")
    held_out = root / "annot" / "valid.json"
    skip = {entry["image"] for entry in entries_of(held_out)} if held_out.is_file() else set()
    return read_mpii_mat(root / MAT, root / "images", skip)


def read_mpii_json(path: Path, pictures: Path, name: str = "mpii") -> PoseData:
    """People of a file in the form of HRNet's train.json: image, center, scale, joints, joints_vis."""
    found = (_found(f"{path.name}: entry {n}", _entry, entry) for n, entry in enumerate(entries_of(path)))
    return with_pictures(name, MPII16, found, pictures)


def _found(place: str, read: Callable[[Any], Person | str], source: Any) -> Person | str:
    """The person, or a line that names the place in the file and says why there is none."""
    try:
        person = read(source)
    except (AttributeError, LookupError, ValueError, TypeError) as error:
        person = f"cannot be read ({error!r})"
    return person if isinstance(person, Person) else f"{place}: {person}"


def _entry(entry: dict[str, Any]) -> Person | str:
    joints = np.array(entry["joints"], np.float64).reshape(K, 2)
    labelled = np.array(entry["joints_vis"], np.float64).reshape(K) > 0
    return _person(entry["image"], entry["center"], entry["scale"], joints, labelled)


def entries_of(path: Path) -> list[dict[str, Any]]:
    """The people of an annotation file in JSON, unread."""
    entries = read_json(path)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InputError(f"{path} is no list of people: give HRNet's MPII annotations")
    return list(entries)


def _person(
    image: str, center: ArrayLike, scale: float, joints: NDArray[np.float64], labelled: NDArray[np.bool_]
) -> Person | str:
    """A person from 1-based positions, or why there is none."""
    centre = np.array(center, np.float64).reshape(2)
    if not labelled.any():
        return f"no labelled joint ({image})"
    if centre[0] == -1 or not scale > 0:
        return f"no position or scale ({image})"
    if not (np.isfinite(centre).all() and np.isfinite(joints[labelled]).all() and np.isfinite(scale)):
        return f"a position that is no number ({image})"
    points = (joints - 1) * labelled[:, None]
    return Person(image, crop_box(centre, scale), points.astype(np.float32), labelled, np.zeros(K, np.bool_))


def crop_box(center: NDArray[np.float64], scale: float) -> NDArray[np.float32]:
    """The box (4,) whose crop at aspect 1 is the official one: 250 x scale wide, centred 15 x scale lower."""
    x, y = center - 1 + [0, 15 * scale]
    half = 100 * scale
    return np.array([x - half, y - half, x + half, y + half], np.float32)


def read_mpii_mat(path: Path, pictures: Path, skip: Collection[str] = ()) -> PoseData:
    """People of the training pictures in the official .mat (the labels of its test pictures are secret).

    Args:
        skip: names of pictures to leave out, such as those of a validation split.

    Raises:
        InputError: not the official file, or nobody remains.
    """
    release = read_mat(path, "RELEASE", nested=True)["RELEASE"]
    try:
        entries = list(zip(_listed(release.annolist), _listed(release.img_train), strict=True))
    except (AttributeError, ValueError) as error:
        raise InputError(f"{path} is not the official {MAT} ({error!r}): give that one") from None
    found = (
        _found(f"{path.name}: annolist({n}).annorect({place})", partial(_rect, entry.image.name), rect)
        for n, (entry, training) in enumerate(entries, 1)
        if training and entry.image.name not in skip
        for place, rect in enumerate(_listed(getattr(entry, "annorect", ())), 1)
    )
    return with_pictures("mpii train", MPII16, found, pictures)


def _rect(image: str, rect: Any) -> Person | str:
    joints, labelled = _joints(rect)
    position, scale = getattr(rect, "objpos", None), np.asarray(getattr(rect, "scale", ()))
    if position is None or not hasattr(position, "x") or not scale.size:
        return f"no position or scale ({image})"
    return _person(image, (position.x, position.y), float(scale), joints, labelled)


def _joints(rect: Any) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """1-based positions (16, 2) and which are given (16,); the file lists the given ones only, in any order.

    Occluded joints (is_visible 0) have a position and count, as in HRNet's JSON.
    """
    joints, labelled = np.zeros((K, 2)), np.zeros(K, np.bool_)
    for point in _listed(getattr(getattr(rect, "annopoints", None), "point", ())):
        joints[int(point.id)] = float(point.x), float(point.y)
        labelled[int(point.id)] = True
    return joints, labelled


def _listed(value: Any) -> NDArray[Any]:
    """The entries of a MATLAB array that may be empty or, being single, no array at all."""
    return np.atleast_1d(np.asarray(value, object))


def read_mat(path: Path, *names: str, nested: bool = False) -> dict[str, Any]:
    """Some variables of a MATLAB file; `nested` gives structs as objects, and arrays of one entry as this."""
    from scipy.io import loadmat

    try:
        content = loadmat(path, struct_as_record=not nested, squeeze_me=nested, variable_names=names)
    except (OSError, ValueError, TypeError, NotImplementedError) as error:
        raise InputError(f"{path} is no readable .mat file ({error}): fetch it again") from None
    if absent := [name for name in names if name not in content]:
        raise InputError(f"{path} lacks {', '.join(absent)}: give the official file")
    return dict(content)


def read_mpii_truth(path: Path) -> MpiiTruth:
    """The ground truth of HRNet's evaluation, gt_valid.mat.

    Raises:
        InputError: not that file.
    """
    content = read_mat(path, "jnt_missing", "pos_gt_src", "headboxes_src")
    joints = np.asarray(content["pos_gt_src"], np.float64)  # (16, 2, N)
    missing = np.asarray(content["jnt_missing"]) != 0  # (16, N)
    heads = np.asarray(content["headboxes_src"], np.float64)  # (2, 2, N): corner, axis
    N = joints.shape[-1]
    if joints.shape != (K, 2, N) or missing.shape != (K, N) or heads.shape != (2, 2, N):
        raise InputError(f"{path} has joints {joints.shape}: expected ({K}, 2, people), as in gt_valid.mat")
    return MpiiTruth(
        joints.transpose(2, 0, 1) - 1, missing.T.copy(), heads.transpose(2, 0, 1).reshape(N, 4) - 1
    )
