"""Reliability of joint, box and person scores on held-out photos, and the maps that improve it."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from light.markdown import table
from light.parts import SETS, Parts
from posetrack.benchmarks import pose_report
from posetrack.benchmarks.calibrate import Reliability, fit, reliability
from posetrack.benchmarks.detector import matched
from posetrack.benchmarks.pck import joint_errors
from posetrack.benchmarks.pose_report import HIT
from posetrack.benchmarks.validate import Predictions
from posetrack.boxes import iou
from posetrack.datasets.people import Person
from posetrack.pose.estimator import person_scores
from posetrack.runtime.calibration import Calibration
from posetrack.skeletons import POSETRACK18
from posetrack.types import Frame

Floats = NDArray[np.float64]
LIMITS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
SHOWN = 0.2  # box score from which a person counts
SURE = 0.5  # score of a labelled box that is wanted, see posetrack/benchmarks/detector.py


@dataclass(frozen=True)
class Cases:
    """N scores with what came of them."""

    scores: Floats
    right: Floats  # 0 or 1, or a share in between
    weights: Floats
    half: NDArray[np.int64]  # 0 or 1, see half_of

    def honest(self, calibration: Calibration) -> Floats:
        return calibration(self.scores.astype(np.float32)).astype(np.float64)

    def crossed(self) -> Floats:
        """Scores calibrated on the other half."""
        scores = self.scores.copy()
        for side in (0, 1):
            mine, other = self.half == side, self.half != side
            calibration = fit(self.scores[other], self.right[other], self.weights[other])
            scores[mine] = self.honest(calibration)[mine]
        return scores

    def fit(self) -> Calibration:
        return fit(self.scores, self.right, self.weights)

    def reliability(self, scores: Floats | None = None) -> Reliability:
        return reliability(self.scores if scores is None else scores, self.right, self.weights)

    @staticmethod
    def together(sets: list[Cases]) -> Cases:
        """Every set weighs the same, however many cases it has."""
        fields = (
            [c.scores for c in sets], [c.right for c in sets],
            [c.weights / c.weights.sum() * 1000 for c in sets], [c.half for c in sets],
        )  # fmt: skip
        return Cases(*(np.concatenate(field) for field in fields))


def honesty(parts: Parts, picture: Path) -> tuple[str, Calibration, Calibration]:
    """Markdown, and the maps for the scores of joints and of boxes; draws the curves."""
    plain = parts.plain
    sets = [joint_cases(parts, name, found) for name, found in plain.items()]
    joints = Cases.together(sets)
    for_joints = joints.fit()
    boxes, people = system_cases(parts, for_joints)
    for_boxes = boxes.fit()
    persons = people.cases(for_boxes)
    kinds = {SETS[name]: cases for name, cases in zip(plain, sets, strict=True)}
    kinds = {f"joints of {name}": cases for name, cases in kinds.items()}
    kinds |= {"joints, both sets alike": joints, "boxes": boxes}
    rows: list[list[object]] = []
    for name, cases in kinds.items():
        share = 100 * float(np.average(cases.right, weights=cases.weights))
        eces = [cases.reliability(), cases.reliability(cases.crossed())]
        row = [name, len(cases.scores), share, *(100 * e.ece for e in eces)]
        common = cases.reliability(cases.honest(for_joints)).ece if "joints" in name else float("nan")
        rows.append([*row, 100 * common])
    for name, cases in persons.items():
        share = 100 * float(cases.right.mean())
        ece = 100 * cases.reliability().ece
        rows.append([f"persons, {name}", len(cases.scores), share, ece, float("nan"), float("nan")])
    head = ["scores of", "cases", "right, %", "ECE, %", "ECE, own map from the other half", "ECE, common map"]
    text = table(head, rows)
    text += "\n\n" + bins_table({**kinds, **{f"persons, {n}": c for n, c in persons.items()}})
    text += "\n\n" + joint_table(plain)
    text += "\n\n" + thresholds_table(plain, for_joints)
    text += f"\n\nCalibration of the joint scores `{for_joints.text()}`, of the boxes' `{for_boxes.text()}`."
    draw({**kinds, **{f"persons, {n}": c for n, c in persons.items()}}, for_joints, picture)
    return text, for_joints, for_boxes


def joint_cases(parts: Parts, name: str, found: Predictions) -> Cases:
    people = next(h for h in parts.held_out if h.name == name).people
    counted = np.isfinite(found.errors.distances)
    half = np.array([half_of(person.image) for person in people])
    rows = np.nonzero(counted)[0]
    right = (found.errors.distances[counted] <= HIT).astype(np.float64)
    return Cases(found.scores[counted].astype(np.float64), right, np.ones(len(rows)), half[rows])


def half_of(name: str) -> int:
    """0 or 1, by chance, and always the same for a photo."""
    return zlib.crc32(name.encode()) & 1


@dataclass(frozen=True)
class FoundPeople:
    """N boxes whose worth is known."""

    box: Floats  # (N,) scores
    joints: Floats  # (N,) mean of the joint scores, as in a person's score
    honest_joints: Floats  # (N,) of the calibrated ones
    right: Floats  # (N,) share of the labelled joints that are right; 0 in a false box
    half: NDArray[np.int64]  # (N,)

    def cases(self, for_boxes: Calibration) -> dict[str, Cases]:
        """Person scores, box x joints, by what is calibrated of them."""
        honest_box = for_boxes(self.box.astype(np.float32))
        products = {
            "as they are": self.box * self.joints,
            "calibrated joints": self.box * self.honest_joints,
            "calibrated boxes and joints": honest_box * self.honest_joints,
        }
        return {n: Cases(p, self.right, np.ones(len(p)), self.half) for n, p in products.items()}


def system_cases(parts: Parts, calibration: Calibration) -> tuple[Cases, FoundPeople]:
    """Boxes: does one find a person? Persons: which share of their joints is right (none in a false box)?

    Boxes that find a person without labelled joints say nothing of persons; nor of boxes those that lie
    on what the teacher was in doubt about.
    """
    detector, estimator = parts.detector(), parts.estimator()
    people: dict[str, list[tuple[Person, bool]]] = {}
    for held_out in parts.held_out:
        for person in held_out.people:
            people.setdefault(person.image, []).append((person, held_out.human_only))
    boxes: list[tuple[float, float, int]] = []
    persons: list[tuple[float, float, float, float, int]] = []
    for photo in parts.photos(parts.every):
        half = half_of(photo.name)
        frame = Frame(photo.image, 0, 0.0)
        seen = detector([frame])[0]
        sure = photo.scores >= SURE
        hit = matched(seen.boxes, photo.boxes[sure])
        doubtful = ~hit & (iou(seen.boxes, photo.boxes[~sure]) >= 0.5).any(1)
        boxes += [(s, float(h), half) for s, h, d in zip(seen.scores, hit, doubtful, strict=True) if not d]
        shown = seen.scores >= SHOWN
        poses = estimator.estimate_frame(frame, seen[shown])
        worth = np.where((hit | doubtful)[shown], np.nan, 0.0)
        for person, human_only in people.get(photo.name, []):
            overlap = iou(poses.boxes, person.box[None])[:, 0]
            if len(poses) and overlap.max() >= 0.5:
                best = int(overlap.argmax())
                worth[best] = share_right(poses.keypoints[best], person, human_only)
        honest = person_scores(calibration(poses.keypoint_scores))
        rows = zip(seen.scores[shown], person_scores(poses.keypoint_scores), honest, worth, strict=True)
        persons += [(*map(float, row), half) for row in rows if np.isfinite(row[3])]  # type: ignore[misc]
    score, right, box_half = (np.array(column) for column in zip(*boxes, strict=True))
    *columns, halves = (np.array(column) for column in zip(*persons, strict=True))
    for_boxes = Cases(score.astype(np.float64), right, np.ones(len(score)), box_half)
    return for_boxes, FoundPeople(*columns, halves)


def share_right(points: NDArray[np.floating], person: Person, human_only: bool) -> float:
    """Of the labelled joints; NaN where no torso gives the measure."""
    counted = person.labelled & ~person.pseudo if human_only else person.labelled
    errors = joint_errors(
        points[None], person.keypoints[None], person.labelled[None], counted[None], POSETRACK18
    )
    return errors.pck() / 100


def bins_table(kinds: dict[str, Cases]) -> str:
    head = ["score", *(f"{name}: share / right, %" for name in kinds)]
    columns = [cases.reliability() for cases in kinds.values()]
    rows: list[list[object]] = []
    for k in range(len(columns[0].score)):
        cells = [f"{100 * c.weight[k]:.0f} / {100 * c.right[k]:.0f}" if c.weight[k] else "-" for c in columns]
        rows.append([f"{k / 10:.1f} to {(k + 1) / 10:.1f}", *cells])
    return table(head, rows)


def joint_table(plain: dict[str, Predictions]) -> str:
    """Mean score and share of hits of every joint."""
    rows: list[list[object]] = []
    names = [k.removeprefix("left_").removeprefix("right_") for k in POSETRACK18.keypoints]
    for joint in dict.fromkeys(names):
        slots = [k for k, name in enumerate(names) if name == joint]
        row: list[object] = [joint.replace("_", " ")]
        for found in plain.values():
            distances = found.errors.distances[:, slots]
            counted = np.isfinite(distances)
            if counted.any():
                score, right = found.scores[:, slots][counted].mean(), (distances[counted] <= HIT).mean()
                row.append(f"{100 * score:.0f} / {100 * right:.0f}")
            else:
                row.append("-")
        if row[1:] != ["-"] * len(plain):
            rows.append(row)
    return table(["mean score / right, %", *(SETS[name] for name in plain)], rows)


def thresholds_table(plain: dict[str, Predictions], calibration: Calibration) -> str:
    """What showing only joints from a calibrated score on would show."""
    tables = [
        pose_report.thresholds(calibration(found.scores.astype(np.float32)), found.errors, LIMITS)
        for found in plain.values()
    ]
    head = ["calibrated score from", *(f"{SETS[name]}: right of shown / of all, %" for name in plain)]
    rows: list[list[object]] = [
        [f"{limit:g}", *("{:.1f} / {:.1f}".format(*table_[limit]) for table_ in tables)] for limit in LIMITS
    ]
    return table(head, rows)


def draw(kinds: dict[str, Cases], calibration: Calibration, path: Path) -> None:
    """Share of right cases over score, before and after; the bars say how many cases there are."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(kinds), figsize=(3.1 * len(kinds), 3.4), sharey=True)
    for axis, (name, cases) in zip(axes, kinds.items(), strict=True):
        curves = {"as it is": cases.reliability()}
        if name.startswith("joints"):
            curves["common map"] = cases.reliability(cases.honest(calibration))
        if name.startswith(("joints, both", "boxes")):
            curves["map of the other half"] = cases.reliability(cases.crossed())
        axis.plot([0, 1], [0, 1], color="0.75", linewidth=1)
        for label, curve in curves.items():
            axis.plot(curve.score, curve.right, marker=".", label=f"{label}, ECE {100 * curve.ece:.1f} %")
        axis.bar(np.arange(10) / 10 + 0.05, curves["as it is"].weight, 0.09, color="0.88", zorder=0)
        axis.set(title=name, xlabel="score", xlim=(0, 1), ylim=(0, 1))
        axis.title.set_fontsize(9)
        axis.legend(fontsize=7, loc="upper left", frameon=False)
    axes[0].set_ylabel("share that is right")
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    plt.close(figure)
