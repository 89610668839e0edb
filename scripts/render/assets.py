"""MakeHuman files as arrays: meshes (.obj), shape targets, clothes bindings (.mhclo), rig and weights.

Coordinates are MakeHuman's: decimetres, y up, the body looks along +z, its left is +x.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Mesh:
    """A polygon mesh cut into triangles."""

    vertices: Floats  # (V, 3)
    triangles: Ints  # (T, 3)
    groups: dict[str, Ints] = field(default_factory=dict)  # group name -> its triangles' numbers


def read_obj(path: Path) -> Mesh:
    """Vertices, faces (fans of triangles) and groups of a Wavefront file."""
    vertices: list[list[float]] = []
    triangles: list[tuple[int, int, int]] = []
    groups: dict[str, list[int]] = {}
    group = groups.setdefault("", [])
    for line in path.read_text(encoding="utf-8").splitlines():
        words = line.split()
        if not words:
            continue
        if words[0] == "v":
            vertices.append([float(w) for w in words[1:4]])
        elif words[0] == "g":
            group = groups.setdefault(words[1], [])
        elif words[0] == "f":
            corners = [int(w.split("/")[0]) - 1 for w in words[1:]]
            for second, third in pairwise(corners[1:]):
                group.append(len(triangles))
                triangles.append((corners[0], second, third))
    numbers = {name: np.array(members, np.int64) for name, members in groups.items() if members}
    return Mesh(np.array(vertices), np.array(triangles, np.int64), numbers)


def read_target(path: Path, vertices: int) -> Floats:
    """A shape target as offsets (vertices, 3) to the base mesh."""
    offsets = np.zeros((vertices, 3))
    rows = [line.split() for line in path.read_text().splitlines() if line[:1].isdigit()]
    if rows:
        table = np.array(rows, float)  # (n, 4): vertex, dx, dy, dz
        offsets[table[:, 0].astype(int)] = table[:, 1:4]
    return offsets


@dataclass(frozen=True)
class Binding:
    """How a garment hangs on the base mesh: each vertex mixes three base vertices and adds an offset."""

    corners: Ints  # (V, 3) base vertices
    weights: Floats  # (V, 3), they sum to 1
    offsets: Floats  # (V, 3), in units of the scales below
    scales: tuple[tuple[int, int, float], ...]  # per axis: two base vertices and their reference distance
    hidden: Ints  # base vertices that the garment covers

    def fit(self, base: Floats) -> Floats:
        """The garment's vertices (V, 3) on a base mesh of any shape."""
        size = [
            abs(base[a, axis] - base[b, axis]) / reference
            for axis, (a, b, reference) in enumerate(self.scales)
        ]
        return np.asarray(self.mix(base) + self.offsets * np.array(size))

    def mix(self, values: Floats) -> Floats:
        """Values of the base vertices (B, C), carried over to the garment's (V, C)."""
        return np.asarray(np.einsum("vk,vkc->vc", self.weights, values[self.corners]))


def read_binding(path: Path) -> Binding:
    """A .mhclo file."""
    rows: list[list[float]] = []
    scales: dict[str, tuple[int, int, float]] = {}
    hidden: list[int] = []
    part = "head"
    for line in path.read_text(encoding="utf-8").splitlines():
        words = line.split()
        if not words or words[0] == "#":
            continue
        if words[0] in ("verts", "delete_verts"):
            part = words[0]
        elif words[0] in ("x_scale", "y_scale", "z_scale"):
            scales[words[0][0]] = (int(words[1]), int(words[2]), float(words[3]))
        elif part == "verts" and words[0].isdigit():
            rows.append([float(w) for w in (words if len(words) == 9 else [words[0]] * 3 + ["1", *"00000"])])
        elif part == "delete_verts" and words[0].isdigit():
            hidden += _ranges(words)
    table = np.array(rows)
    axes = tuple(scales[axis] for axis in "xyz")
    return Binding(
        table[:, :3].astype(np.int64), table[:, 3:6], table[:, 6:9], axes, np.array(sorted(hidden), np.int64)
    )


def _ranges(words: list[str]) -> list[int]:
    """'3', '7', '-', '9' are 3, 7, 8, 9."""
    numbers: list[int] = []
    for i, word in enumerate(words):
        if word == "-":
            numbers += range(numbers[-1] + 1, int(words[i + 1]))
        else:
            numbers.append(int(word))
    return numbers


@dataclass(frozen=True)
class Rig:
    """Bones from parent to child, and how strongly each one moves each base vertex."""

    names: tuple[str, ...]
    parents: tuple[int, ...]  # -1 for the root; a parent comes before its children
    heads: tuple[Ints, ...]  # base vertices whose mean is the bone's start
    tails: tuple[Ints, ...]
    weights: Floats  # (B base vertices, bones), rows sum to 1


def read_rig(rig: Path, weights: Path, base: Mesh) -> Rig:
    """MakeHuman's rig JSON with its weights."""
    bones: dict[str, Any] = json.loads(rig.read_text())
    names: list[str] = []
    while len(names) < len(bones):
        names += [n for n, b in bones.items() if n not in names and b["parent"] in ("", *names)]

    def vertices(end: dict[str, Any]) -> Ints:
        if end["strategy"] == "MEAN":
            return np.array(end["vertex_indices"], np.int64)
        return np.unique(base.triangles[base.groups[end["cube_name"]]])

    table = np.zeros((len(base.vertices), len(names)))
    for name, pairs in json.loads(weights.read_text())["weights"].items():
        rows = np.array(pairs)
        table[rows[:, 0].astype(int), names.index(name)] = rows[:, 1]
    total = table.sum(axis=1, keepdims=True)
    parents = tuple(names.index(p) if (p := bones[n]["parent"]) else -1 for n in names)
    return Rig(
        tuple(names),
        parents,
        tuple(vertices(bones[n]["head"]) for n in names),
        tuple(vertices(bones[n]["tail"]) for n in names),
        table / np.where(total > 0, total, 1),
    )
