"""How far scores of joints, boxes and persons are the share of right cases, before and after calibration."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from posetrack.benchmarks.scores import (
    Cases,
    box_cases,
    everyday_box_cases,
    everyday_joint_cases,
    joint_cases,
)
from posetrack.runtime.calibration import Calibration
from scripts.markdown import table
from scripts.plots import BLUE, MUTED, ORANGE, panels, save
from scripts.report.networks import SETS, Networks


def scores(networks: Networks, picture: Path) -> tuple[str, Calibration, Calibration]:
    """Markdown, and the maps for the scores of joints and of boxes; draws the curves."""
    sets = {
        f"joints of {SETS[held_out.name]}": joint_cases(
            poses.keypoint_scores, errors, [person.image for person in held_out.people]
        )
        for held_out, (poses, errors) in zip(networks.held_out, networks.found.values(), strict=True)
    }
    for source, people_of_it in networks.everyday.items():
        sets[f"joints of everyday people, {source}"] = everyday_joint_cases(
            networks.estimator(), people_of_it
        )
    joints = Cases.concatenate(list(sets.values()))
    for_joints = joints.fit()
    detector = networks.detector()
    of_leeds, people = box_cases(
        detector, networks.estimator(), networks.photos, networks.held_out, for_joints
    )
    photos = [photo for some in networks.everyday_photos.values() for photo in some]
    of_everyday = everyday_box_cases(detector, photos, networks.everyday_images)
    boxes = Cases.concatenate([of_leeds, of_everyday])
    for_boxes = boxes.fit()
    persons = people.cases(for_boxes)
    kinds = {**sets, "joints, all sets alike": joints, "boxes, both sets alike": boxes}
    shipped = {
        name: cases.calibrated(for_boxes if cases is boxes else for_joints) for name, cases in kinds.items()
    }
    rows: list[list[object]] = []
    for name, cases in kinds.items():
        eces = [cases.reliability(s).ece for s in (None, shipped[name], cases.crossed())]
        rows.append([name, str(len(cases.scores)), _share(cases), *(100 * e for e in eces)])
    before, after = persons.values()
    eces = [100 * cases.reliability().ece for cases in (before, after)]
    rows.append(["persons", str(len(before.scores)), _share(before), *eces, float("nan")])
    draw({**kinds, "persons": before}, {**shipped, "persons": after.scores}, picture)
    head = "scores of | cases: | right, %: | ECE, %, as they come: | as they ship: | by the other half:"
    maps = f"Maps: joints `{for_joints.text()}`, boxes `{for_boxes.text()}`."
    return f"{table(head, rows)}\n\n{maps}", for_joints, for_boxes


def _share(cases: Cases) -> float:
    return 100 * float(np.average(cases.right, weights=cases.weights))


def draw(kinds: dict[str, Cases], shipped: dict[str, np.ndarray], path: Path) -> None:
    """Share of right cases over score, before and after; the bars say how many cases there are."""
    figure, (axes,) = panels(1, len(kinds), (3.2 * len(kinds), 3.9), sharey=True)
    for axis, (name, cases) in zip(axes, kinds.items(), strict=True):
        before, after = cases.reliability(), cases.reliability(shipped[name])
        axis.bar(np.arange(10) / 10 + 0.05, after.weight, 0.09, color="#e4e7eb", zorder=1)
        axis.plot([0, 1], [0, 1], color=MUTED, lw=1, ls=(0, (4, 3)), zorder=2)
        for curve, colour, label in ((before, ORANGE, "as it comes"), (after, BLUE, "as it ships")):
            axis.plot(curve.score, curve.right, color=colour, marker=".", lw=1.8, label=label, zorder=3)
        axis.set_title(name, loc="left", fontsize=11)
        note = f"ECE {100 * before.ece:.1f} to {100 * after.ece:.1f} %"
        axis.set_xlabel(f"score\n{note}")
        axis.set_xlim(0, 1)
        axis.set_ylim(0, 1)
    axes[0].set_ylabel("share that is right")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=2, frameon=False)
    save(figure, path)
