"""PCK@0.2 of the pose network: by joint, pose, size, blur, at a frame's edge, with the detector's boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from light.agreement import agreement
from light.markdown import table
from light.parts import SETS, Parts, some
from posetrack.benchmarks import pose_report
from posetrack.benchmarks.pck import joint_errors
from posetrack.benchmarks.validate import Predictions
from posetrack.datasets.people import HeldOut, Image, Person, pose_type
from posetrack.detectors.base import iou
from posetrack.detectors.light import LightDetector
from posetrack.pipeline import within_frame
from posetrack.pose.crop import crop_regions
from posetrack.presets import LIGHT
from posetrack.runtime.calibration import Calibration
from posetrack.skeletons import POSETRACK18
from posetrack.training.examples.augment import cut_by_edge
from posetrack.training.examples.occluders import draw_occluder, has_body
from posetrack.types import Frame

JOINTS = (
    "nose", "head_bottom", "head_top", "shoulder", "elbow", "wrist", "hip", "knee", "ankle",
)  # fmt: skip
SIDES = (0, 60, 90, 120, 150, 180, 400)  # pixels of the box's longer side
BLURS = (2, 4, 8)  # pixels of the network's input
EDGES = (("bottom", 0.25), ("bottom", 0.5), ("top", 0.1), ("top", 0.25), ("left", 0.4), ("right", 0.4))
ASIDE = (0.25, 0.4)  # how far from people a stranger is drawn, widths of the crop
FOUND = 0.5  # IoU of a detected and a labelled box


def accuracy(parts: Parts) -> str:
    """Markdown."""
    plain = parts.plain
    chunks = [
        _by_joint(parts, plain),
        agreement(parts.data / "lspet", JOINTS),
        _by_pose_and_size(parts, plain),
        _by_blur(parts),
        _by_edge(parts),
        _by_stranger(parts, plain),
        _by_boxes(parts, plain),
    ]
    return "\n\n".join(chunks)


def _by_joint(parts: Parts, plain: dict[str, Predictions]) -> str:
    rows: list[list[object]] = []
    for held_out in parts.held_out:
        name = f"{SETS[held_out.name]} ({len(held_out.people)})"
        rows.append(_joint_row(name, plain[held_out.name]))
        rows.append(_joint_row(f"{SETS[held_out.name]}, flip test", parts.predict(held_out, flip=True)))
    head = ["PCK@0.2", "all", *(j.replace("_", " ") for j in JOINTS), "sides exchanged", "bias, heatmap px"]
    return table(head, rows)


def _joint_row(name: str, found: Predictions) -> list[object]:
    joints = pose_report.by_joint(found.errors, POSETRACK18)
    x, y = pose_report.bias(found)
    swapped = f"{pose_report.swapped(found, POSETRACK18):.1f} %"
    values = [joints.get(j, float("nan")) for j in JOINTS]
    return [name, found.errors.pck(), *values, swapped, f"{x:+.2f}, {y:+.2f}"]


def _by_pose_and_size(parts: Parts, plain: dict[str, Predictions]) -> str:
    athletes, bystanders = parts.held_out
    poses = pose_report.by_pose(plain["lspet"].errors, athletes, POSETRACK18)
    rows: list[list[object]] = [[f"athletes, {name}", n, value] for name, (n, value) in poses.items()]
    for held_out in (athletes, bystanders):
        sizes = pose_report.by_size(plain[held_out.name].errors, held_out, SIDES)
        rows += [
            [f"{SETS[held_out.name]}, box {low} to {high} px", n, value]
            for (low, high), (n, value) in sizes.items()
            if n
        ]
    return table(["", "people", "PCK@0.2"], rows)


def _by_blur(parts: Parts) -> str:
    chosen = [some(held_out, parts.every) for held_out in parts.held_out]

    def both(sets: list[HeldOut]) -> str:
        return " / ".join(f"{parts.predict(h).errors.pck():.1f}" for h in sets)

    sharp = both(chosen)
    rows = [
        [name, sharp, *(both([blurred(h, kind, p, parts.size) for h in chosen]) for p in BLURS)]
        for kind, name in _BLURS.items()
    ]
    people = " and ".join(f"{len(h.people)} {SETS[h.name]}" for h in chosen)
    head = [f"PCK@0.2 of {people}, blurred by", "0", *(f"{p} px" for p in BLURS)]
    return table(head, rows)


_BLURS = {"focus": "a Gaussian, deviation in input pixels", "motion": "a line in a random direction, length"}


def blurred(held_out: HeldOut, kind: str, pixels: float, size: tuple[int, int]) -> HeldOut:
    """The same people, blurred by so many pixels of a network's input of (width, height)."""
    scales = crop_regions(np.stack([p.box for p in held_out.people]), size[0] / size[1])[:, 2] / size[0]
    rng = np.random.default_rng(0)
    people: list[Person] = []
    images: dict[str, Image] = {}
    for number, (person, scale) in enumerate(zip(held_out.people, scales, strict=True)):
        image, width = held_out.images[person.image], pixels * float(scale)
        if kind == "focus":
            image = np.asarray(cv2.GaussianBlur(image, (0, 0), width), np.uint8)
        else:
            image = np.asarray(cv2.filter2D(image, -1, line(width, rng.uniform(0, np.pi))), np.uint8)
        people.append(replace(person, image=str(number)))
        images[str(number)] = image
    return replace(held_out, people=people, images=images)


def line(length: float, angle: float) -> np.ndarray:
    """A kernel that smears along a line of so many pixels; its sum is 1."""
    half = int(np.ceil(length / 2)) + 1
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    for t in np.linspace(-length / 2, length / 2, 4 * half + 1):
        x, y = half + t * np.cos(angle), half + t * np.sin(angle)
        column, row = int(x), int(y)
        for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
            kernel[row + i, column + j] += (1 - abs(y - row - i)) * (1 - abs(x - column - j))
    return kernel / kernel.sum()


def _by_edge(parts: Parts) -> str:
    """What becomes of people whom the frame ends within."""
    calibration = Calibration.read(parts.facts["calibration"]) if "calibration" in parts.facts else None
    rows = []
    for side, share in EDGES:
        row = [f"{side}, {100 * share:.0f} %"]
        for held_out in parts.held_out:
            cut, beyond = cut_people(held_out, side, share)
            found = parts.predict(cut)
            counted = np.stack([p.labelled & ~(p.pseudo & held_out.human_only) for p in cut.people])
            labels = np.stack([person.keypoints for person in cut.people]).astype(np.float64)
            # A torso that is cut in half has its full length in the labels all the same.
            labelled = np.stack([person.labelled for person in held_out.people])
            errors = joint_errors(found.points, labels, labelled, counted, POSETRACK18)
            scores = found.scores if calibration is None else calibration(found.scores)
            sizes = [cut.images[person.image].shape[1::-1] for person in cut.people]
            within = [within_frame(points, size) for points, size in zip(found.points, sizes, strict=True)]
            shown = (scores >= LIGHT.joint_score) & np.stack(within)  # as PoseTracker shows them
            row += [f"{errors.pck():.1f}", f"{100 * shown[beyond].mean() if beyond.any() else 0:.0f}"]
        rows.append(row)
    head = ["cut away from the box"]
    for held_out in parts.held_out:
        head += [f"{SETS[held_out.name]}, PCK@0.2 of joints inside", "joints beyond that are shown, %"]
    return table(head, rows)


def cut_people(held_out: HeldOut, side: str, share: float) -> tuple[HeldOut, np.ndarray]:
    """Everybody at the edge of a picture of their own, and which of their labelled joints lie beyond it."""
    people: list[Person] = []
    images: dict[str, Image] = {}
    for number, person in enumerate(held_out.people):
        part, cut = cut_by_edge(held_out.images[person.image], person, side, share)
        images[str(number)] = np.ascontiguousarray(part)
        people.append(replace(cut, image=str(number)))
    beyond = np.stack([p.labelled & ~c.labelled for p, c in zip(held_out.people, people, strict=True)])
    return replace(held_out, people=people, images=images), beyond


def _by_stranger(parts: Parts, plain: dict[str, Predictions]) -> str:
    """What becomes of people who stand close to somebody else."""
    strangers = [
        (held_out.images[person.image], person)
        for held_out in parts.held_out
        for person in held_out.people
        if pose_type(person, POSETRACK18) == "upright" and has_body(person.labelled, POSETRACK18)
    ]
    rows: list[list[object]] = []
    for held_out in parts.held_out:
        able = np.array([has_body(person.labelled, POSETRACK18) for person in held_out.people])
        chosen = replace(held_out, people=[p for p, a in zip(held_out.people, able, strict=True) if a])
        row: list[object] = [SETS[held_out.name], len(chosen.people), plain[held_out.name].errors[able].pck()]
        for before in (False, True):
            row += [
                parts.predict(beside_strangers(chosen, strangers, aside, before, parts.size)).errors.pck()
                for aside in ASIDE
            ]
        rows.append(row)
    head = ["PCK@0.2, somebody else drawn beside", "people", "nobody"]
    head += [f"{where}, {aside} aside" for where in ("behind", "before") for aside in ASIDE]
    return table(head, rows)


def beside_strangers(
    held_out: HeldOut,
    strangers: Sequence[tuple[Image, Person]],
    aside: float,
    before: bool,
    size: tuple[int, int],
) -> HeldOut:
    """Everybody in a picture of their own with an upright stranger of the same size, left or right of them.

    Args:
        aside: from middle to middle, in widths of the person's crop for inputs of `size`.
    """
    rng = np.random.default_rng(0)
    people: list[Person] = []
    images: dict[str, Image] = {}
    for number, person in enumerate(held_out.people):
        image, other = strangers[rng.integers(len(strangers))]
        aspect = size[0] / size[1]
        (x, y, w, _), (u, v, side, _) = crop_regions(np.stack([person.box, other.box]), aspect)
        k = w / side
        x += aside * w * rng.choice((-1, 1))
        matrix = np.array([[k, 0, x - k * u], [0, k, y - k * v]])
        images[str(number)] = draw_occluder(
            held_out.images[person.image],
            person.keypoints,
            person.labelled,
            POSETRACK18,
            (image, other),
            matrix,
            before,
        )
        people.append(replace(person, image=str(number)))
    return replace(held_out, people=people, images=images)


def _by_boxes(parts: Parts, plain: dict[str, Predictions]) -> str:
    detector = parts.detector()
    rows: list[list[object]] = []
    for held_out in parts.held_out:
        boxes = detected_boxes(held_out, detector)
        found = np.isfinite(boxes).all(axis=1)
        seen = replace(
            held_out,
            people=[replace(p, box=b) for p, b, f in zip(held_out.people, boxes, found, strict=True) if f],
        )
        labelled = plain[held_out.name].errors[found].pck()
        rows.append(
            [SETS[held_out.name], 100 * float(found.mean()), labelled, parts.predict(seen).errors.pck()]
        )
    head = ["", "found by the detector, %", "PCK@0.2 of those, labelled boxes", "detected boxes"]
    return table(head, rows)


def detected_boxes(held_out: HeldOut, detector: LightDetector, least: float = 0.3) -> np.ndarray:
    """(N, 4) the detected box that fits each person best; NaN where none overlaps by `FOUND`."""
    boxes = np.full((len(held_out.people), 4), np.nan, np.float32)
    names = [person.image for person in held_out.people]
    for name in dict.fromkeys(names):
        found = detector([Frame(held_out.images[name], 0, 0.0)])[0]
        found = found[found.scores >= least]
        for row in (i for i, other in enumerate(names) if other == name):
            overlap = iou(held_out.people[row].box[None], found.boxes)[0]
            if len(overlap) and overlap.max() >= FOUND:
                boxes[row] = found.boxes[overlap.argmax()]
    return boxes
