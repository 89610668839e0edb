"""Clothed people: a shape, garments bound to it, and linear blend skinning by a motion clip's rotations."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from scripts.render.assets import Floats, Ints, Mesh, Rig, read_binding, read_obj, read_rig, read_target
from scripts.render.motion import Clip, Walk, between, turn

METRE = 0.1  # MakeHuman works in decimetres
PARTS = ("skin", "upper", "lower", "shoe", "sock", "hair", "eye")

JOINT_BONES = {  # PoseTrack joints that are the start of a bone
    f"{side.lower()}_{joint}": f"{side}{bone}"
    for side in ("Left", "Right")
    for joint, bone in (
        ("shoulder", "Arm"), ("elbow", "ForeArm"), ("wrist", "Hand"),
        ("hip", "UpLeg"), ("knee", "Leg"), ("ankle", "Foot"),
    )
} | {"head_bottom": "Neck1"}  # fmt: skip


@dataclass(frozen=True)
class Appearance:
    """What makes a person recognisable."""

    shape: dict[str, float]  # targets and how much of each
    suit: str
    shoes: str
    hair: str
    colours: dict[str, tuple[float, float, float]]  # part -> sRGB in 0..1
    patterns: dict[str, str] = field(default_factory=dict)  # part -> plain, stripes, check or denim
    seed: int = 0


@dataclass(frozen=True)
class Library:
    """The unpacked assets that all people share."""

    folder: Path

    @cached_property
    def base(self) -> Mesh:
        return read_obj(self.folder / "base/base.obj")

    @cached_property
    def rig(self) -> Rig:
        folder = self.folder / "rig"
        return read_rig(folder / "rig.cmu_mb.json", folder / "weights.cmu_mb.json", self.base)

    def joint(self, shape: Floats, name: str) -> Floats:
        """The middle of a joint cube (3,)."""
        cube = np.unique(self.base.triangles[self.base.groups[f"joint-{name}"]])
        return np.asarray(shape[cube].mean(axis=0))


@dataclass(frozen=True)
class Body:
    """A dressed person at rest: metres, feet anywhere, facing +z."""

    appearance: Appearance
    vertices: Floats  # (V, 3)
    triangles: Ints  # (T, 3)
    parts: Ints  # (V,) index into PARTS
    weights: Floats  # (V, B)
    heads: Floats  # (B, 3) starts of the bones
    tails: Floats  # (B, 3)
    rig: Rig
    landmarks: dict[str, int]  # nose, head_top, left_ear, right_ear -> vertex
    face: dict[str, Floats]  # left_eye, right_eye, mouth -> (3,)

    @property
    def soles(self) -> Ints:
        return np.flatnonzero(self.parts == PARTS.index("shoe"))

    @property
    def skull(self) -> Ints:
        """Vertices of the head without its hair."""
        head = self.weights[:, self.rig.names.index("Head")] > 0.5
        return np.flatnonzero(head & (self.parts == PARTS.index("skin")))


def build_body(library: Library, appearance: Appearance) -> Body:
    """Shape the base mesh, dress it, and drop the skin that is covered."""
    base, rig = library.base, library.rig
    shape = base.vertices.copy()
    for target, amount in appearance.shape.items():
        shape += amount * read_target(library.folder / f"targets/{target}.target", len(shape))
    pieces = [(shape, base.triangles[base.groups["body"]], np.zeros(len(shape), int), rig.weights)]
    hidden = np.zeros(len(shape), bool)
    for folder, name, kind in (
        ("clothes", appearance.suit, "suit"), ("clothes", appearance.shoes, "shoes"),
        ("hair", appearance.hair, "hair"), ("eyes", "low-poly", "eye"),
    ):  # fmt: skip
        path = library.folder / folder / ("" if folder == "eyes" else name) / name
        mesh, binding = read_obj(path.with_suffix(".obj")), read_binding(path.with_suffix(".mhclo"))
        fitted = binding.fit(shape)
        kinds = _kinds(kind, fitted, mesh.triangles)
        triangles = mesh.triangles
        if kind == "shoes" and _reaches_ankles(*pieces[1][:3]):  # the socks would poke through
            triangles = triangles[kinds[triangles[:, 0]] == PARTS.index("shoe")]
        hidden[binding.hidden] = True
        pieces.append((fitted, triangles, kinds, binding.mix(rig.weights)))
    skin = pieces[0][1]
    pieces[0] = (shape, skin[~hidden[skin].any(axis=1)], *pieces[0][2:])
    starts = np.cumsum([0] + [len(p[0]) for p in pieces])
    everything = np.concatenate([p[0] for p in pieces])
    face = {n: library.joint(shape, j) for n, j in zip(_FACE, ("l-eye", "r-eye", "mouth"), strict=True)}
    return Body(
        appearance,
        everything * METRE,
        np.concatenate([p[1] + start for p, start in zip(pieces, starts[:-1], strict=True)]),
        np.concatenate([p[2] for p in pieces]),
        np.concatenate([p[3] for p in pieces]),
        np.array([shape[v].mean(axis=0) for v in rig.heads]) * METRE,
        np.array([shape[v].mean(axis=0) for v in rig.tails]) * METRE,
        rig,
        _landmarks(shape, np.unique(skin), face),
        {name: place * METRE for name, place in face.items()},
    )


_FACE = ("left_eye", "right_eye", "mouth")


def _kinds(kind: str, vertices: Floats, triangles: Ints) -> Ints:
    """Which of PARTS each vertex of a garment is; suits and shoes fall into loose pieces."""
    if kind in PARTS:
        return np.full(len(vertices), PARTS.index(kind))
    piece = np.arange(len(vertices))
    while True:  # each vertex takes the smallest number among its triangles' until nothing changes
        lowest = piece[triangles].min(axis=1)
        update = piece.copy()
        np.minimum.at(update, triangles.ravel(), np.repeat(lowest, 3))
        if (update == piece).all():
            break
        piece = update[update]
    kinds = np.zeros(len(vertices), int)
    pieces = [np.flatnonzero(piece == p) for p in np.unique(piece)]
    ground, top = vertices[:, 1].min(), max(vertices[p, 1].max() for p in pieces)
    for members in pieces:
        height = vertices[members, 1]
        if kind == "suit":
            kinds[members] = PARTS.index(
                "upper" if height.max() > top - 0.3 and height.min() > -3 else "lower"
            )
        else:
            kinds[members] = PARTS.index("shoe" if height.min() < ground + 0.25 else "sock")
    return kinds


def _reaches_ankles(vertices: Floats, triangles: Ints, kinds: Ints) -> bool:
    """Whether a suit has long trousers."""
    lower = vertices[kinds == PARTS.index("lower"), 1]
    return bool(lower.min() < -6)


def _landmarks(shape: Floats, skin: Ints, face: dict[str, Floats]) -> dict[str, int]:
    """Vertices of nose, crown and ears, found by their extreme places on the head."""
    points = shape[skin]
    eye_y, mouth_y = face["left_eye"][1], face["mouth"][1]
    nose = (np.abs(points[:, 0]) < 0.1) & (points[:, 1] < eye_y) & (points[:, 1] > mouth_y)
    level = np.abs(points[:, 1] - eye_y) < 0.5  # half a decimetre around the eyes: the ears' height
    return {
        "nose": int(skin[nose][np.argmax(points[nose, 2])]),
        "head_top": int(skin[np.argmax(points[:, 1])]),
        "left_ear": int(skin[level][np.argmax(points[level, 0])]),
        "right_ear": int(skin[level][np.argmin(points[level, 0])]),
    }


UNALIGNED = {"Hips", "LHipJoint", "RHipJoint", "LeftShoulder", "RightShoulder", "Head"}
SLOPE = 9.0  # degrees that the collar bones sink when the arms hang: MakeHuman's rest has them half raised


def alignment(body: Body, clip: Clip) -> Floats:
    """(B, 3, 3): each bone's smallest turn from the body's rest to the clip's.

    Bones that lie differently inside the flesh of rig and clip (pelvis, collar bones, head) keep their rest.
    """
    directions = clip.directions()
    turns = np.tile(np.eye(3), (len(body.heads), 1, 1))
    for bone, name in enumerate(body.rig.names):
        if name not in UNALIGNED:
            turns[bone] = between(body.tails[bone] - body.heads[bone], directions[name])
    for name, sign in (("LeftShoulder", -1), ("RightShoulder", 1)):
        turns[body.rig.names.index(name)] = turn(2, np.radians(sign * SLOPE))
    return turns


def bone_turns(body: Body, clip: Clip, rotations: Floats) -> Floats:
    """World rotation of each bone (T, B, 3, 3) from the clip's joint rotations (T, J, 3, 3)."""
    world = np.empty_like(rotations)
    for joint, parent in enumerate(clip.parents):
        world[:, joint] = rotations[:, joint] if parent < 0 else world[:, parent] @ rotations[:, joint]
    order = [clip.names.index(name) for name in body.rig.names]
    return world[:, order] @ alignment(body, clip)


def bone_places(heads: Floats, parents: tuple[int, ...], turns: Floats, root: Floats) -> Floats:
    """Starts of the bones (T, B, 3) from their rotations and the place of the first one (T, 3)."""
    places = np.empty(turns.shape[:-1])
    for bone, parent in enumerate(parents):
        if parent < 0:
            places[:, bone] = root
        else:
            places[:, bone] = places[:, parent] + turns[:, parent] @ (heads[bone] - heads[parent])
    return places


def skin(vertices: Floats, weights: Floats, heads: Floats, turns: Floats, places: Floats) -> Floats:
    """Linear blend skinning of one frame.

    Args:
        vertices: (V, 3) at rest; weights (V, B) with rows that sum to 1; heads (B, 3) at rest.
        turns: (B, 3, 3) world rotations; places (B, 3) of the bones' starts.
    """
    shift = places - np.einsum("bij,bj->bi", turns, heads)
    matrices = np.concatenate([turns, shift[:, :, None]], axis=2).reshape(len(heads), 12)
    mixed = (weights @ matrices).reshape(-1, 3, 4)
    return np.asarray(np.einsum("vij,vj->vi", mixed[:, :, :3], vertices) + mixed[:, :, 3])


def leg_length(body: Body) -> float:
    """Thigh and shank of the left leg, metres."""
    names = [body.rig.names.index(f"Left{b}") for b in ("UpLeg", "Leg", "Foot")]
    hip, knee, ankle = body.heads[names]
    return float(np.linalg.norm(knee - hip) + np.linalg.norm(ankle - knee))


def clip_scale(body: Body, walk: Walk) -> float:
    """Metres of this body per unit of the clip, so that the feet do not slide."""
    clip = walk.clip
    shank, foot = (clip.offsets[clip.names.index(f"Left{b}")] for b in ("Leg", "Foot"))
    return leg_length(body) / float(np.linalg.norm(shank) + np.linalg.norm(foot))
